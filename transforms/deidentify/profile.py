"""A profile, its options and the site's overrides, compiled into the table that the walk reads.

* Compiling refuses what it cannot do to the letter: an unknown option, a wrong line of `override:` (overrides.py).
* The table is a keep-list: (tag, VR) that is not in it goes the slow way, where the rule is looked up and told. Its
  lines are made when they are first asked for.
* One level per SOP class for the top of the data set, one per enclosing sequence for items (docs/adr/0003).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from struct import Struct
from typing import Final

from profiles.confidentiality import load, names, nested_types, top_level_types
from transforms.dataset.elements import LONG_VRS, SHORT_VRS
from transforms.deidentify import options as chosen
from transforms.deidentify import private
from transforms.deidentify.binary import SIZES, WAVEFORM_SEQUENCE
from transforms.deidentify.content import CONTENT, content_rules, is_content
from transforms.deidentify.content_values import TAGS as VALUE_TAGS
from transforms.deidentify.content_values import UNITS
from transforms.deidentify.dummies import ENCAPSULATED_DOCUMENT
from transforms.deidentify.options import How
from transforms.deidentify.overrides import MARKERS, NONE, Compiled, Override, compiled
from transforms.deidentify.rules import MARKER, Action, Rule, Rules, allowed_vrs
from transforms.dictionary import DicomDictionary
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
_PIXELS: Final = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_DOCUMENT_LENGTH: Final = 0x00420015  # follows from the dummy document
_MARKED: Final = frozenset(chosen.MARKS.values())
_CHARSET: Final = 0x00080005
_REFERENCED: Final = 0x00081155  # Referenced SOP Instance UID: told of (engine.Deidentified.references)
PATIENT_NAME: Final = 0x00100010
HL7_INSTANCE: Final = 0x0040E001
# What becomes of them hangs on more than their own bytes, or is told elsewhere
_UNLIKE: Final = (
    NOTED | MARKERS | _MARKED | {_DOCUMENT_LENGTH, _REFERENCED, PATIENT_NAME, HL7_INSTANCE, ENCAPSULATED_DOCUMENT}
)
_VALUES: Final = VALUE_TAGS | {UNITS}  # of content items
_KEY: Final = Struct("<HH")
_IMPLICIT: Final = dict.fromkeys((NOTE, ALIKE, ALIKE_ITEMS), LOOK) | {KEEP_SHORT: KEEP_LONG, DROP_SHORT: DROP_LONG}


class Level:
    """The rules of one place: the top of an object of one SOP class, or the items of one sequence."""

    __slots__ = ("_known", "_rules", "_types", "content", "explicit", "implicit", "looked", "nested", "overridden")

    def __init__(
        self, rules: Rules, types: Mapping[int, str] | None, nested: bool, looked: frozenset[int] = frozenset()
    ) -> None:
        self._rules = rules
        self._types = types
        self._known: dict[int, Rule] = {}
        self.nested = nested
        self.looked = looked  # tags that go the slow way, whatever the rule
        self.overridden = rules.overrides.keys()
        self.content = False  # its items are content items: their value attributes are looked at, whatever the rule
        self.explicit = Codes(self, explicit=True)
        self.implicit = Codes(self, explicit=False)

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


class Codes(dict[bytes, int]):
    """By a tag and VR as they stand in Explicit VR little endian, or by the tag alone: tag << 4 | code.

    Each is found out when it is first asked for: of the dictionary's 5,000 attributes an object has a hundred. A tag
    or VR that the dictionary does not have is -1, and not remembered: hostile ones could be many.
    """

    __slots__ = ("_explicit", "_level")

    def __init__(self, level: Level, *, explicit: bool) -> None:
        super().__init__()
        self._level = level
        self._explicit = explicit

    def __missing__(self, key: bytes) -> int:
        if len(key) != (6 if self._explicit else 4):
            return -1  # the data set ends within a header
        group, element = _KEY.unpack_from(key)
        tag = group << 16 | element
        allowed = allowed_vrs(tag) if tag in DicomDictionary else ()
        vr = key[4:].decode("latin-1") if self._explicit else "".join(allowed[-1:])
        if vr not in allowed:
            return -1
        code = _code(self._level, tag, vr)
        found: int = tag << 4 | (code if self._explicit else _IMPLICIT.get(code, code))
        self[key] = found
        return found


def _code(level: Level, tag: int, vr: str) -> int:
    """What the walk does with an attribute that has this VR."""
    if tag in level.looked:
        return LOOK
    rule = level.rule(tag)
    look = (
        rule.looser
        or tag in (_DOCUMENT_LENGTH, _REFERENCED)
        or tag in _MARKED
        or rule.action not in (Action.KEEP, Action.REMOVE)
        or (tag in NOTED and (not level.nested or tag == _CHARSET))
    )
    if look or vr == "SQ" or (tag in _PIXELS and not level.nested):
        return LOOK if level.nested or rule.looser else _remembered(tag, vr, rule)
    long = vr.encode() in LONG_VRS
    if rule.action is Action.KEEP:
        return KEEP_LONG if long else KEEP_SHORT
    return DROP_LONG if long else DROP_SHORT


def _remembered(tag: int, vr: str, rule: Rule) -> int:
    """The code of a top-level element that must be looked at, unless the same was seen in another object."""
    if tag in NOTED and tag != _CHARSET and rule.action is Action.KEEP and vr.encode() in SHORT_VRS:
        return NOTE
    if tag in _UNLIKE or is_content(tag):
        return LOOK
    return ALIKE_ITEMS if vr == "SQ" else ALIKE if vr.encode() in SHORT_VRS else LOOK


class ActionTable:
    """A compiled profile. Safe to share between threads; levels are made when first needed and kept."""

    __slots__ = (
        "_base", "_items", "_nested", "_tops", "_within", "cleans", "cleans_text", "conditional",
        "content", "documents", "generation", "looser", "options", "overrides", "private", "profile", "retains_uids",
        "rules", "shifts",
    )  # fmt: skip

    def __init__(self, rules: Rules, lines: Compiled, documents: str = REMOVE, named: bool = False) -> None:
        self.rules = rules
        self.looser = lines.looser  # numbers of the overrides that keep more than the profile
        self.conditional = lines.conditional  # number of an override with `when` -> whether it lets more through
        self.documents = documents  # what is done with encapsulated documents before the walk
        self.profile = rules.profile
        self.options = rules.options
        self.overrides = lines.lines  # number of the line, tag, action
        self._within = lines.within
        within = (rule for below in lines.within.values() for rule in below.values())
        cleaned = {rule.how for rule in (*rules.overrides.values(), *within)} | rules.cleaning
        self.shifts = How.SHIFT in cleaned
        self.private = private.listed(chosen.SAFE_PRIVATE in rules.options, lines.private)
        cleans_private = self.private is not None and any(map(private.is_cleaned, self.private.attributes.values()))
        self.cleans = cleans_private or bool(cleaned - {None})
        self.cleans_text = cleans_private or bool(cleaned & {How.TEXT, How.GRAPHICS, How.CONTENT})
        self.content = content_rules(frozenset(self.options)) if CONTENT in self.options else None
        self.retains_uids = chosen.UIDS in rules.options
        known = (GENERATION, self.profile.name, self.profile.edition, *self.options, rules.media)
        known = (*known, documents) if documents in CLEANING else known
        known = (*known, "named") if named else known
        told = repr((*known, lines.told))
        self.generation = hashlib.sha256(told.encode()).hexdigest()
        self._nested = nested_types()
        self._tops: dict[str, Level] = {}
        self._items: dict[int, Level] = {}
        self._base = Level(rules, {}, True)

    def top(self, sop_class: str) -> Level:
        """The level of a data set's top for a SOP class."""
        found = self._tops.get(sop_class)
        if found is None:
            level = Level(self.rules, top_level_types(sop_class), False)
            found = self._tops.setdefault(sop_class, level) if len(self._tops) < 512 else level
        return found

    def items(self, sequence: int) -> Level:
        """The level of the items of a sequence."""
        content = self.content is not None and is_content(sequence)
        own = self._within.get(sequence)
        if own is None and sequence not in self._nested and not content and sequence != WAVEFORM_SEQUENCE:
            return self._base
        found = self._items.get(sequence)
        if found is None:
            rules = self.rules.with_overrides(own) if own else self.rules
            looked = _VALUES if content else SIZES if sequence == WAVEFORM_SEQUENCE else frozenset[int]()
            found = Level(rules, self._nested.get(sequence, {}), True, looked)
            found.content = content
            found = self._items.setdefault(sequence, found)
        return found


