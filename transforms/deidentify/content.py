"""Content items under the Clean Structured Content Option: what Table E.3.4-1 says of a concept (PS3.15 E.3.4).

Rules of this file, in order; the first that speaks decides (docs/adr/0006)
1. The root of a content tree is kept. Below an item that was blanked in its place, every item is blanked.
2. A row for concept name and value type: the chosen options' cells, C over K; else the row's action. Retired SNOMED
   codes stand for their successors (E.3.4 note 3), and other codes of the subject's age, sex and birth date for DCM's.
   A subject's age that is kept is told as 90 years where it is above 89 or cannot be told (`of_age`).
3. A concept that is listed, but not with this value type: where a row of it identifies (text or a name that no option
   cleans), that row speaks for every value; where the value type is missing or unknown, the first row does. Text in
   place of the subject's age, sex or birth date is dummied: nothing bounds it as it bounds them.
4. Text that names a device's manufacturer or model is kept, as Table E.1-1 keeps those attributes; text whose concept
   is of a private coding scheme is dummied: nobody can look up that it is no physician's name.
5. The value's own type: names are dummied, text is cleaned by Clean Descriptors or dummied, dates and UIDs as their
   options say. Numbers, codes, containers, references and coordinates are kept and walked.

X removes the item with all below it; D, and X/D since no template is looked up, replaces its value and the tree stays
valid. Where items are named by position (`pinned`), X blanks the item in its place instead. A reference (IMAGE,
COMPOSITE, WAVEFORM) that is replaced is walked: its UIDs are. Whatever the item's value type, no other value attribute
passes by it: `value_rules` speaks of all of them.

It reads no bytes: content_items.py does.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import Final, NamedTuple

from profiles.confidentiality import structured_content as table
from transforms.deidentify.content_items import Head
from transforms.deidentify.content_values import OWN, blanked, defaults, oldest, owned
from transforms.deidentify.options import MODIFIED_DATES, How
from transforms.deidentify.rules import Action, Rule

CONTENT: Final = "clean-structured-content"
DESCRIPTORS: Final = "clean-descriptors"
# Rows of Table E.1-1 with C in this option's column: the sequence -> whether it may be left without items
SEQUENCES: Final[dict[int, bool]] = {
    0x0040A730: False,  # Content Sequence: SR, Key Object Selection, CAD, dose reports, procedure logs
    0x00400555: True,  # Acquisition Context Sequence: its items are content items without relationship or children
    0x00400610: True,  # Specimen Preparation Sequence: steps; their content items are in (0040,0612)
    0x0040B020: False,  # Waveform Annotation Sequence: a concept name without value type, and text, code or number
}
# Further sequences of the Content Item Macro (PS3.3 10.2); Table E.1-1 does not list them
MACROS: Final[frozenset[int]] = frozenset(
    {
        0x00240325, 0x00400440, 0x00400441, 0x00400612, 0x00400620, 0x00409220, 0x00440013, 0x00440019, 0x00741007,
        0x00741210, 0x00741212, 0x30020110, 0x30020131, 0x30020135, 0x300A062D, 0x300A065A, 0x300A065B, 0x300A073E,
        0x300A0793, 0x30100027, 0x30100070, 0x30100081,
    }
)  # fmt: skip
PINNED: Final[frozenset[int]] = frozenset({0x00400612})  # type 1, and E.3.4-1 removes what the template demands
_VALUED: Final = frozenset({"TEXT", "PNAME", "DATE", "TIME", "DATETIME", "UIDREF", "NUM", "CODE"})
_WALKED: Final = frozenset({"CONTAINER", "IMAGE", "COMPOSITE", "WAVEFORM", "SCOORD", "SCOORD3D", "TCOORD", "TABLE"})
_REFERENCES: Final = frozenset({"IMAGE", "COMPOSITE", "WAVEFORM"})
_SNOMED_RT: Final = frozenset({"SRT", "SNM3", "99SDM"})
# Other codes of concepts that Table E.3.4-1 lists in DCM alone (E.3.4: what corresponds to a removed attribute goes)
_TWINS: Final[dict[tuple[str, str], str]] = {
    ("21112-8", "LN"): "121031", ("184099003", "SCT"): "121031",  # birth date
    ("46098-0", "LN"): "121032", ("76689-9", "LN"): "121032",
    ("263495000", "SCT"): "121032", ("184100006", "SCT"): "121032",  # sex
    ("30525-0", "LN"): "121033", ("29553-5", "LN"): "121033", ("21612-7", "LN"): "121033", ("21611-9", "LN"): "121033",
    ("30972-4", "LN"): "121033", ("63900-5", "LN"): "121033",
    ("397669002", "SCT"): "121033", ("424144002", "SCT"): "121033",  # age
}  # fmt: skip
_AGE: Final = ("121033", "DCM")
_SUBJECT: Final = frozenset({("121031", "DCM"), ("121032", "DCM"), _AGE})
# Device Observer, Device and Device Subject: Manufacturer and Model Name. (0008,0070) and (0008,1090) are kept, too
_KEPT: Final = frozenset({"121014", "121015", "113878", "113879", "121194", "121195"})
_PRIVATE: Final = "99"  # the begin of a private coding scheme's designator (PS3.16 chapter 8)


class ContentAction(StrEnum):
    """What is done with a content item."""

    KEEP = "keep"  # as it is, and walked
    REMOVE_ITEM = "remove-item"  # with all below it
    CLEAN = "clean"  # its value is replaced; the item stays, and is walked


class Verdict(NamedTuple):
    """What is done with one content item, and what says so."""

    action: ContentAction
    source: str  # "E.3.4-1 (121008, DCM) PNAME", "E.3.4 TEXT" ...
    reason: str
    rules: Mapping[int, Rule]  # of its value attributes, by tag; never changed
    blank: bool = False  # what is below it is blanked, too
    age: bool = False  # it is kept, but for what `ContentRules.of_age` says
    oldest: bool = False  # the dummies are those of somebody of 90 years
    identifier: str = ""  # the value tells things of one object apart: a pseudonym of this kind is the better dummy


class _Row(NamedTuple):
    code: str
    scheme: str
    meaning: str
    value_type: str
    action: str
    options: str

    @property
    def source(self) -> str:
        return f"E.3.4-1 ({self.code}, {self.scheme}) {self.value_type}"

    @property
    def identifies(self) -> bool:
        """Text or a name that no option cleans: what it says is who or which, in whatever form."""
        return self.value_type in ("TEXT", "PNAME") and "C" not in self.options


class ContentRules:
    """The rules for content items under the options chosen; pure, and safe to share. `content_rules` makes it."""

    __slots__ = ("_known", "options")

    def __init__(self, options: frozenset[str]) -> None:
        self.options = options
        self._known: dict[tuple[str, _Row | str, bool, bool], Verdict] = {}

    def root(self, head: Head) -> Verdict:
        """Of the data set that is the root of a content tree: always kept."""
        return self._verdict(_value_type(head), "", False, False)

    def verdict(self, head: Head, parent: Verdict | None = None, *, pinned: bool = False) -> Verdict:
        """Of an item. `parent`: the verdict of the item around it. `pinned`: items are named by their position."""
        return self._verdict(_value_type(head), _row(head), pinned, parent is not None and parent.blank)

    def of_age(self, verdict: Verdict, above_89: bool | None) -> Verdict:
        """An item whose `verdict.age` is set. `above_89`: how old its subject is; None where that cannot be told."""
        if above_89 is False:
            return verdict
        if above_89:
            rules, reason = oldest(self.options), "above 89 years: told as 90"
        else:
            reason = "an age that cannot be told"
            rules = blanked(self.options, verdict.source, reason)
        return verdict._replace(action=ContentAction.CLEAN, reason=reason, rules=rules, oldest=bool(above_89))

    def _verdict(self, value_type: str, row: _Row | str, pinned: bool, below: bool) -> Verdict:
        key = value_type, row, pinned, below
        found = self._known.get(key)  # bounded: by the rows and value types there are
        if found is None:
            found = self._known.setdefault(key, self._made(value_type, row, pinned, below))
        return found

    def _made(self, value_type: str, row: _Row | str, pinned: bool, below: bool) -> Verdict:
        if below:
            return self._blank(value_type, "E.3.4-1", "below an item that Table E.3.4-1 removes")
        return self._by_type(value_type, row) if isinstance(row, str) else self._by_row(value_type, row, pinned)

    def _by_row(self, value_type: str, row: _Row, pinned: bool) -> Verdict:
        cells = {
            option: letter
            for option, letter in zip(table.OPTIONS, row.options, strict=True)
            if letter != "." and option in self.options
        }
        cleaning = next((option for option, letter in cells.items() if letter == "C"), None)
        if cleaning is not None:
            how = How.SHIFT if cleaning == MODIFIED_DATES else How.TEXT
            rule = Rule(Action.CLEAN, f"{row.source}, {cleaning}", f"{row.meaning}: {how}", how=how)
            return self._owned(value_type or row.value_type, rule)
        if cells:
            kept = Rule(Action.KEEP, f"{row.source}, {next(iter(cells))}", row.meaning)
            found = self._owned(value_type or row.value_type, kept)
            return found._replace(age=(row.code, row.scheme) == _AGE)
        if row.action == "X" and not pinned:
            return Verdict(ContentAction.REMOVE_ITEM, row.source, f"{row.meaning}: X", defaults(self.options))
        blank = self._blank(value_type or row.value_type, row.source, f"{row.meaning}: {row.action}")
        if row.action != "X":
            blank = blank._replace(blank=False)
            if row.identifies and row.value_type == "TEXT" == value_type and not row.options.strip("."):
                return blank._replace(identifier=f"content {row.code} {row.scheme}")
        return blank

    def _by_type(self, value_type: str, kind: str) -> Verdict:
        rules = defaults(self.options)
        if kind == "kept":
            return self._owned(
                "TEXT", Rule(Action.KEEP, "E.3.4 TEXT", "manufacturer or model, as Table E.1-1 keeps it")
            )
        if kind == "private":
            rules = owned(self.options, "TEXT", Rule(Action.DUMMY, "E.3.4 TEXT", "text of a private concept"))
        own = OWN.get(value_type, ())
        for tag in own:
            if rules[tag].action is not Action.KEEP:
                return Verdict(ContentAction.CLEAN, f"E.3.4 {value_type}", rules[tag].reason, rules)
        reason = f"{value_type} is kept" if value_type else "no value type: by its value attributes"
        return Verdict(ContentAction.KEEP, f"E.3.4 {value_type}".strip(), reason, rules)

    def _owned(self, value_type: str, rule: Rule) -> Verdict:
        """The rule for the value attributes of this value type, the defaults for the rest."""
        action = ContentAction.KEEP if rule.action is Action.KEEP else ContentAction.CLEAN
        return Verdict(action, rule.source, rule.reason, owned(self.options, value_type, rule))

    def _blank(self, value_type: str, source: str, reason: str) -> Verdict:
        """The item stays, without a value that says anything."""
        kept = value_type in _WALKED
        if kept and value_type in _REFERENCES:
            reason += "; its UIDs are replaced"
        rules = blanked(self.options, source, reason)
        return Verdict(ContentAction.KEEP if kept else ContentAction.CLEAN, source, reason, rules, blank=True)


def is_content(sequence: int) -> bool:
    """Whether the items of a sequence are content items."""
    return sequence in SEQUENCES or sequence in MACROS


def value_rules(verdict: Verdict) -> Mapping[int, Rule]:
    """The rules that hold in the verdict's item before those of its level: one for each value attribute, by tag."""
    return verdict.rules


