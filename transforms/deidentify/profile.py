"""A profile, its options and the site's overrides, compiled into the table that the walk reads.

* Compiling refuses what it cannot do to the letter: an unknown option, an override that keeps more than the profile
  without `allow_looser`, one that would break the object's identity, a condition.
* The table is a keep-list: (tag, VR) that is not in it goes the slow way, where the rule is looked up and told.
* One level per SOP class for the top of the data set, one per enclosing sequence for items (docs/adr/0003).

Overrides apply at the top level and in every item. Paths, `when` and private elements come later.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from struct import Struct
from typing import Any, Final, Protocol

from profiles.confidentiality import load, names, nested_types, top_level_types
from transforms.dataset.elements import LONG_VRS, SHORT_VRS, dictionary_vr
from transforms.deidentify import options as chosen
from transforms.deidentify.binary import SIZES, WAVEFORM_SEQUENCE
from transforms.deidentify.content import CONTENT, content_rules, is_content
from transforms.deidentify.content_values import TAGS as VALUE_TAGS
from transforms.deidentify.dummies import ENCAPSULATED_DOCUMENT, ITEMS
from transforms.deidentify.options import How
from transforms.deidentify.rules import MARKER, Action, Rule, Rules, allowed_vrs
from transforms.dictionary import DicomDictionary, keyword_for_tag, tag_for_keyword
from transforms.errors import TransformError

GENERATION: Final = 2  # raised when the code leaves other content under an unchanged profile: new UIDs (context.py)

# What is done with an encapsulated document: the dummy of Table E.1-1; cleaned, else the dummy or a hold; a hold
REMOVE, CLEAN, CLEAN_OR_HOLD, HOLD = DOCUMENTS = ("remove", "clean", "clean-or-hold", "hold")
CLEANING: Final = frozenset({CLEAN, CLEAN_OR_HOLD})

# Codes of the walk, in the low four bits of an entry; the tag is above them
KEEP_SHORT, KEEP_LONG, DROP_SHORT, DROP_LONG, LOOK, NOTE, ALIKE, ALIKE_ITEMS = range(8)

# Top-level values the engine needs, whatever is done with them
NOTED: Final[frozenset[int]] = frozenset(
    {
        0x00080005,  # Specific Character Set: how to read the patient's identifiers
        0x00080016, 0x00080018, 0x0020000D, 0x0020000E,  # who the object is
        0x00100020, 0x00100021,  # Patient ID and its issuer: the pseudonym
        0x00280002, 0x00280004, 0x00280008, 0x00280010, 0x00280011, 0x00280100,  # how long Pixel Data must be
        0x00420012,  # MIME Type of Encapsulated Document: what a dummy must be
    }
)  # fmt: skip
MARKERS: Final[frozenset[int]] = frozenset({0x00120062, 0x00120063, 0x00120064, 0x00280303})
_PIXELS: Final = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
# Without these an object is not itself: an override may not touch them
_ESSENTIAL: Final = frozenset({0x00080005, 0x00080016, 0x00080018, 0x0020000D, 0x0020000E, 0x00100020}) | MARKERS
_DOCUMENT_LENGTH: Final = 0x00420015  # follows from the dummy document
_MARKED: Final = frozenset(chosen.MARKS.values())
_VERBS: Final = {
    "keep": Action.KEEP,
    "remove": Action.REMOVE,
    "empty": Action.EMPTY,
    "dummy": Action.DUMMY,
    "uid": Action.UID,
    "clean": Action.CLEAN,
}
_CHARSET: Final = 0x00080005
_REFERENCED: Final = 0x00081155  # Referenced SOP Instance UID: told of (engine.Deidentified.references)
PATIENT_NAME: Final = 0x00100010
HL7_INSTANCE: Final = 0x0040E001
# What becomes of them hangs on more than their own bytes, or is told elsewhere
_UNLIKE: Final = (
    NOTED | MARKERS | _MARKED | {_DOCUMENT_LENGTH, _REFERENCED, PATIENT_NAME, HL7_INSTANCE, ENCAPSULATED_DOCUMENT}
)
_KEY: Final = Struct("<HH")
_IMPLICIT: Final = dict.fromkeys((NOTE, ALIKE, ALIKE_ITEMS), LOOK) | {KEEP_SHORT: KEEP_LONG, DROP_SHORT: DROP_LONG}


class Override(Protocol):
    """One line of `override:` (gateway.config.schema.Override)."""

    @property
    def at(self) -> str: ...
    @property
    def do(self) -> str: ...
    @property
    def why(self) -> str: ...
    @property
    def when(self) -> Mapping[str, Any] | None: ...
    @property
    def allow_looser(self) -> bool: ...


class Level:
    """The rules of one place: the top of an object of one SOP class, or the items of one sequence."""

    __slots__ = ("_known", "_rules", "_types", "content", "explicit", "implicit", "nested", "overridden")

    def __init__(
        self,
        rules: Rules,
        types: Mapping[int, str] | None,
        nested: bool,
        explicit: dict[bytes, int],
        implicit: dict[bytes, int],
    ) -> None:
        self._rules = rules
        self._types = types
        self._known: dict[int, Rule] = {}
        self.nested = nested
        self.overridden = rules.overrides.keys()
        self.content = False  # its items are content items: their value attributes are looked at, whatever the rule
        self.explicit = explicit  # tag and VR as they stand in Explicit VR little endian -> tag << 4 | code
        self.implicit = implicit  # the tag alone

    def rule(self, tag: int) -> Rule:
        """The rule for a tag at this place."""
        found = self._known.get(tag)
        if found is None:
            found = self._rules.rule(tag, self._types, nested=self.nested)
            if not self.nested and tag in MARKERS:
                found = MARKER
            if tag in DicomDictionary:  # bounded: hostile tags are not remembered
                self._known[tag] = found
        return found


class ActionTable:
    """A compiled profile. Safe to share between threads; levels are made when first needed and kept."""

    __slots__ = (
        "_base", "_items", "_looked", "_nested", "_tops", "_varying", "cleans", "cleans_text", "content",
        "documents", "generation", "options", "overrides", "profile", "retains_uids", "rules", "safe_private", "shifts",
    )  # fmt: skip

    def __init__(self, rules: Rules, overrides: tuple[tuple[int, int, str], ...], documents: str = REMOVE) -> None:
        self.rules = rules
        self.documents = documents  # what is done with encapsulated documents before the walk
        self.profile = rules.profile
        self.options = rules.options
        self.overrides = overrides  # number of the line, tag, action
        cleaned = {rule.how for rule in rules.overrides.values()} | rules.cleaning
        self.shifts = How.SHIFT in cleaned
        self.safe_private = chosen.SAFE_PRIVATE in rules.options
        self.cleans = self.safe_private or bool(cleaned - {None})
        self.cleans_text = self.safe_private or bool(cleaned & {How.TEXT, How.GRAPHICS, How.CONTENT})
        self.content = content_rules(frozenset(self.options)) if CONTENT in self.options else None
        self.retains_uids = chosen.UIDS in rules.options
        known = (GENERATION, self.profile.name, self.profile.edition, *self.options, rules.media)
        known = (*known, documents) if documents in CLEANING else known
        told = repr((*known, sorted(line[1:] for line in overrides)))
        self.generation = hashlib.sha256(told.encode()).hexdigest()
        self._nested = nested_types()
        self._varying = (
            frozenset(tag for tag, row in rules.rows.items() if row.action == "X" or "/" in row.action)
            | frozenset(tag for tag, entry in DicomDictionary.items() if entry[0] in ("DA", "DT", "TM", "PN", "UR"))
            | _PIXELS
            | NOTED
            | MARKERS
            | _MARKED
        )
        self._tops: dict[str, Level] = {}
        self._items: dict[int, Level] = {}
        plain = Level(rules, {}, True, {}, {})
        _fill(plain, DicomDictionary)
        self._base = plain
        self._looked = frozenset(op >> 4 for op in plain.implicit.values() if op & 15 == LOOK)

    def top(self, sop_class: str) -> Level:
        """The level of a data set's top for a SOP class."""
        found = self._tops.get(sop_class)
        if found is None:
            level = self._level(top_level_types(sop_class), nested=False)
            found = self._tops.setdefault(sop_class, level) if len(self._tops) < 512 else level
        return found

    def items(self, sequence: int) -> Level:
        """The level of the items of a sequence."""
        content = self.content is not None and is_content(sequence)
        if sequence not in self._nested and not content and sequence != WAVEFORM_SEQUENCE:
            return self._base
        found = self._items.get(sequence)
        if found is None:
            found = self._level(self._nested.get(sequence, {}), nested=True)
            found.content = content
            if content:
                _look(found, VALUE_TAGS)
            elif sequence == WAVEFORM_SEQUENCE:
                _look(found, SIZES)
            found = self._items.setdefault(sequence, found)
        return found

    def _level(self, types: Mapping[int, str] | None, *, nested: bool) -> Level:
        level = Level(self.rules, types, nested, dict(self._base.explicit), dict(self._base.implicit))
        _fill(level, self._varying if nested else self._varying | self._looked)
        return level


