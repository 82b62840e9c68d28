"""Annotations as marks on one frame of an image: from an SR by its content items, from AIM by its markup.

Rules of this file
* The two ways share nothing but the marks: a picture from an SR and one from the AIM made of it prove each other.
* Marks are in pixels of the frame, columns and rows, (0, 0) the corner of the first pixel (PS3.3 C.18.6.1.1).
* Shapes in space are drawn where the image lies in their frame of reference and they reach into its slice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import cos, hypot, pi, sin
from typing import Final

from profiles.aim import concepts
from profiles.aim.codes import SHAPES, SHAPES_3D
from transforms.aim import tree
from transforms.aim.model.annotation import ImageAnnotation, ImageAnnotationCollection
from transforms.aim.model.markup import (
    TextAnnotationEntity,
    ThreeDimensionGeometricShapeEntity,
    TwoDimensionGeometricShapeEntity,
)
from transforms.aim.numbers import float32, shifted
from transforms.aim.options import Options
from transforms.sr.model import Document, Item
from transforms.sr.values import ByReference, Image, SCoord, SCoord3D, Text

Point = tuple[float, float]
_STEPS: Final = 72  # corners of a circle as it is drawn
_THIN: Final = 0.5  # mm from the slice's middle, where its thickness is not known


@dataclass(frozen=True, slots=True)
class Mark:
    """One shape on the frame. `kind`: a Graphic Type; `label`: what belongs to it."""

    kind: str
    points: tuple[Point, ...]
    label: str = ""

    def outline(self) -> tuple[Point, ...]:
        """The corners of the line to draw; one where it is a point."""
        if self.kind == "CIRCLE":
            (x, y), (edge_x, edge_y) = self.points
            radius = hypot(edge_x - x, edge_y - y)
            return _round((x, y), (radius, 0.0), (0.0, radius))
        if self.kind in ("ELLIPSE", "ELLIPSOID"):
            (ax, ay), (bx, by), (cx, cy), (dx, dy) = self.points[:4]
            center = ((ax + bx) / 2, (ay + by) / 2)
            return _round(center, ((bx - ax) / 2, (by - ay) / 2), ((dx - cx) / 2, (dy - cy) / 2))
        return self.points


def _round(center: Point, one: Point, other: Point) -> tuple[Point, ...]:
    turns = [2 * pi * step / _STEPS for step in range(_STEPS + 1)]
    return tuple(
        (center[0] + cos(turn) * one[0] + sin(turn) * other[0], center[1] + cos(turn) * one[1] + sin(turn) * other[1])
        for turn in turns
    )


@dataclass(frozen=True, slots=True)
class Frame:
    """What is drawn on: a frame of an image, and where it lies, if it does (PS3.3 C.7.6.2)."""

    sop_instance: str
    number: int = 1
    frame_of_reference: str = ""
    position: tuple[float, ...] = ()  # mm of the middle of its first pixel
    orientation: tuple[float, ...] = ()  # cosines of its rows, then of its columns
    spacing: tuple[float, ...] = ()  # mm between rows, then between columns
    thickness: float = 0.0

    def shows(self, sop_instance: str, frames: Iterable[int]) -> bool:
        """Whether a reference is to this frame; one without frames is to all."""
        numbers = tuple(frames)
        return sop_instance == self.sop_instance and (not numbers or self.number in numbers)

    def projected(self, frame_of_reference: str, points: Iterable[tuple[float, ...]]) -> tuple[Point, ...]:
        """Points in space as pixels; () where they are in another frame of reference or none reaches into the slice."""
        if frame_of_reference != self.frame_of_reference or not (self.position and self.orientation and self.spacing):
            return ()
        row, column = self.orientation[:3], self.orientation[3:]
        normal = (
            row[1] * column[2] - row[2] * column[1],
            row[2] * column[0] - row[0] * column[2],
            row[0] * column[1] - row[1] * column[0],
        )
        offsets = [tuple(a - b for a, b in zip(point, self.position, strict=True)) for point in points]
        reach = max(self.thickness / 2, _THIN)
        heights = [_dot(each, normal) for each in offsets]
        if not heights or min(heights) > reach or max(heights) < -reach:
            return ()
        return tuple(
            (_dot(each, row) / self.spacing[1] + 0.5, _dot(each, column) / self.spacing[0] + 0.5) for each in offsets
        )


def _dot(one: Iterable[float], other: Iterable[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def marks_of_sr(document: Document, frame: Frame) -> list[Mark]:
    """What the SCOORD and SCOORD3D items of a document draw on a frame."""
    found: dict[Mark, None] = {}

    def below(item: Item, label: str) -> None:
        children = [child for child in item.children if not isinstance(child.value, ByReference)]
        if tree.is_named(item, concepts.GROUP):
            label = tree.text_of(children, concepts.TRACKING_IDENTIFIER)
        elif isinstance(item.value, Text) and tree.is_named(item, concepts.TEXT_ANNOTATION):
            label = item.value.text
        for child in children:
            value = child.value  # what stands there by reference is drawn where it stands
            if isinstance(value, SCoord):
                images = [each.value for each in map(document.follow, child.children) if isinstance(each.value, Image)]
                if any(frame.shows(each.reference.sop_instance, each.frames) for each in images):
                    found.update(dict.fromkeys(_marks(value.graphic_type, value.points, label)))
            elif isinstance(value, SCoord3D):
                points = frame.projected(value.frame_of_reference, value.points)
                if points:
                    found.update(dict.fromkeys(_marks(value.graphic_type, points, label)))
            else:
                below(child, label)

    below(document.root, "")
    return list(found)


def marks_of_aim(collection: ImageAnnotationCollection, frame: Frame, options: Options) -> list[Mark]:
    """What the markup of a collection draws on a frame."""
    found: dict[Mark, None] = {}
    for annotation in collection.image_annotations:
        for mark in _of_annotation(annotation, frame, options):
            found[mark] = None
    return list(found)


def _of_annotation(annotation: ImageAnnotation, frame: Frame, options: Options) -> Iterator[Mark]:
    for markup in annotation.markup_entity_collection:
        text = isinstance(markup, TextAnnotationEntity)
        shape = markup.geometric_shape_entity if isinstance(markup, TextAnnotationEntity) else markup
        label = markup.text if isinstance(markup, TextAnnotationEntity) and text else annotation.name
        if isinstance(shape, TwoDimensionGeometricShapeEntity):
            number = shape.referenced_frame_number
            if not frame.shows(shape.image_reference_uid or "", () if number is None else (number,)):
                continue
            ordered = sorted(shape.two_dimension_spatial_coordinate_collection, key=lambda each: each.coordinate_index)
            by = options.to_scoord
            points = tuple((float32(shifted(each.x, by)), float32(shifted(each.y, by))) for each in ordered)
            yield from _marks(SHAPES[type(shape).__name__], points, label)
        elif isinstance(shape, ThreeDimensionGeometricShapeEntity):
            in_space = sorted(
                shape.three_dimension_spatial_coordinate_collection, key=lambda each: each.coordinate_index
            )
            placed = frame.projected(
                shape.frame_of_reference_uid or "",
                [(float32(each.x), float32(each.y), float32(each.z)) for each in in_space],
            )
            if placed:
                yield from _marks(SHAPES_3D[type(shape).__name__], placed, label)


def _marks(kind: str, points: Iterable[Point], label: str) -> Iterator[Mark]:
    whole = tuple(points)
    if kind == "MULTIPOINT":
        for point in whole:
            yield Mark("POINT", (point,), label)
    else:
        yield Mark(kind, whole, label)
