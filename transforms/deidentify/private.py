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
from typing import TYPE_CHECKING, Final

from profiles.confidentiality.safe_private import ROWS
from transforms.dataset.elements import UNDEFINED, header_bytes
from transforms.deidentify.fitting import is_shaped
from transforms.deidentify.options import SAFE_PRIVATE, How
from transforms.deidentify.rules import PRIVATE_RULE, Action, Rule
from transforms.deidentify.uids import replaced

if TYPE_CHECKING:
    from transforms.deidentify.actions import Actions

SAFE: Final = Rule(
    Action.KEEP, f"E.3.10-1, {SAFE_PRIVATE}", "a safe private attribute; text and UIDs in it are cleaned"
)
CREATOR: Final = Rule(Action.KEEP, f"E.3.10-1, {SAFE_PRIVATE}", "reserves a block with safe private attributes")
_CREATOR_BYTES: Final = 1 << 12
_VALUE_BYTES: Final = 1 << 20
_TEXT: Final = frozenset({"LO", "LT", "SH", "ST", "UT"})
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


def carried(
    walk: Actions, blocks: Blocks, tag: int, vr: bytes, start: int, at: int, length: int, depth: int
) -> tuple[int, Rule]:
    """Carry a private element through or drop it; returns the offset after it and the rule carried out."""
    undefined = length == UNDEFINED
    after = walk.past(at, walk.size, vr, tag, vr != b"") if undefined else at + length
    if is_reservation(tag):
        if not undefined and length <= _CREATOR_BYTES and blocks.note(tag, walk.value(at, length)):
            return after, CREATOR
    elif right := blocks.vr(tag):
        if right == "SQ" and vr in (b"SQ", b""):
            mark = walk.edit.mark()
            after = walk.items(at, length, walk.size, tag, depth, vr == b"SQ")
            if not undefined:
                walk.edit.relength(mark, at - 4, length)
            return after, SAFE
        if not undefined and length <= _VALUE_BYTES and vr.decode("latin-1") in ("", "UN", right):
            old = walk.value(at, length)
            fresh = _safe(walk, right, old)
            if fresh is not None:
                if fresh != old:
                    walk.edit.replace(start, after, header_bytes(tag, right if vr else "", len(fresh)) + fresh)
                return after, SAFE
    walk.edit.drop(start, after)
    return after, PRIVATE_RULE


def _safe(walk: Actions, vr: str, value: bytes) -> bytes | None:
    """What stays of a safe value; None where it is not what its VR says."""
    if vr == "UI":
        return value if walk.table.retains_uids else replaced(value, walk.uids) or value
    if vr in _TEXT and walk.cleaning is not None:
        return walk.cleaning.value(How.TEXT, vr, value, walk.charset)
    return value if is_shaped(vr, value) else None
