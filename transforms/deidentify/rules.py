"""What is to be done with an element, and why: from rows of Table E.1-1, from its VR, or from an override.

Rules of this file, in order; the first that speaks decides (docs/adr/0003)
1. Private elements (odd group) and group lengths are removed; what is carried of them is private.py's.
2. An override of the rule file.
3. A row of Table E.1-1: the chosen options' cells (options.py), else the profile's action; a compound action is
   resolved by the attribute's type in the IOD.
4. Additions of ours where the table is silent and a leak is known (ADDED).
5. A tag that PS3.6 does not know, and retired elements that are not plain numbers, are removed: what nobody can judge
   does not leave.
6. Unlisted dates, times, person names and locators are treated by VR (PS3.15 E.3.1 allows it for dates); UIDs are
   replaced unless registered. The options on dates and UIDs hold for unlisted ones as for listed.
7. The rest is kept. Sequences are kept and walked: the rules hold in every item.

It reads no bytes: actions.py does what is said here.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple

from profiles.confidentiality import PRIVATE, Profile, Row
from transforms.dataset.elements import dictionary_vr
from transforms.deidentify import options as chosen
from transforms.deidentify.dates import DATE_VRS
from transforms.deidentify.options import Cell, How
from transforms.dictionary import DicomDictionary


class Action(StrEnum):
    """What is done with one element, in the letters of Table E.1-1."""

    KEEP = "K"  # a sequence is kept and its items are walked
    REMOVE = "X"
    EMPTY = "Z"
    DUMMY = "D"
    UID = "U"
    CLEAN = "C"  # Rule.how says how


class Rule(NamedTuple):
    """An action, and what says so. `looser` marks an override that keeps more than the profile would."""

    action: Action
    source: str  # "E.1-1 (0010,0010)", "VR DA", "override 2" ...
    reason: str
    looser: bool = False
    how: How | None = None  # of CLEAN


KEEP: Final = Rule(Action.KEEP, "not listed", "in PS3.6, and Table E.1-1 does not list it")
WALK: Final = Rule(Action.KEEP, "not listed", "its items are walked by the same rules")
PRIVATE_RULE: Final = Rule(Action.REMOVE, "E.1-1 private", "private attribute")
UNKNOWN: Final = Rule(Action.REMOVE, "unknown", "PS3.6 does not know the element")
RETIRED: Final = Rule(Action.REMOVE, "retired", "retired, and not a plain number")
GROUP_LENGTH: Final = Rule(Action.REMOVE, "group length", "retired, and wrong after any change")
OVERLAY: Final = Rule(Action.REMOVE, "E.1-1 (60xx,3000)", "an overlay without its data is of no use")
UIDS: Final = Rule(Action.UID, "VR UI", "not a registered UID")
OTHER_GROUPS: Final = Rule(Action.REMOVE, "not a data set's", "groups 0000, 0002 and 0004 belong to messages and files")
PIXELS_IN_ITEM: Final = Rule(Action.REMOVE, "pixels in an item", "only the object's own pixels are sent on")
MISMATCH: Final = Rule(Action.REMOVE, "VR mismatch", "its VR is not the dictionary's, nor does its value fit that")
UNPARSABLE: Final = Rule(Action.REMOVE, "UN", "a sequence sent as UN whose bytes are not items")
MARKER: Final = Rule(Action.REMOVE, "marker", "written anew from what was done")

# Known leaks on which Table E.1-1 is silent: tag -> action, reason
ADDED: Final[dict[int, tuple[Action, str]]] = {
    0x00081190: (Action.REMOVE, "a URL may name the patient"),  # Retrieve URL
    0x00187006: (Action.REMOVE, "free text; makers repeat the detector's number there"),  # Detector Description
    0x00282000: (Action.CLEAN, "ICC profiles hold descriptions, makers and dates"),  # ICC Profile
    0x00420010: (Action.EMPTY, "free text; E.1-1 lists its siblings"),  # Document Title
    0x00420012: (Action.CLEAN, "text; only known types stay"),  # MIME Type of Encapsulated Document
    0x00420014: (Action.CLEAN, "text; only known types stay"),  # List of MIME Types
    0x00687005: (
        Action.DUMMY,
        "names of files say whose they are",
    ),  # Relative URI Reference Within Encapsulated Document
    0x0040A160: (Action.DUMMY, "free text of a content item"),  # Text Value, where no content item speaks for it
    0x0040E001: (Action.DUMMY, "identifies the document"),  # HL7 Instance Identifier
    0x04000120: (Action.REMOVE, "verifies the original only"),  # Signature, outside its sequence
    0x04000402: (Action.REMOVE, "verifies the original only"),  # Referenced Digital Signature Sequence
    0x04000403: (Action.REMOVE, "verifies the original only"),  # Referenced SOP Instance MAC Sequence
    0x04000500: (Action.REMOVE, "holds the original under another key"),  # Encrypted Attributes Sequence
    0x04000520: (Action.REMOVE, "holds the original under another key"),  # Encrypted Content, outside its sequence
    0x54001010: (Action.CLEAN, "what lies behind the last sample is no waveform"),  # Waveform Data
    0x4FFE0001: (Action.REMOVE, "verifies the original only"),  # MAC Parameters Sequence
}
_ADDED_HOW: Final = {
    0x00282000: How.COLORS,
    0x00420012: How.MIME,
    0x00420014: How.MIME,
    0x54001010: How.SAMPLES,
}
_BY_VR: Final = frozenset({"DA", "DT", "TM", "PN", "UR"})
# Locators that name something public (a coding scheme, a code)
_PUBLIC_UR: Final = frozenset({0x0008010E, 0x00080120})
_NUMBERS: Final = frozenset({"DS", "IS", "US", "SS", "UL", "SL", "FL", "FD", "SV", "UV", "US or SS", "US or SS or OW"})
# References whose items hold only class and instance UIDs: as a dummy the sequence is walked and its UIDs replaced
REFERENCES: Final = frozenset({0x00081110, 0x00081111, 0x00081140, 0x00082112})
# Keys of type 1 of directory records (PS3.3 F.5) that Table E.1-1 would empty
DIRECTORY: Final = "PS3.3 F.5"
DIRECTORY_KEYS: Final = frozenset(
    {
        0x00080020, 0x00080030, 0x00200010,  # Study Date, Study Time, Study ID
        0x00080023, 0x00080033,  # Content Date, Content Time: of SR documents, waveforms, spectra
        0x00700082, 0x00700083,  # Presentation Creation Date, Time
    }
)  # fmt: skip
CODE_MEANING: Final = 0x00080104
GRAPHIC_TEXT: Final = 0x00700006  # Unformatted Text Value: of graphic and waveform annotations
_PIXELS: Final = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})


class Rules:
    """The rules of one profile with its options and overrides. `rule` is pure and needs no object."""

    __slots__ = ("cleaning", "media", "options", "overrides", "profile", "rows")

    def __init__(
        self, profile: Profile, options: tuple[str, ...], overrides: Mapping[int, Rule], media: bool = False
    ) -> None:
        self.profile = profile
        self.media = media  # bound for a DICOMDIR
        self.options = options
        self.cleaning = frozenset(chosen.ALL[option].how for option in options)
        self.overrides = overrides
        self.rows = {int(row.tag, 16): row for row in profile.rows if row.tag != PRIVATE and "x" not in row.tag}

    def with_overrides(self, more: Mapping[int, Rule]) -> Rules:
        """The same rules with further overrides, which win."""
        return Rules(self.profile, self.options, {**self.overrides, **more}, self.media)

    def rule(self, tag: int, types: Mapping[int, str] | None, *, nested: bool) -> Rule:
        """The rule for a tag. `types` as profiles.confidentiality gives them; None where the IOD is not known."""
        if tag >> 16 & 1:
            return PRIVATE_RULE
        if tag & 0xFFFF == 0:
            return GROUP_LENGTH
        found = self.overrides.get(tag) or self.without_override(tag, types, nested=nested)
        if self.media and tag in DIRECTORY_KEYS and not nested and found.action in (Action.EMPTY, Action.REMOVE):
            return Rule(Action.DUMMY, DIRECTORY, f"{found.source}, but a DICOMDIR key may not be empty")
        return found

    def without_override(self, tag: int, types: Mapping[int, str] | None, *, nested: bool) -> Rule:
        """What the profile and its options say."""
        row = self.rows.get(tag)
        if row is not None:
            return self._optional(row, tag) or self.basic(tag, types, nested=nested)
        if tag == CODE_MEANING and How.TEXT in self.cleaning:
            return Rule(Action.CLEAN, "added", "sites write names into the meanings of their own codes", how=How.TEXT)
        found = self.basic(tag, types, nested=nested)
        if found is UIDS and chosen.UIDS in self.options:
            return Rule(Action.KEEP, chosen.UIDS, "unlisted UID")
        vr = found.source.removeprefix("VR ")
        if vr in DATE_VRS and chosen.FULL_DATES in self.options:
            return Rule(Action.KEEP, chosen.FULL_DATES, f"unlisted, VR {vr}")
        if vr in DATE_VRS and chosen.MODIFIED_DATES in self.options:
            return Rule(Action.CLEAN, chosen.MODIFIED_DATES, f"unlisted, VR {vr}: shifted", how=How.SHIFT)
        return found

    def _optional(self, row: Row, tag: int) -> Rule | None:
        """What the chosen options say of a row; None where the profile's action holds."""
        letters = {
            option: letter
            for option, letter in zip(self.profile.options, row.options, strict=True)
            if letter != "." and option in self.options
        }
        vr = dictionary_vr(tag)
        found: Cell | None = chosen.cell(letters, vr, tag) if letters and tag in DicomDictionary else None
        if found is None:
            if tag == GRAPHIC_TEXT and self.options and {How.GRAPHICS, How.CONTENT} & self.cleaning:
                return Rule(Action.CLEAN, f"E.1-1 {row.printed}", "text of a cleaned sequence", how=How.TEXT)
            return None
        source = f"E.1-1 {row.printed}, {found.option}"
        # Sequences are walked in any case; only content trees and graphics have rules of their own for their items
        if found.how is None or (vr == "SQ" and found.how is How.TEXT):
            return Rule(Action.KEEP, source, row.name)
        return Rule(Action.CLEAN, source, f"{row.name}: {found.how}", how=found.how)

    def basic(self, tag: int, types: Mapping[int, str] | None, *, nested: bool) -> Rule:
        """What the Basic Profile alone says; also where an option cannot be carried out on a value."""
        row = self.rows.get(tag)
        if row is not None:
            return _resolved(row.action, f"E.1-1 {row.printed}", row.name, tag, types)
        if tag >> 24 == 0x50:
            return Rule(Action.REMOVE, "E.1-1 (50xx,xxxx)", "Curve Data")
        if tag >> 24 == 0x60:
            return OVERLAY  # rows (60xx,3000) and (60xx,4000), and what describes the removed overlay
        if tag in ADDED:
            action, reason = ADDED[tag]
            return Rule(action, "added", reason, how=_ADDED_HOW.get(tag))
        if tag < 0x00080000:
            return OTHER_GROUPS
        if nested and tag in _PIXELS:
            return PIXELS_IN_ITEM
        entry = DicomDictionary.get(tag)
        if entry is None or not entry[4]:
            return UNKNOWN
        vr = str(entry[0])
        if entry[3] == "Retired" and vr not in _NUMBERS:
            return RETIRED
        if tag == 0x00080001:
            return GROUP_LENGTH  # Length to End
        if vr in _BY_VR and tag not in _PUBLIC_UR:
            return _resolved("X/Z/D", f"VR {vr}", "unlisted, treated by its VR", tag, types)
        if vr == "UI":
            return UIDS
        return WALK if vr == "SQ" else KEEP


