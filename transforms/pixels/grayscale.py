"""A Rendering applied: the grayscale transformations of PS3.4 N.2, from stored values to what is seen.

* What is applied is read by rendering.py; who only reads it does without numpy.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from transforms.pixels.image import Image
from transforms.pixels.rendering import Rendering, Table, Window, stored_values


def applied(array: npt.NDArray[Any], image: Image, how: Rendering) -> npt.NDArray[np.uint8]:
    """Stored values of a grayscale frame as 8 bits, 0 black."""
    low, high = stored_values(image)
    if how.modality is not None:
        values = _looked_up(how.modality, array.astype(np.int64))
        bounds = (0.0, float(how.modality.top))
    else:
        values = array.astype(np.float64) * how.slope + how.intercept
        bounds = tuple(sorted((low * how.slope + how.intercept, high * how.slope + how.intercept)))  # type: ignore[assignment]
    if how.voi is not None:
        shown = _looked_up(how.voi, np.rint(values).astype(np.int64)) / how.voi.top
    elif how.window is not None:
        shown = _windowed(values, how.window)
    else:
        shown = (values - bounds[0]) / max(bounds[1] - bounds[0], 1e-9)
    shown = np.clip(shown, 0.0, 1.0)
    if how.presentation is not None:
        last = len(how.presentation.data) // 2 - 1
        shown = _looked_up(how.presentation, np.rint(shown * last).astype(np.int64)) / how.presentation.top
    if how.inverse:
        shown = 1.0 - shown
    out: npt.NDArray[np.uint8] = np.rint(np.clip(shown, 0.0, 1.0) * 255).astype(np.uint8)
    return out


def _windowed(values: npt.NDArray[np.float64], window: Window) -> npt.NDArray[np.float64]:
    """0 to 1 and beyond, by the function of the window."""
    center, width = window.center, window.width
    out: npt.NDArray[np.float64]
    if window.function == "SIGMOID":
        out = 1.0 / (1.0 + np.exp(np.clip(-4.0 * (values - center) / width, -700, 700)))
    elif window.function == "LINEAR_EXACT":
        out = (values - center) / width + 0.5
    elif width == 1:
        out = (values > center - 0.5).astype(np.float64)
    else:
        out = (values - (center - 0.5)) / (width - 1) + 0.5
    return out


def _looked_up(table: Table, values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Entries of whole numbers; what is below or above the table has its first or last one (C.11.1.1.1)."""
    entries = np.frombuffer(table.data, "<u2")
    found: npt.NDArray[np.float64] = entries[np.clip(values - table.first, 0, len(entries) - 1)].astype(np.float64)
    return found
