"""Which SOP instances an object refers to, at every depth: Referenced SOP Instance UID (0008,1155). Pure.

It reads what framing.py has framed, in one pass more. Objects without a sequence refer to nothing and cost nothing.
"""

from __future__ import annotations

from typing import Final

from transforms.dataset.framing import Walk, Walker
from transforms.dataset.index import Index, Limits
from transforms.source import ByteSource

_REFERENCED: Final = 0x00081155
MOST: Final = 10_000  # references of one object: what is beyond is not listed
Entry = tuple[str, int, int, int, int]


class _Referring(Walk):
    """A walk that notes where references stand in items."""

    __slots__ = ("places",)

    places: list[tuple[int, int]]

    def items(self, at: int, end: int, depth: int, delimited: bool, walker: Walker) -> int:
        def noting(at: int, end: int, depth: int, out: dict[int, Entry], delimited: bool) -> int:
            after = walker(at, end, depth, out, delimited)
            found = out.get(_REFERENCED)
            if found is not None and len(self.places) < MOST:
                self.places.append((found[2], found[4]))
            return after

        return super().items(at, end, depth, delimited, noting)


def referenced(source: ByteSource, index: Index) -> frozenset[str]:
    """UIDs that items of a framed data set refer to; deflated ones are not looked into. Raises TransformError."""
    syntax = index.syntax
    if syntax.deflated or not any(element.vr in ("SQ", "UN", "") for element in index):
        return frozenset()
    walk = _Referring(source, syntax, Limits())
    walk.places = []
    (walk.explicit if syntax.explicit else walk.implicit)(0, index.size, 0, {}, False)
    values = (source.pread(start, end - start).rstrip(b"\0 ") for start, end in walk.places if end - start <= 66)
    return frozenset(value.decode("ascii") for value in values if value and value.isascii())
