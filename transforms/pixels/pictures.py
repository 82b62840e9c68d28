"""What a text detector is shown of a frame, and where it found text, as boxes of the frame.

Rules of this file
* A frame is shown three times: its range as it is; with the contrast of each part stretched, so that text a window
  would hide is seen; and as edges, so that pale text over bright speckle is seen: drawn strokes are sharp, what a
  device has measured is smooth.
* Each is shown enlarged, too: a line over speckle is one with it at its own size, and a line at twice.
* Two are shown turned by 90 degrees: detectors hardly see lines that go upwards.
* What a detector finds is a box with a margin, whatever it reads there or does not.
* The edges are looked at again with the boxes blanked: text close to other text is missed once.
* The detector is a function that is given (`Look`): which one, gateway/hosted/text.py knows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image as Pictures

from transforms.pixels.boxes import Box, within
from transforms.pixels.image import Image

Picture = npt.NDArray[np.uint8]  # (rows, columns, 3)
Look = Callable[[Picture], list[Box]]

TILE: Final = 960  # pixels of a side, enlarged; above TILE + OVERLAP a picture is cut
OVERLAP: Final = 128
SMALL: Final = 400  # a frame whose larger side has at most so many pixels is shown three times as large, too
LARGE: Final = 1024 * 1024  # pixels; of a larger frame two pictures are shown enlarged, once: all would take too long
HUGE: Final = 1920 * 1200  # pixels; a larger frame is not enlarged: its text is larger, too
LARGEST: Final = 0.1  # of a tile: what is larger, and no long one, is texture
LONG: Final = 4  # times as long as high: a line


def text_boxes(
    array: npt.NDArray[Any], image: Image, photometric: str, look: Look, second: Look | None = None
) -> tuple[Box, ...]:
    """Where text is, in boxes of the frame. `second` is another detector: it looks once, at the picture for people."""
    plain, stretched, edges = shown(array, image, photometric)
    found: set[Box] = set(_looked(plain, second, 1)) if second is not None else set()
    sizes = _sizes(image)
    found.update(_looked_at(stretched, look, sizes))
    for picture in (plain, edges):
        found.update(_looked_at(picture, look, sizes if image.rows * image.columns > HUGE else {*sizes, 2}))
        found.update(_looked_turned(picture, look, max(sizes)))
    for each in within(found, image.columns, image.rows):
        edges[each.top : each.bottom, each.left : each.right] = 0
    found.update(_looked_at(edges, look, sizes))
    return within(found, image.columns, image.rows)


def shown(array: npt.NDArray[Any], image: Image, photometric: str) -> list[Picture]:
    """The frame as pictures of 8 bits, first the one for people."""
    if photometric == "PALETTE COLOR" and image.palette:
        array, photometric = _coloured(array, image), "RGB"
    if array.ndim == 3:
        colour = _rgb(_eight(array), photometric)
        return [colour, _stretched(colour.mean(axis=2)), _edges(colour)]
    plain = _eight(array)
    if photometric == "MONOCHROME1":
        plain = 255 - plain
    return [np.repeat(plain[..., np.newaxis], 3, axis=2), _stretched(array), _edges(plain)]


def _eight(array: npt.NDArray[Any]) -> Picture:
    """The range of nearly all values in 8 bits; the few above and below it are white and black."""
    if array.dtype == np.uint8 and array.ndim == 3:
        return array.copy()
    low, high = (float(each) for each in np.percentile(array, (0.1, 99.9)))
    if high <= low:
        low, high = float(array.min()), float(array.max())
    scaled = (array.astype(np.float32) - low) * (255.0 / max(high - low, 1e-6))
    out: Picture = np.clip(scaled, 0, 255).astype(np.uint8)
    return out


def _edges(values: npt.NDArray[Any]) -> Picture:
    """How sharply each pixel stands out of its neighbours: drawn strokes do, what a device has measured is smooth."""
    plain = values.astype(np.float32)
    if plain.ndim == 2:
        plain = plain[..., np.newaxis]
    for axis in (0, 1):  # single pixels of noise do not count
        plain = (_next(plain, axis, 0) + 4 * plain + _next(plain, axis, 2)) / 6
    rows = [_next(plain, 0, each) for each in range(3)]
    around = sum(_next(row, 1, each) for row in rows for each in range(3))
    sharp = np.abs(around - 9 * plain).max(axis=2)
    most = max(float(np.percentile(sharp, 99.7)), 1e-6)
    out: Picture = np.clip(sharp * (255.0 / most), 0, 255).astype(np.uint8)
    return np.repeat(out[..., np.newaxis], 3, axis=2)


def _next(values: npt.NDArray[Any], axis: int, at: int) -> npt.NDArray[Any]:
    """Each pixel's neighbour along the axis: before it (0), itself (1), after it (2); the edge is its own."""
    padded = np.pad(values, [(1, 1) if each == axis else (0, 0) for each in range(values.ndim)], mode="edge")
    return padded[(slice(None),) * axis + (slice(at, at + values.shape[axis]),)]


