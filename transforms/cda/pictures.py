"""A key image as a small picture (10.3): one frame through its Modality LUT and window, as a presentation state says.

Rules of this file
* The window is the presentation state's, else the image's first, else the range of nearly all values; LINEAR (PS3.3
  C.11.2.1.2). A VOI LUT as a table, overlays and annotations of a state are not drawn.
* The longer side has at most SIDE pixels; JPEG, as PS3.20 C.4.4.4 recommends.
* An image that cannot be shown is no picture: the document then has its reference and link only. Nothing is guessed.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any, Final

import numpy as np

from transforms.cda.options import Picture
from transforms.dataset import values
from transforms.dataset.convert import to_explicit_le
from transforms.dataset.framing import check
from transforms.dataset.index import Index
from transforms.dataset.part10 import split
from transforms.dataset.syntax import EXPLICIT_LE, lookup
from transforms.errors import TransformError
from transforms.pixels.codecs import decode, from_native
from transforms.pixels.frames import frames_of, read
from transforms.pixels.image import describe
from transforms.pixels.pictures import shown
from transforms.source import ByteSource, Copy, EditPlan

SIDE: Final = 512  # pixels
QUALITY: Final = 85
_WINDOW: Final = ("WindowCenter", "WindowWidth")


def picture(file: ByteSource, frame: int = 1, state: ByteSource | None = None) -> Picture | None:
    """The picture of a frame (from 1) of a DICOM file, under a presentation state; None where it cannot be shown."""
    try:
        return _picture(file, frame, state)
    except TransformError:
        return None


def _picture(file: ByteSource, number: int, state: ByteSource | None) -> Picture | None:
    source, index, uid = _framed(file)
    image = describe(source, index)
    frames = frames_of(source, index, image)
    if not 1 <= number <= len(frames):
        return None
    data = read(source, frames[number - 1])
    photometric = image.photometric
    if lookup(uid).encapsulated:
        decoded = decode(data, image, uid)
        array, photometric = decoded.array, decoded.photometric
    else:
        array = from_native(data, image)
    if array.ndim == 2 and photometric.startswith("MONOCHROME"):
        shaped = _windowed(array, source, index, state)
        if shaped is not None:
            inverse = (photometric == "MONOCHROME1") != _is_inverse(state)
            return _encoded(np.repeat((255 - shaped if inverse else shaped)[..., np.newaxis], 3, axis=2))
    return _encoded(shown(array, image, photometric)[0])


def _framed(file: ByteSource) -> tuple[ByteSource, Index, str]:
    """A file's data set in little endian, its index, and the syntax of its pixels."""
    found = split(file, tolerant=True)
    body: ByteSource = EditPlan(file, (Copy(found.offset, file.size - found.offset),))
    known = lookup(found.syntax)
    if known.deflated or not known.little_endian:
        body = to_explicit_le(body, found.syntax)
        return body, check(body, EXPLICIT_LE), EXPLICIT_LE
    return body, check(body, found.syntax), found.syntax


def _windowed(array: Any, source: ByteSource, index: Index, state: ByteSource | None) -> Any:
    """Stored values -> 8 bits by the window; None where neither state nor image has one."""
    window = None
    if state is not None:
        other, there, _ = _framed(state)
        window = _numbers(other, there, *(f"SoftcopyVOILUTSequence[0].{each}" for each in _WINDOW))
    window = window or _numbers(source, index, *_WINDOW)
    if window is None or window[1] < 1:
        return None
    slope, intercept = _numbers(source, index, "RescaleSlope", "RescaleIntercept") or (1.0, 0.0)
    centre, width = window
    real = array.astype(np.float64) * slope + intercept
    scaled = ((real - (centre - 0.5)) / max(width - 1, 1e-6) + 0.5) * 255
    return np.clip(scaled, 0, 255).astype(np.uint8)


def _is_inverse(state: ByteSource | None) -> bool:
    if state is None:
        return False
    source, index, _ = _framed(state)
    return _first(source, index, "PresentationLUTShape") == "INVERSE"


def _numbers(source: ByteSource, index: Index, *paths: str) -> tuple[float, float] | None:
    try:
        first, second = (float(_first(source, index, path)) for path in paths)
    except ValueError:
        return None
    return first, second


def _first(source: ByteSource, index: Index, path: str) -> str:
    found = values.read_path(source, index, path)
    return str(found[0]).strip() if found else ""


def _encoded(array: Any) -> Picture:
    from PIL import Image

    made = Image.fromarray(array, "RGB")
    made.thumbnail((SIDE, SIDE))
    out = BytesIO()
    made.save(out, "JPEG", quality=QUALITY)
    return Picture("image/jpeg", out.getvalue())
