"""A source some of whose regions hold numbers of the other byte order (PS3.5 section 7.3), turned while they are read.

It holds no value: a 2 GB Pixel Data is turned chunk by chunk, as whoever reads asks for it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from transforms.source import ByteSource


class Region(NamedTuple):
    """Numbers of `width` bytes fill [start, end); the region's size is a multiple of the width."""

    start: int
    end: int
    width: int


def swap(data: bytes, width: int) -> bytes:
    """Numbers of `width` bytes with their bytes in the other order; a rest shorter than a number stays as it is."""
    whole = len(data) - len(data) % width
    turned = bytearray(data)
    for byte in range(width):
        turned[byte:whole:width] = data[width - 1 - byte : whole : width]
    return bytes(turned)


class SwappedSource:
    """A ByteSource that turns the given regions, which are in ascending order and do not overlap."""

    __slots__ = ("_regions", "_source", "size")

    def __init__(self, source: ByteSource, regions: Sequence[Region]) -> None:
        self._source = source
        self._regions = regions
        self.size = source.size

    def pread(self, offset: int, length: int) -> bytes:
        data = self._source.pread(offset, length)
        end = offset + len(data)
        at = max(0, bisect_right(self._regions, offset, key=lambda region: region.start) - 1)
        out = None
        while at < len(self._regions) and self._regions[at].start < end:
            start, stop, width = self._regions[at]
            at += 1
            low, high = max(start, offset), min(stop, end)
            if low >= high:
                continue
            first = low - (low - start) % width
            last = high + -(high - start) % width
            inside = offset <= first and last <= end
            part = data[first - offset : last - offset] if inside else self._source.pread(first, last - first)
            if out is None:
                out = bytearray(data)
            out[low - offset : high - offset] = swap(part, width)[low - first : high - first]
        return data if out is None else bytes(out)
