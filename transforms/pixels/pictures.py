"""What a text detector is shown of a frame, and where it found text, as boxes of the frame.

Rules of this file
* A frame is shown several times: its range as it is; with the contrast of each part stretched, so that text a window
  would hide is seen; and what looks like ink alone, so that text over bright speckle is seen. Large frames are shown in
  tiles that overlap, small ones enlarged; and once turned by 90 degrees: detectors hardly see lines that go upwards.
* What a detector finds is a box with a margin, whatever it reads there or does not.
* It looks again at the frame with the boxes blanked: text close to other text is missed once.
* The detector is a function that is given (`Look`): which one, gateway/hosted/text.py knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image as Pictures

from transforms.pixels.boxes import Box, within
from transforms.pixels.image import Image

Picture = npt.NDArray[np.uint8]  # (rows, columns, 3)
Look = Callable[[Picture], list[Box]]

TILE: Final = 1000  # pixels of a side; above TILE + OVERLAP a frame is cut
OVERLAP: Final = 140
SMALL: Final = 400  # a frame whose larger side has at most so many pixels is shown three times as large
ENLARGED: Final = 3
ROUNDS: Final = 2
BRIGHT: Final = 225  # of 255: text is drawn with what is brightest
LARGEST: Final = 0.2  # of a picture: what a line of text may cover


def text_boxes(
    array: npt.NDArray[Any], image: Image, photometric: str, look: Look, second: Look | None = None
) -> tuple[Box, ...]:
    """Where text is, in boxes of the frame. `second` is another detector: it looks once, at the picture for people."""
    pictures = shown(array, image, photometric)
    found: set[Box] = set(_looked(pictures[0], second, parts=False)) if second is not None else set()
    for round_ in range(ROUNDS):
        fresh = {each for picture in pictures for each in _looked(picture, look, parts=round_ == 0)}
        fresh = (fresh | set(_looked_turned(pictures[0], look))) - found
        if not fresh:
            break
        found |= fresh
        for picture in pictures:
            for each in within(found, image.columns, image.rows):
                picture[each.top : each.bottom, each.left : each.right] = 0
    return within(found, image.columns, image.rows)


def shown(array: npt.NDArray[Any], image: Image, photometric: str) -> list[Picture]:
    """The frame as pictures of 8 bits, first the one for people."""
    if photometric == "PALETTE COLOR" and image.palette:
        array, photometric = _coloured(array, image), "RGB"
    if array.ndim == 3:
        colour = _rgb(_eight(array), photometric)
        return [colour, _stretched(colour.mean(axis=2)), _ink(colour.max(axis=2))]
    plain = _eight(array)
    if photometric == "MONOCHROME1":
        plain = 255 - plain
    return [np.repeat(plain[..., np.newaxis], 3, axis=2), _stretched(array), _ink(plain)]


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


def _ink(plain: npt.NDArray[Any]) -> Picture:
    """What is brightest, and what is flat but no background: strokes are drawn with one value, speckle has none."""
    around = np.pad(plain, 1, mode="edge")
    across = (around[1:-1, :-2] == plain) & (plain == around[1:-1, 2:])
    down = (around[:-2, 1:-1] == plain) & (plain == around[2:, 1:-1])
    background = np.bincount(plain.ravel(), minlength=256).argmax()
    ink = (plain >= BRIGHT) | ((across | down) & (plain != background))
    return np.repeat((ink * np.uint8(255))[..., np.newaxis], 3, axis=2)


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


def _looked_turned(picture: Picture, look: Look) -> Iterator[Box]:
    """As `_looked`, of the picture turned clockwise: lines that go upwards lie then."""
    rows = picture.shape[0]
    for each in _looked(np.ascontiguousarray(np.rot90(picture, 3)), look, parts=False):
        yield Box(each.top, rows - each.right, each.bottom, rows - each.left)


def _looked(picture: Picture, look: Look, *, parts: bool, side: int = TILE) -> Iterator[Box]:
    """What the detector finds, as boxes of the picture with their margin."""
    for left, top, tile in _tiles(picture, side):
        scale = ENLARGED if max(tile.shape[:2]) <= SMALL else 1
        for each in look(_enlarged(tile, scale)):
            box = Box(each.left // scale, each.top // scale, -(-each.right // scale), -(-each.bottom // scale))
            if _texture(box, tile):
                if parts:  # no line of text looks like this: what is in it is looked at by parts, once
                    half = max(tile.shape[:2]) // 2
                    yield from (_moved(each, left, top) for each in _looked(tile, look, parts=False, side=half))
                    parts = False
                continue
            margin = max(4, min(box.right - box.left, box.bottom - box.top) // 4)
            yield _moved(box, left, top).grown(margin)


def _enlarged(tile: Picture, scale: int) -> Picture:
    """Smoothly: small letters with steps at their edges are seen less."""
    tile = np.ascontiguousarray(tile)
    if scale == 1:
        return tile
    rows, columns = tile.shape[:2]
    out: Picture = np.asarray(
        Pictures.fromarray(tile).resize((columns * scale, rows * scale), Pictures.Resampling.LANCZOS)
    )
    return out


def _texture(box: Box, tile: Picture) -> bool:
    """A box over much of the picture, and no long one: the speckle of an image, not a line of text."""
    width, height = box.right - box.left, box.bottom - box.top
    much = width * height > LARGEST * tile.shape[0] * tile.shape[1]
    return much and max(width, height) < 4 * min(width, height)


def _moved(box: Box, left: int, top: int) -> Box:
    return Box(box.left + left, box.top + top, box.right + left, box.bottom + top)


def _tiles(picture: Picture, side: int) -> Iterator[tuple[int, int, Picture]]:
    """Parts of about that size, each with some of the next one."""
    for top in _starts(picture.shape[0], side):
        for left in _starts(picture.shape[1], side):
            yield left, top, picture[top : top + side + OVERLAP, left : left + side + OVERLAP]


def _starts(length: int, side: int) -> range:
    return range(0, max(1, length - OVERLAP), side)
