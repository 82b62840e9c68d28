"""What a referenced image says of itself, where it is at hand: study, series, modality, plane."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final

from transforms.aim.model.datatypes import Real
from transforms.aim.model.images import ImagePlane
from transforms.aim.options import Resolver
from transforms.dataset.convert import to_explicit_le
from transforms.dataset.framing import check
from transforms.dataset.part10 import split
from transforms.dataset.syntax import EXPLICIT_LE, lookup
from transforms.source import Copy, EditPlan

_CLASS, _STUDY_DATE, _STUDY_TIME, _ACCESSION, _MODALITY = 0x00080016, 0x00080020, 0x00080030, 0x00080050, 0x00080060
_THICKNESS, _STUDY, _SERIES = 0x00180050, 0x0020000D, 0x0020000E
_POSITION, _ORIENTATION, _SPACING = 0x00200032, 0x00200037, 0x00280030
_ROW: Final = ("row_image_orientation_x", "row_image_orientation_y", "row_image_orientation_z")
_COLUMN: Final = ("column_image_orientation_x", "column_image_orientation_y", "column_image_orientation_z")


@dataclass(frozen=True, slots=True)
class Picture:
    """The header of an image; "" where it does not say."""

    sop_class: str
    study: str
    series: str
    modality: str
    date: str
    time: str
    accession: str
    plane: ImagePlane | None


def picture(sop_instance: str, resolver: Resolver) -> Picture | None:
    """The image of that UID; None where it is not at hand. Raises TransformError for one that cannot be read."""
    source = resolver(sop_instance)
    if source is None:
        return None
    found = split(source, tolerant=True)
    body = EditPlan(source, (Copy(found.offset, source.size - found.offset),))
    known = lookup(found.syntax)
    plain, syntax = (
        (body, found.syntax)
        if known.little_endian and not known.deflated
        else (
            to_explicit_le(body, found.syntax),
            EXPLICIT_LE,
        )
    )
    index = check(plain, syntax)

    def say(tag: int) -> str:
        return (index.value_bytes(plain, tag) or b"").decode("latin-1").strip(" \0")

    return Picture(
        say(_CLASS),
        say(_STUDY),
        say(_SERIES),
        say(_MODALITY),
        say(_STUDY_DATE),
        say(_STUDY_TIME),
        say(_ACCESSION),
        _plane(say(_ORIENTATION), say(_POSITION), say(_SPACING), say(_THICKNESS)),
    )


def _plane(orientation: str, position: str, spacing: str, thickness: str) -> ImagePlane | None:
    """The plane (PS3.3 C.7.6.2) of a single frame; an enhanced image says it elsewhere, and then it is not said."""
    cosines, place, spaces = _decimals(orientation, 6), _decimals(position, 3), _decimals(spacing, 2)
    thick = _decimals(thickness, 1)
    values = {
        **dict(zip((*_ROW, *_COLUMN), cosines, strict=False)),
        **dict(zip(("image_position_x", "image_position_y", "image_position_z"), place, strict=False)),
        **dict(zip(("vertical_pixel_spacing", "horizontal_pixel_spacing"), spaces, strict=False)),
        **dict(zip(("slice_thickness",), thick, strict=False)),
    }
    return ImagePlane(**values) if values else None


def _decimals(text: str, count: int) -> tuple[Real, ...]:
    """The values of a DS attribute; () unless all are there."""
    found = tuple(Real(each.strip()) for each in text.split("\\"))
    try:
        good = len(found) == count and all(Decimal(each).is_finite() for each in found)
    except InvalidOperation:
        good = False
    return found if good else ()
