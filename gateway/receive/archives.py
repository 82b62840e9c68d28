"""Archives of a watched folder: ZIP and tar (plain or gzip), read as a stream of members, within budgets.

Rules of this file
* No member's name is ever used: there is no path that could lead anywhere. Links, devices and folders are passed over.
* Every size is counted while it comes, never believed: members, bytes after inflating, and their ratio to the archive.
* A member has come whole only when the archive says so: its length, and in a ZIP its checksum.
* Of a ZIP only stored and deflated members are read: pieces of others have no bound (gateway/media/zipped.py).
* It opens no archive within an archive: such a member is bytes like any other, and no DICOM file.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from gateway.config.schema import ArchiveLimits
from gateway.errors import RefuseObject
from gateway.media.zipped import METHODS, TooMany, opened_zip
from gateway.web.answers import NOT_UNDERSTOOD
from transforms.dataset.part10 import PREAMBLE, PREFIX

CHUNK = 256 << 10
HEAD = 512  # bytes that tell what a file is
_BLOCK = 512
_FREE = 64 << 20  # bytes that may come of any archive, however small
_PAX = 1 << 20  # bytes of one extended header
_END = b"PK\5\6"
_PASSED = frozenset(b"12345")  # links, devices, folders
_FILES = frozenset(b"0\x007")


def kind_of(head: bytes) -> str:
    """`zip`, `tar`, `gzip` or "", by the first `HEAD` bytes. What is a DICOM file is no archive too."""
    if head[PREAMBLE : PREAMBLE + 4] == PREFIX:
        return ""
    if head[:4] in (b"PK\3\4", _END):
        return "zip"
    if head[257:262] == b"ustar":
        return "tar"
    return "gzip" if head[:3] == b"\x1f\x8b\x08" else ""


def members(file: IO[bytes], size: int, limits: ArchiveLimits) -> Iterator[Iterator[bytes]]:
    """The bytes of each regular member, in chunks; what is left of one is passed over when the next is asked for.

    Raises RefuseObject where the archive is malformed or beyond a limit; what came before that came whole.
    """
    budget = _Budget(limits, size)
    file.seek(0)
    kind = kind_of(file.read(HEAD))
    file.seek(0)
    if kind == "zip":
        return _zip(file, budget)
    plain = iter(lambda: file.read(CHUNK), b"")
    return _tar(_Reader(plain if kind == "tar" else _inflated(plain)), budget)


@dataclass(slots=True)
class _Budget:
    """What one archive may still cost."""

    limits: ArchiveLimits
    size: int
    count: int = 0
    octets: int = 0

    def member(self) -> None:
        self.count += 1
        if self.count > self.limits.members:
            raise _refused("archive-members", "more members than are taken of one archive")

    def spent(self, chunk: bytes) -> bytes:
        self.octets += len(chunk)
        if self.octets > min(self.limits.inflated, _FREE + self.limits.ratio * self.size):
            raise _refused("archive-too-large", "more bytes come of it than an archive of its size may hold")
        return chunk


def _refused(reason: str, detail: str = "") -> RefuseObject:
    return RefuseObject(reason, NOT_UNDERSTOOD, detail)


def _zip(file: IO[bytes], budget: _Budget) -> Iterator[Iterator[bytes]]:
    with _malformed():
        archive = opened_zip(file, budget.limits.members)
    for info in archive.infolist():
        budget.member()
        if info.is_dir() or (info.external_attr >> 28) == 0xA:  # a symbolic link
            continue
        if info.flag_bits & 0x1:
            raise _refused("archive-encrypted", "a member is encrypted")
        if info.compress_type not in METHODS:
            raise _refused("archive-malformed", "a member is compressed in a way that is not read here")
        chunks = _unzipped(archive, info, budget)
        yield chunks
        for _ in chunks:  # to its checksum
            pass


def _unzipped(archive: zipfile.ZipFile, info: zipfile.ZipInfo, budget: _Budget) -> Iterator[bytes]:
    with _malformed():
        member = archive.open(info)
    while True:
        with _malformed():
            chunk = member.read(CHUNK)
        if not chunk:
            return
        yield budget.spent(chunk)


@contextmanager
def _malformed() -> Iterator[None]:
    """What zipfile raises over bytes that are no ZIP; its texts name members."""
    try:
        yield
    except TooMany:
        raise _refused("archive-members", "its directory is longer than is read") from None
    except (zipfile.BadZipFile, NotImplementedError, EOFError, zlib.error, ValueError, RuntimeError, OSError) as error:
        raise _refused("archive-malformed", type(error).__name__) from None


def _spent(chunks: Iterator[bytes], budget: _Budget) -> Iterator[bytes]:
    for chunk in chunks:
        yield budget.spent(chunk)


def _inflated(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """A gzip stream of one or more members (RFC 1952), a chunk at a time."""
    inflater = zlib.decompressobj(31)
    try:
        for chunk in chunks:
            data = chunk
            while data:
                made = inflater.decompress(data, CHUNK)
                if made:
                    yield made
                data = inflater.unconsumed_tail
                if inflater.eof:
                    data = inflater.unused_data.lstrip(b"\0")
                    if data:
                        inflater = zlib.decompressobj(31)
    except zlib.error as error:
        raise _refused("archive-malformed", "not gzip") from error
    if not inflater.eof:
        raise _refused("archive-malformed", "gzip ends too soon")


class _Reader:
    """Exactly so many bytes of a stream."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._left = b""

    def chunks(self, size: int) -> Iterator[bytes]:
        """So many bytes, in pieces. Raises RefuseObject where the stream ends before."""
        while size > 0:
            if not self._left:
                self._left = next(self._chunks, b"")
                if not self._left:
                    raise _refused("archive-malformed", "tar ends too soon")
            part, self._left = self._left[:size], self._left[size:]
            size -= len(part)
            yield part

    def exactly(self, size: int) -> bytes:
        """So many bytes, held."""
        return b"".join(self.chunks(size))