def compile_profile(
    profile: str = "basic",
    options: Sequence[str] = (),
    overrides: Sequence[Override] = (),
    *,
    media: bool = False,
    documents: str = REMOVE,
    named: bool = False,
    active: Collection[int] = (),
) -> ActionTable:
    """The table of a profile by name. `media`: keys of a DICOMDIR get dummies where they would be empty. `documents`:
    what the shell does with encapsulated documents (DOCUMENTS). `active`: numbers of the overrides with `when` that
    hold for the object. `named`: something else takes names out of texts, too, so that other content leaves.

    Raises TransformError: profile-unknown, option-unknown, option-unsupported, options-contradict, override-* with the
    line's number.
    """
    if profile not in names():
        raise TransformError("profile-unknown", f"{profile!r}; there are: {', '.join(names())}")
    wanted = chosen.chosen(load(profile), options)
    if overrides:
        lines = compiled(overrides, Rules(load(profile), wanted, {}), active)
        return ActionTable(Rules(load(profile), wanted, lines.everywhere, media), lines, documents, named)
    return _plain(profile, wanted, media, documents, named)


@cache
def _plain(profile: str, options: tuple[str, ...], media: bool, documents: str, named: bool) -> ActionTable:
    return ActionTable(Rules(load(profile), options, {}, media), NONE, documents, named)
