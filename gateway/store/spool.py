"""The spool: received bytes, durable before anybody is told so.

Rules of this file
* A file is written in `incoming/`, fdatasynced, and renamed into `objects/`. The directory is fsynced by the writer,
  once for each batch it commits: that is the group (docs/architecture.md). Only then may 0x0000 leave.
* Names are random and ours. Files are 0600 beneath a 0700 directory, opened beneath a descriptor, never followed.
* A spooled file is a Part 10 file: our file meta, then the data set exactly as it came, hashed on the way.
* It deletes nothing by itself. The writer removes what has ended, and sweeps: a file in `incoming/` whose writer
  lives is locked (flock), and is left alone; a file in `objects/` that has lain for `ORPHAN_AGE` and that the ledger
  does not need was renamed for a commit that never came. Should that commit still come, it is refused, because the
  writer looks for the file first (`has`): a sweep can cost a resend, never an object.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import secrets
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from gateway.errors import HoldObject, StorageFailed
from gateway.folders import made
from gateway.model import Stored
from gateway.store.files import FileSource as FileSource  # who opens the spool finds it here, too
from transforms.source import chunks

_BUFFER = 1 << 18
ORPHAN_AGE = 900.0  # seconds; many times what a commit may take (writer/client.py COMMIT_TIME)
_NAME = re.compile(r"[0-9a-f]{32}")
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_fdatasync = getattr(os, "fdatasync", os.fsync)


def storage_failed(error: OSError) -> StorageFailed:
    """`disk-full` where that is what it was, else `storage-error`."""
    return StorageFailed(
        "disk-full" if error.errno in _FULL else "storage-error", os.strerror(error.errno or errno.EIO)
    )


class Incoming:
    """A file on its way in. Ends with `seal` or `abort`."""

    __slots__ = ("_buffer", "_descriptor", "_digest", "_fill", "_flushed", "_offset", "_spool", "name")

    def __init__(self, spool: Spool, name: str, descriptor: int, meta: bytes) -> None:
        self._spool = spool
        self.name = name
        self._descriptor = descriptor
        self._offset = len(meta)
        self._digest = hashlib.sha256()
        self._buffer = bytearray(_BUFFER)
        self._buffer[: len(meta)] = meta
        self._fill = len(meta)
        self._flushed = 0

    def write(self, chunk: memoryview | bytes) -> None:
        """More bytes of the data set. Raises StorageFailed."""
        size = len(chunk)
        if self._fill + size > _BUFFER:
            self.flush()
        if size >= _BUFFER:
            self._put(memoryview(chunk))
            return
        self._buffer[self._fill : self._fill + size] = chunk
        self._fill += size

    def flush(self) -> None:
        """Hand everything to the file system. Raises StorageFailed."""
        if self._fill:
            self._put(memoryview(self._buffer)[: self._fill])
            self._fill = 0

    def source(self) -> FileSource:
        """What has come so far, for reading; it lives as long as this file is open."""
        self.flush()
        return FileSource(self._descriptor, self._offset, self._flushed - self._offset)

    def seal(self) -> Stored:
        """Make the file's bytes durable and give it its place. Raises StorageFailed, and nothing is left then."""
        try:
            self.flush()
            _fdatasync(self._descriptor)
            os.rename(self.name, self.name, src_dir_fd=self._spool.incoming_fd, dst_dir_fd=self._spool.objects_fd)
        except OSError as error:
            self.abort()
            raise storage_failed(error) from error
        except StorageFailed:
            self.abort()
            raise
        os.close(self._descriptor)
        self._descriptor = -1
        return Stored(self.name, self._offset, self._flushed - self._offset, self._digest.hexdigest())

    def abort(self) -> None:
        """Leave nothing. Does nothing after `seal`."""
        if self._descriptor < 0:
            return
        os.close(self._descriptor)
        self._descriptor = -1
        try:
            os.unlink(self.name, dir_fd=self._spool.incoming_fd)
        except OSError:
            pass  # swept at the next start

    def _put(self, view: memoryview) -> None:
        # Hashed here, a buffer at a time: hashing a fragment hands the interpreter's lock to another thread each time
        own = max(0, self._offset - self._flushed)  # our File Meta is not part of what came
        self._digest.update(view[own:])
        try:
            while view:
                written = os.write(self._descriptor, view)
                self._flushed += written
                view = view[written:]
        except OSError as error:
            raise storage_failed(error) from error


