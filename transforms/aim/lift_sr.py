"""The SR that the AIM 3 toolkit wrote (scheme 99NCIAIM, version 02) -> AIM v4.

It is a tree of the toolkit's own, no template of PS3.16. An item that is not lifted is told in the loss report.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

from profiles.aim.names import WRITTEN
from transforms.aim import lift_parts as parts
from transforms.aim import tree
from transforms.aim.from_sr import equipment_of, person_of, role_of
from transforms.aim.model.annotation import ImageAnnotation, ImageAnnotationCollection
from transforms.aim.model.calculation import CalculationEntity
from transforms.aim.model.context import User
from transforms.aim.model.datatypes import Attribute, Code, St, Stamp, Uid
from transforms.aim.model.images import DicomImageReferenceEntity
from transforms.aim.model.markup import GeometricShapeEntity
from transforms.aim.numbers import number_text, shortest
from transforms.errors import TransformError
from transforms.loss import Losses
from transforms.sr.model import Document, Item
from transforms.sr.values import Coded, Container, Date, Image, Num, PName, SCoord, Text, UidRef

_AIM: Final = "99NCIAIM"
_GRAPHIC: Final = {
    "POINT": "Point",
    "MULTIPOINT": "MultiPoint",
    "POLYLINE": "Polyline",
    "CIRCLE": "Circle",
    "ELLIPSE": "Ellipse",
}
_Key: TypeAlias = tuple[str, str]


def is_aim_3(document: Document) -> bool:
    """Whether the root is the toolkit's "AIM SR Report"."""
    name = document.root.name
    return name is not None and (name.value, name.scheme) == ("zzz001", _AIM)


def lifted(document: Document, losses: Losses) -> ImageAnnotationCollection:
    """The annotation of the document. Raises TransformError('aim-missing-element', ...) for a tree of another shape."""
    return _Lift(document, losses).collection()


