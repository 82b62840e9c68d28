"""The audit trail on disk: files of hash-chained records, written by one process.

Rules of this file
* A call of `append` is durable as a whole when it returns (one fdatasync), or it raises StorageFailed and the caller
  acknowledges nothing. After a failed fdatasync nothing more is written: the kernel may have dropped what it held.
* Numbers come from the ledger's outbox and have no gap. A number that is there already is skipped, if it carries the
  same message: the writer may repeat after a crash. With another message it is a conflict and stops the writer.
* A crash can leave an incomplete last line. It was never acknowledged; it is cut off, and that is logged and told in
  `repaired`. Nothing else is ever repaired: a trail that does not end in a whole record is refused.
* Files are named by the number of their first record; the chain runs on from one to the next. Mode 0600.

What it does not do: it cannot know that whole records were cut off its end, nor that all of it was written anew. The
ledger keeps the head for that (`require`, verify.py). It holds messages and looks into none.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from gateway.audit.chain import EMPTY, Head, Record, intact, parse, seal, stamp
from gateway.errors import StorageFailed
from gateway.folders import made
from gateway.logs import fields

log = logging.getLogger("audit")

ROTATE_AT = 64 << 20  # bytes; a file may pass it by one append
_NAME = re.compile(r"audit-(\d{12})\.jsonl")
_CHUNK = 1 << 16
_fdatasync = getattr(os, "fdatasync", os.fsync)  # macOS has no fdatasync


def files(folder: Path) -> list[Path]:
    """The files of a trail in the order of their records."""
    return sorted(each for each in folder.iterdir() if _NAME.fullmatch(each.name))


def first_number(file: Path) -> int:
    """The number of its first record that a file's name promises."""
    found = _NAME.fullmatch(file.name)
    assert found
    return int(found[1])


def read(folder: Path) -> Iterator[tuple[Path, int, Record | None]]:
    """Every line: its file, its number in the file from 1, and its record, or None where it is not one."""
    for file in files(folder):
        with file.open("rb") as stream:
            for number, line in enumerate(stream, 1):
                try:
                    record = parse(line[:-1]) if line.endswith(b"\n") else None
                except ValueError:
                    record = None
                yield file, number, record


