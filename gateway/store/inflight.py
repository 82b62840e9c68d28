"""Which object a process was working on when it died (docs/adr/0004).

A small file of 64 slots of 8 bytes, mapped and shared. A worker writes a delivery's number into a slot before it
touches the object and zero after; a written page survives the death of the process. The writer reads it then.
Where a destination makes something of a whole group, the slot holds one delivery of the unit and the mark UNIT: a
crash then counts against every member.
"""

from __future__ import annotations

import mmap
import os
import struct
import threading
from pathlib import Path

UNIT = 1 << 63  # the slot's number is one delivery of a unit that was being made
_SLOTS = 64
_SLOT = struct.Struct("<Q")


class Inflight:
    """The slots of one worker. `set` and `clear` from any thread."""

    def __init__(self, mapped: mmap.mmap) -> None:
        self._mapped = mapped
        self._free = list(range(_SLOTS))
        self._lock = threading.Condition()

    @classmethod
    def create(cls, path: Path) -> Inflight:
        """A fresh file of empty slots."""
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NOFOLLOW, 0o600)
        try:
            os.ftruncate(descriptor, _SLOTS * _SLOT.size)
            return cls(mmap.mmap(descriptor, _SLOTS * _SLOT.size))
        finally:
            os.close(descriptor)

    def set(self, delivery: int) -> int:
        """Occupy a slot; waits where all are taken. The slot's number is for `clear`."""
        with self._lock:
            while not self._free:
                self._lock.wait()
            slot = self._free.pop()
        _SLOT.pack_into(self._mapped, slot * _SLOT.size, delivery)
        return slot

    def clear(self, slot: int) -> None:
        """The object was worked on to an end, whichever."""
        _SLOT.pack_into(self._mapped, slot * _SLOT.size, 0)
        with self._lock:
            self._free.append(slot)
            self._lock.notify()


def read(path: Path) -> list[int]:
    """The deliveries that a dead worker was working on; empty where there is no such file."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    whole = len(data) - len(data) % _SLOT.size
    return [number for (number,) in _SLOT.iter_unpack(data[:whole]) if number]
