"""Private attributes that leave: the safe ones of PS3.15 Table E.3.10-1, and what a site's overrides name.

* By creator, group, low byte and VR, or not at all. A creator's block is known by its reservation in the same data set
  or item (PS3.5 7.8.1); an element without one, or with a VR other than the listed one, is removed.
* Of the table only numbers, codes, text and sequences: a vendor's byte strings cannot be judged. Listed text is
  cleaned, listed UIDs are replaced, the items of listed sequences are walked: safe is the attribute, not whatever a
  site wrote into it.
* What an override keeps stays as it is, byte strings too; one more reason why the egress check follows.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

from profiles.confidentiality.safe_private import ROWS
from transforms.dataset.elements import UNDEFINED, header_bytes
from transforms.deidentify.fitting import is_shaped
from transforms.deidentify.options import SAFE_PRIVATE, How
from transforms.deidentify.rules import PRIVATE_RULE, Action, Rule
from transforms.deidentify.uids import replaced
from transforms.dictionary import private_vr

if TYPE_CHECKING:
    from transforms.deidentify.actions import Actions


class Attribute(NamedTuple):
    """A private attribute, whatever block it stands in."""

    creator: bytes
    group: int
    low: int  # byte of the element number


class Carried(NamedTuple):
    """One that leaves: its right VR, and the rule that says so."""

    vr: str
    rule: Rule


SAFE: Final = Rule(
    Action.KEEP, f"E.3.10-1, {SAFE_PRIVATE}", "a safe private attribute; text and UIDs in it are cleaned"
)
CREATOR: Final = Rule(Action.KEEP, "private creator", "reserves a block of which something may stay")
CLEANABLE: Final = frozenset({"LO", "LT", "SH", "ST", "UT"})
_CREATOR_BYTES: Final = 1 << 12
_VALUE_BYTES: Final = 1 << 20
_LEFT_OUT: Final = frozenset({"", "OB", "OW", "OW/OB", "UN"})


@cache
def _safe_ones() -> dict[Attribute, Carried]:
    return {
        Attribute(creator.encode("ascii"), group, low): Carried(vr, SAFE)
        for creator, group, low, vr in ROWS
        if vr not in _LEFT_OUT
    }


def safe_vr(attribute: Attribute) -> str:
    """The VR that Table E.3.10-1 gives it; "" where it does not list it."""
    found = _safe_ones().get(attribute)
    return found.vr if found else ""


def known_vr(attribute: Attribute) -> str:
    """The VR in the list of makers' attributes; "" where it is not there."""
    return private_vr(attribute.creator.decode("ascii"), attribute.group, attribute.low)


def is_cleaned(each: Carried) -> bool:
    """Whether what it holds is looked at, and not only carried."""
    return each.rule is SAFE or each.rule.action is Action.CLEAN


class Listed(NamedTuple):
    """All that leaves."""

    attributes: Mapping[Attribute, Carried]
    creators: frozenset[tuple[bytes, int]]  # with their groups


def listed(safe: bool, named: Mapping[Attribute, Carried]) -> Listed | None:
    """The safe ones where the option says so, and what overrides name, which may also take some back; None: nothing."""
    every = (_safe_ones() if safe else {}) | dict(named)
    left = {attribute: each for attribute, each in every.items() if each.rule.action is not Action.REMOVE}
    return Listed(left, frozenset((each.creator, each.group) for each in left)) if left else None


class Blocks:
    """The private blocks reserved in one data set or item. `note` reservations as they go by."""

    __slots__ = ("_held", "_listed")

    def __init__(self, listed: Listed) -> None:
        self._listed = listed
        self._held: dict[tuple[int, int], bytes] = {}

    def note(self, tag: int, value: bytes) -> bool:
        """Take a reservation (gggg,00bb); whether anything of that creator may stay, so that it stays itself."""
        creator, group = value.strip(b" \0"), tag >> 16
        self._held[group, tag & 0xFF] = creator
        return (creator, group) in self._listed.creators

    def find(self, tag: int) -> Carried | None:
        """What is said of (gggg,bbee); None where it does not leave."""
        creator = self._held.get((tag >> 16, tag >> 8 & 0xFF))
        return self._listed.attributes.get(Attribute(creator, tag >> 16, tag & 0xFF)) if creator is not None else None

    def empty(self) -> Blocks:
        """The same for an item, in which nothing is reserved yet (PS3.5 7.8)."""
        return Blocks(self._listed)


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
    elif (found := blocks.find(tag)) and _stays(walk, found, tag, vr, start, at, length, after, depth):
        if found.rule.looser:
            walk.loosened.add(found.rule.source)
        return after, found.rule
    walk.edit.drop(start, after)
    return after, PRIVATE_RULE


def _stays(
    walk: Actions, found: Carried, tag: int, vr: bytes, start: int, at: int, length: int, after: int, depth: int
) -> bool:
    """Carry it through, cleaned as its rule says; False where it is not what its VR says."""
    right, undefined = found.vr, length == UNDEFINED
    if right == "SQ":
        if vr not in (b"SQ", b""):
            return False
        mark = walk.edit.mark()
        walk.items(at, length, walk.size, tag, depth, vr == b"SQ")
        if not undefined:
            walk.edit.relength(mark, at - 4, length)
        return True
    if undefined or vr.decode("latin-1") not in ("", "UN", right):
        return False
    if not is_cleaned(found):
        return True
    if length > _VALUE_BYTES:
        return False
    old = walk.value(at, length)
    fresh = _safe(walk, right, old)
    if fresh is None:
        return False
    if fresh != old:
        walk.edit.replace(start, after, header_bytes(tag, right if vr else "", len(fresh)) + fresh)
    return True


def _safe(walk: Actions, vr: str, value: bytes) -> bytes | None:
    """What stays of a value that is cleaned; None where it is not what its VR says."""
    if vr == "UI":
        return value if walk.table.retains_uids else replaced(value, walk.uids) or value
    if vr in CLEANABLE and walk.cleaning is not None:
        return walk.cleaning.value(How.TEXT, vr, value, walk.charset)
    return value if is_shaped(vr, value) else None
