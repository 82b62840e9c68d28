"""Image annotation <-> Measurement Group (TID 1501, 1410, 1411).

Rules of this file
* The rows come in the order of TID 1411: tracking, finding, regions, sites, measurements, evaluations, comment.
* Without a tracking UID (AIM 4.0) the annotation's own stands in, and is not taken for one on the way back (A.6.1.2).
* An annotation that came from the report's Qualitative Evaluations or Derived Imaging Measurements says so as its
  type, and goes back there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from profiles.aim import concepts
from profiles.aim.concepts import FIELDS
from profiles.aim.statements import ON_MARKUP
from transforms.aim import fields, findings, tree
from transforms.aim.checks import digits
from transforms.aim.drawn import Drawn, is_said, said_of_shapes
from transforms.aim.library import Library
from transforms.aim.measurements import calculated, number
from transforms.aim.model.annotation import ImageAnnotation
from transforms.aim.model.datatypes import St, Stamp, Uid
from transforms.aim.model.entities import ImageAnnotationStatement
from transforms.aim.model.images import DicomImageReferenceEntity, DicomSegmentationEntity
from transforms.aim.model.markup import ThreeDimensionGeometricShapeEntity
from transforms.aim.options import Options
from transforms.aim.regions import Regions, tied
from transforms.aim.uids import derived
from transforms.errors import TransformError
from transforms.sr.model import Document, Item
from transforms.sr.values import Coded, Image, Num, SCoord, SCoord3D, SopReference, Text, UidRef

ELSEWHERE: Final = (concepts.DERIVED, concepts.EVALUATIONS)  # containers beside Imaging Measurements
_ROWS: Final = (
    "unique_identifier",
    "name",
    "tracking_unique_identifier",
    "date_time",
    "comment",
    "calculation_entity_collection",
    "imaging_physical_entity_collection",
    "imaging_observation_entity_collection",
    "inference_entity_collection",
    "annotation_role_entity_collection",
    "segmentation_entity_collection",
    "markup_entity_collection",
)


def where(annotation: ImageAnnotation) -> concepts.Triplet:
    """The container that an annotation stands in, or is."""
    first = annotation.type_code[0]
    said = (each for each in ELSEWHERE if (first.code, first.scheme) == each[:2])
    return next(said, concepts.MEASUREMENTS)


def group(annotation: ImageAnnotation, images: Mapping[str, str], options: Options) -> Item:
    """The group of an annotation; `images`: SOP class by SOP instance, of the images it refers to.

    Raises TransformError('aim-missing-reference') where it draws on others.
    """
    regions = Regions(annotation, images, options)
    uid = annotation.unique_identifier
    container = where(annotation)
    plain = container == concepts.MEASUREMENTS
    rows: list[Item] = []
    if plain:
        rows.append(tree.text(tree.OBSERVATION, concepts.TRACKING_IDENTIFIER, annotation.name or uid))
        tracked = UidRef(annotation.tracking_unique_identifier or uid)
        rows.append(tree.item(tree.OBSERVATION, concepts.TRACKING_UID, tracked))
        if annotation.type_code[0] != tree.triplet(concepts.GROUP):
            rows.append(tree.item(tree.CONTAINS, concepts.FINDING, Coded(tree.to_sr(annotation.type_code[0]))))
    rows += regions.of_group()
    rows += regions.segments()
    rows += _sources(annotation, images)
    rows += findings.sites(annotation.imaging_physical_entity_collection, options)
    rows += [
        number(each, regions.below(each.unique_identifier), options)
        for each in annotation.calculation_entity_collection
    ]
    for collection in (
        annotation.imaging_physical_entity_collection,
        annotation.imaging_observation_entity_collection,
        annotation.inference_entity_collection,
        annotation.annotation_role_entity_collection,
    ):
        rows += findings.others(collection, options)
    if options.fields:
        rows += (*regions.unsaid(), *_unsaid(annotation, plain=plain))
    if annotation.comment:
        rows.append(tree.text(tree.CONTAINS, concepts.COMMENT, annotation.comment))
    made = tree.container(concepts.GROUP if plain else container, *rows, uid=uid)
    return replace(made, observed_at=digits(annotation.date_time)) if annotation.date_time else made


def _sources(annotation: ImageAnnotation, images: Mapping[str, str]) -> Iterator[Item]:
    """The images of references that no region ties to the annotation."""
    shown: set[str | None] = {each.referenced_sop_instance_uid for each in _segments(annotation)}
    shapes = [getattr(each, "geometric_shape_entity", None) or each for each in annotation.markup_entity_collection]
    shown |= {getattr(each, "image_reference_uid", None) for each in shapes}
    in_space = any(isinstance(each, ThreeDimensionGeometricShapeEntity) for each in shapes)
    name = concepts.SOURCE_IMAGE if in_space else concepts.SOURCE  # TID 1411 wants the images of a surface
    for entity in annotation.image_reference_entity_collection:
        if isinstance(entity, DicomImageReferenceEntity):
            own = [image.sop_instance_uid for image in entity.image_study.image_series.image_collection]
            for instance in own if shown.isdisjoint(own) else ():
                yield tree.item(tree.CONTAINS, name, Image(SopReference(images[instance], instance)))


def _segments(annotation: ImageAnnotation) -> Iterator[DicomSegmentationEntity]:
    return (each for each in annotation.segmentation_entity_collection if isinstance(each, DicomSegmentationEntity))


def _unsaid(annotation: ImageAnnotation, *, plain: bool) -> tuple[Item, ...]:
    """What the rows do not say of an annotation."""
    skip = {*_ROWS, *(() if len(annotation.type_code) > 1 else ("type_code",))}
    if not plain:
        skip -= {"name", "tracking_unique_identifier"}
    below = tied(annotation)
    shown = {(calculation, markup) for markup, them in below.items() for calculation in them}
    left = replace(
        annotation,
        image_annotation_statement_collection=tuple(
            each
            for each in annotation.image_annotation_statement_collection
            if each.kind != ON_MARKUP or (each.subject_unique_identifier, each.object_unique_identifier) not in shown
        ),
        image_reference_entity_collection=tuple(
            each
            for each in annotation.image_reference_entity_collection
            if not isinstance(each, DicomImageReferenceEntity)
        ),
    )
    return fields.items(left, tree.CONTAINS, skip)


class Groups:
    """The groups of one SR document, and the annotations that they are."""

    def __init__(self, document: Document, library: Library, options: Options, when: Stamp) -> None:
        self._document = document
        self._library = library
        self._options = options
        self._when = when

    def annotation(self, item: Item, *, rest: bool) -> ImageAnnotation:
        """The annotation that a group is. With `rest` it also takes the images that no annotation refers to."""
        children = tuple(self._document.follow(child) for child in item.children)
        own = [child for child in children if child.name is None or child.name.scheme != FIELDS]
        shapes = [each for each in own if isinstance(each.value, SCoord | SCoord3D)]
        shapes += [
            each for each in own if isinstance(each.value, Text) and tree.is_named(each, concepts.TEXT_ANNOTATION)
        ]
        markup = Drawn(self._document.follow, self._name, self._options, said_of_shapes(children))
        drawn = markup.markups(shapes, 1)
        numbers = [each for each in own if isinstance(each.value, Num) and each.name is not None]
        calculations = tuple(calculated(each, self._name(each, "calculation")) for each in numbers)
        statements: list[ImageAnnotationStatement] = []
        for number_item, calculation in zip(numbers, calculations, strict=True):
            for shape in markup.markups(self._shapes_below(number_item), len(drawn) + 1):
                if all(shape.unique_identifier != each.unique_identifier for each in drawn):
                    drawn.append(shape)
                statements.append(
                    ImageAnnotationStatement(
                        kind=ON_MARKUP,
                        subject_unique_identifier=calculation.unique_identifier,
                        object_unique_identifier=shape.unique_identifier,
                    )
                )
        codes = [each for each in own if isinstance(each.value, Coded) and not tree.is_named(each, concepts.FINDING)]
        entities = findings.collections(codes, self._name)
        segments = self._segments(own)
        given: dict[str, Any] = {
            "unique_identifier": Uid(item.observation_uid or self._name(item, "annotation")),
            "date_time": Stamp(item.observed_at) if item.observed_at else self._when,
            "calculation_entity_collection": calculations,
            "segmentation_entity_collection": segments,
            "markup_entity_collection": tuple(drawn),
            "image_reference_entity_collection": self._library.references(
                (*_images(children), *(each.referenced_sop_instance_uid for each in segments)), rest=rest
            ),
            **self._said(item, own),
            **entities,
        }
        annotation = fields.restored((each for each in children if not is_said(each)), ImageAnnotation, given)
        assert isinstance(annotation, ImageAnnotation)
        more = annotation.image_annotation_statement_collection
        elsewhere = annotation.image_reference_entity_collection
        references = given["image_reference_entity_collection"]
        return replace(
            annotation,
            image_annotation_statement_collection=(*statements, *more),
            image_reference_entity_collection=references if elsewhere is references else (*references, *elsewhere),
        )

    def _name(self, item: Item, what: str) -> str:
        return derived(self._document.sop_instance, what, *item.position)

    def _said(self, item: Item, own: list[Item]) -> dict[str, Any]:
        """Tracking, finding and comment."""
        plain = not tree.is_named(item, *ELSEWHERE)
        finding = tree.code_of(own, concepts.FINDING)
        home = concepts.GROUP if plain else next(each for each in ELSEWHERE if tree.is_named(item, each))
        uids = (each.value.uid for each in tree.named(own, concepts.TRACKING_UID) if isinstance(each.value, UidRef))
        tracked = next(uids, "")
        name = tree.text_of(own, concepts.TRACKING_IDENTIFIER)
        comment = tree.text_of(own, concepts.COMMENT)
        return {
            "type_code": (tree.from_sr(finding) if finding is not None else tree.triplet(home),),
            "name": St("" if name == item.observation_uid else name),
            "tracking_unique_identifier": Uid(tracked) if tracked and tracked != item.observation_uid else None,
            "comment": St(comment) if comment else None,
        }

    def _shapes_below(self, item: Item) -> list[Item]:
        """The shapes that stand below a NUM (TID 320)."""
        children = (self._document.follow(child) for child in item.children)
        return [each for each in children if isinstance(each.value, SCoord | SCoord3D)]

    def _segments(self, own: list[Item]) -> tuple[DicomSegmentationEntity, ...]:
        """Segments, each with the source image at its place in the order; the last of them for those beyond."""
        sources = [each.value for each in tree.named(own, concepts.SOURCE_IMAGE) if isinstance(each.value, Image)]
        found = []
        places = self._document.evidence()
        segments = tree.named(own, concepts.REFERENCED_SEGMENT, concepts.SEGMENTATION_FRAME)
        for at, item in enumerate(segments):
            if not isinstance(item.value, Image):
                continue
            instance = item.value.reference.sop_instance
            place = places.get(instance)
            source = sources[min(at, len(sources) - 1)].reference.sop_instance if sources else self._of_series(own)
            found.append(
                DicomSegmentationEntity(
                    unique_identifier=Uid(item.observation_uid or self._name(item, "segmentation")),
                    sop_instance_uid=Uid(instance),
                    study_instance_uid=Uid(place.study) if place else None,
                    series_instance_uid=Uid(place.series) if place else None,
                    sop_class_uid=Uid(item.value.reference.sop_class),
                    referenced_sop_instance_uid=Uid(source),
                    segment_number=next(iter(item.value.segments), 1),
                )
            )
        return tuple(found)

    def _of_series(self, own: list[Item]) -> str:
        """The first image of the series that a segmentation was made of: AIM names an image, TID 1411 either."""
        said = tree.named(own, concepts.SOURCE_SERIES)
        series = next((each.value.uid for each in said if isinstance(each.value, UidRef)), "")
        for instance, place in self._document.evidence().items():
            if series and place.series == series:
                return instance
        raise TransformError("sr-missing-reference", "a segment without a source image or a series in the evidence")


def _images(items: Iterable[Item]) -> list[str]:
    """The images that items and what is below them refer to, segmentations aside."""
    found = []
    for item in items:
        for each in item.walk():
            segment = tree.is_named(each, concepts.REFERENCED_SEGMENT, concepts.SEGMENTATION_FRAME)
            if isinstance(each.value, Image) and not segment:
                found.append(each.value.reference.sop_instance)
    return found