def _tar(reader: _Reader, budget: _Budget) -> Iterator[Iterator[bytes]]:
    """POSIX.1-2001 pax and GNU tar. Names are not even read; of extended headers only a size."""
    wide: int | None = None
    while (header := reader.exactly(_BLOCK)) != bytes(_BLOCK):
        budget.member()
        if sum(header[:148]) + 8 * 32 + sum(header[156:]) != _number(header[148:156]):
            raise _refused("archive-malformed", "a tar header has a wrong checksum")
        kind, size = header[156], _number(header[124:136])
        pad = -size % _BLOCK
        if kind in b"xg":
            if size > _PAX:
                raise _refused("archive-malformed", "an extended header is too long")
            told = _pax_size(budget.spent(reader.exactly(size)))
            wide = told if kind == ord("x") else wide
            reader.exactly(pad)
            continue
        if kind in b"LK":  # GNU: the next one's long name
            if size > _PAX:
                raise _refused("archive-malformed", "a long name is too long")
            budget.spent(reader.exactly(size + pad))
            continue
        if wide is not None:
            size, wide = wide, None
            pad = -size % _BLOCK
        if kind in _PASSED:
            size = pad = 0
        elif kind not in _FILES:
            raise _refused("archive-malformed", "a kind of member that is not read here")
        if kind in _FILES:
            chunks = _spent(reader.chunks(size), budget)
            yield chunks
            for _ in chunks:
                pass
        reader.exactly(pad)


def _number(field: bytes) -> int:
    """An octal number, or a binary one as GNU tar writes what is too long for octal."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    try:
        return int(field.strip(b" \0") or b"0", 8)
    except ValueError as error:
        raise _refused("archive-malformed", "a tar header has no number where one is due") from error


def _pax_size(data: bytes) -> int | None:
    """The `size` of an extended header: `LENGTH key=value\\n` records."""
    for record in data.split(b"\n"):
        _, _, pair = record.partition(b" ")
        key, _, value = pair.partition(b"=")
        if key == b"size":
            if not value.isdigit() or len(value) > 18:
                raise _refused("archive-malformed", "an extended header has no size where one is due")
            return int(value)
        if key.startswith(b"GNU.sparse"):
            raise _refused("archive-malformed", "sparse members are not read here")
    return None
