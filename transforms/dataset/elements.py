"""Element headers as bytes: VR tables, tags, and what the data dictionary says of a tag.

* Tags are integers, group << 16 | element.
* The header layouts are PS3.5 section 7.1: Tables 7.1-1 (explicit, 32-bit length), 7.1-2 (explicit, 16-bit length)
  and 7.1-3 (implicit). Items and delimiters always have the implicit layout (PS3.5 7.5).
* It reads no source and judges nothing; framing.py does.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

from transforms.dictionary import DicomDictionary, row_of

UNDEFINED: Final = 0xFFFFFFFF  # the length that says "until the delimiter" (PS3.5 7.5)

ITEM: Final = 0xFFFEE000
ITEM_END: Final = 0xFFFEE00D
SEQUENCE_END: Final = 0xFFFEE0DD
PIXEL_DATA: Final = 0x7FE00010

# PS3.5 Table 7.1-2: VRs with a 16-bit length. Every other VR has two reserved bytes and a 32-bit length.
_SHORT = "AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US"
_LONG = "OB OD OF OL OV OW SQ SV UC UN UR UT UV"  # PS3.5 Table 7.1-1
SHORT_VRS: Final[dict[bytes, str]] = {vr.encode(): vr for vr in _SHORT.split()}
LONG_VRS: Final[dict[bytes, str]] = {vr.encode(): vr for vr in _LONG.split()}

# Bytes that one number of a VR takes, where byte order matters (PS3.5 section 7.3); AT is two 16-bit numbers.
SWAP_WIDTH: Final[dict[str, int]] = {
    "AT": 2, "OW": 2, "SS": 2, "US": 2,
    "FL": 4, "OF": 4, "OL": 4, "SL": 4, "UL": 4,
    "FD": 8, "OD": 8, "OV": 8, "SV": 8, "UV": 8,
}  # fmt: skip


class Layout(NamedTuple):
    """The header structs of one byte order."""

    short: Struct  # group, element, VR, 16-bit length
    long: Struct  # 32-bit length, at byte 8 of the header
    implicit: Struct  # group, element, 32-bit length


LITTLE: Final = Layout(Struct("<HH2sH"), Struct("<I"), Struct("<HHI"))
BIG: Final = Layout(Struct(">HH2sH"), Struct(">I"), Struct(">HHI"))


class Header(NamedTuple):
    """One element's header. `vr` is "" in Implicit VR; `length` is -1 where undefined."""

    tag: int
    vr: str
    size: int  # of the header itself: 8 or 12 bytes
    length: int


# Tags that are sequences wherever they are seen (PS3.6): Implicit VR says nothing itself.
SEQUENCE_TAGS: Final[frozenset[int]] = frozenset(tag for tag, entry in DicomDictionary.items() if entry[0] == "SQ")


def dictionary_vr(tag: int) -> str:
    """The VR the data dictionary gives (may be "US or SS" and the like); "" for a tag that PS3.6 does not know."""
    row = DicomDictionary.get(tag)
    if row is not None:
        return "" if row[0] == "NONE" else row[0]
    if tag & 0xFFFF == 0:
        return "UL"  # group length, PS3.5 7.2
    if tag >> 16 & 1:
        # PS3.5 7.8.1: (gggg,0010-00FF) of an odd group are Private Creators
        return "LO" if 0x10 <= tag & 0xFFFF <= 0xFF else ""
    row = row_of(tag)
    return row[0] if row is not None else ""


def is_private(tag: int) -> bool:
    """PS3.5 7.8: an odd group."""
    return bool(tag >> 16 & 1)


def header_bytes(tag: int, vr: str, length: int, little_endian: bool = True) -> bytes:
    """The header of one element; `vr` "" for Implicit VR, items and delimiters; -1 for an undefined length.

    Raises ValueError where the length does not fit into the VR's length field.
    """
    layout = LITTLE if little_endian else BIG
    if length < 0:
        length = UNDEFINED
    if not vr:
        return layout.implicit.pack(tag >> 16, tag & 0xFFFF, length)
    raw = vr.encode("ascii")
    if raw in SHORT_VRS:
        if length > 0xFFFF:
            raise ValueError(f"length does not fit a VR of {vr}")
        return layout.short.pack(tag >> 16, tag & 0xFFFF, raw, length)
    return layout.short.pack(tag >> 16, tag & 0xFFFF, raw, 0) + layout.long.pack(length)
