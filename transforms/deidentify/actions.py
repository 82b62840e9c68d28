"""What is done to one element: the rules' words as edits of the plan.

Rules of this file
* `element` is the only way an element is touched, in a plain walk and in a traced one alike.
* A replaced value is written in the object's own form (Explicit or Implicit VR), with the dictionary's VR where the
  sender's was another.
* An empty value identifies nobody: EMPTY and DUMMY leave it as it is.
* What cannot be done to the letter raises TransformError, and nothing of the object leaves.

Reasons: pixel-data-vr, pixel-data-native, pixel-size-unknown, bulk-vr, dummy-too-long.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from transforms.dataset.elements import LONG_VRS, PIXEL_DATA, UNDEFINED, header_bytes
from transforms.deidentify import binary, dummies, private, rules
from transforms.deidentify.cleaning import Cleaning
from transforms.deidentify.content import Verdict
from transforms.deidentify.content_values import TEXT
from transforms.deidentify.context import Context
from transforms.deidentify.edit import Edit
from transforms.deidentify.fitting import fits, is_bulk, longest
from transforms.deidentify.patient import ISSUER, InItems
from transforms.deidentify.pixels import native_length
from transforms.deidentify.profile import HL7_INSTANCE, NOTED, PATIENT_NAME, ActionTable, Level
from transforms.deidentify.rules import Action, Rule, allowed_vrs
from transforms.deidentify.uids import replaced
from transforms.dictionary import keyword_for_tag
from transforms.errors import TransformError
from transforms.source import ByteSource

PATIENT_ID: Final = 0x00100020
_ISSUER: Final = bytes((ISSUER >> 16 & 0xFF, ISSUER >> 24, ISSUER & 0xFF, ISSUER >> 8 & 0xFF))  # little endian
MIME_TYPE: Final = 0x00420012
ENCAPSULATED_LENGTH: Final = 0x00420015
_FLOATS: Final = (0x7FE00008, 0x7FE00009)
_NEVER: Final = 1 << 60
CHARSET: Final = 0x00080005
REFERENCED: Final = 0x00081155  # Referenced SOP Instance UID
NOTHING_LEFT: Final = "none of its items is left"
_CLEANED_BYTES: Final = 1 << 20  # of one value; longer text is removed
_NEVER_EMPTY: Final = frozenset({TEXT, rules.CODE_MEANING, rules.GRAPHIC_TEXT})  # type 1 wherever they stand
NOTED_BYTES: Final = 1 << 12  # of one value; identifiers are shorter
REMOVED: Final = 0x00120062  # Patient Identity Removed
TEMPORAL: Final = 0x00280303  # Longitudinal Temporal Information Modified


class Traced(NamedTuple):
    """What happened to one element. No value: `offset` and `length` say where the old one stands in the source."""

    path: str  # "PatientID", "ReferencedStudySequence[1].ReferencedSOPInstanceUID"
    tag: int
    vr: str  # as sent; "" in Implicit VR
    action: Action
    source: str  # the row of Table E.1-1, VR rule or override
    reason: str
    offset: int
    length: int  # -1 where undefined


class Actions:
    """The state of one walk. walk.Walk adds how to get from one element to the next."""

    __slots__ = (
        "before",
        "blocks",
        "by_position",
        "charset",
        "cleaning",
        "context",
        "edit",
        "emptied",
        "encapsulated",
        "ends",
        "explicit",
        "given",
        "in_items",
        "loosened",
        "marked",
        "noted",
        "overlays",
        "path",
        "personal",
        "places",
        "references",
        "size",
        "sizes",
        "sop_class",
        "source",
        "stop",
        "table",
        "trace",
        "tracing",
        "uids",
        "verdict",
        "whose",
    )  # fmt: skip

    def __init__(
        self,
        source: ByteSource,
        table: ActionTable,
        context: Context,
        sop_class: str,
        *,
        explicit: bool,
        encapsulated: bool,
        trace: bool,
        marked: tuple[int, ...] = (),
    ) -> None:
        self.source = source
        self.size = source.size
        self.table = table
        self.context = context
        self.uids = context.uids(table.generation)
        self.sop_class = sop_class
        self.explicit = explicit
        self.encapsulated = encapsulated
        self.edit = Edit()
        self.noted: dict[int, bytes] = {}
        self.places: dict[int, int] = {}  # tags whose value the engine writes at the end -> place in the plan
        self.marked = marked  # what the engine writes anew because of what ran before the walk
        self.before = tuple(sorted((REMOVED, *marked, TEMPORAL)))  # the marker blocks stand where these tags belong
        self.stop = (REMOVED << 4) - 1
        self.loosened: set[str] = set()  # overrides that let something through
        self.overlays: dict[int, int] = {}  # group -> bit position of an overlay that may lie in the pixels
        self.charset: tuple[str, ...] = ()  # Specific Character Set of the data set or item
        self.blocks = private.Blocks(table.private) if table.private else None  # of the data set or item
        self.cleaning: Cleaning | None = None  # the engine's to give where the table cleans
        self.verdict: Verdict | None = None  # of the content item that is walked
        self.references: set[str] = set()  # SOP Instance UIDs that the output refers to
        self.emptied = False  # a content sequence has just lost all its items
        self.ends: dict[int, int] = {}  # where items without a length end, once found (content_items.py)
        self.by_position: bool | None = None  # whether content items may be named by position; None: not looked yet
        self.given: bytes | None = None  # the encapsulated document as it was cleaned before the walk
        self.sizes: dict[int, int] = {}  # of the waveform that is walked (binary.SIZES)
        self.whose: Callable[[], InItems]  # the engine's word on Patient IDs in items
        self.in_items: InItems | None = None  # made at the first of them
        self.personal = False  # what was just done hangs on whose the object is
        self.tracing = trace
        self.trace: list[Traced] = []
        self.path: list[str] = []

    # What walk.Walk gives

    def items(self, at: int, length: int, end: int, tag: int, depth: int, explicit: bool) -> int:
        """Walk the items of a sequence whose value begins at `at`; the offset after it."""
        raise NotImplementedError

    def past(self, at: int, end: int, vr: bytes, tag: int, explicit: bool, depth: int = 0) -> int:
        """The offset after an element of undefined length, read and forgotten."""
        raise NotImplementedError

    def value(self, at: int, length: int) -> bytes:
        """The bytes of a value."""
        raise NotImplementedError

    def is_sequence(self, tag: int) -> bool:
        """Whether PS3.6 says that this tag is a sequence."""
        raise NotImplementedError

    # The elements

    def markers(self, at: int, tag: int) -> None:
        """Reserve the places of the marker blocks before the first top-level element that stands behind them."""
        for number, before in enumerate(self.before, 1):
            if tag >= before and before not in self.places:
                self.places[before] = self.edit.reserve(at)
                self.stop = (self.before[number] << 4) - 1 if number < len(self.before) else _NEVER

    def element(self, level: Level, tag: int, vr: bytes, start: int, header: int, length: int, depth: int) -> int:
        """Do to one element what the rule of its level says; returns the offset after it."""
        rule = level.rule(tag)
        if level.content and self.verdict is not None and tag in self.verdict.rules and tag not in level.overridden:
            rule = self.verdict.rules[tag]
        at = start + header
        undefined = length == UNDEFINED
        if tag == CHARSET and length <= NOTED_BYTES:
            self.charset = tuple(self.value(at, length).decode("ascii", "replace").strip("\0 ").split("\\"))
        if depth == 0:
            if tag in NOTED and not undefined and length <= NOTED_BYTES:
                self.noted[tag] = self.value(at, length)
            elif tag >> 24 == 0x60:
                self._overlay(tag, at, length)
            elif tag in self.marked:
                rule = rules.MARKER
        elif tag in binary.SIZES and length in (2, 4):
            self.sizes[tag] = int.from_bytes(self.value(at, length), "little")
        if rule.looser:
            self.loosened.add(rule.source)
        if self.tracing:
            self.path.append(keyword_for_tag(tag) or f"({tag >> 16:04X},{tag & 0xFFFF:04X})")
            place = len(self.trace)
            after, effect = self._act(rule, tag, vr, start, at, length, depth)
            told = Traced(
                ".".join(self.path).replace(".[", "["), tag, vr.decode("latin-1"), effect.action, effect.source,
                effect.reason, at, -1 if undefined else length,
            )  # fmt: skip
            self.trace.insert(place, told)
            self.path.pop()
            return after
        return self._act(rule, tag, vr, start, at, length, depth)[0]

    def _act(self, rule: Rule, tag: int, vr: bytes, start: int, at: int, length: int, depth: int) -> tuple[int, Rule]:
        """The rule's action; returns the offset after the element and the rule that was carried out in the end."""
        explicit = vr != b""
        if tag == REFERENCED and 0 < length <= NOTED_BYTES and rule.action is not Action.REMOVE:
            old = self.value(at, length)
            self.references.add((self.uid(old) or old).strip(b"\0 ").decode("ascii", "replace"))
        if tag >> 16 & 1 and self.blocks is not None:
            return private.carried(self, self.blocks, tag, vr, start, at, length, depth)
        if rule.action is Action.KEEP or (rule.action is Action.CLEAN and self.is_sequence(tag)):
            return self._keep(rule, tag, vr, start, at, length, depth)
        after = self.past(at, self.size, vr, tag, explicit) if length == UNDEFINED else at + length
        if depth == 0 and tag == PATIENT_ID:
            # Z/D: always the pseudonym. Its issuer stands behind it, so the engine writes it at the end
            self.edit.drop(start, after)
            self.places[tag] = self.edit.reserve(after)
            return after, Rule(Action.DUMMY, rule.source, "Patient ID: keyed pseudonym")
        if rule.action is Action.REMOVE:
            self.edit.drop(start, after)
            return after, rule
        if length == 0 and rule.source != rules.DIRECTORY:
            return after, rule
        if depth == 0 and tag == PATIENT_NAME and rule.action is Action.EMPTY:
            self.edit.drop(start, after)
            self.places[tag] = self.edit.reserve(after)
            return after, Rule(Action.DUMMY, rule.source, "Patient's Name: keyed pseudonym")
        if depth == 0 and tag == dummies.ENCAPSULATED_DOCUMENT and rule.action is Action.DUMMY:
            # What a dummy must be stands behind it, in MIME Type of Encapsulated Document
            self.edit.drop(start, after)
            self.places[tag] = self.edit.reserve(after)
            return after, rule
        if rule.how in binary.HOWS:
            return after, binary.cleaned(self, rule, tag, vr, start, at, length, after)
        if rule.action is Action.CLEAN:
            return after, self._clean(rule, tag, vr, start, at, length, after)
        if rule.action is Action.EMPTY:
            self.write(tag, vr, start, after, b"")
        elif rule.action is Action.DUMMY and "UI" not in allowed_vrs(tag):
            self.write(tag, vr, start, after, self._dummy(tag, vr, at, length))
        else:
            return self._uid(rule, tag, vr, start, at, length, after)
        return after, rule

    def _clean(self, rule: Rule, tag: int, vr: bytes, start: int, at: int, length: int, after: int) -> Rule:
        """Replace a value by what is left of it when it is clean, or by a dummy; the rule that was carried out."""
        right = self._vr(tag, vr)
        if length == UNDEFINED or length > _CLEANED_BYTES or self.cleaning is None or rule.how is None:
            self.edit.drop(start, after)
            return Rule(Action.REMOVE, rule.source, "too long to be cleaned")
        old = self.value(at, length)
        fresh = self.cleaning.value(rule.how, right, old, self.charset)
        row = self.table.rules.rows.get(tag)
        needed = tag in _NEVER_EMPTY or (row is not None and "D" in row.action)
        if fresh is None or (not fresh and needed and old.strip(b" \0")):
            self.write(tag, vr, start, after, self._dummy(tag, vr, at, length))
            return Rule(Action.DUMMY, rule.source, "nothing is left of it" if fresh == b"" else "cannot be cleaned")
        if fresh != old:
            self.write(tag, vr, start, after, fresh)
        return rule

    def _keep(self, rule: Rule, tag: int, vr: bytes, start: int, at: int, length: int, depth: int) -> tuple[int, Rule]:
        """Keep an element; walk it where it is a sequence; remove it where it is not what its tag says."""
        undefined = length == UNDEFINED
        explicit = vr != b""
        if depth == 0 and (tag == PIXEL_DATA or tag in _FLOATS):
            return self._pixels(tag, vr, start, at, length), rule
        if self.is_sequence(tag):
            if vr in (b"SQ", b"") or (vr == b"UN" and undefined):
                mark = self.edit.mark()
                after = self.items(at, length, self.size, tag, depth, vr == b"SQ")
                if self.emptied:
                    self.emptied = False
                    self.edit.back(mark)
                    self.edit.drop(start, after)
                    return after, Rule(Action.REMOVE, rule.source, NOTHING_LEFT)
                if not undefined:
                    self.edit.relength(mark, at - 4, length)
                return after, rule
            after = self.past(at, self.size, vr, tag, explicit) if undefined else at + length
            if vr == b"UN":
                return after, self._reparsed(rule, tag, start, at, length, depth)
            self.edit.drop(start, after)
            return after, rules.MISMATCH
        after = self.past(at, self.size, vr, tag, explicit) if undefined else at + length
        sent = vr.decode("ascii")
        if not undefined and (not explicit or sent in allowed_vrs(tag)):
            if tag == ENCAPSULATED_LENGTH and dummies.ENCAPSULATED_DOCUMENT in self.places and depth == 0:
                self.write(tag, vr, start, after, len(self.document()).to_bytes(4, "little"))
                return after, Rule(Action.DUMMY, rule.source, "the length of the document that stands there")
            return after, rule
        if not undefined and length <= longest(tag) and fits(tag, sent, self.value(at, length)):
            return after, rule
        if is_bulk(tag):
            raise TransformError("bulk-vr", f"({tag >> 16:04X},{tag & 0xFFFF:04X}) is not in a VR of the dictionary's")
        self.edit.drop(start, after)
        return after, rules.MISMATCH

    def _reparsed(self, rule: Rule, tag: int, start: int, at: int, length: int, depth: int) -> Rule:
        """A sequence sent as UN of defined length: walked as Implicit VR, or removed where it is none."""
        mark = self.edit.mark()
        told = len(self.trace)
        path = len(self.path)
        state = self.verdict, self.charset, self.blocks
        try:
            self.items(at, length, at + length, tag, depth, False)
        except TransformError:
            self.verdict, self.charset, self.blocks = state  # what a broken item said holds for nothing
            self.edit.back(mark)
            del self.trace[told:], self.path[path:]
            self.edit.drop(start, at + length)
            return rules.UNPARSABLE
        if self.emptied:
            self.emptied = False
            self.edit.back(mark)
            self.edit.drop(start, at + length)
            return Rule(Action.REMOVE, rule.source, NOTHING_LEFT)
        self.edit.relength(mark, at - 4, length)
        return rule

    def _uid(self, rule: Rule, tag: int, vr: bytes, start: int, at: int, length: int, after: int) -> tuple[int, Rule]:
        if length == UNDEFINED or vr == b"SQ" or length > NOTED_BYTES * 64:
            self.edit.drop(start, after)
            return after, rules.MISMATCH
        fresh = replaced(self.value(at, length), self.uids)
        if fresh is not None:
            self.write(tag, vr, start, after, fresh)
            return after, rule
        return after, Rule(Action.KEEP, rule.source, "a registered UID")

    def uid(self, old: bytes) -> bytes | None:
        """The replacement of one UI value; None where it stays."""
        return None if self.table.retains_uids else replaced(old, self.uids)

    def _dummy(self, tag: int, vr: bytes, at: int, length: int) -> bytes:
        """The value that stands for a non-empty one."""
        if self.verdict is not None and self.verdict.oldest and tag in dummies.OLDEST:
            found = dummies.OLDEST[tag]
            return found if isinstance(found, bytes) else dummies.items(found, vr != b"")
        if self.is_sequence(tag):
            return dummies.dummy_items(tag, self.sop_class, vr != b"")
        if self.verdict is not None and self.verdict.identifier and tag == TEXT and 0 < length <= NOTED_BYTES:
            value = self.value(at, length).strip(b" \0")
            own = self._in_items().own(value, self._charset())
            return (own or self.context.pseudonym(self.verdict.identifier, value)).encode("ascii")
        if tag == PATIENT_ID and 0 < length <= NOTED_BYTES:
            return self._patient(vr, at, length)
        if tag in dummies.IDENTIFIERS and 0 < length <= NOTED_BYTES:
            value = self.value(at, length).strip(b" \0")
            return self.context.pseudonym(dummies.IDENTIFIERS[tag], value).encode("ascii")
        if tag == HL7_INSTANCE:
            fresh = self.uids(self.value(at, min(length, NOTED_BYTES)).strip(b" \0"))
            return fresh + b" " * (len(fresh) & 1)
        return dummies.BY_TAG.get(tag) or dummies.BY_VR[self._vr(tag, vr)]

    def _in_items(self) -> InItems:
        self.personal = True
        if self.in_items is None:
            self.in_items = self.whose()
        return self.in_items

    def _charset(self) -> bytes:
        return "\\".join(self.charset).encode("ascii", "replace")

    def _patient(self, vr: bytes, at: int, length: int) -> bytes:
        """The pseudonym of a Patient ID in an item; its issuer is the element behind it, if there is one."""
        after, issuer = at + length, b""
        head = self.source.pread(after, 8)
        if len(head) == 8 and head[:4] == _ISSUER:
            size = int.from_bytes(head[6:8] if vr else head[4:8], "little")
            if (not vr or head[4:6] == b"LO") and size <= NOTED_BYTES:
                issuer = self.source.pread(after + 8, size)
        value = self.value(at, length)
        if not value.strip(b" \0"):
            return b""
        fresh = self._in_items().pseudonym(value, issuer, self._charset()).encode("ascii")
        return fresh + b" " * (len(fresh) & 1)

    def document(self) -> bytes:
        """What stands for the encapsulated document, not padded: the cleaned one, or the smallest of its kind."""
        if self.given is not None:
            return self.given
        return dummies.document(dummies.mime_type(self.noted.get(MIME_TYPE, b""), self.sop_class))

    def _vr(self, tag: int, vr: bytes) -> str:
        """The VR to write: the sender's where the dictionary allows it, else the dictionary's first."""
        allowed = allowed_vrs(tag)
        sent = vr.decode("ascii")
        return sent if sent in allowed else allowed[0] if allowed else "UN"

    def write(self, tag: int, vr: bytes, start: int, after: int, value: bytes) -> None:
        """Replace a whole element."""
        right = self._vr(tag, vr)
        if len(value) > 0xFFFE and right.encode() not in LONG_VRS:
            raise TransformError("dummy-too-long", "a value too long for its VR")
        self.edit.replace(start, after, header_bytes(tag, right if vr else "", len(value)) + value)

    def _pixels(self, tag: int, vr: bytes, start: int, at: int, length: int) -> int:
        """Native pixels are cut to the length the image has, encapsulated ones passed by (PS3.5 8, A.4)."""
        if length == UNDEFINED:
            if not self.encapsulated or tag != PIXEL_DATA or vr not in (b"OB", b"OW"):
                raise TransformError("pixel-data-vr", "undefined length")
            return self.past(at, self.size, vr, tag, True)
        if vr and vr.decode("ascii") not in allowed_vrs(tag):
            raise TransformError("pixel-data-vr", "not OB or OW")
        if length == 0:
            return at
        if self.encapsulated and tag == PIXEL_DATA:
            raise TransformError("pixel-data-native", "native pixels in a syntax that encapsulates them")
        expected = native_length(self.noted, length)
        if expected is None:
            raise TransformError("pixel-size-unknown", "how long Pixel Data must be cannot be told")
        even = expected + (expected & 1)
        if length > even:
            self.edit.replace(start, at, header_bytes(tag, vr.decode("ascii"), even))
            if even > expected:
                self.edit.replace(at + expected, at + length, b"\0")
            else:
                self.edit.drop(at + expected, at + length)
        return at + length

    def _overlay(self, tag: int, at: int, length: int) -> None:
        """Retired overlays lie in unused bits of the pixels: bit position above 0 and no Overlay Data (C.9.2)."""
        group, number = tag >> 16, tag & 0xFFFF
        if number == 0x0102 and length == 2:
            self.overlays.setdefault(group, int.from_bytes(self.value(at, 2), "little"))
        elif number == 0x3000:
            self.overlays[group] = 0
