"""Who, with what, of whom, in which task. AIM v4 (rv44), fields in the schema's order."""

from __future__ import annotations

from dataclasses import dataclass, field

from transforms.aim.model.datatypes import V4_2, Code, St, Stamp, Uid
from transforms.aim.model.entities import Entity


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Who made the collection."""

    name: St
    login_name: St
    role_in_trial: St | None = None
    number_within_role_of_clinical_trial: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Equipment:
    """With what it was made."""

    manufacturer_name: St
    manufacturer_model_name: St | None = None
    device_serial_number: St | None = None
    software_version: St | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """The patient."""

    name: St
    id: St
    birth_date: Stamp | None = None
    sex: St | None = None
    ethnic_group: St | None = None
    source_patient_group_id: St | None = field(default=None, metadata=V4_2)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditTrail:
    """One change of an annotation."""

    status_code: Code
    date_time: Stamp
    change_reason: Code
    worklist_subtask_uid: Uid | None = None
    comment: St | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjudicationObservation:
    """How two annotations were judged against each other."""

    observation_uid: Uid
    observation_scope: Code
    person_observers_role_in_this_procedure: Code | None = None
    identifier_within_accepted_person_observers_role: tuple[St, ...] = ()
    identifier_within_rejected_person_observers_role: tuple[St, ...] = ()
    reason_for_choice: Code
    reason_for_discordance: Code | None = None
    comment: St | None = None
    image_quality_issues_discordance: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskContextEntity(Entity):
    """The work list task that the annotation was made in."""

    worklist_task_uid: Uid
    worklist_task_name: St
    worklist_task_description: St
    worklist_task_category: Code
    worklist_task_level: Code
    worklist_task_type: Code
    worklist_task_repeat_type: Code | None = None
    worklist_task_variability_type: Code | None = None
    worklist_task_version: St
    worklist_subtask_uid: Uid
    worklist_subtask_name: St
    worklist_subtask_start_date_time: Stamp
    worklist_subtask_closed_date_time: Stamp
    task_context_entity_collection: tuple[TaskContextEntity, ...] = ()
