"""The oracle of RELIABILITY P1: was everything on disk before 0x0000 left?

For every C-STORE-RSP of status 0x0000 these must have happened, each step ended before the next begins:

    file       the object's bytes written, and synced (fsync or fdatasync) after the last of them
    place      renamed or linked to its final name, for the first time
    directory  the folder of final names synced
    row        the ledger's write-ahead log has a frame that names the file, and the frame that ends its transaction
    commit     the log synced after that frame
    log        and the log is sound: where a sync of it has failed, by whatever process, what was written before may be
               gone, and all behind it with it (a frame's checksum goes on from the one before), until a checkpoint has
               brought it into the synced database and the log begins anew
    answer     the response is entered

Beside them, before the first answer: `folder`, each folder that was made above those files is durable in its own
parent (on many file systems it is anyway, once what lies in it is synced; POSIX does not promise it).

Rules of this file
* A sync counts where it returned 0, and where the same process has not failed to sync the same thing before: after a
  failed fsync the kernel may have dropped what it held, and a second one that succeeds says nothing.
* A file that gets its final name before its bytes are durable is a finding, acknowledged or not: a cut shows it torn.
* Which object an answer speaks of is told by its SOP Instance UID, found in the file's own first bytes; which row by
  the file's name, which is random. The ledger's tables are not looked into.
* It is pure: calls in, findings out.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from tests.power.acks import Response, responses
from tests.power.trace import NEVER, Call

_SYNCS = {"fsync", "fdatasync"}
_WRITES = {"write", "pwrite64", "writev", "pwritev", "pwritev2", "sendfile", "splice", "copy_file_range"}
_PLACES = {"rename", "renameat", "renameat2", "link", "linkat"}
_FRAME_HEADER = 24  # bytes (SQLite file format, section 4.1): page, pages after commit, salts, checksums
_UID = re.compile(rb"\x02\x00\x03\x00UI(..)([0-9.]+)", re.DOTALL)  # (0002,0003) Media Storage SOP Instance UID


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things are, absolute."""

    incoming: str
    objects: str
    log: str  # of the ledger, SQLite's `-wal`

    @classmethod
    def of(cls, state: str) -> Layout:
        """Of a state directory."""
        return cls(f"{state}/spool/incoming", f"{state}/spool/objects", f"{state}/ledger.sqlite-wal")


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken rule. `rule` is one of the steps above, or `placed-too-early`, or `nothing`."""

    rule: str
    sop_instance: str
    at: int  # line of the trace


@dataclass(slots=True)
class Judgement:
    """What a trace shows."""

    acknowledged: list[Response]
    refused: list[Response]
    findings: list[Finding]

    @property
    def rules(self) -> set[str]:
        """The rules that were broken."""
        return {finding.rule for finding in self.findings}


@dataclass(slots=True)
class _File:
    name: str
    uid: str = ""
    first: bytes = b""
    writes: list[Call] = field(default_factory=list)
    syncs: list[Call] = field(default_factory=list)
    placed: Call | None = None


@dataclass(slots=True)
class _Row:
    """A log frame that names a file, and the end of the transaction it belongs to."""

    begun: int
    committed: int  # the line at which the last write of its commit frame returned


def judge(calls: Sequence[Call], layout: Layout) -> Judgement:
    """Hold a trace against the order above."""
    answers = responses(calls)
    syncs = _good(calls)
    files = _files(calls, layout, syncs)
    rows = _rows(calls, layout, [file.name for file in files])
    directory = [c for c in syncs if c.path == layout.objects]
    log = _Log(calls, layout, syncs)
    found: list[Finding] = []
    for file in files:
        if file.placed is not None and _synced(file, file.placed.begun) is None:
            found.append(Finding("placed-too-early", file.uid, file.placed.begun))
    by_uid: dict[str, list[_File]] = defaultdict(list)
    for file in files:
        by_uid[file.uid].append(file)
    acknowledged = [each for each in answers if each.status == 0]
    if acknowledged:
        found.extend(_folders(calls, layout, syncs, acknowledged[0]))
    for answer in acknowledged:
        missing = [_missing(f, rows.get(f.name), directory, log, answer.begun) for f in by_uid[answer.sop_instance]]
        if "" not in missing:
            worst = max(missing, key=_STEPS.index) if missing else "nothing"
            found.append(Finding(worst, answer.sop_instance, answer.begun))
    return Judgement(acknowledged, [each for each in answers if each.status != 0], found)


_STEPS = ["nothing", "file", "place", "directory", "row", "commit", "log"]


class _Log:
    """The syncs of the log, those that failed, and where it began anew."""

    def __init__(self, calls: Sequence[Call], layout: Layout, syncs: list[Call]) -> None:
        database = layout.log.removesuffix("-wal")
        self.syncs = [c for c in syncs if c.path == layout.log]
        self._failed = [c for c in calls if c.name in _SYNCS and c.path == layout.log and not c.well]
        self._checkpoints = [c for c in syncs if c.path == database]
        self._anew = [
            c
            for c in calls
            if c.path == layout.log and c.well and c.offset == 0 and c.name in {"pwrite64", "ftruncate"}
        ]

    def doubts(self, row: _Row, answer: int) -> bool:
        """Whether a failed sync has to do with that row."""
        return any(
            not any(s.begun > row.committed and s.ended < failed.begun for s in self.syncs)
            and not self._mended(failed, row, answer)
            for failed in self._failed
            if failed.begun < answer
        )

    def _mended(self, failed: Call, row: _Row, answer: int) -> bool:
        mended = next((c for c in self._checkpoints if c.begun > failed.ended and c.ended < answer), None)
        anew = mended and next((c for c in self._anew if c.begun > mended.ended and c.ended < answer), None)
        return anew is not None and (row.committed < failed.begun or row.begun > anew.ended)


def _missing(file: _File, row: _Row | None, directory: list[Call], log: _Log, answer: int) -> str:
    """The first step that had not ended, in its order, when the answer was entered; "" where none."""
    if _synced(file, answer) is None:
        return "file"
    if file.placed is None or file.placed.ended >= answer:
        return "place"
    named = next((s for s in directory if s.begun > file.placed.ended and s.ended < answer), None)
    if named is None:
        return "directory"
    if row is None or row.begun < named.ended or row.committed >= answer:
        return "row"
    if not any(s.begun > row.committed and s.ended < answer for s in log.syncs):
        return "commit"
    return "log" if log.doubts(row, answer) else ""


def _synced(file: _File, before: int) -> Call | None:
    """The sync that made all of the file durable before that line: also none of its bytes may come later."""
    last = max((w.ended for w in file.writes), default=NEVER)
    return next((s for s in file.syncs if s.begun > last and s.ended < before), None)


def _folders(calls: Iterable[Call], layout: Layout, syncs: list[Call], answer: Response) -> Iterator[Finding]:
    """Folders that hold what was promised, made here, whose own name was not synced before the first answer."""
    above = {layout.objects, *(str(p) for path in (layout.objects, layout.log) for p in PurePosixPath(path).parents)}
    for call in calls:
        if call.name in ("mkdir", "mkdirat") and call.well and call.path in above:
            parent = str(PurePosixPath(call.path).parent)
            if not any(s.path == parent and s.begun > call.ended and s.ended < answer.begun for s in syncs):
                yield Finding("folder", answer.sop_instance, call.begun)


def _good(calls: Iterable[Call]) -> list[Call]:
    """The syncs that count."""
    failed: set[tuple[int, str]] = set()
    good = []
    for call in calls:
        if call.name in _SYNCS:
            thing = (call.pid, call.path)
            if call.well and thing not in failed:
                good.append(call)
            elif not call.well and call.ended is not NEVER:
                failed.add(thing)
    return good


def _files(calls: Iterable[Call], layout: Layout, syncs: list[Call]) -> list[_File]:
    """What was written beneath the spool, by name: names are random, so that one is never used twice."""
    files: dict[str, _File] = {}
    beneath = (layout.incoming, layout.objects)

    def of(path: str) -> _File | None:
        folder, _, name = path.rpartition("/")
        return files.setdefault(name, _File(name)) if folder in beneath else None

    for call in calls:
        if not call.well and call.ended is not NEVER:
            continue
        if call.name in _PLACES and call.target.startswith(layout.objects + "/"):
            file = of(call.target)
            if file is not None and file.placed is None and call.well:
                file.placed = call
        elif call.name == "openat" and "O_CREAT" in call.flags and call.path.startswith(layout.objects + "/"):
            file = of(call.path)
            if file is not None and file.placed is None:
                file.placed = call
        elif call.name in _WRITES and (file := of(call.path)) is not None:
            file.writes.append(call)
            if len(file.first) < 4096:
                file.first += call.data[:4096]
    for call in syncs:
        name = PurePosixPath(call.path).name
        if name in files:
            files[name].syncs.append(call)
    for file in files.values():
        told = _UID.search(file.first)
        if told is not None:
            size = int.from_bytes(told[1], "little")
            file.uid = file.first[told.start(2) : told.start(2) + size].rstrip(b"\0").decode("ascii")
    return list(files.values())


def _rows(calls: Iterable[Call], layout: Layout, names: list[str]) -> dict[str, _Row]:
    """By file name: when the log first named it, and when the transaction of that frame was written to its end."""
    writes = [c for c in calls if c.path == layout.log and c.name in _WRITES and c.well]
    wanted = {name.encode(): name for name in names}
    pattern = re.compile(rb"(?=([0-9a-f]{32}))")  # overlapping: other hex digits may stand before a name
    rows: dict[str, _Row] = {}
    open_rows: list[str] = []
    ends = False  # whether the frame whose header came last ends a transaction
    for call in writes:
        if len(call.data) == _FRAME_HEADER:
            ends = call.data[4:8] != bytes(4)
            continue
        for hit in pattern.findall(call.data):
            name = wanted.get(hit)
            if name is not None and name not in rows:
                rows[name] = _Row(call.begun, NEVER)
                open_rows.append(name)
        if ends:
            for name in open_rows:
                rows[name].committed = call.ended
            open_rows, ends = [], False
    return rows
