"""Key images as pictures: the window of image or presentation state, small, or none at all."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import study
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from transforms.cda.pictures import picture, pictures
from transforms.errors import TransformError
from transforms.pixels.drawing import SIDE
from transforms.source import BytesSource
from transforms.sr.values import Image as Reference
from transforms.sr.values import SopReference


def _bytes(data: Any) -> BytesSource:
    out = BytesIO()
    data.save_as(out, enforce_file_format=True)
    return BytesSource(out.getvalue())


def _ramp(rows: int = 64, **more: Any) -> Any:
    """A CT whose columns rise from -1000 to +1000 HU."""
    data = study.ct(1, 1, rows)
    values = np.tile(np.linspace(-1000, 1000, rows), (rows, 1)).astype("<i2")
    data.PixelData = values.tobytes()
    data.PixelRepresentation, data.BitsStored, data.HighBit = 1, 16, 15
    data.RescaleSlope, data.RescaleIntercept = 1, 0
    data.WindowCenter, data.WindowWidth = 0, 2000
    for keyword, value in more.items():
        setattr(data, keyword, value)
    return data


def _shown(data: Any, **more: Any) -> Any:
    found = picture(_bytes(data), **more)
    assert found.media_type == "image/jpeg"
    return np.asarray(Image.open(BytesIO(found.data)).convert("L")).astype(int)


def _state(image: Any, **more: Any) -> BytesSource:
    """A presentation state of the image, with a window."""
    data = study.ct(1, 1, 8)
    del data.PixelData
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.11.1"
    series = Dataset()
    series.ReferencedImageSequence = Sequence([study.reference(image)])
    data.ReferencedSeriesSequence = Sequence([series])
    item = Dataset()
    item.WindowCenter, item.WindowWidth = 500, 100
    data.SoftcopyVOILUTSequence = Sequence([item])
    data.RescaleSlope, data.RescaleIntercept = 1, 0
    for keyword, value in more.items():
        setattr(data, keyword, value)
    return _bytes(data)


def test_the_window_of_the_image() -> None:
    row = _shown(_ramp())[32]
    assert row[0] < 8
    assert row[-1] > 247
    assert abs(row[32] - 128) < 12


def test_the_window_of_the_presentation_state() -> None:
    row = _shown(_ramp(), state=_state(_ramp()))[32]
    assert row[40] < 8  # +270 HU is below 450
    assert row[-1] > 247
    inverse = _shown(_ramp(), state=_state(_ramp(), PresentationLUTShape="INVERSE"))[32]
    assert inverse[40] > 247
    assert inverse[-1] < 8


def test_monochrome1_is_dark_where_values_are_high() -> None:
    row = _shown(_ramp(PhotometricInterpretation="MONOCHROME1"))[32]
    assert row[0] > 247
    assert row[-1] < 8


def test_a_large_image_becomes_small() -> None:
    assert max(_shown(_ramp(1024)).shape) == SIDE


def test_the_same_image_is_the_same_picture() -> None:
    assert picture(_bytes(_ramp())) == picture(_bytes(_ramp()))


@pytest.mark.parametrize("frame", [0, 2, 99])
def test_a_frame_that_is_not_there_is_no_picture(frame: int) -> None:
    with pytest.raises(TransformError, match="pixels-undescribed"):
        picture(_bytes(_ramp()), frame)


def test_what_cannot_be_shown_is_no_picture() -> None:
    whole = _bytes(_ramp())
    for bad in (
        BytesSource(whole.pread(0, whole.size - 100)),
        BytesSource(b"no image"),
        _bytes(study.report(1, [study.ct(1, 1, 8)])),
    ):
        with pytest.raises(TransformError):
            picture(bad)


def test_why_there_is_no_picture_is_told() -> None:
    image = _ramp()
    files = {
        "image": _bytes(image),
        "state": _state(image),
        "stranger": _state(study.ct(1, 2, 8)),
        "bad": BytesSource(b"x"),
    }

    def asked(name: str, state: str = "") -> object:
        said = SopReference("1.2", state) if state else None
        return pictures(files.get)(Reference(SopReference("1.2", name), presentation_state=said))

    assert asked("gone") == "the image is not at hand"
    assert str(asked("bad")).startswith("the image cannot be shown: ")
    assert asked("image") == picture(files["image"])
    assert asked("image", "state") == picture(files["image"], state=files["state"])
    assert asked("image", "stranger") == "the image cannot be shown: pixels-unsupported"
    without = asked("image", "gone")
    assert without == replace(picture(files["image"]), without="its presentation state, which is not at hand")
