"""A Structured Report as a frozen value: the one form of it that CDA, AIM, HL7 v2 and others convert from and to.

Rules of this file
* A Document is its header (header.py) and one tree of Items with typed values (values.py). Order is the object's.
* Everything in it is a value: equal documents compare equal, and read(write(document)) == document, but for
  `others`, icons and the character set (write.py).
* Items that establish observation context or language stay in the tree; `context` and `language` of every item say what
  holds there, inherited (PS3.3 C.17.5, PS3.16 TID 1001, 1204). None: the document's header says it.
* Nothing here reads bytes; nothing decides what a template means.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from transforms.sr.header import CodingScheme, Equipment, Evidence, General, Patient, Series, Study
from transforms.sr.values import ByReference, Code, Value

Position: TypeAlias = tuple[int, ...]  # from the root, (1,), down: Referenced Content Item Identifier (C.17.3.2.5)


@dataclass(frozen=True, slots=True)
class Observer:
    """Who observed (PS3.16 TID 1002, 1003, 1004). `type` PSN or DEV; fields of the other kind are empty."""

    type: str
    name: str = ""
    uid: str = ""  # of a device
    identifier: str = ""  # login name or identifier within the role, of a person
    organization: str = ""
    organization_role: Code | None = None
    procedure_role: Code | None = None
    manufacturer: str = ""
    model: str = ""
    serial: str = ""
    location: str = ""


@dataclass(frozen=True, slots=True)
class ProcedureContext:
    """The procedure that observations are of, where it is not the document's own (TID 1005)."""

    study: str = ""
    component: str = ""  # Procedure Study Component UID
    placer_number: str = ""
    filler_number: str = ""
    accession: str = ""
    code: Code | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom or what observations are of (TID 1006 to 1010)."""

    kind: Code | None  # Subject Class (121024): patient, fetus, specimen, device
    uid: str = ""
    name: str = ""
    id: str = ""
    birth_date: str = ""
    sex: Code | None = None
    age: str = ""  # with its unit's code: "35 a"
    mother: str = ""  # of a fetus
    number: str = ""  # of a fetus: "2 of 3" is number 2 of total 3
    total: str = ""


@dataclass(frozen=True, slots=True)
class ObservationContext:
    """What holds at an item by its own HAS OBS CONTEXT items and its ancestors'. None or (): as the header says."""

    observers: tuple[Observer, ...] = ()
    procedure: ProcedureContext | None = None
    subject: Subject | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """A content item (PS3.3 Table C.17-6) with its children."""

    relationship: str  # Relationship Type (0040,A010) to its parent; "" at the root
    name: Code | None  # Concept Name Code Sequence (0040,A043)
    value: Value
    children: tuple[Item, ...] = ()
    position: Position = (1,)
    observed_at: str = ""  # Observation DateTime (0040,A032)
    observation_uid: str = ""  # Observation UID (0040,A171)
    context: ObservationContext = ObservationContext()
    language: Code | None = None

    @property
    def value_type(self) -> str:
        """Value Type (0040,A040); "" where the item stands by reference."""
        return self.value.TYPE

    def walk(self) -> Iterator[Item]:
        """This item and all below it, in document order. References are not followed."""
        waiting = [self]
        while waiting:
            item = waiting.pop()
            yield item
            waiting.extend(reversed(item.children))

    def at(self, position: Position) -> Item | None:
        """The item of the tree under this root that stands at a position; None where there is none."""
        if not position or position[0] != 1:
            return None
        item = self
        for number in position[1:]:
            if not 1 <= number <= len(item.children):
                return None
            item = item.children[number - 1]
        return item


@dataclass(frozen=True, slots=True)
class OtherAttribute:
    """An attribute of the object that the model has no field for: told in loss reports, not written back."""

    path: str  # "ClinicalTrialProtocolID", "(0009,1010)"; in an item: "1.3.2/IconImageSequence"
    values: tuple[str, ...]  # its texts; () where it is bulk data or long


@dataclass(frozen=True, slots=True)
class Document:
    """A whole SR document, key object selections included."""

    sop_class: str
    sop_instance: str
    patient: Patient
    study: Study
    series: Series
    equipment: Equipment
    general: General
    root: Item
    language: Code | None = None  # of the root (TID 1204)
    character_set: tuple[str, ...] = ()  # Specific Character Set (0008,0005) as sent
    coding_schemes: tuple[CodingScheme, ...] = ()
    others: tuple[OtherAttribute, ...] = ()

    def follow(self, item: Item) -> Item:
        """The item itself, or what it refers to. The reader has seen to it that every reference leads somewhere."""
        if not isinstance(item.value, ByReference):
            return item
        target = self.root.at(item.value.target)
        assert target is not None
        return target

    def evidence(self) -> dict[str, Evidence]:
        """SOP Instance UID -> where it is: current evidence first, then pertinent other, then predecessors."""
        found: dict[str, Evidence] = {}
        general = self.general
        for each in (*general.current_evidence, *general.other_evidence, *general.predecessors):
            found.setdefault(each.reference.sop_instance, each)
        return found
