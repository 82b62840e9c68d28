"""What a text detector is shown: drawn strokes stand out of bright speckle in one of the pictures."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.pixels.building import anatomy, drawn
from transforms.pixels.boxes import Box
from transforms.pixels.image import Image
from transforms.pixels.pictures import shown, text_boxes

IMAGE = Image(240, 320, 1, 8, 8, False, "MONOCHROME2", False, 1)


@pytest.mark.parametrize(("form", "ink"), [("MONOCHROME2", 255), ("MONOCHROME2", 110), ("MONOCHROME1", 110)])
def test_strokes_stand_out_as_edges(form: str, ink: int) -> None:
    """Pale ink, too, that is no brighter than the speckle around it."""
    plain = anatomy(240, 320)
    written = drawn(plain, "DOE^JANE", at=(120, 120), size=26, ink=ink)
    array = 255 - written if form == "MONOCHROME1" else written
    edges = shown(array, IMAGE, form)[2][..., 0]
    text = (written != plain)[120:160, 120:260]
    speckle = edges[60:110, 140:180]
    assert plain[60:110, 140:180].max() >= 100, "as bright as the ink"
    assert edges[120:160, 120:260][text].mean() > 3 * speckle.mean()


@pytest.mark.parametrize(("rows", "columns"), [(240, 320), (500, 700), (1300, 900)])
def test_what_is_found_in_the_turned_picture_lies_where_it_was_drawn(rows: int, columns: int) -> None:
    """A detector that sees lying lines only: a column of ink is found by the turned look, in its place."""
    array = np.zeros((rows, columns), np.uint8)
    array[rows // 2 : rows // 2 + 60, 40:52] = 255
    seen: list[tuple[int, int]] = []

    def lying(picture: np.ndarray) -> list[Box]:
        down, across = np.nonzero(picture[..., 0] > 128)
        if not len(down) or np.ptp(across) < 2 * np.ptp(down):
            return []
        seen.append(picture.shape[:2])
        return [Box(int(across.min()), int(down.min()), int(across.max()) + 1, int(down.max()) + 1)]

    image = Image(rows, columns, 1, 8, 8, False, "MONOCHROME2", False, 1)
    found = text_boxes(array, image, "MONOCHROME2", lying)
    assert found and seen
    for each in found:
        assert each.left <= 40 and each.right >= 52 and each.top <= rows // 2 and each.bottom >= rows // 2 + 60
        assert each.right - each.left < 30 and each.bottom - each.top < 60 + 2 * 30, "a line's height at both ends"
