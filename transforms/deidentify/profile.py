"""A profile, its options and the site's overrides, compiled into the table that the walk reads.

* Compiling refuses what it cannot do to the letter: an unknown option, a wrong line of `override:` (overrides.py).
* The table is a keep-list: (tag, VR) that is not in it goes the slow way, where the rule is looked up and told.
* One level per SOP class for the top of the data set, one per enclosing sequence for items (docs/adr/0003).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from struct import Struct
from typing import Any, Final

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
_KEY: Final = Struct("<HH")
_IMPLICIT: Final = dict.fromkeys((NOTE, ALIKE, ALIKE_ITEMS), LOOK) | {KEEP_SHORT: KEEP_LONG, DROP_SHORT: DROP_LONG}


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
        "_base", "_items", "_looked", "_nested", "_tops", "_varying", "_within", "cleans", "cleans_text", "conditional",
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
        own = self._within.get(sequence)
        if own is None and sequence not in self._nested and not content and sequence != WAVEFORM_SEQUENCE:
            return self._base
        found = self._items.get(sequence)
        if found is None:
            found = self._level(self._nested.get(sequence, {}), nested=True, own=own)
            found.content = content
            if content:
                _look(found, VALUE_TAGS | {UNITS})
            elif sequence == WAVEFORM_SEQUENCE:
                _look(found, SIZES)
            found = self._items.setdefault(sequence, found)
        return found

    def _level(self, types: Mapping[int, str] | None, *, nested: bool, own: Mapping[int, Rule] | None = None) -> Level:
        rules = self.rules.with_overrides(own) if own else self.rules
        level = Level(rules, types, nested, dict(self._base.explicit), dict(self._base.implicit))
        _fill(level, self._varying.union(own or ()) if nested else self._varying | self._looked)
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
    if tag in _UNLIKE or is_content(tag):
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
