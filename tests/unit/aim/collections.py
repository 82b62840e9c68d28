"""Generated AIM collections: every type of the model, as hypothesis strategies that read the schema of it.

* Anything that AIM 4.2 allows may be there, and it hangs together: shapes and segments are on images referred to.
* Texts have no padding at their ends and no control characters: neither XML nor a data set keeps those.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from profiles.aim.codes import POINTS, SHAPES, SHAPES_3D
from profiles.aim.names import ENUMERATIONS
from profiles.aim.statements import ON_MARKUP, STATEMENTS
from transforms.aim import schema
from transforms.aim.model.annotation import ImageAnnotation, ImageAnnotationCollection
from transforms.aim.model.datatypes import Attribute, Code, Real, St, Stamp, Uid
from transforms.aim.model.entities import ImageAnnotationStatement
from transforms.aim.model.images import DicomImageReferenceEntity, Image, ImageSeries, ImageStudy
from transforms.aim.model.markup import ThreeDimensionSpatialCoordinate, TwoDimensionSpatialCoordinate

_letters = st.characters(codec="utf-8", categories=["L", "N", "P", "Zs"], exclude_characters="\\=^\u2028\u2029\x85")
texts = st.text(_letters, max_size=20).map(str.strip)
words = texts.filter(bool)
uids = st.uuids().map(lambda each: Uid(f"2.25.{each.int}"))
stamps = st.datetimes().map(lambda when: Stamp(f"{when.year:04}{when:%m%d%H%M%S}"))
reals = st.one_of(
    st.decimals(-10000, 10000, places=3).map(lambda number: Real(str(number))),
    st.floats(1e-30, 1e6).map(lambda number: Real(repr(number))),
)
plain_codes = st.builds(
    Code,
    st.from_regex(r"[A-Z0-9]{1,16}", fullmatch=True),
    st.sampled_from(["SCT", "DCM", "RADLEX", "99LOCAL", "UMLS"]),
    words,
    st.just(""),
    st.sampled_from(["", "20200101"]),
)
codes = st.one_of(
    plain_codes,
    st.builds(Code, st.from_regex(r"[A-Z0-9]{17,40}", fullmatch=True), st.just("99LONG"), words),
    st.sampled_from([Code("373098007", "SCT", "Mean"), Code("RID1", "RadLex", "of an older spelling")]),
)
_DATA: dict[object, st.SearchStrategy[Any]] = {
    St: texts.map(St),
    Uid: uids,
    Stamp: stamps,
    Real: reals,
    Code: codes,
    bool: st.booleans(),
    int: st.integers(1, 9999),
}
_CUSTOM = {
    "markup_entity_collection",
    "segmentation_entity_collection",
    "image_reference_entity_collection",
    "image_annotation_statement_collection",
    "tracking_unique_identifier",
}
coordinates = st.one_of(st.integers(0, 4096).map(lambda n: Real(f"{n}.5")), reals)


@st.composite
def structures(draw: st.DrawFn, base: object, depth: int = 0) -> Any:
    """An instance of a class of the model, or of one of its kinds."""
    cls = draw(st.sampled_from(sorted(schema.kinds(base).values(), key=lambda each: each.__name__)))
    values: dict[str, Any] = {}
    for part in schema.parts(cls):
        if part.field in _CUSTOM:
            continue
        if part.is_attribute:
            allowed = next(
                ENUMERATIONS[each.__name__, part.element]
                for each in cls.__mro__
                if (each.__name__, part.element) in ENUMERATIONS
            )
            values[part.field] = Attribute(draw(st.sampled_from(sorted(allowed))))
        elif part.many:
            least, most = (1, 2) if part.required else (0, 1 if depth else 2)
            inner = _DATA[part.type] if part.is_datatype else structures(part.type, depth + 1)
            few = st.lists(inner, min_size=least, max_size=most) if depth < 3 or part.required else st.just([])
            values[part.field] = tuple(draw(few))
        elif part.required or draw(st.booleans()):
            values[part.field] = draw(_DATA[part.type] if part.is_datatype else structures(part.type, depth + 1))
    return cls(**values)


@st.composite
def shapes(draw: st.DrawFn, images: list[str]) -> Any:
    """A shape on one of the images, or in space."""
    name = draw(st.sampled_from([*sorted(SHAPES), *sorted(SHAPES_3D)]))
    flat = name in SHAPES
    graphic = (SHAPES if flat else SHAPES_3D)[name]
    count = POINTS.get(graphic) or draw(st.integers(3, 6))
    dimensions = 2 if flat else 3
    points = [tuple(draw(coordinates) for _ in range(dimensions)) for _ in range(count)]
    if flat:
        own: dict[str, Any] = {
            "image_reference_uid": Uid(draw(st.sampled_from(images))),
            "referenced_frame_number": draw(st.one_of(st.none(), st.integers(1, 9))),
            "two_dimension_spatial_coordinate_collection": tuple(
                TwoDimensionSpatialCoordinate(coordinate_index=at, x=x, y=y) for at, (x, y) in enumerate(points)
            ),
        }
    else:
        own = {
            "frame_of_reference_uid": draw(uids),
            "three_dimension_spatial_coordinate_collection": tuple(
                ThreeDimensionSpatialCoordinate(coordinate_index=at, x=x, y=y, z=z)
                for at, (x, y, z) in enumerate(points)
            ),
        }
    return schema.CLASSES[name](
        unique_identifier=draw(uids),
        shape_identifier=draw(st.integers(-1, 9)),
        include_flag=draw(st.booleans()),
        label=draw(st.one_of(st.none(), words)),
        line_color=draw(st.sampled_from([None, "#ff0000"])),
        **own,
    )


@st.composite
def references(draw: st.DrawFn) -> DicomImageReferenceEntity:
    """Images of a series."""
    plane = schema.CLASSES["ImagePlane"]
    images = draw(
        st.lists(
            st.builds(
                Image,
                sop_class_uid=st.just(Uid("1.2.840.10008.5.1.4.1.1.2")),
                sop_instance_uid=uids,
                image_plane=st.one_of(st.none(), structures(plane)),
            ),
            min_size=1,
            max_size=3,
            unique_by=lambda image: image.sop_instance_uid,
        )
    )
    return DicomImageReferenceEntity(
        unique_identifier=draw(uids),
        image_study=ImageStudy(
            instance_uid=draw(uids),
            start_date=Stamp("20170113"),
            start_time=Stamp("070844"),
            procedure_description=draw(st.one_of(st.none(), texts.map(St))),
            accession_number=draw(st.one_of(st.none(), st.just(St("AN1")))),
            image_series=ImageSeries(
                instance_uid=draw(uids),
                modality=Code("CT", "DCM", "Computed Tomography"),
                image_collection=tuple(images),
            ),
        ),
    )


@st.composite
def annotations(draw: st.DrawFn) -> ImageAnnotation:
    """An annotation of anything, that hangs together."""
    found = draw(st.lists(references(), min_size=1, max_size=2))
    images = [image.sop_instance_uid for each in found for image in each.image_study.image_series.image_collection]
    drawn = draw(st.lists(shapes(images), max_size=3))
    annotation: ImageAnnotation = draw(structures(ImageAnnotation))
    segments = draw(st.lists(structures(schema.CLASSES["DicomSegmentationEntity"]), max_size=1))
    texts_drawn = draw(st.lists(structures(schema.CLASSES["TextAnnotationEntity"], 3), max_size=1))
    elsewhere = draw(st.lists(structures(schema.CLASSES["UriImageReferenceEntity"]), max_size=1))
    kinds = st.sampled_from([ON_MARKUP, *sorted(STATEMENTS)])
    subjects = [each.unique_identifier for each in annotation.calculation_entity_collection]
    targets = [each.unique_identifier for each in drawn]
    statements = draw(
        st.lists(
            st.builds(
                ImageAnnotationStatement,
                kind=kinds,
                subject_unique_identifier=st.sampled_from(subjects or [Uid("1.2")]),
                object_unique_identifier=st.sampled_from(targets or [Uid("1.3")]),
            ),
            max_size=3,
        )
    )
    return replace(
        annotation,
        tracking_unique_identifier=draw(st.one_of(st.none(), uids)),
        markup_entity_collection=(
            *drawn,
            *(replace(each, geometric_shape_entity=draw(st.one_of(st.none(), shapes(images)))) for each in texts_drawn),
        ),
        segmentation_entity_collection=tuple(
            replace(
                each,
                referenced_sop_instance_uid=Uid(draw(st.sampled_from(images))),
                study_instance_uid=draw(uids),
                series_instance_uid=draw(uids),
            )
            for each in segments
        ),
        image_annotation_statement_collection=tuple(statements),
        image_reference_entity_collection=(*found, *elsewhere),
    )


@st.composite
def collections(draw: st.DrawFn) -> ImageAnnotationCollection:
    """A file of one to three annotations."""
    made = schema.CLASSES
    return ImageAnnotationCollection(
        aim_version=Attribute("AIMv4_2"),
        unique_identifier=draw(uids),
        study_instance_uid=draw(st.one_of(st.none(), uids)),
        series_instance_uid=draw(st.one_of(st.none(), uids)),
        accession_number=draw(st.one_of(st.none(), st.just(St("AN2")))),
        description=draw(st.one_of(st.none(), texts.map(St))),
        date_time=draw(stamps),
        user=draw(st.one_of(st.none(), structures(made["User"]))),
        equipment=draw(st.one_of(st.none(), structures(made["Equipment"]))),
        person=draw(st.one_of(st.none(), structures(made["Person"]))),
        image_annotations=tuple(draw(st.lists(annotations(), min_size=1, max_size=2))),
    )
