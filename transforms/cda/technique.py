"""Procedure Technique (10.4) of the current procedure (C.4.4.2), and of the one compared with (C.4.1.2)."""

from __future__ import annotations

from profiles.cda import ENTRIES
from transforms.cda import display, header, times
from transforms.cda.making import Making
from transforms.sr.model import Item
from transforms.sr.values import Date, Time, UidRef

_PROCEDURE = {"classCode": "PROC", "moodCode": "EVN"}


def narrative(making: Making, headed: tuple[Item, ...]) -> bool:
    """The procedure in words: X-Ray Study, XR, Chest, 2006-08-23 22:24:00. False: nothing is known of it."""
    codes = (*header.procedures(making), *header.modalities(making, headed))
    region = header.region(making, headed)
    study = making.document.study
    words = [display.meaning(code) for code in (*codes, *((region,) if region is not None else ()))]
    words.append(f"{times.shown(study.date)} {times.shown(study.time)}".strip())
    said = ", ".join(word for word in dict.fromkeys(words) if word)
    if said:
        with making.writer.element("paragraph"):
            making.writer.leaf("content", {"ID": "technique"}, said)
    return bool(said)


def current(making: Making, headed: tuple[Item, ...]) -> None:
    """The procedure of the document's study; its date of the section where that says one, else of the study."""
    writer, study = making.writer, making.document.study
    section = next(
        (each for each in making.document.root.children if each.name is not None and each.name.value in _CURRENT), None
    )
    time = _time(section) if section is not None else ""
    with writer.element("procedure", _PROCEDURE):
        writer.leaf("templateId", {"root": ENTRIES["technique"]})
        making.named("procedure technique")
        header.procedure(making, headed, "code")
        with writer.element("text"):
            writer.leaf("reference", {"value": "#technique"})
        if started := time or times.timestamp(study.date, study.time, making.zone):
            writer.leaf("effectiveTime", {"value": started})
        modality = header.modalities(making, headed)
        for code in modality:
            making.code("methodCode", code, "Modality")
        if not modality:
            writer.leaf("methodCode", {"nullFlavor": "NI"})
        region = header.region(making, headed)
        if region is not None:
            making.code("targetSiteCode", region, "target region")
        else:
            writer.leaf("targetSiteCode", {"nullFlavor": "NI"})


_CURRENT = frozenset({"55111-9", "121064"})


def _time(section: Item) -> str:
    """Study Date (111060) and Study Time (111061) of a section; "" where it has none that is one."""
    date, time = display.child(section, "study-date"), display.child(section, "study-time")
    if date is None or not isinstance(date.value, Date):
        return ""
    clock = time.value.value if time is not None and isinstance(time.value, Time) else ""
    return times.timestamp(date.value.value, clock) or ""


def comparison(making: Making, section: Item) -> None:
    """Procedure Technique and Study Act of the procedure that a Comparison Study section names, where it names one."""
    writer = making.writer
    code = display.child(section, "procedure-code")
    study = display.child(section, "procedure-study")
    time = _time(section)
    modality, region = display.child(section, "modality"), display.child(section, "region")
    at = display.where(section)
    if any(each is not None for each in (code, modality, region)):
        with writer.element("entry"), writer.element("procedure", _PROCEDURE):
            writer.leaf("templateId", {"root": ENTRIES["technique"]})
            making.named(f"{at} technique")
            making.code("code", display.coded(code), at)
            if time:
                writer.leaf("effectiveTime", {"value": time})
            making.code("methodCode", display.coded(modality), at)
            making.code("targetSiteCode", display.coded(region), at)
    if study is not None and isinstance(study.value, UidRef):
        with writer.element("entry"), writer.element("act", {"classCode": "ACT", "moodCode": "EVN"}):
            writer.leaf("templateId", {"root": ENTRIES["study"]})
            making.uid("id", study.value.uid, display.where(study))
            making.concept("code", "113014", "Study")
            said = display.child(section, "procedure-description") or code
            if said is not None:
                writer.leaf("text", text=display.value(said))
            if time:
                writer.leaf("effectiveTime", {"value": time})
