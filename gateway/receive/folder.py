"""A watched folder as a source: files that people and programs drop, alone or in archives, get the promise of C-STORE.

    scan    every file below the folder; one that has not changed for `quiet` seconds is complete
    take    its bytes go to the spool and are committed like any object's; then it moves to `processed` or `failed`

Rules of this file
* A file leaves its place only after all of it is durable, or is known to be no object. A crash between makes it come
  again, which the ledger takes for the duplicate it is.
* A file that changes while it is read is read again later: what was written meanwhile is not half stored.
* A sub-folder with a DICOMDIR is a File-set (filesets.py): it is taken as a whole, and moves as a whole.
* A rename is the hand-over, so all of it is one mount: with an end on another one nothing is taken, and a
  sub-folder on another one is not looked into.
* Nothing is followed: no link, no folder that turned into one; every name is opened beneath its folder's descriptor.
* Names of files may name patients: they stand in no log line. `failed` holds each file beside `NAME.reason`.
* Names that begin with a dot or end like a copy under way are passed over until they are renamed.
"""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import shutil
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple
from uuid import uuid4

from gateway.audit.events import Party
from gateway.config.schema import FolderListener, Listener
from gateway.dimse.negotiation import AcceptancePolicy
from gateway.errors import GatewayError, RefuseObject, StorageFailed
from gateway.folders import mount
from gateway.logs import fields
from gateway.media.medium import folded
from gateway.model import Origin
from gateway.pipeline import Claim, accept
from gateway.receive import aim, archives, filesets
from gateway.receive.filesets import FileSet, SetLook
from gateway.receive.parts import Part
from gateway.rulebook import Ruleset
from gateway.store.spool import Incoming, Spool
from gateway.writer.client import WriterClient
from gateway.writer.messages import Closed, Opened
from transforms.dataset import part10

log = logging.getLogger("inbox")

PROCESSED, FAILED = "processed", "failed"  # beneath the folder; not looked into
ELSEWHERE = "is mounted apart from its folder, and nothing can be renamed to it: take that mount away"
LOCK = ".dicom-gateway.lock"
DEPTH = 32  # sub-folders
_LONGEST_NAME = 200  # bytes, of the 255 that a file's name has
UNDER_WAY = (".tmp", ".part", ".partial", ".filepart", ".crdownload", ".writing")
DICOMDIR = "1.2.840.10008.1.3.10"  # an index of files, no object: what it lists comes by itself
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class _Look(NamedTuple):
    """What a file looked like: while this stays, nobody writes to it."""

    inode: int
    size: int
    changed: int

    @staticmethod
    def of(found: os.stat_result) -> _Look:
        return _Look(found.st_ino, found.st_size, found.st_mtime_ns)


class _Changed(Exception):
    """Somebody still writes to it."""


