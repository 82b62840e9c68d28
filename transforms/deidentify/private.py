"""Safe private attributes (PS3.15 E.3.10, Table E.3.10-1): by creator, group, low byte and VR, or not at all.

* Only numbers, codes, text and sequences: a vendor's byte strings cannot be judged, and stay out though the table
  lists some.
* A creator's block is known by its reservation in the same data set or item (PS3.5 7.8.1); an element without one, or
  with a VR other than the table's, is unsafe.
* Listed text is cleaned, listed UIDs are replaced, the items of listed sequences are walked: safe is the attribute,
  not whatever a site wrote into it.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from profiles.confidentiality.safe_private import ROWS
from transforms.deidentify.options import SAFE_PRIVATE
from transforms.deidentify.rules import Action, Rule

SAFE: Final = Rule(
    Action.KEEP, f"E.3.10-1, {SAFE_PRIVATE}", "a safe private attribute; text and UIDs in it are cleaned"
)
CREATOR: Final = Rule(Action.KEEP, f"E.3.10-1, {SAFE_PRIVATE}", "reserves a block with safe private attributes")
TEXT: Final = frozenset({"LO", "LT", "SH", "ST", "UT"})
_LEFT_OUT: Final = frozenset({"", "OB", "OW", "OW/OB", "UN"})


@cache
def _table() -> dict[tuple[bytes, int, int], str]:
    return {(creator.encode("ascii"), group, low): vr for creator, group, low, vr in ROWS if vr not in _LEFT_OUT}


@cache
def _creators() -> frozenset[tuple[bytes, int]]:
    return frozenset((creator, group) for creator, group, _ in _table())


class Blocks:
    """The private blocks reserved in one data set or item. `note` reservations as they go by."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held: dict[tuple[int, int], bytes] = {}

    def note(self, tag: int, value: bytes) -> bool:
        """Take a reservation (gggg,00bb); whether anything of that creator is safe, so that it may stay."""
        creator = value.strip(b" \0")
        self._held[tag >> 16, tag & 0xFF] = creator
        return (creator, tag >> 16) in _creators()

    def vr(self, tag: int) -> str:
        """The VR under which (gggg,bbee) is safe; "" where it is not."""
        creator = self._held.get((tag >> 16, tag >> 8 & 0xFF))
        return _table().get((creator, tag >> 16, tag & 0xFF), "") if creator is not None else ""


def is_reservation(tag: int) -> bool:
    """(gggg,0010) to (gggg,00FF) of an odd group."""
    return bool(tag >> 16 & 1) and 0x10 <= tag & 0xFFFF <= 0xFF
