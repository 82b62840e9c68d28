"""Rectangles in an image: whole pixels, the right and lower edge not included.

They count from the upper left corner as pixels are stored. `frames` numbers from 1; none means every frame.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple


class Box(NamedTuple):
    """Columns [left, right) of rows [top, bottom)."""

    left: int
    top: int
    right: int
    bottom: int
    frames: tuple[int, ...] = ()

    def grown(self, by: int) -> Box:
        """With a margin; `within` cuts it to an image."""
        return self._replace(left=self.left - by, top=self.top - by, right=self.right + by, bottom=self.bottom + by)


def within(boxes: Iterable[Box], columns: int, rows: int) -> tuple[Box, ...]:
    """The parts of the boxes that lie in the image; what lies outside of it is no box."""
    found = []
    for each in boxes:
        cut = Box(max(0, each.left), max(0, each.top), min(columns, each.right), min(rows, each.bottom), each.frames)
        if cut.left < cut.right and cut.top < cut.bottom:
            found.append(cut)
    return tuple(sorted(set(found)))


def of_frame(boxes: Iterable[Box], number: int) -> tuple[Box, ...]:
    """The boxes of a frame, which counts from 1."""
    return tuple(each._replace(frames=()) for each in boxes if not each.frames or number in each.frames)


def outside(kept: Iterable[Box], columns: int, rows: int) -> tuple[Box, ...]:
    """Boxes that cover all of an image but the rectangles that are kept."""
    inner = within(kept, columns, rows)
    edges = sorted({0, rows, *(each.top for each in inner), *(each.bottom for each in inner)})
    found: list[Box] = []
    for top, bottom in pairwise(edges):
        at = 0
        for each in sorted(inner):
            if each.top <= top and bottom <= each.bottom:
                if each.left > at:
                    found.append(Box(at, top, each.left, bottom))
                at = max(at, each.right)
        if at < columns:
            found.append(Box(at, top, columns, bottom))
    return tuple(found)
