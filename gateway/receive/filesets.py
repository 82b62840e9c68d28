"""File-sets in a watched folder (PS3.10 8): a folder with a DICOMDIR is one thing, taken and moved as a whole.

    found    whether a sub-folder holds one
    FileSet  what it looks like, which files are in it, which its DICOMDIR lists and are not there

Rules of this file
* A DICOMDIR is an index and no object; what it lists is compared by name with what lies there, before any is taken.
* One that cannot be read, or that leads out of its folder, compares nothing: all files are looked at, and that is said.
* Nothing is followed: every file is opened beneath the folder's descriptor, without links.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from gateway.errors import GatewayError
from gateway.media.medium import Parts, folded
from gateway.store.spool import FileSource
from transforms.errors import TransformError
from transforms.media import reading

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NAME = ("DICOMDIR",)


class SetLook(NamedTuple):
    """What a whole set looks like: while this stays, nobody writes to it."""

    inode: int
    files: int
    octets: int
    changed: int  # ns, of the file or folder that was changed last
    under_way: int  # files that are still being copied, by their names


def found(name: str, parent: int) -> bool:
    """Whether the folder of that name beneath `parent` holds a DICOMDIR. Never follows a link."""
    try:
        folder = os.open(name, _DIRECTORY, dir_fd=parent)
    except OSError:
        return False
    try:
        with os.scandir(folder) as entries:
            return any(folded((each.name,)) == _NAME and each.is_file(follow_symlinks=False) for each in entries)
    finally:
        os.close(folder)


class FileSet:
    """One folder with a DICOMDIR. Close it, or use it as a context manager."""

    def __init__(self, name: str, parent: int, under_way: tuple[str, ...]) -> None:
        """`under_way`: ends of names of files that are still being copied. Raises OSError."""
        self._folder = os.open(name, _DIRECTORY, dir_fd=parent)
        self._under_way = under_way

    def __enter__(self) -> FileSet:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._folder)

    def files(self) -> Iterator[tuple[Parts, int]]:
        """The place of every regular file in it, and a descriptor of it that is open until the next. Raises OSError."""
        for root, folders, names, folder in os.fwalk(".", dir_fd=self._folder, follow_symlinks=False):
            folders.sort()
            below = Path(root).parts
            for name in sorted(names):
                try:
                    descriptor = os.open(name, _FILE, dir_fd=folder)
                except OSError:  # a link, or taken away meanwhile: then the next look differs
                    continue
                try:
                    if stat.S_ISREG(os.fstat(descriptor).st_mode):
                        yield (*below, name), descriptor
                finally:
                    os.close(descriptor)

    def look(self) -> SetLook:
        """What it looks like now. Raises OSError."""
        own = os.fstat(self._folder)
        count = octets = under_way = 0
        latest = own.st_mtime_ns
        for root, _, names, folder in os.fwalk(".", dir_fd=self._folder, follow_symlinks=False):
            latest = max(latest, os.fstat(folder).st_mtime_ns)
            del root
            for name in names:
                with suppress(FileNotFoundError):
                    one = os.stat(name, dir_fd=folder, follow_symlinks=False)
                    count += 1
                    octets += one.st_size if stat.S_ISREG(one.st_mode) else 0
                    latest = max(latest, one.st_mtime_ns)
                    under_way += name.lower().endswith(self._under_way)
        return SetLook(own.st_ino, count, octets, latest, under_way)

    def compared(self, most: int) -> tuple[set[Parts], int] | None:
        """The places that the DICOMDIR lists, folded, and how many of them hold no file; None where it is of no use.

        `most` files are looked at; a set with more compares nothing.
        """
        there: set[Parts] = set()
        listed: set[Parts] | None = None
        for place, descriptor in self.files():
            there.add(folded(place))
            if len(there) > most:
                return None
            if folded(place) == _NAME:
                listed = _listed(descriptor)
        return None if listed is None else (listed, len(listed - there))


def _listed(descriptor: int) -> set[Parts] | None:
    with FileSource(os.dup(descriptor), 0, os.fstat(descriptor).st_size) as source:
        try:
            ids = [file.file_id for file in reading.read(source).files]
        except (TransformError, GatewayError):
            return None
    return {folded(each) for each in ids} if all(map(reading.safe, ids)) else None


def is_directory(place: Parts) -> bool:
    """Whether that place is the DICOMDIR's own."""
    return folded(place) == _NAME
