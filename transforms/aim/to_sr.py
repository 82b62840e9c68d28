"""AIM v4 -> DICOM SR, TID 1500 (PS3.21 A.6).

Rules of this file
* One collection becomes one document: Enhanced SR, or Comprehensive 3D SR where shapes are in space (A.6.1.1.11).
* What PS3.21 fixes is fixed: COMPLETE, UNVERIFIED, Series Number 7291, English, "Imaging procedure".
* Every image, frame and segmentation that is referred to stands in the evidence, where its study and series are known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from profiles.aim import concepts
from profiles.aim.codes import ROLES
from transforms.aim import fields, schema, tree
from transforms.aim.checks import digits
from transforms.aim.group import group, where
from transforms.aim.library import completed, evidence
from transforms.aim.library import group as library_group
from transforms.aim.model.annotation import AnnotationCollection, ImageAnnotation, ImageAnnotationCollection
from transforms.aim.model.context import Equipment, Person, User
from transforms.aim.model.datatypes import Code
from transforms.aim.model.images import DicomImageReferenceEntity, DicomSegmentationEntity
from transforms.aim.model.markup import TextAnnotationEntity, ThreeDimensionGeometricShapeEntity
from transforms.aim.options import Options, Resolver
from transforms.aim.pictures import picture
from transforms.aim.uids import derived
from transforms.errors import TransformError
from transforms.sr import header
from transforms.sr.context import settled
from transforms.sr.model import Document, Item
from transforms.sr.values import Coded, Container, PName, SopReference, Template

ENHANCED: Final = "1.2.840.10008.5.1.4.1.1.88.22"
COMPREHENSIVE_3D: Final = "1.2.840.10008.5.1.4.1.1.88.34"
_SERIES_NUMBER: Final = "7291"
_SAID: Final = (  # of a collection, in header and groups
    "aim_version",
    "unique_identifier",
    "study_instance_uid",
    "series_instance_uid",
    "accession_number",
    "date_time",
    "user",
    "equipment",
    "person",
    "image_annotations",
)


def to_sr(collection: AnnotationCollection, options: Options, resolver: Resolver) -> Document:
    """The document. Raises TransformError: aim-not-image-annotations, aim-missing-reference, aim-bad-value."""
    if not isinstance(collection, ImageAnnotationCollection):
        raise TransformError("aim-not-image-annotations", "annotations of annotations have no form in TID 1500")
    annotations = [_completed(each, resolver) for each in collection.image_annotations]
    references = list(_references(annotations))
    first = references[0].image_study if references else None
    study = collection.study_instance_uid or (
        first.instance_uid if first else derived(collection.unique_identifier, "s")
    )
    own = first if first is not None and first.instance_uid == study else None
    when = digits(collection.date_time)
    return Document(
        sop_class=COMPREHENSIVE_3D if any(map(_in_space, annotations)) else ENHANCED,
        sop_instance=collection.unique_identifier,
        patient=_patient(collection.person),
        study=header.Study(
            instance=study,
            date=digits(own.start_date)[:8] if own else "",
            time=digits(own.start_time) if own else "",
            accession=header.Identifier(collection.accession_number or (own.accession_number if own else "") or ""),
        ),
        series=header.Series(
            instance=collection.series_instance_uid or derived(collection.unique_identifier, "series"),
            number=_SERIES_NUMBER,
            modality="SR",
        ),
        equipment=_equipment(collection.equipment),
        general=header.General(
            instance_number="1",
            completion="COMPLETE",
            verification="UNVERIFIED",
            content_date=when[:8],
            content_time=when[8:].split("+")[0].split("-")[0] or "000000",
            timezone=_zone(when),
            authors=_authors(collection.user),
            current_evidence=_evidence(references, annotations, resolver),
        ),
        root=_root(collection, annotations, references, options),
        language=tree.concept(concepts.ENGLISH),
        character_set=("ISO_IR 192",),
        coding_schemes=(
            header.CodingScheme(designator=concepts.FIELDS, name=concepts.FIELDS_NAME),
            *_schemes(collection),
        ),
    )


def _completed(annotation: ImageAnnotation, resolver: Resolver) -> ImageAnnotation:
    """The annotation with the planes of its images, where they are at hand."""
    return replace(
        annotation,
        image_reference_entity_collection=tuple(
            completed(each, resolver) if isinstance(each, DicomImageReferenceEntity) else each
            for each in annotation.image_reference_entity_collection
        ),
    )


def _references(annotations: Iterable[ImageAnnotation]) -> Iterator[DicomImageReferenceEntity]:
    """The image references of all annotations, each once."""
    seen: set[str] = set()
    for annotation in annotations:
        for each in annotation.image_reference_entity_collection:
            if isinstance(each, DicomImageReferenceEntity) and each.unique_identifier not in seen:
                seen.add(each.unique_identifier)
                yield each


def _in_space(annotation: ImageAnnotation) -> bool:
    shapes = [
        each.geometric_shape_entity if isinstance(each, TextAnnotationEntity) else each
        for each in annotation.markup_entity_collection
    ]
    return any(isinstance(each, ThreeDimensionGeometricShapeEntity) for each in shapes)


def _root(
    collection: ImageAnnotationCollection,
    annotations: list[ImageAnnotation],
    references: list[DicomImageReferenceEntity],
    options: Options,
) -> Item:
    country = tree.item(tree.MODIFIER, concepts.COUNTRY, Coded(tree.concept(concepts.UNITED_STATES)))
    children = [tree.item(tree.MODIFIER, concepts.LANGUAGE, Coded(tree.concept(concepts.ENGLISH)), country)]
    children += _observer(collection.user)
    children.append(
        tree.item(tree.MODIFIER, concepts.PROCEDURE_REPORTED, Coded(tree.concept(concepts.IMAGING_PROCEDURE)))
    )
    if references:
        groups = (library_group(each, options) for each in references)
        children.append(tree.container(concepts.LIBRARY, *groups))
    made = [(where(each), group(each, _images(each), options)) for each in annotations]
    within = [item for place, item in made if place == concepts.MEASUREMENTS]
    if within:
        children.append(tree.container(concepts.MEASUREMENTS, *within))
    children += [item for place, item in made if place != concepts.MEASUREMENTS]
    if options.fields:
        children += fields.items(collection, tree.CONTAINS, _SAID)
    root = tree.item("", concepts.REPORT, Container("SEPARATE", Template("1500")), *children)
    return settled(root)


def _images(annotation: ImageAnnotation) -> dict[str, str]:
    """SOP class by SOP instance, of the images that an annotation refers to."""
    return {
        image.sop_instance_uid: image.sop_class_uid
        for each in annotation.image_reference_entity_collection
        if isinstance(each, DicomImageReferenceEntity)
        for image in each.image_study.image_series.image_collection
    }


def _observer(user: User | None) -> Iterator[Item]:
    """TID 1003."""
    if user is None or not user.name:
        return
    yield tree.item(tree.OBSERVATION, concepts.OBSERVER_NAME, PName(user.name))
    if user.login_name:
        yield tree.text(tree.OBSERVATION, concepts.LOGIN_NAME, user.login_name)
    number = user.number_within_role_of_clinical_trial
    if user.role_in_trial:
        known = ROLES.get(user.role_in_trial)
        role = Code(known, "DCM", user.role_in_trial) if known else Code(user.role_in_trial, concepts.FIELDS)
        # TID 1003 has the identifier below the role
        below = () if number is None else (tree.text(tree.PROPERTY, concepts.ROLE_IDENTIFIER, str(number)),)
        yield tree.item(tree.OBSERVATION, concepts.PROCEDURE_ROLE, Coded(tree.to_sr(role)), *below)


def _authors(user: User | None) -> tuple[header.Author, ...]:
    return (header.Author("PSN", header.Person(user.name)),) if user is not None and user.name else ()


def _patient(person: Person | None) -> header.Patient:
    if person is None:
        return header.Patient()
    return header.Patient(
        name=person.name,
        id=header.PatientIdentifier(person.id),
        birth_date=digits(person.birth_date or "")[:8],
        sex=person.sex if person.sex in ("M", "F", "O") else "",
        ethnic_group=person.ethnic_group or "",
        source_group_id=person.source_patient_group_id or "",
    )


def _equipment(equipment: Equipment | None) -> header.Equipment:
    if equipment is None:
        return header.Equipment()
    return header.Equipment(
        manufacturer=equipment.manufacturer_name,
        model=equipment.manufacturer_model_name or "",
        serial=equipment.device_serial_number or "",
        software=tuple(each for each in (equipment.software_version or "").split("\\") if each),
    )


def _zone(when: str) -> str:
    sign = max(when.rfind("+"), when.rfind("-"))
    return when[sign:] if sign > 0 else ""


def _evidence(
    references: list[DicomImageReferenceEntity], annotations: list[ImageAnnotation], resolver: Resolver
) -> tuple[header.Evidence, ...]:
    found = {each.reference.sop_instance: each for each in evidence(references)}
    for annotation in annotations:
        for each in annotation.segmentation_entity_collection:
            if not isinstance(each, DicomSegmentationEntity) or each.sop_instance_uid in found:
                continue
            study, series = each.study_instance_uid or "", each.series_instance_uid or ""
            seen = picture(each.sop_instance_uid, resolver) if not (study and series) else None
            study, series = study or (seen.study if seen else ""), series or (seen.series if seen else "")
            if not study or not series:
                raise TransformError(
                    "aim-missing-reference",
                    "a segmentation whose series AIM 4.0 does not say; give its file with the images",
                )
            reference = SopReference(each.sop_class_uid, each.sop_instance_uid)
            found[each.sop_instance_uid] = header.Evidence(study, series, reference)
    return tuple(found.values())


def _schemes(collection: ImageAnnotationCollection) -> Iterator[header.CodingScheme]:
    """What designators stand for, where AIM says it (codeSystem)."""
    said = {tree.to_sr(code).scheme: code.system for code in schema.codes(collection) if code.system}
    for designator, uid in sorted(said.items()):
        yield header.CodingScheme(designator=designator, uid=uid)
