"""SCOORD, SCOORD3D and TEXT items of a Measurement Group -> markup: regions.py read the other way.

Rules of this file
* A shape that stands below several NUMs is one shape: the items have one Observation UID.
* Coordinates are the shortest decimals that read back to the same floats (numbers.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from profiles.aim.codes import SHAPES, SHAPES_3D
from profiles.aim.concepts import FIELDS
from transforms.aim import fields, schema, tree
from transforms.aim.model.datatypes import Real, St, Uid
from transforms.aim.model.markup import (
    GeometricShapeEntity,
    MarkupEntity,
    TextAnnotationEntity,
    ThreeDimensionSpatialCoordinate,
    TwoDimensionSpatialCoordinate,
)
from transforms.aim.numbers import shifted, shortest
from transforms.aim.options import Options
from transforms.aim.regions import MARKUP
from transforms.errors import TransformError
from transforms.sr.model import Item
from transforms.sr.values import Image, SCoord, SCoord3D, Text, UidRef

_SHAPE_OF: Final = {graphic: name for name, graphic in SHAPES.items()}
_SHAPE_3D_OF: Final = {graphic: name for name, graphic in SHAPES_3D.items()}


@dataclass(frozen=True, slots=True)
class Drawn:
    """The markup of one group."""

    follow: Callable[[Item], Item]  # to what an item refers to
    name: Callable[[Item, str], str]  # a UID for an item that has none
    options: Options
    said: dict[str, tuple[Item, ...]] = field(default_factory=dict)  # by shape: what no row says of it

    def markups(self, found: Iterable[Item], first: int) -> list[MarkupEntity]:
        """The markup that the items are, numbered from `first`. Raises TransformError('sr-missing-reference')."""
        shapes: list[MarkupEntity] = []
        waiting: list[Item] = []
        for item in (*found, None):
            if waiting and not _together(waiting[-1], item):
                shapes.append(self._markup(waiting, first + len(shapes)))
                waiting = []
            if item is not None:
                waiting.append(item)
        return shapes

    def _markup(self, items: list[Item], number: int) -> MarkupEntity:
        item = items[0]
        if not isinstance(item.value, Text):
            return self._shape(items, number)
        inner = [each for each in map(self.follow, item.children) if isinstance(each.value, SCoord | SCoord3D)]
        given = {
            "unique_identifier": Uid(item.observation_uid or self.name(item, "markup")),
            "text": St(item.value.text),
            "geometric_shape_entity": self._shape(inner, number) if inner else None,
        }
        text = fields.restored(item.children, TextAnnotationEntity, given)
        assert isinstance(text, TextAnnotationEntity)
        return text

    def _shape(self, items: list[Item], number: int) -> GeometricShapeEntity:
        item, value = items[0], items[0].value
        assert isinstance(value, SCoord | SCoord3D)
        uid = Uid(item.observation_uid or self.name(item, "markup"))
        graphic = "MULTIPOINT" if len(items) > 1 else value.graphic_type
        points = [point for each in items for point in getattr(each.value, "points", ())]
        given: dict[str, Any] = {"unique_identifier": uid, "shape_identifier": number, "include_flag": True}
        if isinstance(value, SCoord3D):
            name = _SHAPE_3D_OF[graphic]
            given |= _in_space(value, points)
        else:
            name = _SHAPE_OF[graphic]
            given |= self._on_image(item, points)
        shape = fields.restored(self.said.get(uid, ()), schema.CLASSES[name], given)
        assert isinstance(shape, GeometricShapeEntity)
        return shape

    def _on_image(self, item: Item, points: list[Any]) -> dict[str, Any]:
        image = next((each.value for each in map(self.follow, item.children) if isinstance(each.value, Image)), None)
        if image is None:
            raise TransformError("sr-missing-reference", f"content item {tree.place(item)} is on no image")
        by = -self.options.to_scoord
        return {
            "image_reference_uid": Uid(image.reference.sop_instance),
            "referenced_frame_number": image.frames[0] if image.frames else None,
            "two_dimension_spatial_coordinate_collection": tuple(
                TwoDimensionSpatialCoordinate(coordinate_index=at, x=_real(x, by), y=_real(y, by))
                for at, (x, y) in enumerate(points)
            ),
        }


def _in_space(value: SCoord3D, points: list[Any]) -> dict[str, Any]:
    return {
        "frame_of_reference_uid": Uid(value.frame_of_reference),
        "fiducial_uid": Uid(value.fiducial) if value.fiducial else None,
        "three_dimension_spatial_coordinate_collection": tuple(
            ThreeDimensionSpatialCoordinate(coordinate_index=at, x=_real(x), y=_real(y), z=_real(z))
            for at, (x, y, z) in enumerate(points)
        ),
    }


def _together(one: Item, other: Item | None) -> bool:
    """Whether two items are points of one shape."""
    if other is None or not one.observation_uid or one.observation_uid != other.observation_uid:
        return False
    return all(
        isinstance(each.value, SCoord | SCoord3D) and each.value.graphic_type == "POINT" for each in (one, other)
    )


def _real(value: float, by: Decimal = Decimal(0)) -> Real:
    return Real(shifted(shortest(value), by))


def is_said(item: Item) -> bool:
    """Whether an item of a group says what no row says of a shape."""
    return tree.is_named(item, (MARKUP, FIELDS, ""))


def said_of_shapes(items: Iterable[Item]) -> dict[str, tuple[Item, ...]]:
    """What the items of a group say of its shapes beside their rows, by the shapes' UIDs."""
    found = {}
    for item in items:
        uid = next((each.value.uid for each in item.children if isinstance(each.value, UidRef)), "")
        if is_said(item) and uid:
            found[uid] = tuple(each for each in item.children if not isinstance(each.value, UidRef))
    return found
