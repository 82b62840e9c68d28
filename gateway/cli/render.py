"""`dicom-gateway render`: annotations drawn on their image, from an SR or from AIM, as a PNG.

Rules of this file
* The picture shows pixels of a patient: it is its owner's only, and never written over a file.
* Exit 0: done; 2: it cannot be carried out as asked; 3: the annotations or the image cannot be read.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from gateway.cli.common import fail
from transforms.aim.convert import load
from transforms.aim.drawing import Frame, Mark, marks_of_aim, marks_of_sr
from transforms.aim.model.annotation import ImageAnnotationCollection
from transforms.aim.options import Options
from transforms.errors import TransformError
from transforms.source import BytesSource
from transforms.sr.read import read_file

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image
    from pydicom import Dataset

_LINE: Final = (255, 210, 0)
_LONGEST: Final = 1 << 30  # bytes of an image: one, not a study


def render(
    annotations: Annotated[Path, typer.Argument(metavar="ANNOTATIONS", help="A DICOM SR, or AIM XML.")],
    image: Annotated[Path, typer.Option("--image", metavar="FILE", help="The DICOM image that they are of.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE.png", help="The picture; it must not exist.")],
    frame: Annotated[int, typer.Option("--frame", min=1, help="Of an image with several frames, which one.")] = 1,
    scale: Annotated[int, typer.Option("--scale", min=1, max=8, help="Pixels of the picture for one of it.")] = 2,
    labels: Annotated[
        bool, typer.Option("--labels/--no-labels", help="Also the names of the annotations, which may name a person.")
    ] = False,
) -> None:
    """Draw annotations on their image: what a reader of the SR or of the AIM would see, for comparing the two."""
    if out.exists():
        fail(f"{out}: exists already")
    try:
        dataset = _image(image)
        try:
            place = _frame(dataset, frame)
        except (ValueError, TypeError, ArithmeticError) as error:  # a value that is not of its VR
            raise TransformError("image-unreadable", type(error).__name__) from error
        marks = _marks(_bytes(annotations), place)
        picture = draw(pixels(dataset, frame), marks, scale, labels=labels)
    except TransformError as error:
        print(f"not drawn: {error}", file=sys.stderr)
        raise typer.Exit(3) from error
    descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        picture.save(file, format="PNG")
    print(f"{len(marks)} shapes on frame {frame}")


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > _LONGEST:
            fail(f"{path}: more than {_LONGEST >> 20} MiB")
        return path.read_bytes()
    except OSError as error:
        fail(f"{path}: {os.strerror(error.errno or 5)}")


def _image(path: Path) -> Dataset:
    from io import BytesIO

    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError

    try:
        return dcmread(BytesIO(_bytes(path)))
    except (InvalidDicomError, ValueError, EOFError) as error:
        raise TransformError("image-unreadable", type(error).__name__) from error


def _frame(dataset: Dataset, number: int) -> Frame:
    """Where the frame lies, of an image that says it at its top level."""
    if number > int(dataset.get("NumberOfFrames") or 1):
        fail(f"--frame {number}: the image has {int(dataset.get('NumberOfFrames') or 1)}")

    def numbers(keyword: str, count: int) -> tuple[float, ...]:
        value = dataset.get(keyword)
        return tuple(map(float, value)) if value and len(value) == count else ()

    return Frame(
        str(dataset.get("SOPInstanceUID", "")),
        number,
        str(dataset.get("FrameOfReferenceUID", "")),
        numbers("ImagePositionPatient", 3),
        numbers("ImageOrientationPatient", 6),
        numbers("PixelSpacing", 2),
        float(dataset.get("SliceThickness") or 0),
    )


def _marks(data: bytes, place: Frame) -> list[Mark]:
    if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        collection = load(data)
        if not isinstance(collection, ImageAnnotationCollection):
            raise TransformError("aim-not-image-annotations", "annotations of annotations draw nothing")
        return marks_of_aim(collection, place, Options())
    return marks_of_sr(read_file(BytesSource(data)), place)


def pixels(dataset: Dataset, number: int) -> np.ndarray[Any, Any]:
    """The frame as 8-bit RGB, (rows, columns, 3), windowed as it asks to be. Raises TransformError."""
    import numpy as np
    from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

    try:
        values = dataset.pixel_array
    except Exception as error:  # whatever a decoder says
        raise TransformError("image-unreadable", type(error).__name__) from error
    if int(dataset.get("NumberOfFrames") or 1) > 1:
        values = values[number - 1]
    if values.ndim == 2:
        values = apply_voi_lut(apply_modality_lut(values, dataset), dataset).astype(np.float64)
        low, high = float(values.min()), float(values.max())
        values = (values - low) * (255 / (high - low) if high > low else 0)
        if dataset.get("PhotometricInterpretation") == "MONOCHROME1":
            values = 255 - values
        values = np.repeat(values[:, :, None], 3, axis=2)
    return np.asarray(np.clip(values, 0, 255), dtype=np.uint8)


def draw(values: np.ndarray[Any, Any], marks: list[Mark], scale: int, *, labels: bool = False) -> Image:
    """The picture: the frame, enlarged, and the marks on it."""
    from PIL import Image, ImageDraw

    rows, columns = values.shape[:2]
    picture = Image.fromarray(values).resize((columns * scale, rows * scale), Image.Resampling.NEAREST)
    pen = ImageDraw.Draw(picture)
    for mark in marks:
        line = [(x * scale, y * scale) for x, y in mark.outline()]
        if len(line) == 1:
            (x, y), reach = line[0], 2 * scale
            pen.line([(x - reach, y), (x + reach, y)], fill=_LINE, width=1)
            pen.line([(x, y - reach), (x, y + reach)], fill=_LINE, width=1)
        else:
            pen.line(line, fill=_LINE, width=max(1, scale // 2))
        if labels and mark.label:
            pen.text((line[0][0] + 4, line[0][1] + 4), mark.label, fill=_LINE)
    return picture
