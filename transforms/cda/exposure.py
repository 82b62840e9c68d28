"""Radiation Exposure and Protection Information (9.8.5, C.4.4.3)."""

from __future__ import annotations

from transforms.cda.actions import product
from transforms.cda.entries import entry
from transforms.cda.instances import sop_instance
from transforms.cda.making import Making
from transforms.cda.narrative import identified
from transforms.cda.plan import Section
from transforms.cda.terms import place_of
from transforms.sr.model import Item
from transforms.sr.values import Code, Composite, PName, Text

PREGNANCY = Code("364320009", "SCT", "Pregnancy observable")
INDICATION = Code("432678004", "SCT", "Indication for procedure")


def procedure(making: Making, section: Section) -> None:
    """Patient exposure to ionizing radiation, and who authorized it."""
    writer = making.writer
    items = [item for item in section.items if place_of(item.name) == "irradiation-authorizing"]
    below = [
        each for item in section.items for each in item.children if place_of(each.name) == "irradiation-authorizing"
    ]
    who = next((each.value.name for each in (*items, *below) if isinstance(each.value, PName)), "")
    if section.source is not None or who:
        with writer.element("entry"), writer.element("procedure", {"classCode": "PROC", "moodCode": "EVN"}):
            making.named("radiation exposure")
            making.concept("code", "121290", "Patient exposure to ionizing radiation")
            with (
                writer.element("participant", {"typeCode": "RESP"}),
                writer.element("participantRole"),
            ):
                writer.leaf("id", {"nullFlavor": making.absent})
                making.concept("code", "113850", "Irradiation Authorizing")
                with writer.element("playingEntity"):
                    making.person("name", who)
    for report in _dose_reports(making):
        with writer.element("entry"):
            sop_instance(making, report, lambda: None)


def _dose_reports(making: Making) -> list[Item]:
    """X-Ray Radiation Dose Report (113701) named in Current Procedure Descriptions."""
    return [
        item
        for section in making.document.root.children
        for item in section.children
        if place_of(item.name) == "dose-report" and isinstance(item.value, Composite)
    ]


def item(making: Making, given: Item) -> None:
    """An item of the section, by the form that the template fixes for it."""
    place = place_of(given.name)
    if place == "radioactive-substance" and isinstance(given.value, Text):
        _substance(making, given)
    elif place == "pregnancy":
        _renamed(making, given, PREGNANCY)
    elif place == "indications":
        _renamed(making, given, INDICATION)
    else:
        entry(making, given)


def _renamed(making: Making, given: Item, name: Code) -> None:
    """A Coded Observation whose code the template fixes; what the SR calls it is a translation."""
    also = (given.name,) if given.name is not None else ()
    entry(making, given, name=Code(name.value, name.scheme, name.meaning, equivalents=also))


def _substance(making: Making, given: Item) -> None:
    writer = making.writer
    with writer.element("substanceAdministration", {"classCode": "SBADM", "moodCode": "EVN"}):
        making.position(given.position)
        making.concept("code", "440252007", "Administration of radiopharmaceutical", "SCT")
        with writer.element("text"):
            writer.leaf("reference", {"value": f"#{identified(given)}"})
        product(making, given)
        for each in given.children:
            with writer.element("entryRelationship", {"typeCode": "SUBJ"}):
                entry(making, each)