class Inbox:
    """One folder listener."""

    def __init__(
        self,
        listener: Listener,
        ruleset: Ruleset,
        spool: Spool,
        writer: WriterClient,
        stopping: Callable[[], bool],
        clock: Callable[[], float] = time.time,
    ) -> None:
        assert listener.folder is not None
        self._listener = listener
        self._folder: FolderListener = listener.folder
        self._policy = AcceptancePolicy(self._folder.accept, frozenset(self._folder.extra_sop_classes))
        self._ruleset = ruleset
        self._spool = spool
        self._writer = writer
        self._stopping = stopping
        self._clock = clock
        self._seen: dict[str, _Look | SetLook] = {}  # by path beneath the folder, as of the last scan
        self._origin: Origin | None = None  # of the scan under way, once it has stored something
        self._losses: list[str] = []  # of the file under way: what its AIM documents say and their SRs do not
        self._ends: dict[str, int] = {}  # descriptors of `processed` and `failed`
        self._mount = (0, 0)  # of the folder
        self._elsewhere: set[str] = set()  # sub-folders on another file system, that were told

    def run(self, wait: Callable[[float], object]) -> None:
        """Scan until told to stop; `wait` so many seconds between two scans. One process a folder: others wait."""
        told = ""
        while not self._stopping():
            why = ""
            try:
                with self._locked() as ours:
                    while ours and not self._stopping():
                        self.scan()
                        told = ""
                        wait(self._folder.poll)
            except GatewayError as error:
                why = error.reason
            except OSError as error:
                why = error.strerror or type(error).__name__
            except Exception:  # a thread that ends watches nothing any more
                log.exception(fields("internal-error", listener=self._listener.id))
                why = "internal-error"
            if why != told:  # once, however long it lasts
                log.warning(fields("inbox-waits", listener=self._listener.id, reason=why or "another-process"))
            told = why
            wait(self._folder.poll)

    def scan(self) -> int:
        """Look once; how many files were taken. Raises StorageFailed (they stay where they are), OSError."""
        self._open_ends()
        seen: dict[str, _Look | SetLook] = {}
        taken = 0
        try:
            for path, name, folder, is_set in self._files():
                if self._stopping():
                    break
                with suppress(FileNotFoundError):  # somebody took it away again
                    found = self._look(name, folder, is_set=is_set)
                    quiet = self._clock() - found.changed / 1e9
                    if self._seen.get(path) != found or 0 <= quiet < self._folder.quiet:
                        seen[path] = found
                    elif isinstance(found, _Look):
                        taken += self._take(name, folder, found)
                    elif not found.under_way:
                        taken += self._take_set(name, folder, found)
                    else:
                        seen[path] = found
        finally:
            self._seen = seen
            if self._origin is not None:
                self._writer.closed(Closed(self._origin.association, True))
                self._origin = None
        return taken

    def _look(self, name: str, folder: int, *, is_set: bool) -> _Look | SetLook:
        """What a file, or a whole File-set, looks like now."""
        if not is_set:
            return _Look.of(os.stat(name, dir_fd=folder, follow_symlinks=False))
        with FileSet(name, folder, UNDER_WAY) as files:
            return files.look()

    def _files(self) -> Iterator[tuple[str, str, int, bool]]:
        """Path, name, its folder's descriptor and whether it is a File-set, of all that may be complete."""
        for root, folders, names, folder in os.fwalk(self._folder.dir, follow_symlinks=False):
            below = os.path.relpath(root, self._folder.dir)
            if mount(folder) != self._mount:
                folders.clear()
                if below not in self._elsewhere:
                    self._elsewhere.add(below)
                    log.warning(fields("folder-elsewhere", listener=self._listener.id))
                continue
            top = below == os.curdir
            depth = 0 if top else below.count(os.sep) + 1
            folders[:] = sorted(
                each
                for each in folders
                if depth < DEPTH and not each.startswith(".") and not (top and each in (PROCESSED, FAILED))
            )
            for name in [each for each in folders if filesets.found(each, folder)]:
                folders.remove(name)
                yield os.path.join(below, name), name, folder, True  # noqa: PTH118 - a key, not a path
            for name in sorted(names):
                if name.startswith(".") or name.lower().endswith(UNDER_WAY):
                    continue
                try:
                    found = os.stat(name, dir_fd=folder, follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if stat.S_ISREG(found.st_mode):
                    yield os.path.join(below, name), name, folder, False  # noqa: PTH118 - a key, not a path

    def _take(self, name: str, folder: int, look: _Look) -> bool:
        """One complete file. Whether it left its place. Raises StorageFailed."""
        self._losses = []
        try:
            with os.fdopen(os.open(name, _OPEN, dir_fd=folder), "rb", buffering=0) as file:
                skipped = self._stored(file, look)
        except _Changed:
            return False
        except RefuseObject as error:
            self._move(name, folder, FAILED, error.reason)
            return True
        except OSError:
            self._move(name, folder, FAILED, "file-unreadable")
            return True
        except StorageFailed:
            raise
        except Exception:
            log.exception(fields("internal-error", listener=self._listener.id))
            self._move(name, folder, FAILED, "internal-error")
            return True
        if self._folder.keep == "remove" and not skipped:
            os.unlink(name, dir_fd=folder)
        else:
            self._move(name, folder, PROCESSED, "", "\n".join(self._losses))
        return True

    def _take_set(self, name: str, folder: int, look: SetLook) -> bool:
        """One complete File-set. Whether it left its place. Raises StorageFailed."""
        self._losses = []
        try:
            with FileSet(name, folder, UNDER_WAY) as files:
                others = self._set_stored(files, look)
        except _Changed:
            return False
        except StorageFailed:
            raise
        except (RefuseObject, OSError) as error:
            self._move(name, folder, FAILED, error.reason if isinstance(error, RefuseObject) else "file-unreadable")
            return True
        except Exception:
            log.exception(fields("internal-error", listener=self._listener.id))
            self._move(name, folder, FAILED, "internal-error")
            return True
        moved = self._move(name, folder, PROCESSED, "", "\n".join(self._losses))
        if self._folder.keep == "remove" and not others:
            shutil.rmtree(moved, dir_fd=self._ends[PROCESSED])
        return True

    def _set_stored(self, files: FileSet, look: SetLook) -> int:
        """All of a File-set; how many of its files were no objects. Raises RefuseObject after the others, _Changed."""

        def whole() -> None:
            if files.look() != look:
                raise _Changed

        whole()
        compared = files.compared(self._folder.limits.members)
        listed, missing = compared if compared is not None else (set(), 0)
        stored = others = unlisted = 0
        first: RefuseObject | None = None
        for place, descriptor in files.files():
            if filesets.is_directory(place):
                continue
            named = folded(place) in listed
            before = _Look.of(os.fstat(descriptor))
            try:
                with os.fdopen(os.dup(descriptor), "rb", buffering=0) as file:
                    stored += self._object(iter(partial(file.read, archives.CHUNK), b""), partial(_same, file, before))
                    unlisted += compared is not None and not named
            except RefuseObject as error:
                if error.reason == "not-part10" and not named:
                    others += 1
                else:
                    first = first or error
        whole()
        here = self._listener.id
        log.info(fields("fileset-taken", listener=here, instances=stored, missing=missing, unlisted=unlisted))
        if compared is None or unlisted:
            reason = "fileset-unlisted" if compared is not None else "fileset-directory"
            log.warning(fields("fileset-odd", listener=self._listener.id, reason=reason))
        if first is not None:
            raise first
        if missing:
            raise RefuseObject("fileset-incomplete", 0, "its DICOMDIR lists files that are not there")
        if not stored:
            raise RefuseObject("fileset-empty", 0, "no DICOM file is in it")
        return others

    def _stored(self, file: IO[bytes], look: _Look) -> int:
        """Everything in one file; how many members of an archive were no objects. Raises RefuseObject, _Changed."""
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise RefuseObject("not-part10", 0)

        def whole() -> None:
            if _Look.of(os.fstat(file.fileno())) != look:
                raise _Changed

        kind = archives.kind_of(file.read(archives.HEAD)) if self._folder.archives else ""
        file.seek(0)
        if not kind:
            whole()
            self._object(iter(lambda: file.read(archives.CHUNK), b""), whole)
            return 0
        return self._archive(file, look, whole)

    def _archive(self, file: IO[bytes], look: _Look, whole: Callable[[], None]) -> int:
        stored = skipped = 0
        first: RefuseObject | None = None
        for member in archives.members(file, look.size, self._folder.limits):
            try:
                self._object(member, whole)
                stored += 1
            except RefuseObject as error:
                if error.reason.startswith("archive-"):
                    raise
                if error.reason == "not-part10":
                    skipped += 1
                else:
                    first = first or error
        if first is not None:
            raise first
        if not stored:
            raise RefuseObject("archive-empty", 0, "no DICOM file is in it")
        return skipped

    def _object(self, chunks: Iterable[bytes], whole: Callable[[], None]) -> bool:
        """One DICOM file, durable; False for a DICOMDIR. `whole` raises where its source has changed meanwhile."""
        if self._folder.aim is not None:
            chunks, losses = aim.taken(chunks, self._folder.aim, self._writer.sought, self._spool)
            self._losses += [losses] if losses else []
        part = Part(self._begin, self._policy, "", self._folder.limits.object_size)
        try:
            for chunk in chunks:
                part.write(memoryview(chunk))
            incoming, claim = part.whole()
            whole()
            assert self._origin is not None
            here = self._listener
            accept(
                incoming,
                claim,
                self._origin,
                self._ruleset,
                self._writer,
                here.on_bad_framing,
                here.on_conflict,
            )
            return True
        except RefuseObject:
            part.abort()
            if part.claim is not None and part.claim.sop_class == DICOMDIR:
                return False
            raise
        except BaseException:
            part.abort()
            raise

    def _begin(self, claim: Claim) -> Incoming:
        self._writer.check()
        if self._origin is None:
            where = self._folder.dir.resolve().as_uri()
            self._origin = Origin(self._listener.id, uuid4().hex, where)
            opened = Opened(self._origin.association, "in", Party("", where), Party("", ""))
            self._writer.opened(opened)
        return self._spool.create(part10.meta(claim.sop_class, claim.sop_instance, claim.syntax))

    def _open_ends(self) -> None:
        """`processed` and `failed`, ours: made where missing, never followed. Each scan anew: people tidy up."""
        while self._ends:
            os.close(self._ends.popitem()[1])
        top = os.open(self._folder.dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for end in (PROCESSED, FAILED):
                with suppress(FileExistsError):
                    os.mkdir(end, 0o700, dir_fd=top)
                self._ends[end] = os.open(end, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=top)
            elsewhere_ends(top, self._ends)
            self._mount = mount(top)
        finally:
            os.close(top)

    def _move(self, name: str, folder: int, end: str, reason: str = "", losses: str = "") -> str:
        """To its end, under a fresh name, which it gives; beside it why it failed, or what of it was lost."""
        fresh = fresh_name(name)
        os.rename(name, fresh, src_dir_fd=folder, dst_dir_fd=self._ends[end])
        if reason:
            log.warning(fields("file-failed", listener=self._listener.id, reason=reason))
            self._beside(f"{fresh}.reason", end, reason)
        elif losses:
            self._beside(f"{fresh}.losses", end, losses)
        return fresh

    def _beside(self, name: str, end: str, text: str) -> None:
        note = os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600, dir_fd=self._ends[end])
        with os.fdopen(note, "w") as out:
            out.write(f"{text}\n")

    def _locked(self) -> Lock:
        return Lock(self._folder.dir)


def elsewhere_ends(top: int | Path, ends: Mapping[str, int | Path]) -> None:
    """Raises GatewayError (ends-elsewhere) where an end is mounted apart from the folder itself."""
    ours = mount(top)
    for end, place in ends.items():
        if mount(place) != ours:
            raise GatewayError("ends-elsewhere", f"`{end}` {ELSEWHERE}")


def fresh_name(name: str) -> str:
    """A name that nothing at an end has: random, then as much of the old one as fits, `.reason` behind it too."""
    tail = os.fsencode(name)[-_LONGEST_NAME:]
    return f"{secrets.token_hex(4)}-{os.fsdecode(tail)}"


def _same(file: IO[bytes], look: _Look) -> None:
    if _Look.of(os.fstat(file.fileno())) != look:
        raise _Changed


class Lock:
    """One process watches a folder: the old generation lets go when it has drained."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOCK
        self._descriptor = -1

    def __enter__(self) -> bool:
        flags = os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
        self._descriptor = os.open(self._path, flags, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)
