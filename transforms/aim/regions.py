"""Markup and segmentations -> SCOORD, SCOORD3D and IMAGE items of a Measurement Group (TID 1410, 1411, 320).

drawn.py reads the same tables the other way.

Rules of this file
* Points go there and back one by one, in their order (PS3.21 A.6.1.2): a polyline that is closed repeats its first
  point. Only POLYGON, which SR wants closed, gets its first point once more where AIM leaves it out (C.18.9.1.2), and
  the axes of an ellipse come major first (C.18.6.1.2).
* Points that belong together are POINTs of one Observation UID, since the templates forbid MULTIPOINT.
* A shape that a statement ties to measurements stands below their NUMs, where all shapes of the annotation are so tied;
  otherwise it is a region of the group, which holds for all measurements of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import dist
from typing import Any, Final

from profiles.aim import concepts
from profiles.aim.codes import POINTS, SHAPES, SHAPES_3D
from profiles.aim.statements import ON_MARKUP
from transforms.aim import fields, schema, tree
from transforms.aim.model.annotation import ImageAnnotation
from transforms.aim.model.images import DicomSegmentationEntity
from transforms.aim.model.markup import (
    GeometricShapeEntity,
    MarkupEntity,
    TextAnnotationEntity,
    ThreeDimensionGeometricShapeEntity,
    TwoDimensionGeometricShapeEntity,
)
from transforms.aim.numbers import float32, shifted
from transforms.aim.options import Options
from transforms.errors import TransformError
from transforms.sr.model import Item
from transforms.sr.values import Image, SCoord, SCoord3D, SopReference

MARKUP: Final = "markupEntityCollection"  # names what no row says of a shape
_PLANAR: Final = frozenset({"POLYLINE", "POLYGON", "ELLIPSE"})
_COORDINATES: Final = ("two_dimension_spatial_coordinate_collection", "three_dimension_spatial_coordinate_collection")
_IN_ROWS: Final = (*_COORDINATES, "unique_identifier", "image_reference_uid", "frame_of_reference_uid", "fiducial_uid")


def tied(annotation: ImageAnnotation) -> dict[str, tuple[str, ...]]:
    """Shape -> the measurements whose NUMs it stands below; {} where shapes are regions of the group."""
    shapes = {each.unique_identifier for each in annotation.markup_entity_collection if _is_shape(each)}
    numbers = {each.unique_identifier for each in annotation.calculation_entity_collection}
    found: dict[str, tuple[str, ...]] = {}
    for statement in annotation.image_annotation_statement_collection:
        subject, target = statement.subject_unique_identifier, statement.object_unique_identifier
        if statement.kind == ON_MARKUP and subject in numbers and target in shapes:
            found[target] = (*found.get(target, ()), subject)
    every = all(len(each) == len(numbers) for each in found.values()) and len(numbers) > 1
    whole = set(found) == shapes and not every and not annotation.segmentation_entity_collection
    return found if whole else {}


def _is_shape(markup: MarkupEntity) -> bool:
    return isinstance(markup, GeometricShapeEntity)


class Regions:
    """The markup of one annotation as items. `images`: SOP class by SOP instance, of those that it refers to."""

    def __init__(self, annotation: ImageAnnotation, images: Mapping[str, str], options: Options) -> None:
        self._annotation = annotation
        self._images = images
        self._options = options
        self._below = tied(annotation)
        self._unsaid: dict[str, Item] = {}
        self._numbers: dict[str, int] = {}  # in the order met, which drawn.py counts again

    def of_group(self) -> Iterator[Item]:
        """The regions of the group, then the texts."""
        markups = self._annotation.markup_entity_collection
        for markup in markups:
            if isinstance(markup, GeometricShapeEntity) and markup.unique_identifier not in self._below:
                yield from self._shape(markup, tree.CONTAINS)
        for markup in markups:
            if isinstance(markup, TextAnnotationEntity) and self._options.fields:
                yield self._text(markup)

    def below(self, calculation: str) -> Iterator[Item]:
        """What stands below the NUM of a measurement (TID 320)."""
        for markup in self._annotation.markup_entity_collection:
            ties = self._below.get(markup.unique_identifier, ())
            if isinstance(markup, GeometricShapeEntity) and calculation in ties:
                yield from self._shape(markup, tree.INFERRED)

    def _text(self, markup: TextAnnotationEntity) -> Item:
        number = self._numbers.setdefault(markup.unique_identifier, len(self._numbers) + 1)
        shape = markup.geometric_shape_entity
        if shape is not None:
            self._numbers.setdefault(shape.unique_identifier, number)
        children = tuple(self._shape(shape, tree.INFERRED)) if shape is not None else ()
        rest = fields.items(markup, tree.PROPERTY, ("unique_identifier", "text", "geometric_shape_entity"))
        kept = rest if self._options.fields else ()
        return tree.text(
            tree.CONTAINS, concepts.TEXT_ANNOTATION, markup.text, *children, *kept, uid=markup.unique_identifier
        )

    def _shape(self, markup: GeometricShapeEntity, relationship: str) -> Iterator[Item]:
        value = self._flat(markup) if isinstance(markup, TwoDimensionGeometricShapeEntity) else _spatial(markup)
        region = isinstance(value, SCoord) or value.graphic_type in _PLANAR
        name = None if relationship == tree.INFERRED else concepts.IMAGE_REGION if region else concepts.VOLUME_SURFACE
        item = tree.item(relationship, name, value, uid=markup.unique_identifier)
        if isinstance(markup, TwoDimensionGeometricShapeEntity):
            item = tree.with_children(item, self._image(markup))
        self._note(markup)
        if value.graphic_type != "MULTIPOINT":
            yield item
            return
        for point in value.points:  # each with its own children: by value, as TID 1500 wants it
            yield replace(item, value=replace(value, graphic_type="POINT", data=tuple(point)))

    def _note(self, markup: GeometricShapeEntity) -> None:
        """Keep what no row says of a shape. A SCOORD may have no such children (PS3.3 Table A.35.2-2)."""
        number = self._numbers.setdefault(markup.unique_identifier, len(self._numbers) + 1)
        back = replace(markup, shape_identifier=number, include_flag=True, question_type_code=(), **_nothing(markup))
        unsaid = fields.unsaid(markup, back, tree.PROPERTY, _IN_ROWS)
        if unsaid and self._options.fields:
            uid = fields.one(markup, "unique_identifier", tree.PROPERTY)
            name = tree.field(MARKUP)
            self._unsaid[markup.unique_identifier] = tree.text(tree.CONTAINS, name, type(markup).__name__, uid, *unsaid)

    def unsaid(self) -> Iterator[Item]:
        """What no row says of the shapes that were made items."""
        yield from self._unsaid.values()

    def _flat(self, markup: TwoDimensionGeometricShapeEntity) -> SCoord:
        by = self._options.to_scoord
        points = _points(
            [
                (each.coordinate_index, (float32(shifted(each.x, by)), float32(shifted(each.y, by))))
                for each in markup.two_dimension_spatial_coordinate_collection
            ],
            SHAPES[type(markup).__name__],
        )
        return SCoord(SHAPES[type(markup).__name__], tuple(number for point in points for number in point))

    def _image(self, markup: TwoDimensionGeometricShapeEntity) -> Item:
        instance = markup.image_reference_uid or (next(iter(self._images)) if len(self._images) == 1 else "")
        if instance not in self._images:
            raise TransformError("aim-missing-reference", "a shape on an image that its annotation does not refer to")
        frame = markup.referenced_frame_number
        if frame is not None and frame < 1:
            raise TransformError("aim-bad-value", "a frame number below 1")
        reference = SopReference(self._images[instance], instance)
        return tree.item(tree.SELECTED, None, Image(reference, frames=() if frame is None else (frame,)))

    def segments(self) -> Iterator[Item]:
        """Referenced segments and the images they were made of (TID 1411)."""
        for each in self._annotation.segmentation_entity_collection:
            if not isinstance(each, DicomSegmentationEntity):
                continue
            source = each.referenced_sop_instance_uid
            if source not in self._images:
                raise TransformError("aim-missing-reference", "a segmentation of an image that is not referred to")
            segment = Image(SopReference(each.sop_class_uid, each.sop_instance_uid), segments=(each.segment_number,))
            yield tree.item(tree.CONTAINS, concepts.REFERENCED_SEGMENT, segment, uid=each.unique_identifier)
            image = Image(SopReference(self._images[source], source))
            yield tree.item(tree.CONTAINS, concepts.SOURCE_IMAGE, image)


def _nothing(markup: GeometricShapeEntity) -> dict[str, Any]:
    """The optional fields of a shape that no row has, emptied."""
    kept = {*_IN_ROWS, "shape_identifier", "include_flag", "question_type_code", "referenced_frame_number"}
    return {part.field: None for part in schema.parts(type(markup)) if not part.required and part.field not in kept}


def _spatial(markup: GeometricShapeEntity) -> SCoord3D:
    assert isinstance(markup, ThreeDimensionGeometricShapeEntity)
    graphic = SHAPES_3D[type(markup).__name__]
    if not markup.frame_of_reference_uid:
        raise TransformError("aim-missing-reference", "a shape in space without its frame of reference")
    points = _points(
        [
            (each.coordinate_index, (float32(each.x), float32(each.y), float32(each.z)))
            for each in markup.three_dimension_spatial_coordinate_collection
        ],
        graphic,
    )
    if graphic == "POLYGON" and points[0] != points[-1]:
        points.append(points[0])
    data = tuple(number for point in points for number in point)
    return SCoord3D(graphic, data, markup.frame_of_reference_uid, markup.fiducial_uid or "")


def _points(indexed: list[tuple[int, tuple[float, ...]]], graphic: str) -> list[tuple[float, ...]]:
    """The points by their index. Raises TransformError where the graphic type has another number of them."""
    points = [point for _, point in sorted(indexed, key=lambda each: each[0])]
    if len(points) != POINTS.get(graphic, len(points)) or not points:
        raise TransformError("aim-bad-value", f"{graphic} with {len(points)} points")
    if graphic == "ELLIPSE" and dist(points[0], points[1]) < dist(points[2], points[3]):
        points = [*points[2:], *points[:2]]
    return points
