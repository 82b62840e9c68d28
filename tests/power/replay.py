"""The power is cut at any line of a trace: what is on the disk then, and what is missing of what was acknowledged.

    cuts(calls, state, number, seed) -> what was lost or torn, in words; empty where nothing was

The disk of this model keeps what a sync that returned has covered, and of the rest nothing (`harsh`), or by chance
some: any of the later writes, whole or in part, and of each folder's later changes the first few.

Rules of this file
* A file's bytes are durable by a sync of the file, its name by a sync of its folder; nothing else makes either so.
  Folders themselves are taken for durable (order.py looks at those).
* After a failed sync of a file what it had to bring is lost for good, also for every later sync.
* What is there after the cut is opened by SQLite and counted by conservation.py, as after any other death.
"""

from __future__ import annotations

import random
import sqlite3
import tempfile
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.power.acks import responses
from tests.power.conservation import recount
from tests.power.trace import NEVER, Call

_SECTOR = 512


@dataclass(slots=True)
class _Change:
    """Of a file's bytes: data at an offset, or (`data` None) a new length."""

    begun: int
    ended: int
    offset: int
    data: bytes | None


@dataclass(slots=True)
class _Inode:
    changes: list[_Change] = field(default_factory=list)
    syncs: list[Call] = field(default_factory=list)
    length: int = 0  # as its writers see it

    def content(self, cut: int, chance: random.Random | None) -> bytes:
        """What of it is there after the cut."""
        done = [s for s in self.syncs if s.ended <= cut]
        covered, lost = -1, set()
        for sync in done:
            for number, change in enumerate(self.changes):
                if covered < number and change.ended < sync.begun and not sync.well:
                    lost.add(number)
            if sync.well:
                covered = max((n for n, c in enumerate(self.changes) if c.ended < sync.begun), default=-1)
        out = bytearray()
        for number, change in enumerate(self.changes):
            if number in lost or change.begun > cut:
                continue
            data = change.data
            if number > covered:
                if chance is None or chance.random() < 0.5:
                    continue
                if data is not None and chance.random() < 0.3:
                    data = data[: chance.randrange(0, len(data) + 1, _SECTOR)]
            if data is None:
                del out[change.offset :]
                out.extend(bytes(change.offset - len(out)))
            else:
                out.extend(bytes(max(0, change.offset - len(out))))
                out[change.offset : change.offset + len(data)] = data
        return bytes(out)

    def whole(self) -> bytes:
        """All that was ever meant to be in it."""
        return self.content(NEVER, _Always())


class _Always(random.Random):
    def random(self) -> float:
        return 1.0


@dataclass(slots=True)
class _Folder:
    changes: list[tuple[int, str, _Inode | None]] = field(default_factory=list)  # line it ended at, name, what it names
    syncs: list[Call] = field(default_factory=list)

    def names(self, cut: int, chance: random.Random | None) -> dict[str, _Inode]:
        """What of it is there after the cut."""
        synced = max((s.begun for s in self.syncs if s.well and s.ended <= cut), default=-1)
        ends = [ended for ended, _, _ in self.changes]
        kept, done = bisect_right(ends, synced), bisect_right(ends, cut)
        if chance is not None and done > kept:
            kept = chance.randrange(kept, done + 1)
        found: dict[str, _Inode] = {}
        for _, name, inode in self.changes[:kept]:
            if inode is None:
                found.pop(name, None)
            else:
                found[name] = inode
        return found


class Disk:
    """Everything that a trace has done beneath one folder."""

    def __init__(self, calls: Iterable[Call], root: str) -> None:
        self._root = root
        self._inodes: dict[str, _Inode] = {}  # by path, as the processes see it
        self.folders: dict[str, _Folder] = defaultdict(_Folder)
        for call in sorted((c for c in calls if c.ended is not NEVER), key=lambda c: c.ended):
            self._apply(call)

    def _apply(self, call: Call) -> None:
        if call.name in ("fsync", "fdatasync"):
            thing = self._inodes.get(call.path) or self.folders[call.path]
            thing.syncs.append(call)
        elif not call.well or not (call.path + call.target).count(self._root + "/"):
            return
        elif call.name == "openat" and "O_CREAT" in call.flags and call.path not in self._inodes:
            self._name(call, call.path, _Inode())
        elif call.name == "openat" and "O_TRUNC" in call.flags and call.path in self._inodes:
            self._change(call, 0, None)
        elif call.name == "write" and call.path in self._inodes:
            self._change(call, self._inodes[call.path].length, call.data)
        elif call.name == "pwrite64" and call.path in self._inodes and call.offset is not None:
            self._change(call, call.offset, call.data)
        elif call.name in ("ftruncate", "truncate") and call.path in self._inodes and call.offset is not None:
            self._change(call, call.offset, None)
        elif call.name in ("rename", "renameat", "renameat2") and call.path in self._inodes:
            inode = self._inodes[call.path]
            self._name(call, call.path, None)
            self._name(call, call.target, inode)
        elif call.name in ("unlink", "unlinkat") and call.path in self._inodes:
            self._name(call, call.path, None)

    def _change(self, call: Call, offset: int, data: bytes | None) -> None:
        inode = self._inodes[call.path]
        inode.changes.append(_Change(call.begun, call.ended, offset, data))
        inode.length = offset if data is None else max(inode.length, offset + len(data))

    def _name(self, call: Call, path: str, inode: _Inode | None) -> None:
        folder, _, name = path.rpartition("/")
        self.folders[folder].changes.append((call.ended, name, inode))
        if inode is None:
            self._inodes.pop(path, None)
        else:
            self._inodes[path] = inode


def cuts(calls: Sequence[Call], state: str, number: int, seed: int) -> list[str]:
    """What `number` cuts have cost; every other one is harsh."""
    disk = Disk(calls, state)
    answers = [each for each in responses(calls) if each.status == 0]
    chance = random.Random(seed)
    begin = answers[0].begun - 200 if answers else 0
    found: list[str] = []
    for turn in range(number):
        cut = chance.randrange(max(0, begin), calls[-1].begun + 1)
        kept = None if turn % 2 else random.Random(chance.random())
        acknowledged = {each.sop_instance for each in answers if each.begun <= cut}
        found.extend(f"cut at line {cut}: {each}" for each in _after(disk, state, cut, kept, acknowledged))
    return found


def _after(disk: Disk, state: str, cut: int, kept: random.Random | None, acknowledged: set[str]) -> list[str]:
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as made:
        place = Path(made)
        (place / "spool" / "objects").mkdir(parents=True)
        for name, inode in disk.folders[state].names(cut, kept).items():
            if name.startswith("ledger.sqlite") and not name.endswith("-shm"):
                (place / name).write_bytes(inode.content(cut, kept))
        torn = []
        for name, inode in disk.folders[f"{state}/spool/objects"].names(cut, kept).items():
            data = inode.content(cut, kept)
            (place / "spool" / "objects" / name).write_bytes(data)
            if data != inode.whole():
                torn.append(f"{name} is torn")
        if not (place / "ledger.sqlite").exists() or not acknowledged:
            return torn + [f"{uid}: there is no ledger" for uid in sorted(acknowledged)]
        try:
            return torn + recount(place, acknowledged).differences
        except sqlite3.DatabaseError as error:
            return [*torn, f"the ledger is lost: {error}"]