@cache
def content_rules(options: tuple[str, ...] | frozenset[str]) -> ContentRules:
    """The rules under these options (names of options.OPTIONS); the same object each time."""
    return ContentRules(frozenset(options))


def _tables() -> dict[tuple[str, str], dict[str, _Row]]:
    found: dict[tuple[str, str], dict[str, _Row]] = {}
    for cells in table.ROWS:
        row = _Row(*cells)
        found.setdefault((row.code.upper(), row.scheme.upper()), {})[row.value_type] = row
    return found


_ROWS: Final = _tables()


def _value_type(head: Head) -> str:
    """The value type, "" where it is none that we know."""
    return head.value_type if head.value_type in _VALUED or head.value_type in _WALKED else ""


def _row(head: Head) -> _Row | str:
    """The row that speaks for an item; where Table E.3.4-1 is silent "kept", "private" or "" (rules 4 and 5)."""
    code, scheme = head.code.upper(), head.scheme.upper()
    if not code:
        return ""
    if scheme in _SNOMED_RT:
        code, scheme = table.SNOMED_RT.get(code, ""), "SCT"
    twin = _TWINS.get((code, scheme))
    rows = _ROWS.get((twin, "DCM") if twin else (code, scheme or "DCM"), {})  # no scheme: DICOM's was meant
    if head.value_type in rows:
        return rows[head.value_type]
    subject = head.value_type == "TEXT" and any((row.code, row.scheme) in _SUBJECT for row in rows.values())
    silent = "private" if subject or scheme.startswith(_PRIVATE) else ""
    if head.value_type == "TEXT" and scheme == "DCM" and code in _KEPT:
        silent = "kept"
    if not rows or head.value_type in _WALKED:
        return silent
    if head.value_type in _VALUED:
        return next((row for row in rows.values() if row.identifies), silent)
    return next(iter(rows.values()))
