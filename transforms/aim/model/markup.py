"""What is drawn: shapes in an image or in space, and texts. AIM v4 (rv44), fields in the schema's order."""

from __future__ import annotations

from dataclasses import dataclass

from transforms.aim.model.datatypes import Code, Real, St, Uid
from transforms.aim.model.entities import Entity


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkupEntity(Entity):
    """What is drawn on an image: a shape or a text. Abstract."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GeometricShapeEntity(MarkupEntity):
    """A shape; `include_flag` false: a hole. Abstract."""

    question_type_code: tuple[Code, ...] = ()
    shape_identifier: int
    label: St | None = None
    description: St | None = None
    include_flag: bool
    comment: St | None = None
    line_color: St | None = None
    line_opacity: St | None = None
    line_style: St | None = None
    line_thickness: St | None = None
    question_index: int | None = None
    interpolation_method: Code | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoDimensionSpatialCoordinate:
    """A point of an image: x counts columns, y rows, from the corner of the first pixel (0, 0)."""

    coordinate_index: int
    x: Real
    y: Real


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoDimensionGeometricShapeEntity(GeometricShapeEntity):
    """A shape on one image, or one frame of it (from 1). Abstract."""

    image_reference_uid: Uid | None = None
    referenced_frame_number: int | None = None
    uri: St | None = None
    two_dimension_spatial_coordinate_collection: tuple[TwoDimensionSpatialCoordinate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoDimensionPoint(TwoDimensionGeometricShapeEntity):
    """One point."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoDimensionMultiPoint(TwoDimensionGeometricShapeEntity):
    """Points that belong together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoDimensionPolyline(TwoDimensionGeometricShapeEntity):
    """Points joined by lines; closed where the last is the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoDimensionCircle(TwoDimensionGeometricShapeEntity):
    """Its centre, and a point on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoDimensionEllipse(TwoDimensionGeometricShapeEntity):
    """The ends of its major axis, then of its minor axis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreeDimensionSpatialCoordinate:
    """A point in space, mm of the frame of reference."""

    coordinate_index: int
    x: Real
    y: Real
    z: Real


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreeDimensionGeometricShapeEntity(GeometricShapeEntity):
    """A shape in a frame of reference. Abstract."""

    frame_of_reference_uid: Uid | None = None
    fiducial_uid: Uid | None = None
    three_dimension_spatial_coordinate_collection: tuple[ThreeDimensionSpatialCoordinate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreeDimensionPoint(ThreeDimensionGeometricShapeEntity):
    """One point."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreeDimensionMultiPoint(ThreeDimensionGeometricShapeEntity):
    """Points that belong together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreeDimensionPolyline(ThreeDimensionGeometricShapeEntity):
    """Points joined by lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreeDimensionPolygon(ThreeDimensionGeometricShapeEntity):
    """A closed polyline in a plane."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreeDimensionEllipse(ThreeDimensionGeometricShapeEntity):
    """The ends of its major axis, then of its minor axis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreeDimensionEllipsoid(ThreeDimensionGeometricShapeEntity):
    """The ends of its three axes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextAnnotationEntity(MarkupEntity):
    """A text on an image, and the shape it hangs on."""

    text: St
    font: St | None = None
    font_color: St | None = None
    font_effect: St | None = None
    font_size: St | None = None
    font_style: St | None = None
    text_justify: St | None = None
    font_opacity: St | None = None
    geometric_shape_entity: GeometricShapeEntity | None = None
