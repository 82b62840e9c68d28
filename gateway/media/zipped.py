"""A ZIP archive as a medium (PS3.12 Annex V): read without trust.

Rules of this file
* Names are paths beneath the archive: absolute ones, `..`, drives and backslashes are refused, and so is one that
  stands twice. Links and encrypted members are refused.
* A bomb is stopped by what it unpacks to, not by what it says: ratio, bytes of a member, bytes in all. Only stored and
  deflated members are read (PS3.12 V.2): of the others zipfile unpacks a whole piece at once, however much comes of it.
* Its central directory is measured when it is read: zipfile holds all of it, and ten times as much for its entries.
* A member is unpacked into a nameless file of `scratch` while it is open.
"""

from __future__ import annotations

import os
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

from gateway.media.errors import MediaError, from_os
from gateway.media.medium import MOST_FILES, Listed, Parts
from gateway.store.files import FileSource
from transforms.source import CHUNK, ByteSource

_LARGEST: Final = (4 << 30) + (1 << 20)  # bytes of a member: a DICOM file and its envelope
_MOST: Final = 128 << 30  # bytes of all members together
_RATIO: Final = 100
_FREE: Final = 16 << 20  # bytes of a member whose ratio does not matter
METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_DIRECTORY: Final = 64 << 20  # bytes of a central directory
_PIECE: Final = 1 << 20  # bytes that are read of a member at most


class TooMany(Exception):
    """The central directory is longer than is read, or has more entries."""


class _Measured:
    """A file whose long reads, zipfile's of a central directory, are measured."""

    def __init__(self, file: IO[bytes], entries: int) -> None:
        self._file = file
        self._entries = entries

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def read(self, size: int = -1) -> bytes:
        """Raises TooMany."""
        if size > _DIRECTORY:
            raise TooMany
        data = self._file.read(size)
        if size > _PIECE and data.count(b"PK\1\2") > self._entries:
            raise TooMany
        return data


def opened_zip(file: IO[bytes], entries: int) -> zipfile.ZipFile:
    """An archive with about so many entries at most. Raises TooMany, and what ZipFile raises."""
    return zipfile.ZipFile(_Measured(file, entries))


class ZipMedium:
    """An archive that is open for reading."""

    kind = "zip"

    def __init__(self, place: Path, scratch: Path | None) -> None:
        self._scratch = scratch
        self._file = place.open("rb")
        try:
            self._zip = opened_zip(self._file, MOST_FILES)
            self._members = _members(self._zip)
        except TooMany:
            self._file.close()
            raise MediaError("media-bomb", f"more than {MOST_FILES} members") from None
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            self._file.close()
            raise MediaError("media-format", f"{place}: a ZIP archive that cannot be read") from error
        except BaseException:
            self._file.close()
            raise

    def files(self) -> Iterator[Listed]:
        for path, info in sorted(self._members.items()):
            yield Listed(path, info.file_size)

    @contextmanager
    def open(self, path: Parts) -> Iterator[ByteSource]:
        with tempfile.TemporaryFile(dir=self._scratch) as file:
            size = 0
            try:
                for chunk in self.stream(path):
                    size += file.write(chunk)
                file.flush()
            except OSError as error:
                raise from_os(error, "room to unpack an archive") from None
            with FileSource(os.dup(file.fileno()), 0, size) as source:
                yield source

    def stream(self, path: Parts) -> Iterator[bytes]:
        info = self._members.get(path)
        if info is None:
            raise MediaError("media-path", "no such file in the archive")
        allowed = max(_FREE, info.compress_size * _RATIO)
        size = 0
        try:
            with self._zip.open(info) as member:
                while chunk := member.read(CHUNK):
                    size += len(chunk)
                    if size > min(allowed, _LARGEST) or size > info.file_size:
                        raise MediaError("media-bomb", "a member of the archive unpacks to more than it may")
                    yield chunk
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
            raise MediaError("media-unreadable", "a member of the archive is damaged") from error
        if size != info.file_size:
            raise MediaError("media-unreadable", "a member of the archive is shorter than it says")

    def close(self) -> None:
        self._zip.close()
        self._file.close()


def _members(archive: zipfile.ZipFile) -> dict[Parts, zipfile.ZipInfo]:
    infos = archive.infolist()
    if len(infos) > MOST_FILES:
        raise MediaError("media-bomb", f"more than {MOST_FILES} members")
    if sum(info.file_size for info in infos) > _MOST:
        raise MediaError("media-bomb", "its members say that they are more than 128 GiB together")
    found: dict[Parts, zipfile.ZipInfo] = {}
    for info in infos:
        if info.is_dir():
            continue
        path = tuple(info.filename.split("/"))
        if any(part in ("", ".", "..") or set(part) & set("\\:\0") for part in path):
            raise MediaError("media-path", "a name in the archive leads out of it")
        if stat.S_ISLNK(info.external_attr >> 16):
            raise MediaError("media-path", "the archive holds a link")
        if info.flag_bits & 1:
            raise MediaError("media-format", "the archive is encrypted by ZIP's own means: unpack it first")
        if info.compress_type not in METHODS:
            raise MediaError("media-format", "the archive is compressed in a way that is not read here")
        if info.file_size > max(_FREE, info.compress_size * _RATIO):
            raise MediaError("media-bomb", "a member of the archive says that it unpacks to more than it may")
        if path in found:
            raise MediaError("media-path", "a name stands twice in the archive")
        found[path] = info
    return found
