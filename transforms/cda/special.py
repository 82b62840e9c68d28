"""What single sections say beside their items: procedure technique, catalog, exposure, comparison, key images ...

Rules of this file
* One function a section template of PS3.20 9.2 to 9.8, in an explicit table; a section without one has its items only.
* Items are never taken out of a section: what is made of them here stands beside their own entries, or in their place
  where the template fixes another form for them (medications, follow-up, pregnancy, indications, image quality).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from profiles.cda import ENTRIES
from transforms.cda import actions, catalog, display, exposure, technique
from transforms.cda.display import where
from transforms.cda.entries import EVENT, entry, statements
from transforms.cda.instances import media
from transforms.cda.making import Making
from transforms.cda.narrative import identified
from transforms.cda.plan import Plan, Section
from transforms.cda.terms import place_of
from transforms.sr.model import Item
from transforms.sr.values import Coded

SPEAKING: Final = frozenset({"procedure", "indications", "catalog", "impression"})  # have a text without items


def entries(making: Making, section: Section, plan: Plan) -> None:
    """The entries that a section's template asks for, before those of its items."""
    if section.key == "procedure":
        with making.writer.element("entry"):
            technique.current(making, plan.headed)
    elif section.key == "comparison" and section.source is not None:
        technique.comparison(making, section.source)
    elif section.key == "catalog":
        catalog.entries(making)
    elif section.key == "radiation":
        exposure.procedure(making, section)
    elif section.key == "indications":
        actions.requested(making)


def items(making: Making, section: Section) -> None:
    """The entries of the items of a section."""
    statements(making, section.items, _FORMS.get(section.key, entry))
    for group in section.medications:
        statements(making, group.children, actions.medication)
    if section.key == "key-images":
        for item in section.items:
            if making.picture(item) is not None:
                with making.writer.element("entry"):
                    media(making, item)


def narrative_before(making: Making, section: Section, plan: Plan) -> bool:
    """What stands in a section's text before its items. False: nothing does."""
    if section.key == "indications":
        return actions.requested_narrative(making)
    if section.key == "procedure":
        return technique.narrative(making, plan.headed)
    return False


def narrative_after(making: Making, section: Section) -> bool:
    """What stands in a section's text after its items. False: nothing does."""
    if section.key == "catalog":
        return catalog.narrative(making)
    return False


def _procedure_item(making: Making, item: Item) -> None:
    """Imaging Procedure Description: an image quality has a template of its own (10.9)."""
    if place_of(item.name) != "image-quality" or not isinstance(item.value, Coded):
        entry(making, item)
        return
    writer = making.writer
    with writer.element("observation", EVENT):
        writer.leaf("templateId", {"root": ENTRIES["quality"]})
        making.position(item.position)
        making.code("code", item.name, where(item))
        with writer.element("text"):
            writer.leaf("reference", {"value": f"#{identified(item)}"})
        writer.leaf("statusCode", {"code": "completed"})
        making.code("value", display.coded(item), where(item), type="CD")
        for each in item.children:
            with writer.element("entryRelationship", {"typeCode": "SUBJ"}):
                entry(making, each)


_FORMS: Final[dict[str, Callable[[Making, Item], None]]] = {
    "procedure": _procedure_item,
    "radiation": exposure.item,
    "communication": actions.communication,
    "recommendation": actions.recommendation,
}
