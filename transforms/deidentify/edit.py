"""The edit plan while it grows: runs of untouched bytes, and what stands between them.

* Offsets are the source's. `run` is the first byte not yet accounted for; nothing is written twice or left out.
* `delta` is how many bytes longer the result is than the source so far: with it a sequence or item of defined length
  gets its new length by arithmetic, and keeps its form (docs/adr/0003).
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from transforms.source import Copy, Literal, Piece

_LENGTH = Struct("<I")


class Mark(NamedTuple):
    """A point to come back to."""

    pieces: int
    run: int
    delta: int


class Edit:
    """Pieces in output order over one source."""

    __slots__ = ("delta", "out", "run")

    def __init__(self) -> None:
        self.out: list[Piece] = []
        self.run = 0
        self.delta = 0

    def drop(self, start: int, end: int) -> None:
        """Leave out the source's bytes [start, end)."""
        if start > self.run:
            self.out.append(Copy(self.run, start - self.run))
        self.run = end
        self.delta -= end - start

    def replace(self, start: int, end: int, data: bytes) -> None:
        """Put `data` where the source's bytes [start, end) stood; start == end inserts."""
        if start > self.run:
            self.out.append(Copy(self.run, start - self.run))
        self.out.append(Literal(data))
        self.run = end
        self.delta += len(data) - (end - start)

    def reserve(self, at: int) -> int:
        """Insert nothing yet before byte `at`; `fill` puts bytes there at the end. Not within sequences."""
        self.replace(at, at, b"")
        return len(self.out) - 1

    def fill(self, place: int, data: bytes) -> None:
        """Put bytes at a reserved place."""
        self.out[place] = Literal(data)

    def mark(self) -> Mark:
        """A point to come `back` to."""
        return Mark(len(self.out), self.run, self.delta)

    def back(self, mark: Mark) -> None:
        """Forget what was done since the mark."""
        del self.out[mark.pieces :]
        self.run, self.delta = mark.run, mark.delta

    def relength(self, mark: Mark, at: int, length: int) -> None:
        """Correct the 32-bit length at byte `at`, if what follows it changed its size since the mark.

        At the mark the byte `at` was behind us by a header only and part of the run, so that the first piece since
        then is a copy that holds it.
        """
        if self.delta == mark.delta:
            return
        length += self.delta - mark.delta
        piece = self.out[mark.pieces]
        if not isinstance(piece, Copy) or not piece.offset <= at <= at + 4 <= piece.offset + piece.length:
            raise AssertionError("a length field is not where the plan copies it")
        end = piece.offset + piece.length
        self.out[mark.pieces : mark.pieces + 1] = [
            Copy(piece.offset, at - piece.offset),
            Literal(_LENGTH.pack(length)),
            Copy(at + 4, end - at - 4),
        ]

    def finish(self, size: int) -> list[Piece]:
        """The pieces of the whole source of `size` bytes."""
        if size > self.run:
            self.out.append(Copy(self.run, size - self.run))
            self.run = size
        return self.out
