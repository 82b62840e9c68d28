"""Observations, physical entities, inferences and roles <-> CODE items of a Measurement Group (TID 1501).

Rules of this file
* A characteristic is a CODE: its name the question, or else what is observed; its value the characteristic. The CODEs
  of one observation have its UID as their Observation UID.
* A physical entity that is a location is a Finding Site; its characteristics, such as the laterality, modify it.
* Others are CODEs under the names that the AIM toolkit gave their types.
* Whatever does not come back from these CODEs is said in fields.py, below the first of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Any, Final

from profiles.aim import concepts
from profiles.aim.codes import GROUP_MODIFIERS, LOCATION, LOCATIONS
from transforms.aim import fields, schema, tree
from transforms.aim.model.datatypes import Code, St, Uid
from transforms.aim.model.observation import (
    AnnotationRoleEntity,
    ImagingObservationCharacteristic,
    ImagingObservationEntity,
    ImagingPhysicalEntity,
    ImagingPhysicalEntityCharacteristic,
    InferenceEntity,
)
from transforms.aim.options import Options
from transforms.sr.model import Item
from transforms.sr.values import Coded

Name = Callable[[Item, str], str]  # a UID for an item that has none

# Entities that are one CODE: its name, their class, and the field that is its value.
SINGLE: Final = (
    (concepts.PHYSICAL_ENTITY, ImagingPhysicalEntity, "imaging_physical_entity_collection", "type_code"),
    (concepts.OBSERVATION_ENTITY, ImagingObservationEntity, "imaging_observation_entity_collection", "type_code"),
    (("AS013", "99NCIAIM", "Inference Entity"), InferenceEntity, "inference_entity_collection", "type_code"),
    (
        ("AS003", "99NCIAIM", "Annotation Role Entity"),
        AnnotationRoleEntity,
        "annotation_role_entity_collection",
        "role_code",
    ),
)


def sites(entities: Iterable[ImagingPhysicalEntity], options: Options) -> Iterator[Item]:
    """The Finding Sites."""
    for entity in entities:
        if entity.label not in LOCATIONS and entity.label:
            continue
        modifiers = [
            tree.item(tree.MODIFIER, tree.to_sr(each.question_type_code[0]), Coded(tree.to_sr(each.type_code[0])))
            for each in entity.imaging_physical_entity_characteristic_collection
            if each.question_type_code
        ]
        value = Coded(tree.to_sr(entity.type_code[0]))
        item = tree.item(tree.MODIFIER, concepts.FINDING_SITE, value, *modifiers, uid=entity.unique_identifier)
        yield _with_unsaid(item, entity, site(item, ""), options)


def site(item: Item, uid: str) -> ImagingPhysicalEntity:
    """The location that a Finding Site is."""
    characteristics = tuple(
        ImagingPhysicalEntityCharacteristic(
            type_code=(tree.from_sr(each.value.code),), question_type_code=(tree.from_sr(each.name),)
        )
        for each in item.children
        if each.relationship == tree.MODIFIER and isinstance(each.value, Coded) and each.name is not None
    )
    given = {"imaging_physical_entity_characteristic_collection": characteristics, "label": St(LOCATION)}
    found = _restored(item, ImagingPhysicalEntity, "type_code", uid, given)
    assert isinstance(found, ImagingPhysicalEntity)
    return found


def others(entities: Iterable[Any], options: Options) -> Iterator[Item]:
    """Entities of SINGLE, and observations with characteristics."""
    for entity in entities:
        if isinstance(entity, ImagingPhysicalEntity) and (entity.label in LOCATIONS or not entity.label):
            continue  # a Finding Site
        if isinstance(entity, ImagingObservationEntity) and entity.imaging_observation_characteristic_collection:
            yield from _observation(entity, options)
            continue
        if not options.fields:
            continue  # no row of TID 1500
        name, cls, _, field = next(each for each in SINGLE if isinstance(entity, each[1]))
        held = getattr(entity, field)
        code: Code = held[0] if isinstance(held, tuple) else held
        item = tree.item(tree.CONTAINS, name, Coded(tree.to_sr(code)), uid=entity.unique_identifier)
        yield _with_unsaid(item, entity, _given(item, cls, field, ""), options)


def _observation(entity: ImagingObservationEntity, options: Options) -> Iterator[Item]:
    items = []
    for each in entity.imaging_observation_characteristic_collection:
        name = tree.to_sr((each.question_type_code or entity.type_code)[0])
        modifies = (name.scheme, name.value) in GROUP_MODIFIERS
        value = Coded(tree.to_sr(each.type_code[0]))
        relationship = tree.MODIFIER if modifies else tree.CONTAINS
        items.append(tree.item(relationship, name, value, uid=entity.unique_identifier))
    first = _with_unsaid(items[0], entity, observation(items, ""), options)
    yield from (first, *items[1:])


def observation(items: list[Item], uid: str) -> ImagingObservationEntity:
    """The observation that CODEs of one Observation UID are."""
    first = items[0]
    characteristics = tuple(
        ImagingObservationCharacteristic(
            type_code=(tree.from_sr(each.value.code),),
            question_type_code=() if each.name == first.name else (tree.from_sr(each.name),),
        )
        for each in items
        if isinstance(each.value, Coded) and each.name is not None
    )
    assert first.name is not None
    given = {
        "unique_identifier": Uid(first.observation_uid or uid),
        "type_code": (tree.from_sr(first.name),),
        "imaging_observation_characteristic_collection": characteristics,
    }
    found = fields.restored(first.children, ImagingObservationEntity, given)
    assert isinstance(found, ImagingObservationEntity)
    return found


def collections(found: Iterable[Item], name: Name) -> dict[str, tuple[Any, ...]]:
    """The entity collections of an annotation that the CODE items of its group are."""
    made: dict[str, list[Any]] = {}
    for _, run in groupby(found, lambda item: item.observation_uid or id(item)):
        items = list(run)
        single = next((each for each in SINGLE if tree.is_named(items[0], each[0])), None)
        if tree.is_named(items[0], concepts.FINDING_SITE):
            sited = [site(item, name(item, "site")) for item in items]
            made.setdefault("imaging_physical_entity_collection", []).extend(sited)
        elif single is not None:
            _, cls, collection, field = single
            entities = [_restored(item, cls, field, name(item, "entity"), {}) for item in items]
            made.setdefault(collection, []).extend(entities)
        else:
            seen = observation(items, name(items[0], "observation"))
            made.setdefault("imaging_observation_entity_collection", []).append(seen)
    return {collection: tuple(entities) for collection, entities in made.items()}


def _given(item: Item, cls: type, field: str, uid: str) -> Any:
    """What the CODE alone says, as a structure that may lack what the class requires."""
    assert isinstance(item.value, Coded)
    code = tree.from_sr(item.value.code)
    many = next(part.many for part in schema.parts(cls) if part.field == field)
    return _Said({"unique_identifier": Uid(item.observation_uid or uid), field: (code,) if many else code})


class _Said:
    """Fields that are known; every other one is None."""

    def __init__(self, known: dict[str, Any]) -> None:
        self.known = known

    def __getattr__(self, name: str) -> Any:
        return self.known.get(name)


def _restored(item: Item, cls: type, field: str, uid: str, given: dict[str, Any]) -> Any:
    return fields.restored(item.children, cls, {**_given(item, cls, field, uid).known, **given})


def _with_unsaid(item: Item, entity: Any, back: Any, options: Options) -> Item:
    return tree.with_children(item, *fields.unsaid(entity, back, tree.PROPERTY)) if options.fields else item