class Scratch:
    """A nameless file of the spool's file system, written from its beginning to its end. Close it."""

    __slots__ = ("_descriptor", "size")

    def __init__(self, folder: Path) -> None:
        """Raises OSError."""
        self._descriptor, name = tempfile.mkstemp(dir=folder)
        self.size = 0
        os.unlink(name)  # noqa: PTH108 - as mkstemp gives it

    def write(self, chunk: memoryview | bytes) -> None:
        """More bytes. Raises StorageFailed."""
        view = memoryview(chunk)
        try:
            while view:
                written = os.write(self._descriptor, view)
                self.size += written
                view = view[written:]
        except OSError as error:
            raise storage_failed(error) from error

    def pread(self, offset: int, length: int) -> bytes:
        """Bytes that were written. Raises StorageFailed."""
        try:
            return os.pread(self._descriptor, length, offset)
        except OSError as error:
            raise storage_failed(error) from error

    def close(self) -> None:
        """Nothing of it stays. A second time does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class Spool:
    """The spool of one state directory. `reserve` bytes are kept free for ledger and audit trail."""

    def __init__(self, folder: Path, reserve: int = 64 << 20) -> None:
        self.folder = folder
        self._reserve = reserve
        for name in ("incoming", "objects"):
            made(folder / name)
        self.incoming_fd = os.open(folder / "incoming", os.O_RDONLY | os.O_DIRECTORY)
        self.objects_fd = os.open(folder / "objects", os.O_RDONLY | os.O_DIRECTORY)

    def check(self) -> None:
        """Raises StorageFailed where the reserve would be touched."""
        try:
            room = os.fstatvfs(self.incoming_fd)
        except OSError as error:
            raise storage_failed(error) from error
        if room.f_bavail * room.f_frsize < self._reserve:
            raise StorageFailed("disk-full", "what is left is reserved for ledger and audit trail")

    def short(self) -> bool:
        """Whether so little room is left that what only lingers has to go: four times the reserve."""
        room = os.fstatvfs(self.objects_fd)
        return room.f_bavail * room.f_frsize < 4 * self._reserve

    def create(self, meta: bytes) -> Incoming:
        """A new file that begins with `meta`. Raises StorageFailed, also where the reserve would be touched."""
        self.check()
        try:
            name = secrets.token_hex(16)
            flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(name, flags, 0o600, dir_fd=self.incoming_fd)
            _lock(descriptor)
        except OSError as error:
            raise storage_failed(error) from error
        return Incoming(self, name, descriptor, meta)

    def open(self, stored: Stored) -> FileSource:
        """The data set of a spooled file. Raises HoldObject where it is gone or not of its size."""
        try:
            descriptor = os.open(_ours(stored.name), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self.objects_fd)
        except OSError as error:
            raise HoldObject("spool-unreadable", os.strerror(error.errno or errno.EIO)) from error
        if os.fstat(descriptor).st_size != stored.offset + stored.size:
            os.close(descriptor)
            raise HoldObject("spool-damaged", "a spooled file does not have the size it was stored with")
        return FileSource(descriptor, stored.offset, stored.size, stored.sha256)

    def open_file(self, stored: Stored) -> FileSource:
        """The whole spooled file, Part 10. Raises HoldObject as `open` does."""
        return self.open(msgspec.structs.replace(stored, offset=0, size=stored.offset + stored.size, sha256=""))

    def has(self, stored: Stored) -> bool:
        """Whether the file is in its place, with its size. The writer asks before it promises anything."""
        try:
            found = os.stat(_ours(stored.name), dir_fd=self.objects_fd, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return stat.S_ISREG(found.st_mode) and found.st_size == stored.offset + stored.size

    def verify(self, stored: Stored) -> None:
        """Read it whole and compare. Raises HoldObject where a bit has changed since it was received."""
        digest = hashlib.sha256()
        with self.open(stored) as source:
            for chunk in chunks(source):
                digest.update(chunk)
        if digest.hexdigest() != stored.sha256:
            raise HoldObject("spool-damaged", "the bytes on disk are not the bytes that were received")

    def room(self) -> Scratch:
        """A nameless file for what is put together from parts. Raises StorageFailed."""
        self.check()
        try:
            return Scratch(self.folder / "incoming")
        except OSError as error:
            raise storage_failed(error) from error

    def scratch(self, data: Iterable[bytes]) -> FileSource:
        """Bytes that a step needs at hand, in a nameless file of the spool's file system. Raises HoldObject."""
        descriptor, name = tempfile.mkstemp(dir=self.folder / "incoming")
        size = 0
        try:
            Path(name).unlink()
            for chunk in data:
                size += len(chunk)
                view = memoryview(chunk)
                while view:
                    view = view[os.write(descriptor, view) :]
        except BaseException as error:
            os.close(descriptor)
            if isinstance(error, OSError):
                raise HoldObject("no-room-to-work", os.strerror(error.errno or errno.EIO)) from error
            raise
        return FileSource(descriptor, 0, size)

    def sync(self) -> None:
        """Make the names in `objects` durable: the writer, before it commits. Raises OSError: never try again."""
        os.fsync(self.objects_fd)

    def remove(self, name: str) -> None:
        """Delete a spooled file whose end is committed. A missing one is no fault: a crash may have come between."""
        try:
            os.unlink(_ours(name), dir_fd=self.objects_fd)
        except FileNotFoundError:
            pass

    def names(self) -> list[str]:
        """Every spooled file in `objects`."""
        found = os.listdir(self.objects_fd)  # noqa: PTH208 - beneath a descriptor, not a path
        return [name for name in found if _NAME.fullmatch(name)]

    def old(self) -> Iterator[str]:
        """Names of files in `objects` that have lain for long enough to be orphans, a few at a time."""
        latest = time.time() - ORPHAN_AGE
        with os.scandir(self.objects_fd) as entries:
            for entry in entries:
                try:
                    lain = entry.stat(follow_symlinks=False).st_ctime < latest  # of the rename, not of the last write
                except FileNotFoundError:
                    continue
                if lain and _NAME.fullmatch(entry.name):
                    yield entry.name

    def sweep_incoming(self, age: float) -> int:
        """Remove what nobody has written to for `age` seconds and nobody holds: its process died. How many."""
        latest = time.time() - age
        swept = 0
        for name in os.listdir(self.incoming_fd):  # noqa: PTH208 - beneath a descriptor, not a path
            try:
                descriptor = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self.incoming_fd)
            except OSError:
                continue  # renamed or removed meanwhile
            try:
                if os.fstat(descriptor).st_ctime <= latest and _lock(descriptor):
                    os.unlink(name, dir_fd=self.incoming_fd)
                    swept += 1
            except OSError:
                pass  # the next sweep
            finally:
                os.close(descriptor)
        return swept


def _lock(descriptor: int) -> bool:
    """Mark a file as ours while this process lives. False where it is another's, or the file system has no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _ours(name: str) -> str:
    """A name that `create` could have made: nothing else is opened or deleted, whoever asks. Raises HoldObject."""
    if not _NAME.fullmatch(name):
        raise HoldObject("spool-unreadable", "that is no name of a spooled file")
    return name
