"""What is done to one frame. Everything here reads bytes that may be hostile: it runs in a process under limits.

* `blanked`: boxes out of one frame. JPEG DCT loses blocks and nothing else. All else is decoded, blanked and encoded
  without loss, so that every other pixel stays as the decoder gives it.
* `transcoded`: the frame in another syntax, pixel for pixel.
* `found`: where text is. `preview`: a PNG for the person who decides.

Reasons it adds: pixels-changed (a self-check failed).
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from transforms.dataset import syntax as syntaxes
from transforms.errors import TransformError
from transforms.pixels import codecs, jpeg, pictures
from transforms.pixels.boxes import Box, within
from transforms.pixels.forms import DCT
from transforms.pixels.image import Image
from transforms.pixels.native import black

_PREVIEW = 1200  # pixels of the larger side


class Frame(NamedTuple):
    """One frame in another form."""

    data: bytes
    photometric: str
    sha256: str  # of its pixels as native bytes, colour by pixel


def opened(data: bytes, image: Image, uid: str) -> codecs.Decoded:
    """The pixels of a frame, native or not. Raises TransformError."""
    if syntaxes.lookup(uid).encapsulated:
        return codecs.decode(data, image, uid)
    if len(data) != image.frame_length:
        raise TransformError("pixels-short", "a frame is cut")
    photometric = "YBR_FULL" if image.photometric == "YBR_FULL_422" else image.photometric
    return codecs.Decoded(codecs.from_native(data, image), photometric)


def blanked(data: bytes, image: Image, uid: str, boxes: tuple[Box, ...]) -> bytes:
    """An encapsulated frame without what lies in the boxes, in the same syntax. Raises TransformError."""
    boxes = within(boxes, image.columns, image.rows)
    if uid in DCT:
        size = {"rows": image.rows, "columns": image.columns}
        done = jpeg.blank(data, boxes, photometric=image.photometric, **size)
        _same_outside(data, done, image, uid, jpeg.touched(data, boxes))
        return done
    decoded = codecs.decode(data, image, uid)
    array = decoded.array.copy()
    values = black(replace(image, photometric=decoded.photometric))
    for each in boxes:
        array[each.top : each.bottom, each.left : each.right] = values if image.samples == 3 else values[0]
    return codecs.encode(array, image, uid)


def transcoded(data: bytes, image: Image, uid: str, to: str) -> Frame:
    """The frame in syntax `to`, which is native or lossless. Raises TransformError."""
    decoded = opened(data, image, uid)
    array = np.ascontiguousarray(decoded.array)
    raw = array.tobytes()
    sha256 = hashlib.sha256(raw).hexdigest()
    if not syntaxes.lookup(to).encapsulated:
        return Frame(raw, decoded.photometric, sha256)
    return Frame(codecs.encode(array, replace(image, photometric=decoded.photometric), to), decoded.photometric, sha256)


def found(
    data: bytes, image: Image, uid: str, look: pictures.Look, second: pictures.Look | None = None
) -> tuple[Box, ...]:
    """Where text is in the frame. Raises TransformError."""
    decoded = opened(data, image, uid)
    return pictures.text_boxes(decoded.array, image, decoded.photometric, look, second)


def preview(data: bytes, image: Image, uid: str) -> bytes:
    """A PNG of the frame. Raises TransformError."""
    from PIL import Image as Pictures

    decoded = opened(data, image, uid)
    picture = Pictures.fromarray(pictures.shown(decoded.array, image, decoded.photometric)[0])
    picture.thumbnail((_PREVIEW, _PREVIEW))
    out = BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def _same_outside(before: bytes, after: bytes, image: Image, uid: str, boxes: tuple[Box, ...]) -> None:
    """Decode both and compare what lies outside of the blocks, but for the pixels whose colour decoders smooth."""
    try:
        old, new = (codecs.decode(each, image, uid).array for each in (before, after))
    except TransformError as error:
        if error.reason == "codec-missing":  # 12 bits without the extra: the bits were copied, not the pixels
            return
        raise
    outside: npt.NDArray[Any] = np.ones(old.shape[:2], bool)
    for each in within((box.grown(4) for box in boxes), image.columns, image.rows):
        outside[each.top : each.bottom, each.left : each.right] = False
    if not np.array_equal(old[outside], new[outside]):
        raise TransformError("pixels-changed", "pixels outside of the boxes would change")