def _resolved(action: str, source: str, name: str, tag: int, types: Mapping[int, str] | None) -> Rule:
    """A compound action resolved by the attribute's type (PS3.15 E.3; docs/adr/0003).

    A conditional type counts as unconditional. An attribute that is not in the known IOD is treated as type 3. Where
    the IOD is not known, as type 1: no variant lets a value through, and only this one keeps every object valid.
    """
    if action == "X" and types and tag in types:
        # The row says X, but the IOD needs the attribute: no value is let through, and the object stays valid
        return Rule(Action("D" if types[tag] == "1" else "Z"), source, f"{name}: X, but type {types[tag]}")
    if "/" not in action:
        return Rule(Action(action), source, name)
    type_ = "1" if types is None else types.get(tag, "3")
    kind = type_[0]
    letters = action.replace("*", "").split("/")
    if kind == "3":
        letter = letters[0]  # Z/D: an empty value is also right for type 3
    elif "*" in action:
        letter = "D"  # U*: an empty sequence would break what points to its instances
    elif kind == "2":
        letter = "Z" if "Z" in letters else "D" if "D" in letters else letters[0]
    else:
        letter = "D"  # X/Z names no action for type 1: a dummy is the only valid one
    if letter == "D" and tag in REFERENCES:
        letter = "K"
    return Rule(Action(letter), source, f"{name}: {action}, type {type_ if types is not None else 'unknown'}")


@lru_cache(maxsize=8192)
def allowed_vrs(tag: int) -> tuple[str, ...]:
    """The VRs the data dictionary allows for a tag ("US or SS" is two)."""
    return tuple(vr for vr in dictionary_vr(tag).split(" or ") if vr)
