"""What stands where: the content tree of an SR as the sections of PS3.20, before a byte is written.

Rules of this file
* A CONTAINER directly below the root whose concept is in Table C.4-1 becomes that section; a second one for the same
  section becomes a labelled subsection of it (9.8.9). Fetus findings and addenda may repeat.
* Anything else below the root belongs to the section its kind of document is about: the dose report to Radiation
  Exposure, the key object selection to Key Images, all others to Findings. There a CONTAINER becomes a labelled
  subsection, at every depth, and keeps its own order.
* Every item of the tree is in exactly one section, or is context that the header has taken whole (`headed`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from profiles.cda import SECTION_OF, SECTIONS, TOP
from transforms.cda import display
from transforms.cda.terms import place_of
from transforms.sr.model import Document, Item
from transforms.sr.values import Code, Coded, Container, Text

_FETUS: Final = Code("121026", "DCM", "Fetus")
_KEY_OBJECTS: Final = "1.2.840.10008.5.1.4.1.1.88.59"
_DOSE: Final = frozenset(
    {("DCM", "113701"), ("DCM", "113500"), ("DCM", "113710"), ("DCM", "113750"), ("DCM", "111500")}
)
_DOSE_CLASSES: Final = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.88.67",  # X-Ray Radiation Dose SR
        "1.2.840.10008.5.1.4.1.1.88.68",  # Radiopharmaceutical Radiation Dose SR
        "1.2.840.10008.5.1.4.1.1.88.73",  # Patient Radiation Dose SR
        "1.2.840.10008.5.1.4.1.1.88.76",  # Enhanced X-Ray Radiation Dose SR
    }
)
_ORDER: Final = {key: number for number, key in enumerate(SECTIONS)}
_OBSERVER: Final = ("observer-type", "person-name", "person-organization")
# Context of the whole document that header.py takes up (Table C.3-1)
_HEADED: Final = frozenset({"language", "equivalent-meaning", "modality", "region"})


@dataclass(slots=True)
class Section:
    """One section to be written."""

    key: str  # in profiles.cda.SECTIONS
    title: str
    source: Item | None = None  # the CONTAINER it is made of
    items: list[Item] = field(default_factory=list)
    medications: list[Item] = field(default_factory=list)  # CONTAINERs whose items are Procedural Medications (10.2)
    sections: list[Section] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Plan:
    """The body, and what of the tree the header says."""

    body: tuple[Section, ...]
    headed: tuple[Item, ...]


def plan(document: Document) -> Plan:
    """The plan of a document. Imaging Procedure Description and Impression are there in every Imaging Report (7.1)."""
    sections: dict[str, Section] = {}
    addenda: list[Section] = []
    headed = list(_observer(document))
    home = _home(document)
    for item in document.root.children:
        key = _section_of(item)
        if key == "addendum":
            addenda.append(_filled(Section("addendum", _title(item, "addendum"), item)))
        elif key:
            _place(sections, key, item)
        elif item.relationship == "CONTAINS":
            _add(_get(sections, home), item)
        elif any(item is each for each in headed):
            pass
        elif _is_headed(item, headed):
            headed.append(item)
        else:
            _get(sections, "procedure").items.append(item)
    if any(each.reason or each.reason_codes for each in document.general.requests):
        _get(sections, "indications")
    _get(sections, "catalog")
    if not is_addendum(document):
        _get(sections, "impression")
    for key in ("clinical", "procedure", "impression"):
        if key in sections:
            sections[key].sections.sort(key=lambda section: _ORDER[section.key])  # labelled ones are last
    body = [sections[key] for key in TOP if key in sections]
    return Plan((*body, *addenda), tuple(headed))


def is_addendum(document: Document) -> bool:
    """Whether an SR says nothing but addenda to the one it replaces: an Imaging Addendum Report (7.2)."""
    keys = [_section_of(item) for item in document.root.children if item.relationship == "CONTAINS"]
    return bool(document.general.predecessors) and bool(keys) and set(keys) == {"addendum"}


def _home(document: Document) -> str:
    if document.sop_class == _KEY_OBJECTS:
        return "key-images"
    name = document.root.name
    if document.sop_class in _DOSE_CLASSES or (name is not None and (name.scheme, name.value) in _DOSE):
        return "radiation"
    return "findings"


def _section_of(item: Item) -> str:
    if item.name is None or not isinstance(item.value, Container) or item.relationship != "CONTAINS":
        return ""
    return SECTION_OF.get((item.name.scheme, item.name.value), "")


def _observer(document: Document) -> Iterator[Item]:
    """The root's observer context, where the header's author says all of it: one person by name and organization."""
    observers = document.root.context.observers
    authors = [each.person.name for each in document.general.authors if each.type != "DEV"]
    if len(observers) != 1 or observers[0].type != "PSN" or (authors and observers[0].name not in authors):
        return
    items = [each for each in document.root.children if each.relationship == "HAS OBS CONTEXT"]
    said = {
        place: [each for each in items if place_of(each.name) == place and not each.children] for place in _OBSERVER
    }
    if authors:
        said["person-organization"] = []  # the author's own stands there
    if all(len(each) <= 1 for each in said.values()):
        for found in said.values():
            yield from found


def _is_headed(item: Item, headed: list[Item]) -> bool:
    """Whether the header says all of it: the first of its kind, with nothing below it that is not said too."""
    place = place_of(item.name)
    if place not in _HEADED or any(place_of(each.name) == place for each in headed):
        return False
    if place == "language":
        return all(place_of(each.name) == "country" and not each.children for each in item.children)
    return isinstance(item.value, (Coded, Text)) and not item.children


def _get(sections: dict[str, Section], key: str) -> Section:
    """The section, made where it is not there yet, and those it stands in."""
    found = sections.get(key)
    if found is None:
        template = SECTIONS[key]
        found = sections[key] = Section(key, template.title)
        if template.within:
            _get(sections, template.within).sections.append(found)
    return found


def _place(sections: dict[str, Section], key: str, item: Item) -> None:
    if key == "medication":
        _get(sections, "procedure").medications.append(item)
    elif key == "findings" and _of_fetus(item):
        _get(sections, "findings").sections.append(_filled(Section("fetus", _title(item, "fetus"), item)))
    else:
        section = _get(sections, key)
        if section.source is None:
            section.source = item
            section.title = _title(item, key)
            _filled(section)
        else:
            _add(section, item)


def _of_fetus(item: Item) -> bool:
    subject = item.context.subject
    return subject is not None and subject.kind is not None and subject.kind.same(_FETUS)


def _title(item: Item, key: str) -> str:
    return display.heading(item) or SECTIONS[key].title


def _filled(section: Section) -> Section:
    assert section.source is not None
    for item in section.source.children:
        _add(section, item)
    return section


def _add(section: Section, item: Item) -> None:
    """An item into a section: a CONTAINER as a labelled subsection, anything else as it is."""
    if isinstance(item.value, Container) and item.relationship == "CONTAINS":
        section.sections.append(_filled(Section("labeled", _title(item, "labeled"), item)))
    else:
        section.items.append(item)


def walk(sections: tuple[Section, ...] | list[Section]) -> Iterator[Section]:
    """All sections, outer before inner."""
    for section in sections:
        yield section
        yield from walk(section.sections)
