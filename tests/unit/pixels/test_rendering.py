"""Modality LUT, VOI LUT and Presentation LUT, of images and of presentation states: against values computed by hand."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import pytest
import study
from PIL import Image as Pictures
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ImplicitVRLittleEndian

from transforms.dataset.framing import check
from transforms.dataset.part10 import split
from transforms.errors import TransformError
from transforms.pixels.drawing import drawn
from transforms.pixels.frames import frames_of, read
from transforms.pixels.grayscale import applied
from transforms.pixels.image import Image, describe
from transforms.pixels.rendering import Graphic, Rendering, Table, instance_of, of_image, of_state
from transforms.source import BytesSource, Copy, EditPlan

STORED = [0, 1, 2, 3, 100, 4095]
STATE = "1.2.840.10008.5.1.4.1.1.11.1"


def image(values: list[int] = STORED, **more: Any) -> Dataset:
    """One row of 12-bit values, nothing said of how they are shown."""
    data = study.ct(1, 1, 8)
    data.Rows, data.Columns = 1, len(values)
    data.PixelData = np.array([values], "<i2").tobytes()
    for keyword in ("WindowCenter", "WindowWidth", "WindowCenterWidthExplanation", "RescaleSlope", "RescaleIntercept"):
        delattr(data, keyword)
    return study.fill(data, **more)


def lut(first: int, entries: list[int], bits: int = 8, vr: str = "US") -> Sequence:
    """A LUT sequence of one item."""
    item = Dataset()
    item.add_new(0x00283002, vr, [len(entries), first, bits])
    item.add_new(0x00283006, "US", entries)
    return Sequence([item])


def state(of: Dataset, **more: Any) -> Dataset:
    """A grayscale softcopy presentation state of the image, which says nothing."""
    data = study.ct(1, 1, 8)
    del data.PixelData
    for keyword in ("WindowCenter", "WindowWidth", "WindowCenterWidthExplanation", "RescaleSlope", "RescaleIntercept"):
        delattr(data, keyword)
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = STATE
    series = study.fill(Dataset(), ReferencedImageSequence=Sequence([study.reference(of)]))
    return study.fill(
        data, ReferencedSeriesSequence=Sequence([series]), PresentationLUTShape="IDENTITY"
    ) and study.fill(data, **more)


def framed(data: Dataset, *, implicit: bool = False) -> tuple[Any, Any]:
    if implicit:
        data.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    out = BytesIO()
    data.save_as(out, enforce_file_format=True, implicit_vr=implicit, little_endian=True)
    file = BytesSource(out.getvalue())
    found = split(file)
    body = EditPlan(file, (Copy(found.offset, file.size - found.offset),))
    return body, check(body, found.syntax)


def seen(data: Dataset, by: Dataset | None = None, *, implicit: bool = False, frame: int = 1) -> list[int] | None:
    source, index = framed(data, implicit=implicit)
    described = describe(source, index)
    if by is None:
        how = of_image(source, index, described, frame)
    else:
        how = of_state(*framed(by, implicit=implicit), described, instance_of(source, index), frame)
    if how is None:
        return None
    raw = read(source, frames_of(source, index, described)[frame - 1])
    array = np.frombuffer(raw, "<i2" if described.signed else "<u2").reshape(described.rows, described.columns)
    return [int(each) for each in applied(array, described, how)[0]]


def test_an_image_that_says_nothing_has_no_rendering() -> None:
    assert seen(image()) is None


@pytest.mark.parametrize("implicit", [False, True])
def test_a_voi_lut_is_looked_up(implicit: bool) -> None:
    """Values 1, 2, 3 have entries; below and above the first and last one are used (C.11.2.1.1)."""
    data = image(VOILUTSequence=lut(1, [0, 51, 204]))
    assert seen(data, implicit=implicit) == [0, 0, 51, 204, 204, 204]


def test_a_table_goes_before_a_window() -> None:
    data = image(VOILUTSequence=lut(1, [0, 51, 204]), WindowCenter=0, WindowWidth=1)
    assert seen(data) == [0, 0, 51, 204, 204, 204]


def test_entries_of_more_bits_are_scaled() -> None:
    """10 bits: 1023 is white, 512 is 128 (127.6)."""
    assert seen(image([0, 1, 2], VOILUTSequence=lut(0, [0, 512, 1023], 10))) == [0, 128, 255]


def test_a_voi_lut_is_of_what_the_modality_lut_gives() -> None:
    """0, 1, 2 become -1, 0, 1: a table that begins at -1 has an entry for each, though its first value is a word."""
    more = {"RescaleSlope": 1, "RescaleIntercept": -1}
    assert seen(image([0, 1, 2], VOILUTSequence=lut(-1, [10, 20, 30], vr="SS"), **more)) == [10, 20, 30]
    assert seen(image([0, 1, 2], VOILUTSequence=lut(0xFFFF, [10, 20, 30]), **more)) == [10, 20, 30]


@pytest.mark.parametrize("implicit", [False, True])
def test_a_modality_lut_comes_first(implicit: bool) -> None:
    """0..3 become 0, 100, 200, 300; the window 100..300 (center 200.5, width 201) makes them 0, 0, 128, 255."""
    data = image(
        [0, 1, 2, 3], ModalityLUTSequence=lut(0, [0, 100, 200, 300], 16), WindowCenter="200.5", WindowWidth="201"
    )
    assert seen(data, implicit=implicit) == [0, 0, 128, 255]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("LINEAR", [0, 1, 64, 128, 192, 255, 255]),  # ((x - 99.5) / 199 + 0.5) * 255
        ("LINEAR_EXACT", [0, 1, 64, 128, 191, 255, 255]),  # ((x - 100) / 200 + 0.5) * 255
        ("SIGMOID", [30, 31, 69, 128, 186, 225, 250]),  # 255 / (1 + exp(-4 (x - 100) / 200))
    ],
)
def test_the_functions_of_a_window(function: str, expected: list[int]) -> None:
    data = image([0, 1, 50, 100, 150, 200, 300], WindowCenter=100, WindowWidth=200, VOILUTFunction=function)
    assert seen(data) == expected


def test_a_state_is_used_instead_of_all_that_the_image_says() -> None:
    """PS3.4 N.2.1: the image's rescale, window and MONOCHROME1 do not count; what the state lacks is an identity."""
    said = image(
        [0, 2047, 4095], RescaleSlope=2, RescaleIntercept=-1000, WindowCenter=1, WindowWidth=1,
        PhotometricInterpretation="MONOCHROME1",
    )  # fmt: skip
    assert seen(said) == [255, 0, 0]
    assert seen(said, state(said)) == [0, 127, 255]
    assert seen(said, state(said, PresentationLUTShape="INVERSE")) == [255, 128, 0]


