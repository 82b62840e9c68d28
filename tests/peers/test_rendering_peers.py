"""Pictures of key images against dcmtk's renderer: VOI LUT tables, Modality LUT tables, presentation states."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import study
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tests.unit.pixels.test_rendering import framed, image, lut, state, voi
from transforms.pixels.frames import frames_of, read
from transforms.pixels.grayscale import applied
from transforms.pixels.image import describe
from transforms.pixels.rendering import instance_of, of_image, of_state

pytestmark = pytest.mark.peers

SIDE = 64
TOLERANCE = 1  # of 255: dcmtk cuts where we round


def ramp(**more: Any) -> Dataset:
    """All 4,096 values of 12 bits."""
    data = image([0], **more)
    data.Rows = data.Columns = SIDE
    data.PixelData = np.arange(SIDE * SIDE, dtype="<u2").tobytes()
    return data


def curve(first: int, count: int, bits: int) -> Sequence:
    """A table that is no straight line."""
    top = (1 << bits) - 1
    return lut(first, [round(top * (number / (count - 1)) ** 2) for number in range(count)], bits)


IMAGES = {
    "window": ({"WindowCenter": 1000, "WindowWidth": 777}, "+Wi"),
    "rescaled window": ({"WindowCenter": 0, "WindowWidth": 777, "RescaleSlope": 2, "RescaleIntercept": -1024}, "+Wi"),
    "sigmoid": ({"WindowCenter": 1000, "WindowWidth": 777, "VOILUTFunction": "SIGMOID"}, "+Wi"),
    "voi lut": ({"VOILUTSequence": curve(500, 2000, 12)}, "+Wl"),
    "modality lut": ({"ModalityLUTSequence": curve(0, 4096, 12), "WindowCenter": 1000, "WindowWidth": 777}, "+Wi"),
    "inverse": ({"WindowCenter": 1000, "WindowWidth": 777, "PhotometricInterpretation": "MONOCHROME1"}, "+Wi"),
}


def ours(data: Dataset, by: Dataset | None = None) -> np.ndarray[Any, Any]:
    source, index = framed(data)
    described = describe(source, index)
    how = of_image(source, index, described, 1)
    if by is not None:
        how = of_state(*framed(by), described, instance_of(source, index), 1)
    assert how is not None
    raw = np.frombuffer(read(source, frames_of(source, index, described)[0]), "<u2").reshape(SIDE, SIDE)
    return applied(raw, described, how).astype(int)


def pgm(path: Path) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(path).convert("L")).astype(int)


def dcmj2pnm(program: Callable[[str], str], folder: Path, data: Dataset, option: str) -> np.ndarray[Any, Any]:
    data.save_as(folder / "image.dcm", enforce_file_format=True)
    command = [program("dcmj2pnm"), "+ob", option, "1", str(folder / "image.dcm"), str(folder / "out.pgm")]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return pgm(folder / "out.pgm")


def dcmp2pgm(program: Callable[[str], str], folder: Path, data: Dataset, by: Dataset) -> np.ndarray[Any, Any]:
    data.save_as(folder / "image.dcm", enforce_file_format=True)
    by.save_as(folder / "state.dcm", enforce_file_format=True)
    command = [program("dcmp2pgm"), "-p", str(folder / "state.dcm"), str(folder / "image.dcm"), str(folder / "out.pgm")]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return pgm(folder / "out.pgm")


@pytest.mark.parametrize("kind", IMAGES)
def test_an_image_looks_as_dcmtk_shows_it(kind: str, program: Callable[[str], str], tmp_path: Path) -> None:
    more, option = IMAGES[kind]
    theirs = dcmj2pnm(program, tmp_path, ramp(**more), option)
    assert np.abs(ours(ramp(**more)) - theirs).max() <= TOLERANCE
    other = {key: value - 100 if key == "WindowCenter" else value for key, value in more.items()}
    if "VOILUTSequence" in more:
        other["VOILUTSequence"] = curve(510, 2000, 12)
    assert np.abs(ours(ramp(**other)) - theirs).max() > TOLERANCE  # the judge sees another window, another table


STATES: dict[str, dict[str, Any]] = {
    "window": {"SoftcopyVOILUTSequence": Sequence([voi(WindowCenter=1000, WindowWidth=777)])},
    "voi lut": {"SoftcopyVOILUTSequence": Sequence([voi(VOILUTSequence=curve(500, 2000, 12))])},
    "inverse": {
        "SoftcopyVOILUTSequence": Sequence([voi(WindowCenter=1000, WindowWidth=777)]),
        "PresentationLUTShape": "INVERSE",
    },
    "presentation lut": {
        "SoftcopyVOILUTSequence": Sequence([voi(WindowCenter=1000, WindowWidth=777)]),
        "PresentationLUTSequence": curve(0, 256, 12),
    },
    "rescale": {
        "RescaleSlope": 2, "RescaleIntercept": -1024, "RescaleType": "HU",
        "SoftcopyVOILUTSequence": Sequence([voi(WindowCenter=0, WindowWidth=777)]),
    },
    "identity": {},
}  # fmt: skip


def complete(of: Dataset, **more: Any) -> Dataset:
    """What a presentation state must have to be one (PS3.3 A.33.1)."""
    made = state(of, **more)
    if "PresentationLUTSequence" in more:
        del made.PresentationLUTShape
    area = study.fill(
        Dataset(),
        ReferencedImageSequence=Sequence([study.reference(of)]),
        DisplayedAreaTopLeftHandCorner=[1, 1],
        DisplayedAreaBottomRightHandCorner=[SIDE, SIDE],
        PresentationSizeMode="SCALE TO FIT",
        PresentationPixelAspectRatio=[1, 1],
    )
    made.ReferencedSeriesSequence[0].SeriesInstanceUID = of.SeriesInstanceUID
    return study.fill(
        made,
        ContentLabel="TEST", ContentDescription="", ContentCreatorName="", PresentationCreationDate="20260101",
        PresentationCreationTime="120000", InstanceNumber=1, DisplayedAreaSelectionSequence=Sequence([area]),
        Modality="PR", SeriesInstanceUID="2.25.77", SOPInstanceUID="2.25.78",
    )  # fmt: skip


@pytest.mark.parametrize("kind", STATES)
def test_an_image_under_a_state_looks_as_dcmtk_shows_it(
    kind: str, program: Callable[[str], str], tmp_path: Path
) -> None:
    """The image's own window, rescale and MONOCHROME1 must not matter to either."""
    said = {"RescaleSlope": 3, "RescaleIntercept": 7, "WindowCenter": 5, "WindowWidth": 5}
    data = ramp(**said, PhotometricInterpretation="MONOCHROME1")
    by = complete(data, **STATES[kind])
    theirs = dcmp2pgm(program, tmp_path, data, by)
    entry = 2 if kind == "presentation lut" else 0  # where that table is steepest, the next entry is two steps away
    assert np.abs(ours(data, by) - theirs).max() <= TOLERANCE + entry
    other = complete(
        data, **(STATES[kind] | {"SoftcopyVOILUTSequence": Sequence([voi(WindowCenter=900, WindowWidth=9)])})
    )
    assert np.abs(ours(data, other) - theirs).max() > TOLERANCE + entry
