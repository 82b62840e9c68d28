"""The body: each section of the plan with its code, title, narrative, context and entries (PS3.20 chapter 9).

Rules of this file
* The order within a section is the schema's: id, code, title, text, subject, author, entries, subsections.
* Every section has a text (9.1.1), be it a dash, or subsections that say it all: a viewer shows no entries.
* What a section's template asks beside its items stands in special.py, one function a section.
"""

from __future__ import annotations

from typing import Final

from profiles.cda import SECTIONS
from transforms.cda import display, narrative, special
from transforms.cda.making import Making
from transforms.cda.plan import Plan, Section
from transforms.sr.model import Item, Observer
from transforms.sr.values import Code

_NOTHING: Final = "\u2014"  # a dash: the SR says nothing of it, in any language


def body(making: Making, plan: Plan) -> None:
    """component/structuredBody."""
    with making.writer.element("component"), making.writer.element("structuredBody"):
        for section in plan.body:
            _component(making, section, plan)


def _component(making: Making, section: Section, plan: Plan) -> None:
    writer, template, source = making.writer, SECTIONS[section.key], section.source
    with writer.element("component"), writer.element("section", _id(section)):
        writer.leaf("templateId", {"root": template.root})
        if source is not None:
            making.position(source.position)
        else:
            making.named(section.key)
        if template.code:
            _code(making, Code(template.code, template.scheme, template.name), source)
        writer.leaf("title", text=section.title)
        if section.items or section.medications or section.key in special.SPEAKING or not section.sections:
            with writer.element("text"):
                _narrative(making, section, plan)
        if section.key == "fetus" and source is not None:
            _fetus(making, source)
        if source is not None:
            _authors(making, section, source)
        if source is not None and not template.code and source.name is not None:
            _heading(making, source)
        special.entries(making, section, plan)
        special.items(making, section)
        for below in section.sections:
            _component(making, below, plan)


def _id(section: Section) -> dict[str, str]:
    return {"ID": narrative.identified(section.source)} if section.source is not None else {}


def _code(making: Making, fixed: Code, source: Item | None) -> None:
    """The code that the template fixes; what the SR calls the section is a translation of it."""
    said = source.name if source is not None else None
    same = said is None or (said.same(fixed) and said.meaning in ("", fixed.meaning))
    also = () if same or said is None else (said,)
    making.code(
        "code",
        Code(fixed.value, fixed.scheme, fixed.meaning, equivalents=also),
        display.where(source) if source else "",
    )


def _narrative(making: Making, section: Section, plan: Plan) -> None:
    before = special.narrative_before(making, section, plan)
    for item in section.items:
        if section.key == "key-images":
            making.depict(item)
    narrative.blocks(making, section.items)
    for group in section.medications:
        making.writer.leaf("paragraph", text=display.heading(group))
        narrative.blocks(making, group.children)
    after = special.narrative_after(making, section)
    if not (before or after or section.items or section.medications):
        making.writer.text(_NOTHING)


def _heading(making: Making, source: Item) -> None:
    """A labelled subsection has no code (9.8.9): what the SR calls it is an act of its own, where it has a code."""
    writer = making.writer
    assert source.name is not None
    with writer.element("entry"), writer.element("act", {"classCode": "ACT", "moodCode": "EVN"}):
        making.named(f"{display.where(source)} heading")
        making.code("code", source.name, display.where(source))
        if source.observed_at:
            making.observed(source)


def _fetus(making: Making, source: Item) -> None:
    """subject (9.8.8, C.4.1.3)."""
    writer, subject = making.writer, source.context.subject
    with writer.element("subject"), writer.element("relatedSubject"):
        making.concept("code", "121026", "Fetus")
        with writer.element("subject"):
            name = (subject.id or subject.name) if subject is not None else ""
            making.text_or_null("name", name)


def _authors(making: Making, section: Section, source: Item) -> None:
    """author (9.1.2, C.4.1.1): the observers of this section where they are not those of what it stands in."""
    root = making.document.root.context.observers
    observers = source.context.observers
    own = observers if observers != root else ()
    if section.key == "addendum" and not any(each.type == "PSN" for each in own):
        _addendum_author(making)
    for each in own:
        _author(making, each)


def _author(making: Making, observer: Observer) -> None:
    writer = making.writer
    with writer.element("author"):
        writer.leaf("time", {"nullFlavor": making.absent})
        with writer.element("assignedAuthor"):
            if observer.type == "DEV":
                making.uid("id", observer.uid, "device observer")
                with writer.element("assignedAuthoringDevice"):
                    if observer.model:
                        writer.leaf("manufacturerModelName", text=observer.model)
                    if observer.name:
                        writer.leaf("softwareName", text=observer.name)
            else:
                writer.leaf("id", {"nullFlavor": "UNK"})  # C.4.1.1
                with writer.element("assignedPerson"):
                    making.person("name", observer.name)
            if observer.organization:
                with writer.element("representedOrganization"):
                    writer.leaf("name", text=observer.organization)


def _addendum_author(making: Making) -> None:
    """9.7: an addendum has an author; without one of its own it is the document's."""
    root = next((each for each in making.document.root.context.observers if each.type == "PSN"), None)
    written = next((each.person.name for each in making.document.general.authors if each.type != "DEV"), "")
    _author(making, root or Observer("PSN", written))
    making.losses.defaulted("addendum", "author: the addendum names none, so the document's")
