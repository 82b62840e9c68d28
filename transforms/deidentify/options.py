"""The options of PS3.15 E.3 as columns of Table E.1-1: what they make of a row, and which go together.

* A cell K keeps, a cell C cleans. Where two chosen options fill one row's cells, C wins over K: what an option wants
  cleaned, another must not carry through as it is (docs/adr/0006).
* How is cleaned follows from the option: dates are shifted, text loses known identities, AE titles become pseudonyms,
  content trees and graphics are walked by rules of their own.
* What cannot be cleaned (a byte string, an element PS3.6 does not know) is treated as the Basic Profile says.
* What the options OUTSIDE ask for is done before the walk, by a step of the shell. The walk is told what ran, and only
  that is claimed (engine.py).

It knows columns and rows; rules.py puts them in order with everything else.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final, NamedTuple

from profiles.confidentiality import Profile
from transforms.errors import TransformError


class How(StrEnum):
    """How an element is cleaned."""

    TEXT = "text"  # known identities are taken out of free text
    SHIFT = "shift"  # dates move by the patient's offset
    PSEUDONYM = "pseudonym"  # an AE title by the key
    AGE = "age"  # ages above 89 are told as 90
    CONTENT = "content"  # content items by Table E.3.4-1
    GRAPHICS = "graphics"  # text objects are cleaned, shapes stay
    COLORS = "colors"  # an ICC profile keeps its numbers
    MIME = "mime"  # a MIME type stays where it is a known one
    SAMPLES = "samples"  # waveform data is cut to the length its channels have


class Option(NamedTuple):
    """One option: its code of CID 7050, and how its C cells are cleaned."""

    code: str
    meaning: str
    how: How | None = None


FULL_DATES: Final = "retain-full-dates"
MODIFIED_DATES: Final = "retain-modified-dates"
UIDS: Final = "retain-uids"
SAFE_PRIVATE: Final = "retain-safe-private"
OPTIONS: Final[dict[str, Option]] = {
    "clean-graphics": Option("113103", "Clean Graphics Option", How.GRAPHICS),
    "clean-structured-content": Option("113104", "Clean Structured Content Option", How.CONTENT),
    "clean-descriptors": Option("113105", "Clean Descriptors Option", How.TEXT),
    FULL_DATES: Option("113106", "Retain Longitudinal Temporal Information Full Dates Option"),
    MODIFIED_DATES: Option("113107", "Retain Longitudinal Temporal Information Modified Dates Option", How.SHIFT),
    "retain-patient-characteristics": Option("113108", "Retain Patient Characteristics Option", How.TEXT),
    "retain-device-identity": Option("113109", "Retain Device Identity Option", How.PSEUDONYM),
    UIDS: Option("113110", "Retain UIDs Option"),
    SAFE_PRIVATE: Option("113111", "Retain Safe Private Option"),
    "retain-institution-identity": Option("113112", "Retain Institution Identity Option"),
}
PIXELS: Final = "clean-pixel-data"
VISUAL_FEATURES: Final = "clean-recognizable-visual-features"
OUTSIDE: Final[dict[str, Option]] = {
    PIXELS: Option("113101", "Clean Pixel Data Option"),
    VISUAL_FEATURES: Option("113102", "Clean Recognizable Visual Features Option"),
}
ALL: Final = {**OUTSIDE, **OPTIONS}  # in the order of CID 7050
# Those that clean free text, for who has more to say about it
CLEAN_TEXT: Final = frozenset(
    name for name, option in OPTIONS.items() if option.how in (How.TEXT, How.GRAPHICS, How.CONTENT)
)
# What each says of its pixels once it ran (PS3.15 E.3.1, E.3.2): the attribute that then holds NO
MARKS: Final = {PIXELS: 0x00280301, VISUAL_FEATURES: 0x00280302}
_TEXT_VRS: Final = frozenset({"LO", "LT", "SH", "ST", "UC", "UT"})
_FITS: Final[dict[How, frozenset[str]]] = {
    How.TEXT: _TEXT_VRS | {"SQ"},
    How.SHIFT: frozenset({"DA", "DT", "TM"}),
    How.PSEUDONYM: frozenset({"AE"}),
    How.CONTENT: frozenset({"SQ"}),
    How.GRAPHICS: frozenset({"SQ"}),
}
TIMEZONE: Final = 0x00080201  # Timezone Offset From UTC: days do not change it


class Cell(NamedTuple):
    """What the chosen options make of a row: kept (`how` is None) or cleaned."""

    option: str
    how: How | None


def chosen(profile: Profile, names: Iterable[str]) -> tuple[str, ...]:
    """The options in the order of CID 7050, each once.

    Raises TransformError: option-unknown, options-contradict.
    """
    found = set(names)
    for name in sorted(found):
        if name not in OUTSIDE and (name not in OPTIONS or name not in profile.options):
            raise TransformError("option-unknown", f"{name!r}; there are: {', '.join(ALL)}")
    if {FULL_DATES, MODIFIED_DATES} <= found:
        raise TransformError("options-contradict", f"{FULL_DATES} and {MODIFIED_DATES} cannot both be true")
    return tuple(name for name in ALL if name in found)


def cell(letters: dict[str, str], vr: str, tag: int) -> Cell | None:
    """What chosen options say of a row: `letters` by option, K or C. None: the Basic Profile's action holds."""
    cleaning = [Cell(option, OPTIONS[option].how) for option, letter in letters.items() if letter == "C"]
    for each in cleaning:
        if each.how is not None and vr in _FITS[each.how]:
            return each
    if cleaning:
        return Cell(cleaning[0].option, None) if tag == TIMEZONE else None
    kept = next((option for option, letter in letters.items() if letter == "K"), None)
    return Cell(kept, How.AGE if vr == "AS" else None) if kept else None


def cleanable(vr: str) -> How | None:
    """How an override cleans an attribute of this VR; None where nothing can be cleaned."""
    if vr in _TEXT_VRS:
        return How.TEXT
    return next((how for how in (How.SHIFT, How.PSEUDONYM) if vr in _FITS[how]), None)
