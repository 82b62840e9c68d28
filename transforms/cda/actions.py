"""What was asked, given, told and recommended: indications, medications, communications, follow-up procedures."""

from __future__ import annotations

from profiles.cda import ENTRIES
from transforms.cda import display, times
from transforms.cda.display import where
from transforms.cda.entries import entry
from transforms.cda.making import Making
from transforms.cda.narrative import identified
from transforms.cda.quantities import quantity
from transforms.cda.terms import place_of
from transforms.sr.model import Item
from transforms.sr.values import Code, Coded, Date, DateTime, Num, Text

_SUBSTANCE = {"classCode": "SBADM", "moodCode": "EVN"}
_OBSERVED = {"classCode": "OBS", "moodCode": "EVN"}


def requested_narrative(making: Making) -> bool:
    """Reason for the Requested Procedure (0040,1002) and its codes (0040,100A), as text (C.4.4.1)."""
    writer, requests = making.writer, making.document.general.requests
    for number, request in enumerate(requests, 1):
        if request.reason:
            with writer.element("paragraph"), writer.element("content", {"ID": f"r{number}"}):
                writer.lines(request.reason)
        for index, code in enumerate(request.reason_codes, 1):
            with writer.element("paragraph"):
                writer.leaf("content", {"ID": f"r{number}.{index}"}, display.meaning(code))
    return any(each.reason or each.reason_codes for each in requests)


def requested(making: Making) -> None:
    """The coded reasons as Coded Observations (432678004, SNOMED CT, Indication for procedure)."""
    writer = making.writer
    for number, request in enumerate(making.document.general.requests, 1):
        for index, code in enumerate(request.reason_codes, 1):
            with writer.element("entry"), writer.element("observation", _OBSERVED):
                writer.leaf("templateId", {"root": ENTRIES["coded"]})
                making.named(f"request {number}.{index}")
                making.concept("code", "432678004", "Indication for procedure", "SCT")
                with writer.element("text"):
                    writer.leaf("reference", {"value": f"#r{number}.{index}"})
                writer.leaf("statusCode", {"code": "completed"})
                making.code("value", code, "ReasonForRequestedProcedureCodeSequence", type="CD")
                writer.leaf("targetSiteCode", {"nullFlavor": "NI"})


def medication(making: Making, item: Item) -> None:
    """Procedural Medication (10.2) of a CODE or TEXT item; any other item is an observation."""
    if not isinstance(item.value, (Coded, Text)):
        entry(making, item)
        return
    writer, at = making.writer, where(item)
    route = next((each for each in item.children if place_of(each.name) == "route" and not each.children), None)
    dose = next((each for each in item.children if isinstance(each.value, Num) and not each.children), None)
    with writer.element("substanceAdministration", _SUBSTANCE):
        writer.leaf("templateId", {"root": ENTRIES["medication"]})
        making.position(item.position)
        making.code("code", item.name, at)
        with writer.element("text"):
            writer.leaf("reference", {"value": f"#{identified(item)}"})
        writer.leaf("statusCode", {"code": "completed"})
        if item.observed_at:
            making.observed(item)
        if (code := display.coded(route)) is not None:
            making.code("routeCode", code, at)
        if dose is not None and isinstance(dose.value, Num):
            quantity(making, "doseQuantity", dose.value, where(dose), typed=False)
        product(making, item)
        for each in item.children:
            if each is not route or display.coded(route) is None:
                with writer.element("entryRelationship", {"typeCode": "SUBJ"}):
                    entry(making, each)


def product(making: Making, item: Item) -> None:
    """consumable: what was given, coded or in words."""
    writer = making.writer
    with (
        writer.element("consumable"),
        writer.element("manufacturedProduct", {"classCode": "MANU"}),
        writer.element("manufacturedMaterial"),
    ):
        if isinstance(item.value, Coded):
            making.code("code", item.value.code, where(item))
        else:
            with writer.element("code", {"nullFlavor": "NI"}):
                writer.leaf("originalText", text=display.value(item))


def communication(making: Making, item: Item) -> None:
    """Communication of Actionable Findings (9.8.10): each text of the section tells of one communication."""
    if not isinstance(item.value, Text) or item.children:
        entry(making, item)
        return
    writer, at = making.writer, where(item)
    observers = [each.name for each in item.context.observers if each.type == "PSN"]
    authors = [each.person.name for each in making.document.general.authors if each.type != "DEV"]
    with writer.element("act", {"classCode": "ACT", "moodCode": "EVN"}):
        making.position(item.position)
        name = (item.name,) if item.name is not None else ()
        making.code("code", Code("121291", "DCM", "Results communicated", equivalents=name), at)
        with writer.element("text"):
            writer.leaf("reference", {"value": f"#{identified(item)}"})
        writer.leaf("statusCode", {"code": "completed"})
        making.observed(item)
        with writer.element("performer"), writer.element("assignedEntity"):
            writer.leaf("id", {"nullFlavor": making.absent})
            with writer.element("assignedPerson"):
                making.person("name", next(iter((*observers, *authors)), ""))
        with writer.element("participant", {"typeCode": "NOT"}), writer.element("participantRole"):
            writer.leaf("telecom", {"nullFlavor": making.absent})
            with writer.element("playingEntity"):
                writer.leaf("name", {"nullFlavor": making.absent})


def recommendation(making: Making, item: Item) -> None:
    """Recommendation (9.8.11): a coded one is a procedure proposed; one in words is an observation (C.4.3.2)."""
    if not isinstance(item.value, Coded):
        entry(making, item)
        return
    writer, at = making.writer, where(item)
    due = display.child(item, "follow-up-date")
    with writer.element("procedure", {"classCode": "PROC", "moodCode": "PRP"}):
        making.position(item.position)
        making.code("code", _named(item), at)
        with writer.element("text"):
            writer.leaf("reference", {"value": f"#{identified(item)}"})
        high = times.timestamp(due.value.value) if due is not None and isinstance(due.value, Date) else ""
        if due is not None and isinstance(due.value, DateTime):
            high = times.date_time(due.value.value, making.zone)
        if high:
            with writer.element("effectiveTime"):
                writer.leaf("high", {"value": high})
        else:
            writer.leaf("effectiveTime", {"nullFlavor": "NI"})
        for each in item.children:
            with writer.element("entryRelationship", {"typeCode": "SUBJ"}):
                entry(making, each)


def _named(item: Item) -> Code:
    """What is recommended, with what the SR calls it (Recommendation, Follow-up) as a translation."""
    assert isinstance(item.value, Coded)
    code = item.value.code
    also = (item.name,) if item.name is not None else ()
    return Code(code.value, code.scheme, code.meaning, code.version, code.form, (*code.equivalents, *also))
