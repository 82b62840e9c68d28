"""Which template a document follows: what it says itself, else what its title shows.

* Nothing is checked against the template: a document that says 1500 is told of as 1500.
* profiles/sr/templates.py has the names and titles; an unknown template is named by its number, a local one by its
  mapping resource too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from profiles.sr.sop_classes import KEY_OBJECTS
from profiles.sr.templates import CHILDREN, REPORT_TITLES, ROOTS, TEMPLATES
from transforms.sr.model import Document, Item
from transforms.sr.values import Container


@dataclass(frozen=True, slots=True)
class TemplateMet:
    """The root template of a document. `tid` "": none is recognised."""

    tid: str
    name: str
    by: Literal["identification", "class", "title", "nothing"]


def template_of(document: Document) -> TemplateMet:
    """The root template: Content Template Sequence first, then the SOP class, then the root's concept name."""
    value = document.root.value
    if isinstance(value, Container) and value.template is not None and value.template.identifier:
        tid = value.template.identifier
        if value.template.mapping_resource in ("DCMR", ""):
            return TemplateMet(tid, TEMPLATES.get(tid, f"TID {tid}"), "identification")
        return TemplateMet(tid, f"{tid} of {value.template.mapping_resource}", "identification")
    if document.sop_class == KEY_OBJECTS:
        return TemplateMet("2010", TEMPLATES["2010"], "class")
    title = _key(document.root)
    tid = ROOTS.get(title, "2000" if title in REPORT_TITLES else "")
    for child in document.root.children:
        tid = CHILDREN.get(tid, {}).get(_key(child), tid)
    return TemplateMet(tid, TEMPLATES[tid], "title") if tid else TemplateMet("", "", "nothing")


def _key(item: Item) -> tuple[str, str]:
    return (item.name.scheme, item.name.value) if item.name is not None else ("", "")
