"""JPEG without decoding: blanked blocks are black, all others keep their pixels; what is not understood raises."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pictures

from tests.unit.pixels.building import anatomy, drawn, jpeg
from transforms.errors import TransformError
from transforms.pixels.boxes import Box
from transforms.pixels.jpeg import blank, touched

ROWS, COLUMNS = 203, 317  # no multiple of a block


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Pictures.open(BytesIO(data))).astype(int)


@pytest.mark.parametrize("optimize", [False, True], ids=["usual tables", "own tables"])
@pytest.mark.parametrize("restart", [0, 3])
@pytest.mark.parametrize("sampling", ["4:4:4", "4:2:2", "4:2:0", "grey"])
def test_blocks_outside_keep_their_pixels(sampling: str, restart: int, optimize: bool) -> None:
    picture = drawn(anatomy(ROWS, COLUMNS, colour=sampling != "grey"))
    options = {"restart_marker_blocks": restart} if restart else {}
    subsampling = {} if sampling == "grey" else {"subsampling": sampling}
    data = jpeg(picture, optimize=optimize, **subsampling, **options)
    wanted = (Box(10, 5, 190, 40), Box(300, 190, COLUMNS, ROWS))
    done = blank(data, wanted, rows=ROWS, columns=COLUMNS, photometric="YBR_FULL_422")
    before, after = pixels(data), pixels(done)
    hidden, near = np.zeros((ROWS, COLUMNS), bool), np.zeros((ROWS, COLUMNS), bool)
    for box in touched(data, wanted):
        hidden[box.top : box.bottom, box.left : box.right] = True
        near[max(0, box.top - 2) : box.bottom + 2, max(0, box.left - 2) : box.right + 2] = True
    assert np.array_equal(before[~near], after[~near])
    if sampling in ("4:4:4", "grey"):
        assert np.array_equal(before[~hidden], after[~hidden]) and after[hidden].max() == 0
    for box in wanted:
        assert after[box.top + 2 : box.bottom - 2, box.left + 2 : box.right - 2].max() < 24


def test_without_boxes_the_same_bytes() -> None:
    data = jpeg(anatomy(ROWS, COLUMNS, colour=True))
    assert blank(data, (), rows=ROWS, columns=COLUMNS, photometric="YBR_FULL_422") == data


def test_white_is_the_black_of_monochrome1() -> None:
    data = jpeg(np.full((64, 64), 40, np.uint8))
    assert pixels(blank(data, (Box(0, 0, 8, 8),), rows=64, columns=64, photometric="MONOCHROME1"))[:8, :8].min() == 255


def test_comments_do_not_leave() -> None:
    data = jpeg(anatomy(64, 64), comment=b"DOE^JANE", exif=Pictures.Exif())
    assert b"DOE" in data
    assert b"DOE" not in blank(data, (Box(0, 0, 8, 8),), rows=64, columns=64, photometric="MONOCHROME2")


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        ({"progressive": True}, "jpeg-unsupported"),
        ({}, "pixels-size"),
    ],
)
def test_other_streams_are_refused(made: dict[str, bool], reason: str) -> None:
    data = jpeg(anatomy(64, 64), **made)
    with pytest.raises(TransformError, match=reason):
        blank(data, (Box(0, 0, 8, 8),), rows=64, columns=64 if made else 65, photometric="MONOCHROME2")


def test_every_cut_is_seen() -> None:
    data = jpeg(anatomy(48, 48))
    for size in range(len(data)):
        with pytest.raises(TransformError, match="jpeg-"):
            blank(data[:size], (), rows=48, columns=48, photometric="MONOCHROME2")


@settings(max_examples=300)
@given(st.data())
def test_only_typed_errors(data: st.DataObject) -> None:
    sound = bytearray(jpeg(anatomy(48, 48, colour=True), quality=50))
    for _ in range(data.draw(st.integers(1, 4))):
        sound[data.draw(st.integers(0, len(sound) - 1))] = data.draw(st.integers(0, 255))
    try:
        blank(bytes(sound), (Box(0, 0, 20, 9),), rows=48, columns=48, photometric="YBR_FULL_422")
    except TransformError as error:
        assert error.reason in ("jpeg-corrupt", "jpeg-unsupported", "pixels-size")