def voi(of: Dataset | None = None, frames: list[int] | None = None, **more: Any) -> Dataset:
    item = study.fill(Dataset(), **more)
    if of is not None:
        reference = study.reference(of)
        if frames:
            reference.ReferencedFrameNumber = frames
        item.ReferencedImageSequence = Sequence([reference])
    return item


def test_a_states_voi_is_that_of_the_image() -> None:
    """Several items: that which names the image, or names none (C.11.8)."""
    mine, other = image([0, 1, 2]), study.ct(1, 2, 8)
    items = [
        voi(other, VOILUTSequence=lut(0, [1, 1, 1])),
        voi(mine, [2], VOILUTSequence=lut(0, [2, 2, 2])),
        voi(mine, VOILUTSequence=lut(0, [10, 20, 30])),
    ]
    assert seen(mine, state(mine, SoftcopyVOILUTSequence=Sequence(items))) == [10, 20, 30]
    assert seen(mine, state(mine, SoftcopyVOILUTSequence=Sequence([voi(WindowCenter=1, WindowWidth=1)]))) == [
        0,
        255,
        255,
    ]


@pytest.mark.parametrize("implicit", [False, True])
def test_a_presentation_lut_comes_last(implicit: bool) -> None:
    """The whole range of the VOI LUT goes over its entries: 0 -> 0, middle -> 200, end -> 255."""
    data = image([0, 1, 2])
    by = state(
        data,
        SoftcopyVOILUTSequence=Sequence([voi(VOILUTSequence=lut(0, [0, 128, 255]))]),
        PresentationLUTSequence=lut(0, [0, 200, 255]),
    )
    del by.PresentationLUTShape
    assert seen(data, by, implicit=implicit) == [0, 200, 255]


def test_a_state_of_other_images_or_of_another_kind_is_not_applied() -> None:
    data = image()
    blending = state(data)
    blending.SOPClassUID = blending.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.11.4"
    for by in (state(study.ct(1, 2, 8)), blending, study.report(1, [data])):
        with pytest.raises(TransformError, match="pixels-unsupported"):
            seen(data, by)


