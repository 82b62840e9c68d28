"""What the objects of a series repeat: runs of top-level elements about which something was found in another object.

Rules of this file
* A run is the bytes of elements that follow each other. Who keeps a `Repeated` answers for it that what was found hangs
  on nothing but these bytes and on what the `Repeated` is kept for (framing.py: a syntax and limits).
* An element that differs from object to object ends runs. What differs is forgotten again after a while.
* Looking for runs costs little where nothing repeats: lessons become rare where they do not help.
* It remembers so as to save time. Forgetting changes nothing, and what is remembered is bounded (_MOST, _LONGEST).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Generic, TypeVar

KEY: Final = 6  # bytes of an element's header by which its run is found: tag and VR, or tag and half a length
_LEAST: Final = 2  # elements that make a run
_MOST: Final = 64  # runs
_LONG: Final = 1 << 12  # bytes of one element
_LONGEST: Final = 1 << 13  # bytes of one run; a window holds several
_USES: Final = 1_000  # objects; then everything is learnt anew
_PIXELS: Final = 0x7FE00000  # from here on no element repeats
_FREE: Final = 16  # lessons; each further one must be good for as many objects

Part = tuple[int, int, int]  # tag, and the bytes [start, end) of one element


class Run:
    """Elements that follow each other."""

    __slots__ = ("_parts", "count", "data", "first", "last", "size")

    def __init__(self, data: bytes, parts: list[Part]) -> None:
        self.data = data
        self.size = len(data)
        self.count = len(parts)
        self.first = parts[0][0]  # tags
        self.last = parts[-1][0]
        self._parts = parts

    def differing(self, window: bytes, offset: int) -> int | None:
        """The first tag whose element is another at `offset` of `window`; None where the window ends too early."""
        began = self._parts[0][1]
        for tag, start, stop in self._parts:
            part = window[offset + start - began : offset + stop - began]
            if part != self.data[start - began : stop - began]:
                return tag if len(part) == stop - start else None
        return None


R = TypeVar("R", bound=Run)


class Repeated(Generic[R]):
    """The runs of objects that are alike. Several threads may use it: each learns what is true."""

    __slots__ = ("_differing", "_lessons", "_rest", "_uses", "runs")

    def __init__(self) -> None:
        self.runs: dict[bytes, R] = {}  # by the beginning of their first element
        self._differing: set[int] = set()
        self._rest = 0  # elements of the last lesson that are in no run
        self._lessons = self._uses = 0

    def differs(self, run: R, window: bytes, offset: int) -> None:
        """What began as a run at `offset` of `window` is none."""
        tag = run.differing(window, offset)
        if tag is not None:
            self._differing.add(tag)
            self.runs.pop(run.data[:KEY], None)

    def due(self, singly: int) -> bool:
        """Whether to learn of an object of which `singly` elements were in no run. To be asked once for each."""
        self._uses += 1
        if self._uses > _USES:
            self.runs, self._differing = {}, set()
            self._rest = self._lessons = self._uses = 0
        if singly <= self._rest or (self._lessons > _FREE and self._uses < self._lessons * _FREE):
            return False
        self._lessons += 1
        return True

    def chains(self, elements: Iterable[Part | None], window: bytes) -> Iterator[list[Part]]:
        """What may become runs of these elements, in order; None is an element that is in no run."""
        chain: list[Part] = []
        made = rest = 0
        for part in (*elements, None):
            long = part is not None and (part[2] - part[1] > _LONG or part[2] > len(window))
            if part is None or long or part[0] >= _PIXELS or part[0] in self._differing:
                part = None
                rest += 1
            if chain and (part is None or part[1] != chain[-1][2] or part[2] - chain[0][1] > _LONGEST):
                if len(chain) >= _LEAST and made < _MOST:
                    made += 1
                    yield chain
                else:
                    rest += len(chain)
                chain = []
            if part is not None:
                chain.append(part)
        self._rest = rest - 1