def _stretched(array: npt.NDArray[Any]) -> Picture:
    """Each of 8 x 8 parts with its own contrast: what is flat for the eye is not."""
    rows, columns = array.shape
    values = array.astype(np.float32)
    tall, wide = max(1, -(-rows // 8)), max(1, -(-columns // 8))
    padded = np.pad(values, ((0, -rows % tall), (0, -columns % wide)), mode="edge")
    parts = padded.reshape(padded.shape[0] // tall, tall, padded.shape[1] // wide, wide)
    low = _smooth(np.percentile(parts, 1, axis=(1, 3)), tall, wide)[:rows, :columns]
    high = _smooth(np.percentile(parts, 99.5, axis=(1, 3)), tall, wide)[:rows, :columns]
    out = np.clip((values - low) * 255.0 / np.maximum(high - low, 1e-3 + values.std() * 0.01), 0, 255).astype(np.uint8)
    return np.repeat(out[..., np.newaxis], 3, axis=2)


def _smooth(parts: npt.NDArray[Any], tall: int, wide: int) -> npt.NDArray[Any]:
    """Values of parts as values of pixels, without edges between the parts."""
    down = np.clip((np.arange(parts.shape[0] * tall) + 0.5) / tall - 0.5, 0, parts.shape[0] - 1)
    right = np.clip((np.arange(parts.shape[1] * wide) + 0.5) / wide - 0.5, 0, parts.shape[1] - 1)
    columns = np.array([np.interp(right, np.arange(parts.shape[1]), row) for row in parts])
    top = down.astype(int)
    below = np.minimum(top + 1, parts.shape[0] - 1)
    share = (down - top)[:, np.newaxis]
    smooth: npt.NDArray[Any] = columns[top] * (1 - share) + columns[below] * share
    return smooth


def _coloured(array: npt.NDArray[Any], image: Image) -> npt.NDArray[Any]:
    """Palette entries as 8-bit colours (PS3.3 C.7.6.3.1.6)."""
    planes = []
    for first, bits, table in image.palette:
        entries = np.frombuffer(table, "<u2")
        picked = entries[np.clip(array.astype(np.int64) - first, 0, len(entries) - 1)]
        planes.append((picked >> 8 if bits == 16 and entries.max() > 255 else picked & 255).astype(np.uint8))
    return np.stack(planes, axis=2)


def _rgb(array: Picture, photometric: str) -> Picture:
    """YBR_FULL as RGB (PS3.3 C.7.6.3.1.2)."""
    if not photometric.startswith("YBR"):
        return array
    y, b, r = (array[..., n].astype(np.float32) for n in range(3))
    b, r = b - 128, r - 128
    mixed = np.stack((y + 1.402 * r, y - 0.344136 * b - 0.714136 * r, y + 1.772 * b), axis=2)
    out: Picture = np.clip(mixed, 0, 255).astype(np.uint8)
    return out


def _sizes(image: Image) -> Collection[int]:
    """How many times as large as it is a picture of the frame is shown."""
    if image.rows * image.columns > LARGE:
        return (1,)
    return (1, 2, 3) if max(image.rows, image.columns) <= SMALL else (1, 2)


def _looked_turned(picture: Picture, look: Look, scale: int) -> Iterator[Box]:
    """As `_looked`, of the picture turned clockwise: lines that go upwards lie then."""
    rows = picture.shape[0]
    for each in _looked(np.ascontiguousarray(np.rot90(picture, 3)), look, scale):
        yield Box(each.top, rows - each.right, each.bottom, rows - each.left)


def _looked_at(picture: Picture, look: Look, sizes: Collection[int]) -> Iterator[Box]:
    """As `_looked`, at each of the sizes."""
    for scale in sizes:
        yield from _looked(picture, look, scale)


def _looked(picture: Picture, look: Look, scale: int) -> Iterator[Box]:
    """What the detector finds in the picture shown that many times as large."""
    for left, top, tile in _tiles(_enlarged(picture, scale)):
        for each in look(tile):
            if _texture(each, tile):
                continue
            box = _moved(each, left, top)
            yield _with_margin(
                Box(box.left // scale, box.top // scale, -(-box.right // scale), -(-box.bottom // scale))
            )


def _with_margin(box: Box) -> Box:
    """A quarter of the height around it, and all of it at both ends of a line: its last letter is missed at times."""
    width, height = box.right - box.left, box.bottom - box.top
    short = min(width, height)
    around = max(4, short // 4)
    more = max(around, short)
    across, down = (more, around) if width > height else (around, more)
    return Box(box.left - across, box.top - down, box.right + across, box.bottom + down)


def _enlarged(picture: Picture, scale: int) -> Picture:
    """Smoothly: small letters with steps at their edges are seen less."""
    if scale == 1:
        return picture
    rows, columns = picture.shape[:2]
    larger = Pictures.fromarray(picture).resize((columns * scale, rows * scale), Pictures.Resampling.LANCZOS)
    out: Picture = np.asarray(larger)
    return out


def _texture(box: Box, tile: Picture) -> bool:
    """A box over much of the picture, and no long one: the speckle of an image, not a line of text."""
    width, height = box.right - box.left, box.bottom - box.top
    much = width * height > LARGEST * tile.shape[0] * tile.shape[1]
    return much and max(width, height) < LONG * min(width, height)


def _moved(box: Box, left: int, top: int) -> Box:
    return Box(box.left + left, box.top + top, box.right + left, box.bottom + top)


def _tiles(picture: Picture) -> Iterator[tuple[int, int, Picture]]:
    """Parts of about TILE, each with some of the next one."""
    for top in _starts(picture.shape[0]):
        for left in _starts(picture.shape[1]):
            part = picture[top : top + TILE + OVERLAP, left : left + TILE + OVERLAP]
            yield left, top, np.ascontiguousarray(part)


def _starts(length: int) -> range:
    return range(0, max(1, length - OVERLAP), TILE)