@pytest.mark.parametrize(
    "broken",
    [
        {"VOILUTSequence": lut(0, [1, 2, 3], 17)},
        {"VOILUTSequence": Sequence([Dataset()])},
        {"ModalityLUTSequence": lut(0, [1, 2, 3], 0)},
        {"WindowCenter": 1, "WindowWidth": 2, "VOILUTFunction": "CUBIC"},
    ],
)
def test_what_says_nothing_sensible_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(TransformError):
        seen(image(**({"WindowCenter": 1, "WindowWidth": 2} | broken)))


def test_a_table_with_fewer_entries_than_it_says_is_refused() -> None:
    short = lut(0, [1, 2, 3])
    short[0].LUTDescriptor = [4, 0, 8]
    with pytest.raises(TransformError, match="pixels-undescribed"):
        seen(image(VOILUTSequence=short))


def test_each_frame_has_its_own_window() -> None:
    """Enhanced images: Frame VOI LUT and Pixel Value Transformation of the frame, else the shared one."""
    data = image([0, 1, 2])
    data.NumberOfFrames = 2
    data.PixelData = np.array([[0, 1, 2], [0, 1, 2]], "<u2").tobytes()
    shared = study.fill(
        Dataset(),
        PixelValueTransformationSequence=Sequence([study.fill(Dataset(), RescaleSlope=100, RescaleIntercept=0)]),
        FrameVOILUTSequence=Sequence([study.fill(Dataset(), WindowCenter="0.5", WindowWidth=1)]),
    )
    own = study.fill(Dataset(), FrameVOILUTSequence=Sequence([study.fill(Dataset(), WindowCenter=150, WindowWidth=1)]))
    data.SharedFunctionalGroupsSequence = Sequence([shared])
    data.PerFrameFunctionalGroupsSequence = Sequence([Dataset(), own])
    assert seen(data, frame=1) == [0, 255, 255]
    assert seen(data, frame=2) == [0, 0, 255]


def test_graphics_in_pixels_of_the_image_are_drawn() -> None:
    """A line across a black image; what is placed on the screen, and what is of another image, is not."""
    rows = 64
    data = study.ct(1, 1, rows)
    data.PixelData = bytes(rows * rows * 2)

    def graphic(units: str, *points: float) -> Dataset:
        return study.fill(
            Dataset(), GraphicAnnotationUnits=units, GraphicType="POLYLINE", GraphicDimensions=2,
            NumberOfGraphicPoints=len(points) // 2, GraphicData=list(points), GraphicFilled="N",
        )  # fmt: skip

    def annotation(of: Dataset, item: Dataset) -> Dataset:
        return study.fill(
            Dataset(), ReferencedImageSequence=Sequence([study.reference(of)]), GraphicLayer="L",
            GraphicObjectSequence=Sequence([item]),
        )  # fmt: skip

    items = [
        annotation(data, graphic("PIXEL", 0, 20, 64, 20)),
        annotation(data, graphic("DISPLAY", 0, 0.75, 1, 0.75)),
        annotation(study.ct(1, 2, 8), graphic("PIXEL", 0, 50, 64, 50)),
    ]
    source, index = framed(data)
    described = describe(source, index)
    by = framed(state(data, GraphicAnnotationSequence=Sequence(items)))
    how = of_state(*by, described, instance_of(source, index), 1)
    assert how.graphics == (Graphic("POLYLINE", ((0.0, 20.0), (64.0, 20.0))),)
    (frame,) = frames_of(source, index, described)
    made = Pictures.open(BytesIO(drawn(read(source, frame), described, index.syntax.uid, how))).convert("L")
    lines = np.asarray(made).astype(int).mean(axis=1)
    assert int(lines.argmax()) == 20
    assert lines[10] < 10 and lines[48] < 10 and lines[50] < 10


def test_a_table_of_sixteen_bits_of_input() -> None:
    """65,536 entries are written as 0 (C.11.1.1)."""
    entries = Table(0, 16, np.arange(65536, dtype="<u2").tobytes())
    described = Image(1, 3, 1, 16, 16, False, "MONOCHROME2", False, 1)
    out = applied(np.array([[0, 32768, 65535]], "<u2"), described, Rendering(voi=entries))
    assert out.tolist() == [[0, 128, 255]]