class Trail:
    """The trail in one folder, open for appending by this process alone."""

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.time, rotate_at: int = ROTATE_AT) -> None:
        """Opens or begins a trail. Raises StorageFailed where another process has it, or its end is damaged."""
        self._folder = folder
        self._clock = clock
        self._rotate_at = rotate_at
        self._broken = False
        self._file: int | None = None  # descriptor of the last file
        self._day = ""  # UTC day of the last file's first record
        self.repaired = 0  # bytes of an incomplete last line that were cut off
        try:
            made(folder)
            self._lock: int | None = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _failed(error) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise StorageFailed("audit-trail-in-use", "another process appends to it") from error
        try:
            self._head = self._open()
        except OSError as error:
            self.close()
            raise _failed(error) from error
        except StorageFailed:
            self.close()
            raise

    def head(self) -> Head:
        """The last record's number and hash; (0, 64 zeros) for an empty trail."""
        return self._head

    def require(self, expected: Head) -> None:
        """Raises StorageFailed where the trail does not hold the record that the ledger saw last."""
        if expected.seq > self._head.seq:
            raise StorageFailed("audit-trail-cut", f"it ends at record {self._head.seq}, the ledger saw {expected.seq}")
        if expected.seq and self._find(expected.seq).hash != expected.hash:
            raise StorageFailed("audit-trail-changed", f"record {expected.seq} is not the one the ledger saw")

    def append(self, records: Sequence[tuple[int, bytes]]) -> Head:
        """Add records (number, message in UTF-8); durable on return. The new head.

        Raises StorageFailed: nothing of the call may be relied on, and nothing of it remains in the file if that can
        be helped. Raises UnicodeDecodeError before anything is written.
        """
        if self._broken:
            raise StorageFailed("audit-trail-failed", "an earlier write could not be made durable")
        lines: list[bytes] = []
        head = self._head
        at = stamp(self._clock())
        for seq, data in records:
            message = data.decode("utf-8")
            if seq <= head.seq:
                self._same(seq, message, lines)
                continue
            if seq != head.seq + 1:
                raise StorageFailed("audit-trail-gap", f"record {seq} after {head.seq}")
            line, digest = seal(seq, at, head.hash, message)
            lines.append(line)
            head = Head(seq, digest)
        if lines:
            self._write(b"".join(lines), self._head.seq + 1, at[:10])
            self._head = head
        return head

    def close(self) -> None:
        """Give the trail up for another process. A second time does nothing."""
        for descriptor in (self._file, self._lock):
            if descriptor is not None:
                os.close(descriptor)
        self._file = self._lock = None
        self._broken = True

    def _open(self) -> Head:
        """Find the end, repaired where a crash tore the last line."""
        there = files(self._folder)
        if not there:
            return EMPTY
        self._file = _append_to(there[-1])
        size = self._mend(there[-1])
        if size == 0:  # a crash after the file was begun, before its first record was whole
            return self._last(there[-2]) if len(there) > 1 else EMPTY
        with there[-1].open("rb") as stream:
            self._day = self._parsed(stream.readline()[:-1], there[-1]).at[:10]
        return self._last(there[-1])

    def _mend(self, file: Path) -> int:
        """Cut an incomplete last line, or complete it if only its line feed is missing. The file's size."""
        assert self._file is not None
        size = os.fstat(self._file).st_size
        line = _last_line(self._file, size)
        if not line or line.endswith(b"\n"):
            return size
        try:
            whole = intact(parse(line))
        except ValueError:
            whole = False
        if whole:
            os.write(self._file, b"\n")
            size += 1
        else:
            size -= len(line)
            os.ftruncate(self._file, size)
            self.repaired = len(line)
            log.warning(fields("audit-trail-repaired", file=file.name, cut=self.repaired))
        os.fsync(self._file)
        return size

    def _last(self, file: Path) -> Head:
        with file.open("rb") as stream:
            line = _last_line(stream.fileno(), os.fstat(stream.fileno()).st_size)
        record = self._parsed(line.removesuffix(b"\n"), file)
        return Head(record.seq, record.hash)

    def _parsed(self, line: bytes, file: Path) -> Record:
        try:
            record = parse(line)
        except ValueError:
            _damaged(file)
        if not intact(record):
            _damaged(file)
        return record

    def _write(self, data: bytes, first: int, day: str) -> None:
        try:
            if self._file is not None:
                size = os.fstat(self._file).st_size
                if size and (size >= self._rotate_at or day > self._day):
                    os.close(self._file)
                    self._file = None
            if self._file is None:
                self._file = _append_to(self._folder / f"audit-{first:012}.jsonl", create=True)
                _sync_folder(self._folder)
                size = 0
        except OSError as error:
            raise _failed(error) from error
        try:
            done = 0
            while done < len(data):
                done += os.write(self._file, data[done:] if done else data)
        except OSError as error:
            try:
                os.ftruncate(self._file, size)
            except OSError:
                self._broken = True
            raise _failed(error) from error
        try:
            _fdatasync(self._file)
        except OSError as error:
            self._broken = True
            raise _failed(error) from error
        if size == 0:
            self._day = day

    def _same(self, seq: int, message: str, lines: list[bytes]) -> None:
        """A number that is there already must carry the same message."""
        if seq < 1:
            raise StorageFailed("audit-trail-gap", f"record {seq}: numbers begin at 1")
        waiting = seq - self._head.seq - 1
        there = parse(lines[waiting][:-1]) if waiting >= 0 else self._find(seq)
        if there.message != message:
            raise StorageFailed("audit-trail-conflict", f"record {seq} is there with another message")

    def _find(self, seq: int) -> Record:
        there = [file for file in files(self._folder) if first_number(file) <= seq]
        if there:
            with there[-1].open("rb") as stream:
                for line in stream:
                    record = self._parsed(line.removesuffix(b"\n"), there[-1])
                    if record.seq == seq:
                        return record
        raise StorageFailed("audit-trail-damaged", f"record {seq} is missing; run `dicom-gateway audit verify`")


def _append_to(file: Path, *, create: bool = False) -> int:
    flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    return os.open(file, flags | (os.O_CREAT | os.O_EXCL if create else 0), 0o600)


def _last_line(descriptor: int, size: int) -> bytes:
    """The bytes after the last line feed that is not the file's last byte."""
    start, tail = size, b""
    while start and b"\n" not in tail[:-1]:
        step = min(start, max(_CHUNK, len(tail)))
        start -= step
        tail = os.pread(descriptor, step, start) + tail
    return tail[tail.rfind(b"\n", 0, -1) + 1 :] if tail else b""


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _failed(error: OSError) -> StorageFailed:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return StorageFailed("audit-trail-full" if full else "audit-trail-failed", error.strerror or "")


def _damaged(file: Path) -> NoReturn:
    raise StorageFailed("audit-trail-damaged", f"{file.name} holds what is no record; run `dicom-gateway audit verify`")
