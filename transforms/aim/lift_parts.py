"""What AIM v3 says, as parts of v4: shared by the readers of v3 XML (lift.py) and of the v3 toolkit's SR (lift_sr.py).

* v3 numbers no entity but the annotation: the others get UIDs made of the annotation's and their place.
* A result of one value is compact, of several extended. Frame 0 was v3's way to say: no frame.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from profiles.aim.codes import LOCATION, MODALITIES, OTHER_MODALITY
from profiles.aim.concepts import DOUBLE
from transforms.aim import schema, tree
from transforms.aim.checks import is_uid
from transforms.aim.model.calculation import (
    CalculationData,
    CalculationEntity,
    CalculationResult,
    CompactCalculationResult,
    Coordinate,
    Dimension,
    ExtendedCalculationResult,
)
from transforms.aim.model.datatypes import Attribute, Code, Real, St, Stamp, Uid
from transforms.aim.model.images import DicomImageReferenceEntity, Image, ImageSeries, ImageStudy
from transforms.aim.model.markup import GeometricShapeEntity, TwoDimensionSpatialCoordinate
from transforms.aim.model.observation import (
    ImagingObservationCharacteristic,
    ImagingObservationEntity,
    ImagingPhysicalEntity,
)
from transforms.aim.uids import derived
from transforms.errors import TransformError

V3_SHAPES = {
    "Point": "TwoDimensionPoint",
    "MultiPoint": "TwoDimensionMultiPoint",
    "Polyline": "TwoDimensionPolyline",
    "Circle": "TwoDimensionCircle",
    "Ellipse": "TwoDimensionEllipse",
}


def entity_uid(annotation: str, kind: str, number: int, own: str = "") -> Uid:
    """The UID of an entity: its own where it is one and not a placeholder."""
    return Uid(own if "." in own and is_uid(own) else derived(annotation, kind, number))


def st(text: str) -> St | None:
    """A text, None where it is empty."""
    return St(text) if text.strip() else None


def calculation(
    uid: Uid, code: Code, description: str, math_ml: str, results: Iterable[CalculationResult]
) -> CalculationEntity:
    """A calculation."""
    return CalculationEntity(
        unique_identifier=uid,
        type_code=(code,),
        description=St(description),
        math_ml=st(math_ml),
        calculation_result_collection=tuple(results),
    )


def result(
    kind: str, unit: str, dimensions: Iterable[tuple[int, int, str]], data: list[tuple[str, list[tuple[int, int]]]]
) -> CalculationResult:
    """A result: (index, size, label) of its dimensions, and its values with their (dimension, position)."""
    made = tuple(Dimension(index=index, size=size, label=St(label)) for index, size, label in dimensions)
    double = tree.triplet(DOUBLE)
    if len(data) == 1 and kind == "Scalar":
        return CompactCalculationResult(
            type=Attribute(kind),
            unit_of_measure=St(unit),
            data_type=double,
            dimension_collection=made,
            value=St(data[0][0]),
        )
    return ExtendedCalculationResult(
        type=Attribute(kind),
        unit_of_measure=St(unit),
        data_type=double,
        dimension_collection=made,
        calculation_data_collection=tuple(
            CalculationData(
                value=St(value),
                coordinate_collection=tuple(Coordinate(dimension_index=i, position=at) for i, at in places),
            )
            for value, places in data
        ),
    )


def physical_entity(uid: Uid, code: Code, label: str) -> ImagingPhysicalEntity:
    """An anatomic entity, which in v3 is a location whatever its label says: that becomes the comment."""
    return ImagingPhysicalEntity(
        unique_identifier=uid, type_code=(code,), label=St(LOCATION), comment=st("" if label == LOCATION else label)
    )


def observation(
    uid: Uid, code: Code, label: str, comment: str, characteristics: Iterable[tuple[Code, str, str]]
) -> ImagingObservationEntity:
    """An imaging observation and its characteristics: (code, label, comment)."""
    return ImagingObservationEntity(
        unique_identifier=uid,
        type_code=(code,),
        label=st(label),
        comment=st(comment),
        imaging_observation_characteristic_collection=tuple(
            ImagingObservationCharacteristic(type_code=(code,), label=st(label), comment=st(comment))
            for code, label, comment in characteristics
        ),
    )


def reference(
    uid: Uid, study: str, date: str, time: str, series: str, images: Iterable[tuple[str, str]]
) -> DicomImageReferenceEntity:
    """Images of a series: (SOP class, SOP instance). v3 does not say their modality; the class does."""
    made = tuple(Image(sop_class_uid=Uid(sop), sop_instance_uid=Uid(instance)) for sop, instance in images)
    if not made or not all(map(is_uid, (study, series))):
        raise TransformError("aim-missing-reference", "an image reference without study, series or image")
    value, meaning = MODALITIES.get(made[0].sop_class_uid, OTHER_MODALITY)
    return DicomImageReferenceEntity(
        unique_identifier=uid,
        image_study=ImageStudy(
            instance_uid=Uid(study),
            start_date=Stamp(date),
            start_time=Stamp(time),
            image_series=ImageSeries(
                instance_uid=Uid(series), modality=Code(value, "DCM", meaning), image_collection=made
            ),
        ),
    )


def shape(
    uid: Uid, kind: str, identifier: int, include: bool, image: str, frame: int, points: Iterable[tuple[int, str, str]]
) -> GeometricShapeEntity:
    """A shape on an image: its points by (index, x, y)."""
    cls = schema.CLASSES.get(V3_SHAPES.get(kind, ""))
    if cls is None:
        raise TransformError("aim-unknown-type", "a geometric shape of a kind that AIM v3 does not have")
    values: dict[str, Any] = {
        "unique_identifier": uid,
        "shape_identifier": identifier,
        "include_flag": include,
        "image_reference_uid": Uid(image),
        "referenced_frame_number": frame if frame > 0 else None,
        "two_dimension_spatial_coordinate_collection": tuple(
            TwoDimensionSpatialCoordinate(coordinate_index=index, x=Real(x), y=Real(y)) for index, x, y in points
        ),
    }
    made: GeometricShapeEntity = schema.make(cls, values)
    return made
