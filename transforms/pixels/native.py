"""Boxes in native pixels: a source that reads as another one, with what lies in the boxes blanked.

* Nothing is copied: a span is blanked when it is read, so a 2 GB image costs no memory. Every other byte is the
  source's.
* Black is what is written: 0, for MONOCHROME1 the highest value, for YBR no colour, for a palette its darkest entry.
  Signed pixels get 0, not the lowest value: displays take their window from what is there.
* YBR_FULL_422 shares colour between two pixels: a box takes both of a pair.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache

from transforms.pixels.boxes import Box, of_frame, within
from transforms.pixels.image import Image
from transforms.source import ByteSource

Span = tuple[int, int, bytes]  # [start, end) in a frame, and what stands there


def black(image: Image) -> tuple[int, ...]:
    """One sample value for each component."""
    if image.photometric == "MONOCHROME1" and not image.signed:
        return ((1 << image.stored) - 1,)
    if image.photometric == "PALETTE COLOR":
        return (_darkest(image),)
    if image.photometric.startswith("YBR_FULL"):
        return (0, 1 << (image.stored - 1), 1 << (image.stored - 1))
    return (0,) * image.samples


def _darkest(image: Image) -> int:
    """The palette entry of the least light."""
    if not image.palette:
        return 0
    lengths = [len(table) // 2 for _, _, table in image.palette]
    first = image.palette[0][0]

    def light(entry: int) -> int:
        return sum(int.from_bytes(table[2 * entry : 2 * entry + 2], "little") for _, _, table in image.palette)

    highest = (1 << image.stored) - 1
    return min(range(min(*lengths, max(1, highest - first + 1))), key=light) + first


@lru_cache(maxsize=64)
def spans(image: Image, boxes: tuple[Box, ...]) -> tuple[Span, ...]:
    """What boxes cover in one native frame, in order and without overlap."""
    width = image.allocated // 8
    values = [value.to_bytes(width, "little") for value in black(image)]
    columns, rows = image.columns, image.rows
    found: list[Span] = []
    planes = [b"".join(values)]
    if image.photometric == "YBR_FULL_422":  # Y Y Cb Cr
        planes = [values[0] * 2 + values[1] + values[2]]
        columns = (columns + 1) // 2
        boxes = tuple(each._replace(left=each.left // 2, right=(each.right + 1) // 2) for each in boxes)
    elif image.planar:
        planes = values
    for number, unit in enumerate(planes):
        begin = number * rows * columns * len(unit)
        for row in range(rows):
            touched = sorted((each.left, each.right) for each in boxes if each.top <= row < each.bottom)
            for left, right in touched:
                start = begin + (row * columns + left) * len(unit)
                end = begin + (row * columns + right) * len(unit)
                if found and start <= found[-1][1] and found[-1][2] == unit:  # touches: full rows are one write
                    start, end = found[-1][0], max(end, found[-1][1])
                    found.pop()
                found.append((start, end, unit))
    return tuple((start, end, unit * ((end - start) // len(unit))) for start, end, unit in found)


class Blanked:
    """A ByteSource: `source` with the boxes of the image, whose first native frame is at byte `at`, blanked."""

    __slots__ = ("_at", "_ends", "_every", "_image", "_source", "_spans", "size")

    def __init__(self, source: ByteSource, at: int, image: Image, boxes: Sequence[Box]) -> None:
        cut = within(boxes, image.columns, image.rows)
        self._source = source
        self._at = at
        self._image = image
        self.size = source.size
        named = {number for each in cut for number in each.frames}
        self._every = spans(image, of_frame(cut, 0))
        self._spans = {number: spans(image, of_frame(cut, number)) for number in named}
        self._ends: dict[int, list[int]] = {}

    def pread(self, offset: int, length: int) -> bytes:
        """As the source, with what lies in boxes blanked."""
        data = self._source.pread(offset, length)
        size = self._image.frame_length
        end = offset + len(data)
        first = max(0, (offset - self._at) // size)
        last = min(self._image.frames, -((self._at - end) // size))
        if first >= last or end <= self._at:
            return data
        out = bytearray(data)
        for number in range(first, last):
            base = self._at + number * size - offset  # of the frame in `out`
            for start, stop, fill in self._within(number + 1, -base, len(out) - base):
                low, high = max(base + start, 0), min(base + stop, len(out))
                out[low:high] = fill if high - low == len(fill) else fill[low - base - start : high - base - start]
        return bytes(out)

    def _within(self, number: int, low: int, high: int) -> Sequence[Span]:
        """The spans of a frame that reach into its bytes [low, high)."""
        found = self._spans.get(number, self._every)
        if low <= 0 and high >= self._image.frame_length:
            return found
        ends = self._ends.setdefault(id(found), [stop for _, stop, _ in found])
        begin = bisect_right(ends, low)
        return [each for each in found[begin:] if each[0] < high]
