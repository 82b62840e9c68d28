"""What is seen, where in the body, what is concluded, and lesions over time.

AIM v4 (rv44), fields in the schema's order.
"""

from __future__ import annotations

from dataclasses import dataclass

from transforms.aim.model.datatypes import Code, Real, St, Uid
from transforms.aim.model.entities import Entity
from transforms.aim.model.quantification import CharacteristicQuantification


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagingObservationCharacteristic:
    """What an observation is like."""

    type_code: tuple[Code, ...]
    question_type_code: tuple[Code, ...] = ()
    annotator_confidence: Real | None = None
    label: St | None = None
    comment: St | None = None
    question_index: int | None = None
    characteristic_quantification_collection: tuple[CharacteristicQuantification, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagingPhysicalEntityCharacteristic:
    """What a part of the body is like."""

    type_code: tuple[Code, ...]
    question_type_code: tuple[Code, ...] = ()
    annotator_confidence: Real | None = None
    label: St | None = None
    question_index: int | None = None
    comment: St | None = None
    characteristic_quantification_collection: tuple[CharacteristicQuantification, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagingObservationEntity(Entity):
    """Something that is seen."""

    type_code: tuple[Code, ...]
    question_type_code: tuple[Code, ...] = ()
    annotator_confidence: Real | None = None
    label: St | None = None
    comment: St | None = None
    is_present: bool | None = None
    question_index: int | None = None
    imaging_observation_characteristic_collection: tuple[ImagingObservationCharacteristic, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagingPhysicalEntity(Entity):
    """A part of the body."""

    type_code: tuple[Code, ...]
    question_type_code: tuple[Code, ...] = ()
    is_present: bool | None = None
    annotator_confidence: Real | None = None
    label: St | None = None
    question_index: int | None = None
    comment: St | None = None
    imaging_physical_entity_characteristic_collection: tuple[ImagingPhysicalEntityCharacteristic, ...] = ()
    imaging_observation_characteristic_collection: tuple[ImagingObservationCharacteristic, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceEntity(Entity):
    """Something that is concluded."""

    image_evidence: bool
    is_present: bool | None = None
    type_code: tuple[Code, ...]
    question_type_code: tuple[Code, ...] = ()
    annotator_confidence: Real | None = None
    description: St | None = None
    label: St | None = None
    question_index: int | None = None
    comment: St | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionObservationEntity(Entity):
    """A lesion in a series of time points. Abstract."""

    lesion_unique_identifier: Uid
    is_additional_observation: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneralLesionObservationEntity(LesionObservationEntity):
    """What holds of a lesion at all time points."""

    tracking_identifier: St
    lesion_type: Code
    reconstruction_interval: Code | None = None
    laterality: Code | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimePointLesionObservationEntity(LesionObservationEntity):
    """What a lesion has become at one time point."""

    calibration: bool
    predecessor_lesion_tracking_uid: Uid | None = None
    comment: St | None = None
    therapeutic_response: Code | None = None
    qualitative_assessment: Code | None = None
    can_evaluate_lesion: bool | None = None
    reason_unable_to_evaluate: Code | None = None
    can_measure_lesion: bool | None = None
    reason_unable_to_measure: Code | None = None
    is_unequivocal_progression: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotationRoleEntity(Entity):
    """The part that an annotation plays among others."""

    role_code: Code
    question_type_code: tuple[Code, ...] = ()
    role_sequence_number: int | None = None
