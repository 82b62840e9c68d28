"""Which object goes onto which volume: each is a File-set of its own, with its own DICOMDIR (PS3.11 D.2.1.1, note).

* Objects keep their order; a volume is filled until the next object would not fit.
* Sizes are rounded up to sectors, and what a file system, a DICOMDIR and a CMS envelope add is reckoned high: a volume
  that was promised to fit does. The packed image is measured again all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.media.errors import MediaError
from gateway.media.survey import Surveyed
from profiles.media import Medium

SECTOR: Final = 2048
_FIXED: Final = 1 << 20  # bytes of a volume's own structures, README and index page
_DIRECTORY: Final = 256  # bytes of a file in the directories of ISO 9660 and UDF
_RECORD: Final = 512  # bytes of a record's head in the DICOMDIR


@dataclass(frozen=True, slots=True)
class Overhead:
    """What each file grows by when it is protected; nothing for a plain set."""

    fixed: int = 0


def allotted(members: Sequence[Surveyed], capacity: int, overhead: Overhead, medium: Medium) -> list[list[Surveyed]]:
    """The members of each volume; all in one where nothing says how much one holds. `capacity` 0: the medium's own.

    Raises MediaError (media-too-large) where a member fits on none, or is longer than a file may be there.
    """
    capacity = capacity or medium.capacity
    volumes: list[list[Surveyed]] = [[]]
    room = capacity - _FIXED
    for each in members:
        if medium.longest_file and grown(each, overhead) > medium.longest_file:
            raise MediaError("media-too-large", f"{each.member.label}: its file would be too long for {medium.name}")
        needed = _needed(each, overhead, medium.udf)
        if capacity and needed > capacity - _FIXED:
            raise MediaError("media-too-large", f"{each.member.label} alone is more than a medium of {capacity} bytes")
        if capacity and needed > room:
            volumes.append([])
            room = capacity - _FIXED
        volumes[-1].append(each)
        room -= needed
    return volumes


def total(members: Sequence[Surveyed], overhead: Overhead) -> int:
    """Bytes that these take on a disk while they are written, reckoned high."""
    return _FIXED + sum(_needed(each, overhead, False) for each in members)


def grown(each: Surveyed, overhead: Overhead) -> int:
    """Bytes of a member's file on the medium, reckoned high."""
    return each.size + overhead.fixed


def _needed(each: Surveyed, overhead: Overhead, udf: bool) -> int:
    sectors = -(-grown(each, overhead) // SECTOR) + (1 if udf else 0)  # a UDF file entry has a sector of its own
    records = sum(_RECORD + sum(map(len, level.keys.values())) for level in each.described.levels)
    return sectors * SECTOR + _DIRECTORY + records
