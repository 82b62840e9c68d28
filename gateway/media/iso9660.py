"""An ISO 9660 image as a medium: the little of ECMA-119 that a DICOM disc needs, read strictly and by seeking.

Rules of this file
* Every number of a stranger's image is checked before it is used: extents lie within the image, directories are
  visited once, depth and counts are bounded. What is wrong is MediaError (media-format), not a loop.
* Files of several extents (level 3, larger than 4 GiB) are one ByteSource.
* Rock Ridge, Joliet and UDF are not looked at: names that a DICOMDIR may use are plain ISO 9660. A disc with UDF alone
  is to be mounted, and its folder given.

It shares no code with the library that writes our images (packing.py): what one gets wrong the other finds.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from gateway.media.errors import MediaError
from gateway.media.medium import MOST_FILES, Listed, MediaSource, Parts, folded
from transforms.source import ByteSource, chunks

_SECTOR: Final = 2048
_FIRST: Final = 16  # sector of the first volume descriptor (ECMA-119 6.7.1)
_DESCRIPTORS: Final = 64
_DEEPEST: Final = 16
_MOST_FOLDERS: Final = 100_000
_LARGEST_FOLDER: Final = 64 << 20
_OVERLAP: Final = 4  # files may share extents, but not without end
_DIRECTORY, _ASSOCIATED, _MORE = 0x02, 0x04, 0x80  # file flags (ECMA-119 9.1.6)


class _Extent(NamedTuple):
    at: int  # byte
    size: int


class IsoMedium:
    """An image, or a drive's device, open for reading."""

    kind = "iso"

    def __init__(self, place: Path) -> None:
        self._descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._size = os.lseek(self._descriptor, 0, os.SEEK_END)
            self._image = MediaSource(self._descriptor, 0, self._size)
            self._files = {folded(path): (path, extents) for path, extents in self._read()}
        except BaseException:
            os.close(self._descriptor)
            raise

    def files(self) -> Iterator[Listed]:
        for path, extents in self._files.values():
            yield Listed(path, sum(each.size for each in extents))

    @contextmanager
    def open(self, path: Parts) -> Iterator[ByteSource]:
        found = self._files.get(folded(path))
        if found is None:
            raise MediaError("media-path", "no such file in the image")
        yield _Extents(self._image, found[1])

    def stream(self, path: Parts) -> Iterator[bytes]:
        with self.open(path) as source:
            yield from chunks(source)

    def close(self) -> None:
        self._image.close()

    def _read(self) -> Iterator[tuple[Parts, tuple[_Extent, ...]]]:
        root = self._record(self._primary(), 156)
        if root is None or not root.flags & _DIRECTORY:
            raise _malformed("its root is no directory")
        seen = {root.extent.at}
        waiting: list[tuple[_Extent, Parts]] = [(root.extent, ())]
        count = total = 0
        while waiting:
            extent, above = waiting.pop()
            if len(above) > _DEEPEST:
                raise _malformed(f"directories more than {_DEEPEST} deep")
            parts: list[_Extent] = []
            for record in self._records(extent):
                path = (*above, record.name)
                if record.flags & _ASSOCIATED:
                    continue
                if record.flags & _DIRECTORY:
                    if record.extent.at in seen or len(seen) > _MOST_FOLDERS:
                        raise _malformed("a directory stands in two places")
                    seen.add(record.extent.at)
                    waiting.append((record.extent, path))
                    continue
                parts.append(record.extent)
                if record.flags & _MORE:
                    continue
                count += 1
                total += sum(each.size for each in parts)
                if count > MOST_FILES or total > _OVERLAP * self._size:
                    raise MediaError("media-bomb", "the files of the image are many times as large as the image")
                yield path, tuple(parts)
                parts = []
            if parts:
                raise _malformed("a file's last extent is missing")

    def _primary(self) -> bytes:
        """The primary volume descriptor (ECMA-119 8.4)."""
        for number in range(_FIRST, _FIRST + _DESCRIPTORS):
            sector = self._image.pread(number * _SECTOR, _SECTOR)
            if len(sector) != _SECTOR or sector[1:6] != b"CD001" or sector[0] == 255:
                break
            if sector[0] == 1:
                if int.from_bytes(sector[128:130], "little") != _SECTOR:
                    raise _malformed("its logical blocks are not of 2048 bytes")
                return sector
        raise _malformed("it has no primary volume descriptor")

    def _records(self, extent: _Extent) -> Iterator[_Record]:
        """The entries of a directory but for itself and its parent."""
        if extent.size > _LARGEST_FOLDER:
            raise _malformed("a directory is larger than 64 MiB")
        for offset in range(0, extent.size, _SECTOR):
            sector = self._image.pread(extent.at + offset, _SECTOR)
            at = 0
            while at < len(sector) and sector[at]:
                record = self._record(sector, at)
                if record is None:
                    raise _malformed("a directory record reaches beyond its sector")
                at += record.length
                if record.name not in ("\0", "\1"):
                    yield record

    def _record(self, sector: bytes, at: int) -> _Record | None:
        """One directory record (ECMA-119 9.1)."""
        length = sector[at]
        if length < 34 or at + length > len(sector) or 33 + sector[at + 32] > length:
            return None
        first = int.from_bytes(sector[at + 2 : at + 6], "little") + sector[at + 1]
        extent = _Extent(first * _SECTOR, int.from_bytes(sector[at + 10 : at + 14], "little"))
        if extent.size and extent.at + extent.size > self._size:
            raise _malformed("a file reaches beyond the end of the image")
        name = sector[at + 33 : at + 33 + sector[at + 32]].decode("ascii", "replace")
        return _Record(length, name.split(";", 1)[0].rstrip("."), extent, sector[at + 25])


class _Record(NamedTuple):
    length: int
    name: str
    extent: _Extent
    flags: int


class _Extents:
    """A file's extents as one ByteSource."""

    __slots__ = ("_extents", "_image", "size")

    def __init__(self, image: ByteSource, extents: tuple[_Extent, ...]) -> None:
        self._image = image
        self._extents = extents
        self.size = sum(each.size for each in extents)

    def pread(self, offset: int, length: int) -> bytes:
        if offset < 0:
            raise ValueError("negative offset")
        found = []
        for extent in self._extents:
            if offset < extent.size and length > 0:
                part = self._image.pread(extent.at + offset, min(length, extent.size - offset))
                found.append(part)
                length -= len(part)
                offset = extent.size
            offset -= extent.size
        return b"".join(found)


def is_iso9660(place: Path) -> bool:
    """Whether a file begins as such an image."""
    with place.open("rb") as file:
        file.seek(_FIRST * _SECTOR)
        return file.read(6)[1:] == b"CD001"


def _malformed(why: str) -> MediaError:
    return MediaError("media-format", f"a damaged ISO 9660 image: {why}")