def _fill(level: Level, tags: Any) -> None:
    """Enter the codes of these tags for every VR the dictionary allows."""
    for tag in tags:
        rule = level.rule(tag)
        key = _KEY.pack(tag >> 16, tag & 0xFFFF)
        look = (
            rule.looser
            or tag in (_DOCUMENT_LENGTH, _REFERENCED)
            or tag in _MARKED
            or rule.action not in (Action.KEEP, Action.REMOVE)
            or (tag in NOTED and (not level.nested or tag == _CHARSET))
        )
        for vr in allowed_vrs(tag):
            long = vr.encode() in LONG_VRS
            if look or vr == "SQ" or (tag in _PIXELS and not level.nested):
                code = LOOK if level.nested or rule.looser else _remembered(tag, vr, rule)
            elif rule.action is Action.KEEP:
                code = KEEP_LONG if long else KEEP_SHORT
            else:
                code = DROP_LONG if long else DROP_SHORT
            level.explicit[key + vr.encode()] = tag << 4 | code
            level.implicit[key] = tag << 4 | _IMPLICIT.get(code, code)


def _remembered(tag: int, vr: str, rule: Rule) -> int:
    """The code of a top-level element that must be looked at, unless the same was seen in another object."""
    if tag in NOTED and tag != _CHARSET and rule.action is Action.KEEP and vr.encode() in SHORT_VRS:
        return NOTE
    if tag in _UNLIKE or is_content(tag) or vr == "UI":
        return LOOK
    return ALIKE_ITEMS if vr == "SQ" else ALIKE if vr.encode() in SHORT_VRS else LOOK


