"""DICOM SR, TID 1500 -> AIM v4 (PS3.21 A.6, read the other way).

Rules of this file
* One document becomes one collection; each Measurement Group, wherever it stands, one annotation of it.
* What AIM requires and the SR does not say is empty, or neutral: an annotation without a Finding is of type
  "Measurement Group". No finding, role or tracking UID is made up.
* UIDs that AIM needs and the SR lacks are made of the SR's own (uids.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from profiles.aim import concepts
from profiles.aim.codes import ROLES
from profiles.aim.names import WRITTEN
from transforms.aim import fields, schema, tree
from transforms.aim.group import ELSEWHERE, Groups
from transforms.aim.library import Library
from transforms.aim.model.annotation import ImageAnnotationCollection
from transforms.aim.model.context import Equipment, Person, User
from transforms.aim.model.datatypes import Attribute, Code, St, Stamp, Uid
from transforms.aim.options import Options, Resolver
from transforms.errors import TransformError
from transforms.sr import header
from transforms.sr.model import Document, Item
from transforms.sr.templates import template_of
from transforms.sr.values import Coded, PName, Text

_ROLE_OF = {code: text for text, code in ROLES.items()}


def from_sr(document: Document, options: Options, resolver: Resolver) -> ImageAnnotationCollection:
    """The collection, as of AIM 4.2; write.to_version makes a 4.0 of it.

    Raises TransformError: sr-wrong-template, sr-no-measurements, sr-missing-evidence, sr-missing-reference,
    sr-bad-field.
    """
    met = template_of(document)
    if met.tid != "1500":
        raise TransformError(
            "sr-wrong-template", f"AIM is made from TID 1500; this is {met.name or 'of no known template'}"
        )
    general = document.general
    when = Stamp(general.content_date + general.content_time + general.timezone)
    groups = Groups(document, Library(document, resolver), options, when)
    found = list(_groups(document.root))
    if not found:
        raise TransformError("sr-no-measurements", "the report has no Measurement Group and no evaluation")
    given: dict[str, Any] = {
        "aim_version": Attribute(WRITTEN["4.2"]),
        "unique_identifier": Uid(document.sop_instance),
        "study_instance_uid": Uid(document.study.instance) if document.study.instance else None,
        "series_instance_uid": Uid(document.series.instance) if document.series.instance else None,
        "accession_number": _st(document.study.accession.value),
        "date_time": when,
        "user": _user(document),
        "equipment": equipment_of(document.equipment),
        "person": person_of(document.patient),
        "image_annotations": tuple(groups.annotation(item, rest=not at) for at, item in enumerate(found)),
    }
    collection = fields.restored(document.root.children, ImageAnnotationCollection, given)
    assert isinstance(collection, ImageAnnotationCollection)
    systems = {scheme.designator: scheme.uid for scheme in document.coding_schemes if scheme.uid}
    return _with_systems(collection, systems) if systems else collection


def _groups(root: Item) -> Iterator[Item]:
    """Measurement Groups, and the containers beside Imaging Measurements that hold items of their own."""
    for container in root.children:
        if tree.is_named(container, concepts.MEASUREMENTS):
            yield from tree.named(container.children, concepts.GROUP)
        elif tree.is_named(container, *ELSEWHERE):
            yield container
            for number in container.children:  # TID 1420: the groups that a measurement is derived from
                yield from tree.named(number.children, concepts.GROUP)


def _user(document: Document) -> User | None:
    items = document.root.children
    names = (item.value for item in tree.named(items, concepts.OBSERVER_NAME))
    name = next(
        (value.name if isinstance(value, PName) else value.text for value in names if isinstance(value, PName | Text)),
        "",
    )
    if not name:
        name = next((author.person.name for author in document.general.authors if author.type == "PSN"), "")
    if not name:
        return None
    role = next((item for item in tree.named(items, concepts.PROCEDURE_ROLE) if isinstance(item.value, Coded)), None)
    number = tree.text_of(role.children, concepts.ROLE_IDENTIFIER) if role is not None else ""
    return User(
        name=St(name),
        login_name=St(tree.text_of(items, concepts.LOGIN_NAME)),
        role_in_trial=St(role_of(role.value.code)) if role is not None and isinstance(role.value, Coded) else None,
        number_within_role_of_clinical_trial=int(number) if number.isdecimal() and len(number) < 10 else None,
    )


def role_of(code: Any) -> str:
    """A role in a procedure (CID 7453) as the text that AIM has for it."""
    if code.scheme == "DCM" and code.value in _ROLE_OF:
        return _ROLE_OF[code.value]
    return str(code.value if code.scheme == concepts.FIELDS else code.meaning)


def equipment_of(equipment: header.Equipment) -> Equipment | None:
    """General Equipment as AIM has it (PS3.21 A.6.1.1.8)."""
    if equipment == header.Equipment():
        return None
    return Equipment(
        manufacturer_name=St(equipment.manufacturer),
        manufacturer_model_name=_st(equipment.model),
        device_serial_number=_st(equipment.serial),
        software_version=_st("\\".join(equipment.software)),
    )


def person_of(patient: header.Patient) -> Person:
    """The Patient module as AIM has it (PS3.21 A.6.1.1.1)."""
    return Person(
        name=St(patient.name),
        id=St(patient.id.value),
        birth_date=Stamp(patient.birth_date) if patient.birth_date else None,
        sex=_st(patient.sex),
        ethnic_group=_st(patient.ethnic_group),
        source_patient_group_id=_st(patient.source_group_id),
    )


def _st(text: str) -> St | None:
    return St(text) if text else None


def _with_systems(value: Any, systems: dict[str, str]) -> Any:
    """A structure whose codes say what their scheme's designator stands for."""
    changes: dict[str, Any] = {}
    for part in schema.parts(type(value)):
        held = getattr(value, part.field)
        if part.type is Code or not part.is_datatype:
            changed = tuple(_one(each, systems) for each in held) if part.many else _one(held, systems)
            changes[part.field] = changed
    return replace(value, **changes)


def _one(held: Any, systems: dict[str, str]) -> Any:
    if isinstance(held, Code):
        return replace(held, system=systems.get(held.scheme, ""))
    return held if held is None else _with_systems(held, systems)
