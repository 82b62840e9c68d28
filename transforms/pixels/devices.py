"""The catalogue of devices: where they burn text in, as rectangles, for images of one size.

* Every entry that matches counts; what any of them covers is blanked.
* `text: look`, the default: its boxes are blanked and the image is looked at for other text all the same. `text: none`:
  somebody has looked at this device's images and vouches, with a reason, that there is no other text.
* `outside: ultrasound-regions`: all but the regions that (0018,6011) describes is blanked (PS3.3 C.8.5.5).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from transforms.dataset import values
from transforms.dataset.index import Index
from transforms.errors import TransformError
from transforms.pixels.boxes import Box, outside
from transforms.pixels.risk import Shape
from transforms.source import ByteSource

WORDS: Final = ("manufacturer", "model", "software", "modality", "sop_class", "image_type", "photometric")
NUMBERS: Final = ("rows", "columns")
REGIONS: Final = "ultrasound-regions"
_MOST_REGIONS: Final = 100


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the catalogue."""

    name: str
    match: tuple[tuple[str, str], ...]  # fields of Shape and what they are; `*` stands for any characters
    boxes: tuple[Box, ...]
    why: str
    vouched: bool = False  # text: none
    outside: str = ""


def matching(entries: Iterable[Entry], shape: Shape) -> tuple[Entry, ...]:
    """The entries that are about such images."""
    return tuple(each for each in entries if all(_like(wanted, str(getattr(shape, key))) for key, wanted in each.match))


def boxes_of(entry: Entry, shape: Shape, source: ByteSource, index: Index) -> tuple[Box, ...]:
    """What an entry blanks in this image. Raises TransformError: regions-missing."""
    if not entry.outside:
        return entry.boxes
    return entry.boxes + outside(_regions(source, index), shape.columns, shape.rows)


def _like(wanted: str, value: str) -> bool:
    return _pattern(wanted).fullmatch(value) is not None


@lru_cache(maxsize=1024)
def _pattern(wanted: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in wanted.split("*")), re.DOTALL)


def _regions(source: ByteSource, index: Index) -> list[Box]:
    """The rectangles of Sequence of Ultrasound Regions."""
    found = []
    for number in range(_MOST_REGIONS):
        edges = []
        for name in ("MinX0", "MinY0", "MaxX1", "MaxY1"):
            told = values.read_path(source, index, f"SequenceOfUltrasoundRegions[{number}].RegionLocation{name}")
            edges.append(int(told[0]) if told and told[0].isdigit() else -1)
        if edges == [-1] * 4:
            break
        if -1 in edges or edges[0] > edges[2] or edges[1] > edges[3]:
            raise TransformError("regions-missing", "an ultrasound region without its four edges")
        found.append(Box(edges[0], edges[1], edges[2] + 1, edges[3] + 1))
    if not found:
        raise TransformError("regions-missing", "no Sequence of Ultrasound Regions")
    return found