def _look(level: Level, tags: Iterable[int]) -> None:
    """Send these tags the slow way."""
    for tag in tags:
        key = _KEY.pack(tag >> 16, tag & 0xFFFF)
        for vr in allowed_vrs(tag):
            level.explicit[key + vr.encode()] = tag << 4 | LOOK
        level.implicit[key] = tag << 4 | LOOK


def compile_profile(
    profile: str = "basic",
    options: Sequence[str] = (),
    overrides: Sequence[Override] = (),
    *,
    media: bool = False,
    documents: str = REMOVE,
) -> ActionTable:
    """The table of a profile by name. `media`: keys of a DICOMDIR get dummies where they would be empty. `documents`:
    what the shell does with encapsulated documents (DOCUMENTS).

    Raises TransformError: profile-unknown, option-unknown, option-unsupported, options-contradict, override-* with the
    line's number.
    """
    if profile not in names():
        raise TransformError("profile-unknown", f"{profile!r}; there are: {', '.join(names())}")
    wanted = chosen.chosen(load(profile), options)
    if overrides:
        return _compiled(profile, wanted, overrides, media, documents)
    return _plain(profile, wanted, media, documents)


@cache
def _plain(profile: str, options: tuple[str, ...], media: bool, documents: str) -> ActionTable:
    return ActionTable(Rules(load(profile), options, {}, media), (), documents)


