"""Does a kept element hold what PS3.6 says it holds? For elements whose VR is not the dictionary's.

* The keep-list is by tag and VR. A value under another VR is kept only where it could stand under the right one;
  a name under LT in a numeric attribute does not leave.
* Nothing is converted: what fits is copied with the VR it came with.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from transforms.deidentify.rules import allowed_vrs
from transforms.dictionary import DicomDictionary

_FREE: Final = frozenset({"LO", "LT", "SH", "ST", "UC", "UT"})
_STRINGS: Final = _FREE | {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "PN", "TM", "UI", "UR"}
_BULK: Final = frozenset({"OB", "OD", "OF", "OL", "OV", "OW"})
_WIDTH: Final = {"AT": 4, "FD": 8, "FL": 4, "SL": 4, "SS": 2, "SV": 8, "UL": 4, "US": 2, "UV": 8}
_SIGNLESS: Final = {"SS": "US", "SL": "UL", "SV": "UV"}
_LONGEST: Final = 1 << 16  # of a value that is looked at

# PS3.5 Table 6.2-1; padding and the value separator are allowed everywhere
_SHAPES: Final = {
    "AE": re.compile(rb"(?!)"),
    "AS": re.compile(rb"([0-9]{3}[DWMY][ \0]*)?"),
    "CS": re.compile(rb"[A-Z0-9_ \\]*[ \0]*"),
    "DS": re.compile(rb"[0-9+\-.eE \\]*[ \0]*"),
    "DA": re.compile(rb"[0-9.\\]*[ \0]*"),
    "DT": re.compile(rb"[0-9.+\-\\]*[ \0]*"),
    "IS": re.compile(rb"[0-9+\- \\]*[ \0]*"),
    "TM": re.compile(rb"[0-9.:\\]*[ \0]*"),
    "UI": re.compile(rb"[0-9.\\]*[ \0]*"),
}
_TEXT: Final = re.compile(rb"[^\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]*\0*")


def longest(tag: int) -> int:
    """How long a value may be that is worth looking at."""
    return _LONGEST


@lru_cache(maxsize=1024)
def _vrs(tag: int) -> tuple[str, ...]:
    return allowed_vrs(tag)


def is_bulk(tag: int) -> bool:
    """Every VR the dictionary allows is a byte or word string: pixels, waveforms, tables."""
    return bool(_vrs(tag)) and all(vr in _BULK for vr in _vrs(tag))


def fits(tag: int, vr: str, value: bytes) -> bool:
    """Whether a value sent as `vr` could stand under one of the dictionary's VRs of the tag."""
    return any(_fits(tag, right, vr, value) for right in _vrs(tag))


def is_shaped(vr: str, value: bytes) -> bool:
    """Whether bytes can be a value of this VR: a number of whole numbers, or text of the VR's characters."""
    if vr in _SHAPES:
        return _SHAPES[vr].fullmatch(value) is not None
    return vr in _WIDTH and len(value) % _WIDTH[vr] == 0


def _fits(tag: int, right: str, vr: str, value: bytes) -> bool:
    if right == vr or not value:
        return True
    if right in _FREE:
        return (vr in _STRINGS or vr == "UN") and _TEXT.fullmatch(value) is not None
    if right in _SHAPES:
        return (vr in _STRINGS or vr == "UN") and _SHAPES[right].fullmatch(value) is not None
    if right in _BULK:
        return vr in _BULK
    width = _WIDTH.get(right)
    if width is None:
        return False
    if vr == "UN":
        entry = DicomDictionary.get(tag)
        return entry is not None and len(value) == width * int(entry[1].partition("-")[0])
    return _SIGNLESS.get(vr, vr) == _SIGNLESS.get(right, right)
