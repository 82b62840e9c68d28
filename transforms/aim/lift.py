"""AIM v3 XML -> AIM v4, strictly: an element or attribute that is not lifted is an error, never a silent loss.

v3 has one annotation in a file, codes as attributes, and cagridId, a database key, which is the one thing left aside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from typing import Final

from lxml import etree  # type: ignore[import-untyped]

from profiles.aim.names import V3, WRITTEN, XSI
from transforms.aim import lift_parts as parts
from transforms.aim.checks import is_stamp, is_uid
from transforms.aim.model.annotation import ImageAnnotation, ImageAnnotationCollection
from transforms.aim.model.context import Equipment, Person, User
from transforms.aim.model.datatypes import Attribute, Code, St, Stamp, Uid
from transforms.aim.model.observation import InferenceEntity
from transforms.aim.numbers import bounded
from transforms.aim.uids import derived
from transforms.errors import TransformError

_TYPE: Final = f"{{{XSI}}}type"
_ASIDE: Final = frozenset({"cagridId", _TYPE, f"{{{XSI}}}schemaLocation"})
_CODE: Final = ("codeValue", "codingSchemeDesignator", "codeMeaning", "codingSchemeVersion")


class _Element:
    """An element of v3: gives what it is asked for, and tells at the end what nobody asked for."""

    def __init__(self, element: etree._Element) -> None:
        self.element = element
        self._left = {str(name) for name in element.attrib} - _ASIDE
        self._children = [_Element(child) for child in element]
        if any(text and not text.isspace() for text in (element.text, *(child.tail for child in element))):
            raise self.error("aim-unknown-element")
        self._asked: set[str] = set()

    def text(self, name: str) -> str:
        self._left.discard(name)
        return str(self.element.get(name, "")).strip()

    def uid(self, name: str) -> str:
        text = self.text(name)
        if not is_uid(text):
            raise self.error("aim-bad-uid")
        return text

    def stamp(self, name: str) -> Stamp:
        text = self.text(name)
        if text and not is_stamp(text):
            raise self.error("aim-bad-value")
        return Stamp(text)

    def number(self, name: str) -> str:
        text = self.text(name)
        try:
            right = bounded(Decimal(text))
        except InvalidOperation:
            right = False
        if not right:
            raise self.error("aim-bad-value")
        return text

    def whole(self, name: str, default: int = 0) -> int:
        text = self.text(name)
        if not text:
            return default
        if not text.lstrip("-").isdecimal() or len(text) > 9:
            raise self.error("aim-bad-value")
        return int(text)

    def code(self) -> Code:
        value, scheme, meaning, version = (self.text(name) for name in _CODE)
        return Code(value, scheme, meaning, version=version)

    def each(self, *path: str) -> Iterator[_Element]:
        """The elements at the end of a path of names; a step that is absent gives none."""
        name, *rest = path
        self._asked.add(name)
        for child in self._children:
            tag = etree.QName(child.element)
            if (tag.namespace, tag.localname) == (V3, name):
                yield from child.each(*rest) if rest else (child,)

    def kind(self) -> str:
        return str(self.element.get(_TYPE, "")).rpartition(":")[2]

    def done(self) -> None:
        """Raises TransformError for what was not asked for, here or below."""
        if self._left:
            raise self.error("aim-unknown-attribute")
        for child in self._children:
            tag = etree.QName(child.element)
            if tag.namespace != V3 or tag.localname not in self._asked:
                raise child.error("aim-unknown-element")
            child.done()

    def error(self, reason: str) -> TransformError:
        name = etree.QName(self.element).localname if isinstance(self.element.tag, str) else "entity"
        return TransformError(reason, f"line {self.element.sourceline or 0}, {name}")


def lifted(root: etree._Element) -> ImageAnnotationCollection:
    """The v3 annotation as a v4 collection of one. Raises TransformError."""
    if root.tag != f"{{{V3}}}ImageAnnotation":
        raise TransformError("aim-not-aim", "the root is no image annotation of AIM v3")
    element = _Element(root)
    uid = element.uid("uniqueIdentifier")
    element.text("aimVersion")
    when = element.stamp("dateTime")
    collection = ImageAnnotationCollection(
        aim_version=Attribute(WRITTEN["4.2"]),
        unique_identifier=Uid(derived(uid, "collection")),
        date_time=when,
        user=next(map(_user, element.each("user", "User")), None),
        equipment=next(map(_equipment, element.each("equipment", "Equipment")), None),
        person=next(map(_person, element.each("person", "Person")), None),
        image_annotations=(_annotation(element, uid, when),),
    )
    element.done()
    return collection


def _annotation(element: _Element, uid: str, when: Stamp) -> ImageAnnotation:
    def numbered(kind: str, make: Callable[[_Element, Uid], object], *path: str) -> tuple[object, ...]:
        return tuple(
            make(each, parts.entity_uid(uid, kind, number)) for number, each in enumerate(element.each(*path), 1)
        )

    _refuse_what_is_in(element)
    precedent = element.text("precedentReferencedAnnotationUID")
    return ImageAnnotation(
        unique_identifier=Uid(uid),
        type_code=(element.code(),),
        date_time=when,
        name=St(element.text("name")),
        comment=parts.st(element.text("comment")),
        precedent_referenced_annotation_uid=Uid(precedent) if is_uid(precedent) else None,
        calculation_entity_collection=numbered("calculation", _calculation, "calculationCollection", "Calculation"),  # type: ignore[arg-type]
        imaging_physical_entity_collection=numbered("site", _site, "anatomicEntityCollection", "AnatomicEntity"),  # type: ignore[arg-type]
        imaging_observation_entity_collection=numbered(
            "observation", _observation, "imagingObservationCollection", "ImagingObservation"
        ),  # type: ignore[arg-type]
        inference_entity_collection=numbered("inference", _inference, "inferenceCollection", "Inference"),  # type: ignore[arg-type]
        markup_entity_collection=numbered("markup", _shape, "geometricShapeCollection", "GeometricShape"),  # type: ignore[arg-type]
        image_reference_entity_collection=numbered(
            "reference", _reference, "imageReferenceCollection", "ImageReference"
        ),  # type: ignore[arg-type]
    )


def _refuse_what_is_in(element: _Element) -> None:
    """Collections that may be there, and are empty: what would be in them is refused by `done`."""
    for name in ("textAnnotationCollection", "segmentationCollection", "probabilityMapCollection"):
        list(element.each(name))


def _user(element: _Element) -> User:
    number = element.text("numberWithinRoleOfClinicalTrial")
    return User(
        name=St(element.text("name")),
        login_name=St(element.text("loginName")),
        role_in_trial=parts.st(element.text("roleInTrial")),
        number_within_role_of_clinical_trial=element.whole("numberWithinRoleOfClinicalTrial") if number else None,
    )


def _equipment(element: _Element) -> Equipment:
    return Equipment(
        manufacturer_name=St(element.text("manufacturerName")),
        manufacturer_model_name=parts.st(element.text("manufacturerModelName")),
        software_version=parts.st(element.text("softwareVersion")),
    )


def _person(element: _Element) -> Person:
    return Person(
        name=St(element.text("name")),
        id=St(element.text("id")),
        birth_date=element.stamp("birthDate") or None,
        sex=parts.st(element.text("sex")),
        ethnic_group=parts.st(element.text("ethnicGroup")),
    )


def _calculation(element: _Element, uid: Uid) -> object:
    own = element.text("uid")
    list(element.each("referencedCalculationCollection"))
    results = []
    for found in element.each("calculationResultCollection", "CalculationResult"):
        found.whole("numberOfDimensions")
        dimensions = [
            (each.whole("index"), each.whole("size"), each.text("label"))
            for each in found.each("dimensionCollection", "Dimension")
        ]
        data = [
            (
                each.text("value"),
                [
                    (place.whole("dimensionIndex"), place.whole("position"))
                    for place in each.each("coordinateCollection", "Coordinate")
                ],
            )
            for each in found.each("calculationDataCollection", "CalculationData")
        ]
        results.append(parts.result(found.text("type"), found.text("unitOfMeasure"), dimensions, data))
    kept = parts.entity_uid(uid, "own", 0, own) if "." in own and is_uid(own) else uid
    return parts.calculation(kept, element.code(), element.text("description"), element.text("mathML"), results)


def _site(element: _Element, uid: Uid) -> object:
    return parts.physical_entity(uid, element.code(), element.text("label"))


def _observation(element: _Element, uid: Uid) -> object:
    characteristics = [
        (each.code(), each.text("label"), each.text("comment"))
        for each in element.each("imagingObservationCharacteristicCollection", "ImagingObservationCharacteristic")
    ]
    return parts.observation(uid, element.code(), element.text("label"), element.text("comment"), characteristics)


def _inference(element: _Element, uid: Uid) -> object:
    return InferenceEntity(
        unique_identifier=uid, type_code=(element.code(),), image_evidence=element.text("imageEvidence") == "true"
    )


def _reference(element: _Element, uid: Uid) -> object:
    if element.kind() != "DICOMImageReference":
        raise element.error("aim-unknown-type")
    for study in element.each("imageStudy", "ImageStudy"):
        for series in study.each("imageSeries", "ImageSeries"):
            images = [
                (image.uid("sopClassUID"), image.uid("sopInstanceUID"))
                for image in series.each("imageCollection", "Image")
            ]
            return parts.reference(
                uid,
                study.uid("instanceUID"),
                study.stamp("startDate"),
                study.stamp("startTime"),
                series.uid("instanceUID"),
                images,
            )
    raise element.error("aim-missing-element")


def _shape(element: _Element, uid: Uid) -> object:
    for name in ("lineColor", "lineOpacity", "lineStyle", "lineThickness"):
        if element.text(name):
            raise element.error("aim-unknown-attribute")
    points, images, frames = [], set(), set()
    for each in element.each("spatialCoordinateCollection", "SpatialCoordinate"):
        if each.kind() != "TwoDimensionSpatialCoordinate":
            raise each.error("aim-unknown-type")
        points.append((each.whole("coordinateIndex"), each.number("x"), each.number("y")))
        images.add(each.uid("imageReferenceUID"))
        frames.add(each.whole("referencedFrameNumber"))
    if len(images) != 1 or len(frames) != 1:
        raise element.error("aim-bad-value")
    include = element.text("includeFlag") == "true"
    return parts.shape(
        uid, element.kind(), element.whole("shapeIdentifier"), include, images.pop(), frames.pop(), points
    )
