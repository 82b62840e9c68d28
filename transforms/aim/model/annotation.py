"""Annotations, and the collections that are files. AIM v4 (rv44), fields in the schema's order."""

from __future__ import annotations

from dataclasses import dataclass, field

from transforms.aim.model.calculation import CalculationEntity
from transforms.aim.model.context import AdjudicationObservation, AuditTrail, Equipment, Person, TaskContextEntity, User
from transforms.aim.model.datatypes import V4_2, Attribute, Code, St, Stamp, Uid
from transforms.aim.model.entities import AnnotationOfAnnotationStatement, Entity, ImageAnnotationStatement
from transforms.aim.model.images import ImageReferenceEntity, SegmentationEntity
from transforms.aim.model.markup import MarkupEntity
from transforms.aim.model.observation import (
    AnnotationRoleEntity,
    ImagingObservationEntity,
    ImagingPhysicalEntity,
    InferenceEntity,
    LesionObservationEntity,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotationEntity(Entity):
    """An annotation. Abstract."""

    type_code: tuple[Code, ...]
    date_time: Stamp
    name: St
    comment: St | None = None
    precedent_referenced_annotation_uid: Uid | None = None
    template_uid: Uid | None = None
    tracking_unique_identifier: Uid | None = field(default=None, metadata=V4_2)
    audit_trail_collection: tuple[AuditTrail, ...] = ()
    imaging_physical_entity_collection: tuple[ImagingPhysicalEntity, ...] = ()
    calculation_entity_collection: tuple[CalculationEntity, ...] = ()
    inference_entity_collection: tuple[InferenceEntity, ...] = ()
    annotation_role_entity_collection: tuple[AnnotationRoleEntity, ...] = ()
    lesion_observation_entity_collection: tuple[LesionObservationEntity, ...] = ()
    imaging_observation_entity_collection: tuple[ImagingObservationEntity, ...] = ()
    task_context_entity_collection: tuple[TaskContextEntity, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageAnnotation(AnnotationEntity):
    """An annotation of images."""

    segmentation_entity_collection: tuple[SegmentationEntity, ...] = ()
    markup_entity_collection: tuple[MarkupEntity, ...] = ()
    image_annotation_statement_collection: tuple[ImageAnnotationStatement, ...] = ()
    image_reference_entity_collection: tuple[ImageReferenceEntity, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotationOfAnnotation(AnnotationEntity):
    """An annotation of annotations."""

    adjudication_observation: AdjudicationObservation | None = None
    annotation_of_annotation_statement_collection: tuple[AnnotationOfAnnotationStatement, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotationCollection:
    """What a file holds. Abstract."""

    aim_version: Attribute  # AIMv4_0, AIMv4_2
    unique_identifier: Uid
    study_instance_uid: Uid | None = field(default=None, metadata=V4_2)
    series_instance_uid: Uid | None = field(default=None, metadata=V4_2)
    accession_number: St | None = field(default=None, metadata=V4_2)
    description: St | None = None
    date_time: Stamp
    user: User | None = None
    equipment: Equipment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageAnnotationCollection(AnnotationCollection):
    """A file of image annotations: what is converted."""

    person: Person | None = None
    image_annotations: tuple[ImageAnnotation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotationOfAnnotationCollection(AnnotationCollection):
    """A file of annotations of annotations."""

    annotation_of_annotations: tuple[AnnotationOfAnnotation, ...]
