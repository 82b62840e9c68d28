"""A frame as a small picture for people: rendered, its graphics drawn, JPEG. It reads bytes that may be hostile.

* The longer side has at most SIDE pixels, as PS3.20 C.4.4.4 recommends JPEG.
* Colour is shown as it is; grayscale as a Rendering says, else by the range of nearly all of its values.
"""

from __future__ import annotations

from io import BytesIO
from math import hypot
from typing import Any, Final

import numpy as np

from transforms.pixels.grayscale import applied
from transforms.pixels.image import Image
from transforms.pixels.pictures import shown
from transforms.pixels.rendering import Graphic, Rendering
from transforms.pixels.working import opened

SIDE: Final = 512  # pixels
QUALITY: Final = 85
_LINE: Final = (255, 210, 0)


def drawn(data: bytes, image: Image, uid: str, how: Rendering | None) -> bytes:
    """The JPEG of one frame's bytes. Raises TransformError."""
    from PIL import Image as Pictures

    decoded = opened(data, image, uid)
    if how is not None and decoded.array.ndim == 2 and decoded.photometric.startswith("MONOCHROME"):
        pixels = np.repeat(applied(decoded.array, image, how)[..., np.newaxis], 3, axis=2)
    else:
        pixels = shown(decoded.array, image, decoded.photometric)[0]
    made = Pictures.fromarray(np.ascontiguousarray(pixels), "RGB")
    made.thumbnail((SIDE, SIDE))
    if how is not None and how.graphics:
        _draw(made, how.graphics, made.width / image.columns, made.height / image.rows)
    out = BytesIO()
    made.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def _draw(made: Any, graphics: tuple[Graphic, ...], across: float, down: float) -> None:
    from PIL import ImageDraw

    pen = ImageDraw.Draw(made)
    for each in graphics:
        points = [(x * across, y * down) for x, y in _outline(each)]
        if len(points) == 1:
            ((x, y),) = points
            pen.line([(x - 3, y), (x + 3, y)], fill=_LINE)
            pen.line([(x, y - 3), (x, y + 3)], fill=_LINE)
        else:
            pen.line(points, fill=_LINE)


def _outline(graphic: Graphic) -> list[tuple[float, float]]:
    """The corners of the line to draw (PS3.3 C.10.5.1.2); one where it is a point."""
    points = graphic.points
    if graphic.kind == "CIRCLE":
        (x, y), (edge_x, edge_y) = points[:2]
        radius = hypot(edge_x - x, edge_y - y)
        return _round((x, y), (radius, 0.0), (0.0, radius))
    if graphic.kind == "ELLIPSE":
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = points[:4]
        half = ((bx - ax) / 2, (by - ay) / 2), ((dx - cx) / 2, (dy - cy) / 2)
        return _round(((ax + bx) / 2, (ay + by) / 2), *half)
    return list(points[:1] if graphic.kind == "POINT" else points)


def _round(
    center: tuple[float, float], one: tuple[float, float], other: tuple[float, float]
) -> list[tuple[float, float]]:
    turns = np.linspace(0.0, 2 * np.pi, 73)
    xs = center[0] + np.cos(turns) * one[0] + np.sin(turns) * other[0]
    ys = center[1] + np.cos(turns) * one[1] + np.sin(turns) * other[1]
    return list(zip(xs.tolist(), ys.tolist(), strict=True))
