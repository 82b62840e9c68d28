"""Bytes that can be read anywhere, and edits of them that copy nothing.

* A `ByteSource` is a sized thing one can `pread`. The shell gives one over a spooled file; tests give bytes.
* A transform returns an `EditPlan`: a list of `Literal(bytes) | Copy(offset, length)` over its source.
  A plan is itself a ByteSource, so that steps compose; the shell executes it chunk by chunk.
* Nothing here knows DICOM.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

CHUNK = 1 << 18  # bytes read at a time by `chunks`: large enough to amortise a system call, small enough to reuse


class ByteSource(Protocol):
    """`size` bytes, readable at any offset."""

    @property
    def size(self) -> int:
        """Bytes in all."""
        ...

    def pread(self, offset: int, length: int) -> bytes:
        """The bytes [offset, offset + length) that exist; shorter only at the end of the source."""
        ...


class BytesSource:
    """A ByteSource over bytes that are already in memory."""

    __slots__ = ("_data", "size")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)

    def pread(self, offset: int, length: int) -> bytes:
        if offset < 0:
            raise ValueError("negative offset")  # a slice would count from the end
        return self._data[offset : offset + length]


class Literal(NamedTuple):
    """These bytes, wherever they came from."""

    data: bytes


class Copy(NamedTuple):
    """`length` bytes of the plan's source from `offset` on, unchanged."""

    offset: int
    length: int


Piece = Literal | Copy


class EditPlan:
    """A source with some of its bytes replaced; `pieces` in output order. Adjacent pieces are merged.

    Raises ValueError where a Copy reaches beyond the source: a plan can be wrong, but never short.
    """

    __slots__ = ("_starts", "pieces", "size", "source")

    def __init__(self, source: ByteSource, pieces: Iterable[Piece]) -> None:
        self.source = source
        self.pieces = tuple(_merged(pieces))
        self._starts: list[int] = []
        at = 0
        for piece in self.pieces:
            self._starts.append(at)
            if isinstance(piece, Copy):
                if piece.offset < 0 or piece.length < 0 or piece.offset + piece.length > source.size:
                    raise ValueError(f"plan copies [{piece.offset}, +{piece.length}) of {source.size} bytes")
                at += piece.length
            else:
                at += len(piece.data)
        self.size = at

    @classmethod
    def identity(cls, source: ByteSource) -> EditPlan:
        """The plan that changes nothing."""
        return cls(source, (Copy(0, source.size),) if source.size else ())

    def pread(self, offset: int, length: int) -> bytes:
        if offset < 0:
            raise ValueError("negative offset")
        end = min(offset + length, self.size)
        if offset >= end:
            return b""
        index = bisect_right(self._starts, offset) - 1
        out = []
        while offset < end:
            piece = self.pieces[index]
            inner = offset - self._starts[index]
            if isinstance(piece, Copy):
                take = min(piece.length - inner, end - offset)
                part = self.source.pread(piece.offset + inner, take)
                if len(part) != take:
                    raise OSError("source became shorter than its plan")
            else:
                part = piece.data[inner : inner + end - offset]
                take = len(part)
            out.append(part)
            offset += take
            index += 1
        return out[0] if len(out) == 1 else b"".join(out)

    def chunks(self, size: int = CHUNK) -> Iterator[bytes]:
        """The plan's bytes in order, in chunks of exactly `size` but for the last."""
        yield from chunks(self, size)


def chunks(source: ByteSource, size: int = CHUNK) -> Iterator[bytes]:
    """The source's bytes in order, in chunks of exactly `size` but for the last.

    Raises OSError where the source gives less than its size: what leaves is whole, or does not leave.
    """
    total = source.size
    for offset in range(0, total, size):
        part = source.pread(offset, size)
        if len(part) != min(size, total - offset):
            raise OSError("source became shorter than its size")
        yield part


def _merged(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Runs of literals as one, touching copies as one, nothing empty."""
    literal: list[bytes] = []
    copy: Copy | None = None
    for piece in pieces:
        if isinstance(piece, Copy):
            if piece.length == 0:
                continue
            if literal:
                yield Literal(b"".join(literal))
                literal = []
            if copy is not None and copy.offset + copy.length == piece.offset:
                copy = Copy(copy.offset, copy.length + piece.length)
            else:
                if copy is not None:
                    yield copy
                copy = piece
        elif piece.data:
            if copy is not None:
                yield copy
                copy = None
            literal.append(piece.data)
    if literal:
        yield Literal(b"".join(literal))
    if copy is not None:
        yield copy
