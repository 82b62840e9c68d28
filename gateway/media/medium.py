"""How any medium is read: what files it has, and their bytes. Folders are here; images in iso9660.py, ZIP in zipped.py.

Rules of this file
* A medium comes from a stranger. A path is looked for beneath the medium's root, component by component, and no link
  is followed; what is not a regular file does not exist.
* Names are compared without regard to case: a mounted disc may show them in lower case, without `;1` and a last dot.
* Errors of the drive are MediaError (media-unreadable): never a shorter file.
"""

from __future__ import annotations

import os
import stat
import zipfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from gateway.errors import HoldObject
from gateway.media.errors import MediaError, from_os
from gateway.store.files import FileSource
from transforms.source import ByteSource, chunks

MOST_FILES: Final = 1_000_000
_DEEPEST: Final = 16
Parts = tuple[str, ...]  # a path: its components beneath the root, as they stand there


class Listed(NamedTuple):
    """One file of a medium."""

    path: Parts
    size: int


class Medium(Protocol):
    """A medium that is open for reading."""

    kind: str  # folder, iso or zip

    def files(self) -> Iterator[Listed]:
        """Every regular file, in a fixed order. Raises MediaError."""
        ...

    def open(self, path: Parts) -> AbstractContextManager[ByteSource]:
        """One of `files()`. Raises MediaError."""
        ...

    def stream(self, path: Parts) -> Iterator[bytes]:
        """Its bytes in order: what can be had without room to unpack. Raises MediaError."""
        ...

    def close(self) -> None:
        """Give it back."""
        ...


@contextmanager
def mounted(place: Path, scratch: Path | None = None) -> Iterator[Medium]:
    """The medium at a path: a folder, an ISO image or a ZIP archive. `scratch`: a folder for what must be unpacked.

    Raises MediaError: media-unreadable, media-format.
    """
    medium = _found(place, scratch)
    try:
        yield medium
    finally:
        medium.close()


def _found(place: Path, scratch: Path | None) -> Medium:
    from gateway.media.iso9660 import IsoMedium, is_iso9660
    from gateway.media.zipped import ZipMedium

    try:
        if place.is_dir():
            return FolderMedium(place)
        if not place.is_file() and not place.is_block_device():
            raise MediaError("media-unreadable", f"{place}: no such folder or file")
        if is_iso9660(place):
            return IsoMedium(place)
        if zipfile.is_zipfile(place):
            return ZipMedium(place, scratch)
    except OSError as error:
        raise from_os(error, str(place)) from None
    raise MediaError("media-format", f"{place}: neither a folder, nor an ISO 9660 image, nor a ZIP archive")


def folded(path: Parts) -> Parts:
    """A path as it is compared: upper case, without version and last dot."""
    return tuple(part.upper().split(";", 1)[0].rstrip(".") for part in path)


class MediaSource(FileSource):
    """A FileSource whose errors are the medium's. Raises MediaError (media-unreadable)."""

    __slots__ = ()

    def _read(self, offset: int, length: int) -> bytes:
        try:
            return super()._read(offset, length)
        except HoldObject as error:
            raise MediaError("media-unreadable", f"the medium cannot be read: {error.detail}") from None


class FolderMedium:
    """A folder: a File-set that was copied, or a disc that is mounted."""

    kind = "folder"

    def __init__(self, root: Path) -> None:
        self._root = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def files(self) -> Iterator[Listed]:
        """Regular files only: links, devices and sockets are passed over."""
        for number, listed in enumerate(_walked(self._root, ())):
            if number >= MOST_FILES:
                raise MediaError("media-format", f"more than {MOST_FILES} files")
            yield listed

    @contextmanager
    def open(self, path: Parts) -> Iterator[ByteSource]:
        descriptor = self._beneath(path)
        with MediaSource(descriptor, 0, os.fstat(descriptor).st_size) as source:
            yield source

    def stream(self, path: Parts) -> Iterator[bytes]:
        with self.open(path) as source:
            yield from chunks(source)

    def close(self) -> None:
        os.close(self._root)

    def _beneath(self, path: Parts) -> int:
        """Open a file component by component. Raises MediaError (media-path) for a link, or what is no file."""
        at = os.dup(self._root)
        try:
            for part in path[:-1]:
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
                below = os.open(_plain(part), flags, dir_fd=at)
                os.close(at)
                at = below
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
            descriptor = os.open(_plain(path[-1]), flags, dir_fd=at)
        except OSError as error:
            raise from_os(error, "a file of the medium") from None
        finally:
            os.close(at)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise MediaError("media-path", "a name of the medium leads to no regular file")
        return descriptor


def _walked(folder: int, above: Parts) -> Iterator[Listed]:
    if len(above) > _DEEPEST:
        raise MediaError("media-format", f"folders more than {_DEEPEST} deep")
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        for entry in found:
            path = (*above, entry.name)
            if entry.is_dir(follow_symlinks=False):
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
                below = os.open(entry.name, flags, dir_fd=folder)
                try:
                    yield from _walked(below, path)
                finally:
                    os.close(below)
            elif entry.is_file(follow_symlinks=False):
                yield Listed(path, os.stat(entry.name, dir_fd=folder, follow_symlinks=False).st_size)
    except OSError as error:
        raise from_os(error, "a folder of the medium") from None


def _plain(part: str) -> str:
    if part in ("", ".", "..") or "/" in part or "\0" in part:
        raise MediaError("media-path", "a name that leads out of the medium")
    return part