def _compiled(
    profile: str, options: tuple[str, ...], overrides: Sequence[Override], media: bool, documents: str
) -> ActionTable:
    plain = Rules(load(profile), options, {})
    compiled: dict[int, Rule] = {}
    for number, line in enumerate(overrides, 1):
        where = f"override {number}"
        tag = _tag(line.at, where)
        action = _VERBS[line.do]
        if line.when is not None:
            raise TransformError("override-when", f"{where}: conditions are not supported by this version")
        if tag in _ESSENTIAL:
            raise TransformError("override-essential", f"{where}: {line.at} is what makes the object itself")
        if not line.why.strip():
            raise TransformError("override-why", f"{where}: say why")
        looser = _looser(action, plain, tag)
        if looser and not line.allow_looser:
            raise TransformError("override-looser", f"{where}: keeps more of {line.at} than the profile; allow_looser")
        if action is Action.UID and dictionary_vr(tag) != "UI":
            raise TransformError("override-uid", f"{where}: {line.at} is not a UID")
        if action is Action.DUMMY and dictionary_vr(tag) == "SQ" and tag not in ITEMS:
            raise TransformError("override-dummy", f"{where}: there is no dummy item for {line.at}; empty or remove it")
        compiled[tag] = Rule(action, where, line.why, looser, _how(action, tag, where, line.at))
    pinned = tuple((int(rule.source.split()[1]), tag, rule.action.value) for tag, rule in sorted(compiled.items()))
    return ActionTable(Rules(plain.profile, options, compiled, media), pinned, documents)


def _how(action: Action, tag: int, where: str, at: str) -> How | None:
    """How an override's `clean` is done. Raises TransformError where nothing can be cleaned."""
    if action is not Action.CLEAN:
        return None
    how = chosen.cleanable(dictionary_vr(tag))
    if how is None:
        raise TransformError("override-clean", f"{where}: {at} is neither text nor a date; keep, empty or remove it")
    return how


def _tag(at: str, where: str) -> int:
    """The tag an override names, by keyword or as gggg,eeee. Raises TransformError."""
    text = at.strip().strip("()").replace(",", "")
    if "." in at or "[" in at or "/" in at:
        raise TransformError("override-path", f"{where}: paths are not supported by this version; name a keyword")
    tag = tag_for_keyword(at.strip())
    if tag is None and len(text) == 8:
        try:
            tag = int(text, 16)
        except ValueError:
            tag = None
    if tag is None or not (keyword_for_tag(tag) or tag >> 16 & 1):
        raise TransformError("override-unknown", f"{where}: {at!r} is not in PS3.6")
    if tag >> 16 & 1:
        raise TransformError("override-private", f"{where}: private attributes are removed in this version")
    return int(tag)


def _looser(action: Action, plain: Rules, tag: int) -> bool:
    """Whether the action lets more through than the profile does at any place."""
    profile = {
        plain.without_override(tag, types, nested=nested).action
        for types in (None, {}, {tag: "2"}, {tag: "1"})
        for nested in (False, True)
    }
    if action is Action.CLEAN:
        return not profile <= {Action.KEEP, Action.CLEAN}
    if action is Action.KEEP:
        # Keeping a sequence that the profile walks is no change; keeping a listed value is
        return profile != {Action.KEEP}
    return action is Action.UID and profile != {Action.UID}
