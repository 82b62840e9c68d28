"""Native pixels: what lies in a box is black, every other byte is the source's, read in whatever pieces."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.pixels.boxes import Box, outside, within
from transforms.pixels.image import Image
from transforms.pixels.native import Blanked, black
from transforms.source import BytesSource

ROWS, COLUMNS = 9, 14


def image(photometric: str = "MONOCHROME2", allocated: int = 8, **more: Any) -> Image:
    samples = 1 if photometric.startswith(("MONO", "PAL")) else 3
    named: dict[str, Any] = {"stored": allocated, "signed": False, "planar": False, "frames": 3} | more
    return Image(ROWS, COLUMNS, samples, allocated, photometric=photometric, **named)


IMAGES = [
    image(), image("MONOCHROME1", 16, stored=12), image(allocated=16, signed=True), image(allocated=32),
    image("RGB"), image("RGB", planar=True), image("RGB", 16), image("YBR_FULL"), image("YBR_FULL", planar=True),
    image("PALETTE COLOR", palette=tuple((0, 8, bytes([9, 0, 7, 0, 1, 0, 3, 0])) for _ in range(3))),
]  # fmt: skip
boxes = st.lists(
    st.builds(
        Box, st.integers(-2, 12), st.integers(-2, 8), st.integers(1, 20), st.integers(1, 12),
        st.sampled_from([(), (1,), (2, 3)]),
    ),
    max_size=3,
)  # fmt: skip


@pytest.mark.parametrize("what", IMAGES, ids=lambda each: f"{each.photometric}-{each.allocated}-{each.planar}")
@given(wanted=boxes, size=st.integers(1, 300), seed=st.integers(0, 5))
def test_only_boxes_change(what: Image, wanted: list[Box], size: int, seed: int) -> None:
    raw = np.random.default_rng(seed).integers(0, 255, 7 + 3 * what.frame_length + 5, dtype=np.uint8).tobytes()
    blank = Blanked(BytesSource(raw), 7, what, wanted)
    whole = b"".join(blank.pread(at, size) for at in range(0, blank.size, size))
    assert len(whole) == len(raw) and whole[:7] == raw[:7] and whole[-5:] == raw[-5:]
    kind = f"<u{what.allocated // 8}"
    for number in range(3):
        part = slice(7 + number * what.frame_length, 7 + (number + 1) * what.frame_length)
        shape = (3, ROWS, COLUMNS) if what.planar else (ROWS, COLUMNS, what.samples)
        before, after = (np.frombuffer(each[part], kind).reshape(shape) for each in (raw, whole))
        if what.planar:
            before, after = before.transpose(1, 2, 0), after.transpose(1, 2, 0)
        hidden = np.zeros((ROWS, COLUMNS), bool)
        for box in within(wanted, COLUMNS, ROWS):
            if not box.frames or number + 1 in box.frames:
                hidden[box.top : box.bottom, box.left : box.right] = True
        assert np.array_equal(before[~hidden], after[~hidden])
        assert (after[hidden] == np.array(black(what)).astype(kind)).all()


def test_shared_colours_go_with_their_pair() -> None:
    what = image("YBR_FULL_422")
    raw = bytes(range(1, 253))[: what.frame_length] * 3
    after = Blanked(BytesSource(raw), 0, what, [Box(3, 2, 4, 3, (2,))]).pread(0, len(raw))
    at = what.frame_length + 2 * (COLUMNS // 2) * 4 + 4
    assert after[at : at + 4] == bytes([0, 0, 128, 128])
    assert after[:at] == raw[:at] and after[at + 4 :] == raw[at + 4 :]


def test_black_is_what_looks_black() -> None:
    assert black(image("MONOCHROME1", 16, stored=12)) == (4095,)
    assert black(image("YBR_FULL")) == (0, 128, 128)
    assert black(IMAGES[-1]) == (2,)
    assert black(image(allocated=16, signed=True)) == (0,)


def test_all_but_the_regions() -> None:
    kept = [Box(2, 1, 6, 4), Box(8, 2, 12, 8)]
    left = np.ones((ROWS, COLUMNS), bool)
    for box in outside(kept, COLUMNS, ROWS):
        left[box.top : box.bottom, box.left : box.right] = False
    wanted = np.zeros((ROWS, COLUMNS), bool)
    for box in kept:
        wanted[box.top : box.bottom, box.left : box.right] = True
    assert np.array_equal(left, wanted)
