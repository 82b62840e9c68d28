"""Image references <-> Image Library (TID 1600 to 1604) and evidence.

An Image Library Group stands for one image reference: a series, and which of its images. Its Observation UID is that
of the reference. What TID 1602 and 1604 say of an image stands below the IMAGE item, as in PS3.21 A.7.2, or before the
images of the group.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from profiles.aim import concepts
from profiles.aim.codes import MODALITIES, OTHER_MODALITY, PLANE
from transforms.aim import fields, tree
from transforms.aim.checks import digits
from transforms.aim.model.datatypes import Code, Real, St, Stamp, Uid
from transforms.aim.model.images import (
    DicomImageReferenceEntity,
    Image,
    ImagePlane,
    ImageSeries,
    ImageStudy,
)
from transforms.aim.numbers import decimal_string, number_text
from transforms.aim.options import Options, Resolver
from transforms.aim.pictures import picture
from transforms.aim.uids import derived
from transforms.errors import TransformError
from transforms.sr.header import Evidence
from transforms.sr.model import Document, Item
from transforms.sr.values import Coded, Date, Num, SopReference, Time
from transforms.sr.values import Image as ImageValue

_STUDY = ("instance_uid", "start_date", "start_time", "accession_number", "image_series")


def group(entity: DicomImageReferenceEntity, options: Options) -> Item:
    """A reference as an Image Library Group."""
    study = entity.image_study
    images = []
    for image in study.image_series.image_collection:
        described = (*_study_items(study), *_plane_items(image.image_plane))
        rest = fields.items(image, tree.ACQUISITION, ("sop_class_uid", "sop_instance_uid", "image_plane"))
        reference = SopReference(image.sop_class_uid, image.sop_instance_uid)
        images.append(
            tree.item(tree.CONTAINS, None, ImageValue(reference), *described, *(rest if options.fields else ()))
        )
    extra = fields.items(study, tree.CONTAINS, _STUDY) if options.fields else ()
    return tree.container(concepts.LIBRARY_GROUP, *images, *extra, uid=entity.unique_identifier)


def _study_items(study: ImageStudy) -> Iterator[Item]:
    """TID 1602 of an image."""
    modality = study.image_series.modality
    if modality.code:
        yield tree.item(tree.ACQUISITION, concepts.MODALITY, Coded(tree.to_sr(modality)))
    if study.accession_number:
        yield tree.text(tree.ACQUISITION, concepts.ACCESSION, study.accession_number)
    if study.start_date:
        yield tree.item(tree.ACQUISITION, concepts.STUDY_DATE, Date(digits(study.start_date)[:8]))
    if study.start_time:
        yield tree.item(tree.ACQUISITION, concepts.STUDY_TIME, Time(digits(study.start_time)))


def _plane_items(plane: ImagePlane | None) -> Iterator[Item]:
    """TID 1604 of an image."""
    for name, (value, meaning, unit) in PLANE.items():
        number = decimal_string(getattr(plane, name, None) or "")
        if number is not None:
            units = concepts.MM if unit == "mm" else (unit, "UCUM", unit)
            yield tree.item(
                tree.ACQUISITION, (value, "DCM", meaning), Num(number[0], tree.concept(units), floating=number[1])
            )


def evidence(entities: Iterable[DicomImageReferenceEntity]) -> Iterator[Evidence]:
    """Every image of the references, where it is found."""
    for entity in entities:
        study = entity.image_study
        for image in study.image_series.image_collection:
            reference = SopReference(image.sop_class_uid, image.sop_instance_uid)
            yield Evidence(study.instance_uid, study.image_series.instance_uid, reference)


def completed(entity: DicomImageReferenceEntity, resolver: Resolver) -> DicomImageReferenceEntity:
    """The reference with the planes of those of its images that are at hand."""
    series = entity.image_study.image_series
    images = tuple(_with_plane(image, resolver) for image in series.image_collection)
    if images == series.image_collection:
        return entity
    return replace(
        entity, image_study=replace(entity.image_study, image_series=replace(series, image_collection=images))
    )


def _with_plane(image: Image, resolver: Resolver) -> Image:
    found = picture(image.sop_instance_uid, resolver) if image.image_plane is None else None
    return image if found is None or found.plane is None else replace(image, image_plane=found.plane)


class Library:
    """The images of an SR document: what its library, its evidence and the images themselves say of them."""

    def __init__(self, document: Document, resolver: Resolver) -> None:
        self._document = document
        self._resolver = resolver
        self._evidence = document.evidence()
        self._groups: list[tuple[Item, dict[str, Item]]] = []  # a group and its IMAGE items by instance
        for library in tree.named(document.root.children, concepts.LIBRARY):
            for each in tree.named(library.children, concepts.LIBRARY_GROUP):
                self._groups.append((each, dict(_images(each.children))))

    def references(self, wanted: Iterable[str], *, rest: bool) -> tuple[DicomImageReferenceEntity, ...]:
        """What an annotation of these images refers to; with `rest`, also the groups that no annotation refers to.

        A group with an Observation UID is taken whole, since it was a reference once. Raises
        TransformError('sr-missing-evidence') for an image whose study and series nothing tells.
        """
        instances = list(dict.fromkeys(wanted))
        found: list[DicomImageReferenceEntity] = []
        for item, images in self._groups:
            chosen = [uid for uid in images if uid in instances]
            if ((chosen or rest) and item.observation_uid) or rest:
                chosen = list(images)
            found += self._entities(item, images, chosen)
            instances = [uid for uid in instances if uid not in images]
        return (*found, *self._entities(None, {}, instances))

    def sop_class(self, instance: str) -> str:
        """Of an image that the document refers to."""
        known = self._evidence.get(instance)
        return known.reference.sop_class if known is not None else ""

    def _entities(
        self, group: Item | None, images: dict[str, Item], instances: list[str]
    ) -> Iterator[DicomImageReferenceEntity]:
        """One reference for each series of the instances."""
        by_series: dict[tuple[str, str], list[str]] = {}
        for instance in instances:
            by_series.setdefault(self._where(instance), []).append(instance)
        for (study, series), members in by_series.items():
            said = (*(group.children if group is not None else ()),)
            first = images.get(members[0])
            described = (*(first.children if first is not None else ()), *said)
            uid = group.observation_uid if group is not None and len(by_series) == 1 else ""
            yield DicomImageReferenceEntity(
                unique_identifier=Uid(uid or derived(self._document.sop_instance, "reference", series, *members)),
                image_study=self._study(study, series, described, members, images),
            )

    def _where(self, instance: str) -> tuple[str, str]:
        known = self._evidence.get(instance)
        if known is not None:
            return known.study, known.series
        found = picture(instance, self._resolver)
        if found is None:
            raise TransformError(
                "sr-missing-evidence", "an image whose study and series neither the SR nor a file tells"
            )
        return found.study, found.series

    def _study(
        self, study: str, series: str, described: tuple[Item, ...], members: list[str], images: dict[str, Item]
    ) -> ImageStudy:
        seen = picture(members[0], self._resolver)
        own = self._document.study if self._document.study.instance == study else None
        date = _date(described) or (seen.date if seen else "") or (own.date if own else "")
        time = _time(described) or (seen.time if seen else "") or (own.time if own else "")
        accession = tree.text_of(described, concepts.ACCESSION)
        if not accession and own is None and seen is not None:
            accession = seen.accession
        given = {
            "instance_uid": Uid(study),
            "start_date": Stamp(date),
            "start_time": Stamp(time),
            "accession_number": St(accession) if accession else None,
            "image_series": ImageSeries(
                instance_uid=Uid(series),
                modality=self._modality(described, members[0], seen.modality if seen else ""),
                image_collection=tuple(self._image(each, images.get(each), described) for each in members),
            ),
        }
        restored = fields.restored(described, ImageStudy, given)
        assert isinstance(restored, ImageStudy)
        return restored

    def _modality(self, described: tuple[Item, ...], instance: str, seen: str) -> Code:
        said = tree.code_of(described, concepts.MODALITY)
        if said is not None:
            return tree.from_sr(said)
        value, meaning = MODALITIES.get(self.sop_class(instance), OTHER_MODALITY)
        return Code(seen or value, "DCM", meaning if not seen or seen == value else seen)

    def _image(self, instance: str, item: Item | None, described: tuple[Item, ...]) -> Image:
        sop_class = self.sop_class(instance)
        if not sop_class:
            seen = picture(instance, self._resolver)
            sop_class = seen.sop_class if seen else ""
        own = (*(item.children if item is not None else ()), *described)
        image = fields.restored(
            item.children if item is not None else (),
            Image,
            {"sop_class_uid": Uid(sop_class), "sop_instance_uid": Uid(instance), "image_plane": _plane(own)},
        )
        return _with_plane(image, self._resolver)


def _images(items: Iterable[Item]) -> Iterator[tuple[str, Item]]:
    for item in items:
        if isinstance(item.value, ImageValue):
            yield item.value.reference.sop_instance, item


def _date(items: Iterable[Item]) -> str:
    found = (item.value for item in tree.named(items, concepts.STUDY_DATE))
    return next((value.value for value in found if isinstance(value, Date)), "")


def _time(items: Iterable[Item]) -> str:
    found = (item.value for item in tree.named(items, concepts.STUDY_TIME))
    return next((value.value for value in found if isinstance(value, Time)), "")


def _plane(items: Iterable[Item]) -> ImagePlane | None:
    said = {
        item.name.value: number_text(item.value.decimal, item.value.floating)
        for item in reversed(tuple(items))
        if item.name is not None and item.name.scheme == "DCM" and isinstance(item.value, Num)
    }
    values = {name: Real(said[value]) for name, (value, _, _) in PLANE.items() if said.get(value)}
    return ImagePlane(**values) if values else None