class _Lift:
    """One document; `_seen` holds the positions of the items that were lifted."""

    def __init__(self, document: Document, losses: Losses) -> None:
        self._document = document
        self._losses = losses
        self._seen: set[tuple[int, ...]] = {document.root.position}

    def collection(self) -> ImageAnnotationCollection:
        root, general = self._document.root, self._document.general
        annotation = next(self._each(root, ("zzz002", _AIM)), None)
        if annotation is None:
            raise TransformError("aim-missing-element", "an AIM SR Report without an AIM Annotation")
        when = Stamp(general.content_date + general.content_time)
        made = ImageAnnotationCollection(
            aim_version=Attribute(WRITTEN["4.2"]),
            unique_identifier=Uid(self._document.sop_instance),
            study_instance_uid=Uid(self._document.study.instance),
            series_instance_uid=Uid(self._document.series.instance),
            date_time=when,
            user=next(map(self._user, self._each(root, ("121005", "DCM"))), None),
            equipment=equipment_of(self._document.equipment),
            person=person_of(self._document.patient),
            image_annotations=(self._annotation(annotation, when),),
        )
        self._text(root, ("zzz003", _AIM))
        for item in root.walk():
            if item.position not in self._seen and item.position[:-1] in self._seen:
                self._losses.left_out(tree.place(item), tree.told(item))
        return made

    def _annotation(self, item: Item, when: Stamp) -> ImageAnnotation:
        uid = self._uid(item, ("112040", "DCM"))
        references = tuple(self._references(uid))
        return ImageAnnotation(
            unique_identifier=Uid(uid),
            type_code=(self._code(item, ("zzz005", _AIM)) or Code("", "", ""),),
            date_time=when,
            name=St(self._text(item, ("112039", "DCM"))),
            comment=parts.st(self._text(item, ("121106", "DCM"))),
            calculation_entity_collection=tuple(
                self._calculation(each, uid, at) for at, each in enumerate(self._each(item, ("zzz011", _AIM)), 1)
            ),
            imaging_physical_entity_collection=tuple(
                parts.physical_entity(parts.entity_uid(uid, "site", at), _value(each), "")
                for at, each in enumerate(self._each(item, ("zzz008", _AIM)), 1)
            ),
            imaging_observation_entity_collection=tuple(
                parts.observation(
                    parts.entity_uid(uid, "observation", at),
                    _value(each),
                    "",
                    "",
                    [(_value(inner), "", "") for inner in self._each(each, ("zzz010", _AIM))],
                )
                for at, each in enumerate(self._each(item, ("zzz009", _AIM)), 1)
            ),
            markup_entity_collection=tuple(self._shapes(item, uid)),
            image_reference_entity_collection=references,
        )

    def _user(self, item: Item) -> User:
        name = next((each.value for each in self._each(item, ("121008", "DCM"))), None)
        role = next((each.value for each in self._each(item, ("121011", "DCM"))), None)
        number = self._text(item, ("zzz045", _AIM))
        return User(
            name=St(name.name if isinstance(name, PName) else ""),
            login_name=St(self._text(item, ("zzz026", _AIM))),
            role_in_trial=St(role_of(role.code)) if isinstance(role, Coded) else None,
            number_within_role_of_clinical_trial=int(number) if number.isdecimal() and len(number) < 10 else None,
        )

    def _references(self, uid: str) -> Iterator[DicomImageReferenceEntity]:
        for library in self._each(self._document.root, ("111028", "DCM")):
            for at, entry in enumerate(self._each(library, ("zzz034", _AIM)), 1):
                if not isinstance(entry.value, Image):
                    continue
                date = next((each.value for each in self._each(entry, ("111060", "DCM"))), None)
                reference = entry.value.reference
                yield parts.reference(
                    parts.entity_uid(uid, "reference", at),
                    self._uid(entry, ("110180", "DCM")),
                    date.value if isinstance(date, Date) else "",
                    "",
                    self._uid(entry, ("112002", "DCM")),
                    [(reference.sop_class, reference.sop_instance)],
                )

    def _calculation(self, item: Item, uid: str, at: int) -> CalculationEntity:
        own = self._uid(item, ("112040", "DCM"), required=False)
        code = self._code(item, ("G-C036", "SRT")) or Code("", "", "")
        results = []
        for number in self._each(item, ("zzz015", _AIM)):
            if not isinstance(number.value, Num):
                continue
            label = self._text(number, ("zzz018", _AIM))
            unit = number.value.unit.value if number.value.unit is not None else ""
            value = number_text(number.value.decimal, number.value.floating)
            results.append(parts.result("Scalar", unit, [(0, 1, label)], [(value, [])]))
        described = self._text(item, ("112034", "DCM"))
        return parts.calculation(parts.entity_uid(uid, "calculation", at, own), code, described, "", results)

    def _shapes(self, item: Item, uid: str) -> Iterator[GeometricShapeEntity]:
        at = 0
        for container in self._each(item, ("zzz030", _AIM)):
            for shape in self._each(container, ("zzz022", _AIM)):
                at += 1
                include = self._code(shape, ("zzz021", _AIM))
                identifier = self._text(shape, ("112039", "DCM"))
                for drawn in self._each(shape, ("zzz022", _AIM)):
                    image = next((each for each in drawn.children if isinstance(each.value, Image)), None)
                    if not isinstance(drawn.value, SCoord) or image is None or not isinstance(image.value, Image):
                        raise TransformError("sr-missing-reference", "a geometric shape on no image")
                    self._seen.add(image.position)
                    points = [(n, shortest(x), shortest(y)) for n, (x, y) in enumerate(drawn.value.points)]
                    yield parts.shape(
                        parts.entity_uid(uid, "markup", at),
                        _GRAPHIC.get(drawn.value.graphic_type, ""),
                        int(identifier) if identifier.lstrip("-").isdecimal() else at,
                        include is None or include.code != "R-00339",
                        image.value.reference.sop_instance,
                        next(iter(image.value.frames), 0),
                        points,
                    )

    def _each(self, item: Item, key: _Key) -> Iterator[Item]:
        for child in item.children:
            if child.name is not None and (child.name.value, child.name.scheme) == key:
                self._seen.add(child.position)
                yield child

    def _text(self, item: Item, key: _Key) -> str:
        return next((each.value.text for each in self._each(item, key) if isinstance(each.value, Text)), "")

    def _code(self, item: Item, key: _Key) -> Code | None:
        return next((_value(each) for each in self._each(item, key)), None)

    def _uid(self, item: Item, key: _Key, *, required: bool = True) -> str:
        found = next((each.value.uid for each in self._each(item, key) if isinstance(each.value, UidRef)), "")
        if required and not found:
            raise TransformError("aim-missing-element", f"content item {tree.place(item)}")
        return found


def _value(item: Item) -> Code:
    assert isinstance(item.value, Coded | Container)
    return tree.from_sr(item.value.code) if isinstance(item.value, Coded) else Code("", "", "")
