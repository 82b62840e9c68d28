"""Elements of a study that need no second look: what was learnt from them, or that they hold nothing, is known.

* By their bytes, one by one, and in runs of those that follow each other in many objects: a scan goes past a run in
  one step. A run is nothing but elements that are known one by one, and is forgotten with them.
* For one syntax: the same bytes begin and end at the same places only there.
* What says whose an object is, and how to read that, is in no run: each object is to say its own (ALONE).
* An element that differs from object to object ends runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

HEAD: Final = 6  # bytes by which a run is found: tag and VR, or tag and half a length
CHARSET: Final = b"\x08\x00\x05\x00"
# Specific Character Set; Patient ID, its issuer, Study Instance UID
ALONE: Final = frozenset({CHARSET, b"\x10\x00\x20\x00", b"\x10\x00\x21\x00", b"\x20\x00\x0d\x00"})
_LEAST: Final = 3  # elements of a run
_MOST: Final = 64  # runs
_LONGEST: Final = 1 << 13  # bytes of one
_DIFFERING: Final = 2_000


class Run(NamedTuple):
    """Elements that follow each other."""

    data: bytes
    elements: tuple[bytes, ...]


class Passed:
    """The elements, and the runs of them."""

    __slots__ = ("_differing", "elements", "runs")

    def __init__(self) -> None:
        self.elements: set[bytes] = set()
        self.runs: dict[bytes, Run] = {}  # by their first bytes
        self._differing: set[bytes] = set()  # beginnings of elements

    def clear(self) -> None:
        """Forget everything."""
        self.elements.clear()
        self.runs.clear()
        self._differing.clear()

    def fresh(self, chunks: Iterable[bytes]) -> list[bytes]:
        """Those that are to be looked at."""
        known = self.elements
        return [chunk for chunk in chunks if chunk not in known]

    def differs(self, run: Run, data: bytes, at: int) -> None:
        """What begins like a run at `at` is none."""
        for element in run.elements:
            if not data.startswith(element, at):
                self._differing.add(element[:HEAD])
                break
            at += len(element)
        del self.runs[run.data[:HEAD]]

    def learn(self, stretches: Iterable[list[bytes]]) -> None:
        """Make runs of elements that are known and that follow each other in one of the stretches."""
        if len(self.runs) >= _MOST or len(self._differing) >= _DIFFERING:
            self.runs.clear()
            self._differing.clear()
        for stretch in stretches:
            if len(stretch) < _LEAST:
                continue
            chain: list[bytes] = []
            size = 0
            for element in (*stretch, b""):
                known = element in self.elements and element[:HEAD] not in self._differing
                if not known or element[:4] in ALONE or size + len(element) > _LONGEST:
                    self._keep(chain)
                    chain, size = [], 0
                    continue
                chain.append(element)
                size += len(element)

    def _keep(self, chain: list[bytes]) -> None:
        if len(chain) >= _LEAST and len(self.runs) < _MOST:
            self.runs[chain[0][:HEAD]] = Run(b"".join(chain), tuple(chain))
