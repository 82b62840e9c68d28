"""DICOM Object Catalog (9.8.7): the SR itself and its evidence, as studies (10.6), series (10.7) and instances."""

from __future__ import annotations

from collections.abc import Iterator

from profiles.cda import ENTRIES
from profiles.cda.modalities import MODALITY_OF
from transforms.cda import display, times
from transforms.cda.instances import reference
from transforms.cda.making import Making
from transforms.sr.header import Evidence
from transforms.sr.values import Code, SopReference

_ACT = {"classCode": "ACT", "moodCode": "EVN"}


def entries(making: Making) -> None:
    """One Study Act a study, the document's own first."""
    writer, document = making.writer, making.document
    for study, series in _tree(making).items():
        own = study == document.study.instance
        with writer.element("entry"), writer.element("act", _ACT):
            writer.leaf("templateId", {"root": ENTRIES["study"]})
            making.uid("id", study, "evidence")
            making.concept("code", "113014", "Study")
            if own and document.study.description:
                writer.leaf("text", text=document.study.description)
            time = times.timestamp(document.study.date, document.study.time, making.zone) if own else ""
            if time or time is None:
                making.time("effectiveTime", time, "StudyDate, StudyTime")
            for uid, instances in series.items():
                with writer.element("entryRelationship", {"typeCode": "COMP"}):
                    _series(making, uid, instances)


def narrative(making: Making) -> bool:
    """A line a series: what is in it, and how much."""
    for series in _tree(making).values():
        for uid, instances in series.items():
            kinds = dict.fromkeys(display.sop_class(each.sop_class) or each.sop_class for each in instances)
            count = len(instances)
            making.writer.leaf("paragraph", text=f"{uid}: {count} {', '.join(kinds)}")
    return True


def _series(making: Making, uid: str, instances: list[SopReference]) -> None:
    writer, document = making.writer, making.document
    own = uid == document.series.instance
    modality = (document.series.modality, "") if own else MODALITY_OF.get(instances[0].sop_class, ("", ""))
    with writer.element("act", _ACT):
        writer.leaf("templateId", {"root": ENTRIES["series"]})
        making.uid("id", uid, "evidence")

        def also() -> None:
            with writer.element("qualifier"):
                making.concept("name", "121139", "Modality")
                making.code("value", Code(modality[0], "DCM", modality[1]) if modality[0] else None, "evidence")

        making.code("code", Code("113015", "DCM", "Series"), "evidence", also=also)
        if own and document.series.description:
            writer.leaf("text", text=document.series.description)
        time = times.timestamp(document.series.date, document.series.time, making.zone) if own else ""
        if time or time is None:
            making.time("effectiveTime", time, "SeriesDate, SeriesTime")
        for each in instances:
            with writer.element("entryRelationship", {"typeCode": "COMP"}):
                created = _created(making) if each.sop_instance == document.sop_instance else ""
                reference(making, each, "evidence", created=created)


def _created(making: Making) -> str:
    general = making.document.general
    time = times.timestamp(general.creation_date, general.creation_time, making.zone)
    if time is None:
        making.losses.left_out("InstanceCreationDate, InstanceCreationTime", "no date or time as DICOM writes one")
    return time or ""


def _tree(making: Making) -> dict[str, dict[str, list[SopReference]]]:
    """Study -> series -> instances, each instance once."""
    found: dict[str, dict[str, list[SopReference]]] = {}
    met: set[SopReference] = set()
    for each in _evidence(making):
        if each.reference not in met:
            met.add(each.reference)
            found.setdefault(each.study, {}).setdefault(each.series, []).append(each.reference)
    return found


def _evidence(making: Making) -> Iterator[Evidence]:
    document = making.document
    own = SopReference(document.sop_class, document.sop_instance)
    yield Evidence(document.study.instance, document.series.instance, own)
    general = document.general
    yield from (*general.current_evidence, *general.other_evidence, *general.predecessors, *general.identical)
