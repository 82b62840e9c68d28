"""Content items as entries (PS3.20 chapter 10, C.4.3): one function a Value Type, and what is below an item below it.

Rules of this file
* CODE and TEXT become Coded Observations (10.1), NUM a Quantity Measurement (10.5), IMAGE, COMPOSITE and WAVEFORM SOP
  Instance Observations (10.8). Where PS3.20 names no template (dates, names, UIDs, tables) it is an observation with a
  value of the HL7 datatype that fits; PS3.20's templates are open (5.1).
* Finding site, laterality, topographical modifier and method of an observation become its targetSiteCode and
  methodCode; all else below it becomes an entryRelationship of the type in profiles.cda.TYPE_CODE.
* Spatial coordinates have no place (C.1, 9.1.2.4): what they were selected from takes theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from profiles.cda import ENTRIES, TYPE_CODE
from transforms.cda import display, times
from transforms.cda.display import where
from transforms.cda.instances import sop_instance
from transforms.cda.making import Making
from transforms.cda.names import parted
from transforms.cda.narrative import identified
from transforms.cda.quantities import quantity
from transforms.cda.terms import OID, place_of
from transforms.sr.model import Item
from transforms.sr.values import (
    ByReference,
    Code,
    Coded,
    Composite,
    Container,
    Date,
    DateTime,
    Image,
    Num,
    PName,
    SCoord,
    SCoord3D,
    TCoord,
    Text,
    Time,
    UidRef,
    Waveform,
)

EVENT: Final = {"classCode": "OBS", "moodCode": "EVN"}
_MODIFIERS: Final = frozenset({"finding-site", "laterality", "topography", "method"})
_COORDINATES: Final = (SCoord, SCoord3D, TCoord)
_FOLLOWED: Final = (Coded, Text, Num)


def entry(making: Making, item: Item, *, name: Code | None = None) -> None:
    """The clinical statement of an item. `name`: the concept that a section's template fixes for it (9.8.5)."""
    if isinstance(item.value, (Image, Composite, Waveform)):
        sop_instance(making, item, lambda: _related(making, _lifted(making, item.children)))
    elif isinstance(item.value, ByReference):
        _elsewhere(making, item)
    else:
        observation(making, item, name=name)


def observation(making: Making, item: Item, *, name: Code | None = None) -> None:
    """Coded Observation, Quantity Measurement, or an observation of another datatype."""
    writer, at = making.writer, where(item)
    sites = _sites(item) if isinstance(item.value, _FOLLOWED) else {}
    taken = {id(each) for each in sites.values()}
    with writer.element("observation", EVENT):
        if isinstance(item.value, (Coded, Text)):
            writer.leaf("templateId", {"root": ENTRIES["coded"]})
        elif isinstance(item.value, Num):
            writer.leaf("templateId", {"root": ENTRIES["quantity"]})
        identifier(making, item)
        making.code("code", name or item.name, at)
        _text(making, item)
        writer.leaf("statusCode", {"code": "completed"})
        if item.observed_at:
            making.observed(item)
        _value(making, item)
        if method := display.coded(sites.get("method")):
            making.code("methodCode", method, where(sites["method"]))
        if isinstance(item.value, _FOLLOWED):
            _target_site(making, sites)
        if isinstance(item.value, Num) and item.value.qualifier is not None:
            _assertion(making, item.value.qualifier, at)
        _related(making, (each for each in _lifted(making, item.children) if id(each) not in taken))


def identifier(making: Making, item: Item) -> None:
    """id: the item's Observation UID (0040,A171), else its position under the SR's UID."""
    if OID.match(item.observation_uid):
        making.writer.leaf("id", {"root": item.observation_uid})
    else:
        making.position(item.position)
        if item.observation_uid:
            making.losses.left_out(where(item), "Observation UID that is no OID")


def _text(making: Making, item: Item) -> None:
    with making.writer.element("text"):
        making.writer.leaf("reference", {"value": f"#{identified(item)}"})


def _value(making: Making, item: Item) -> None:
    writer, given, at = making.writer, item.value, where(item)
    match given:
        case Coded():
            making.code("value", given.code, at, type="CD")
        case Text():
            null = "NI" if given.text else making.absent  # C.4.3.2; MSK where a de-identified text is empty
            with writer.element("value", {"xsi:type": "CD", "nullFlavor": null}):
                writer.leaf("originalText", text=given.text)
        case Num():
            quantity(making, "value", given, at)
        case Date():
            making.time("value", times.timestamp(given.value), at, {"xsi:type": "TS"})
        case DateTime():
            making.time("value", times.date_time(given.value, making.zone), at, {"xsi:type": "TS"})
        case PName():
            _person(making, given.name)
        case UidRef():
            if OID.match(given.uid):
                writer.leaf("value", {"xsi:type": "II", "root": given.uid})
            else:
                writer.leaf("value", {"xsi:type": "II", "nullFlavor": "OTH", "extension": given.uid})
                making.losses.changed(at, "a UID that is no OID stands as extension without a root")
        case Container():
            writer.leaf("value", {"xsi:type": "CD", "nullFlavor": "NI"})
        case Time():  # HL7 v3 has no datatype for a time without its day
            writer.leaf("value", {"xsi:type": "ST"}, given.value)
        case _:
            making.losses.changed(at, "a TABLE stands in the narrative only, its codes by their meanings")


def _person(making: Making, name: str) -> None:
    writer = making.writer
    with writer.element("value", {"xsi:type": "PN"}):
        for each in parted(name)[:1]:
            making.parts(each)


def _sites(item: Item) -> dict[str, Item]:
    """The modifiers of an observation that have an element of their own: those that say a code and nothing more."""
    found: dict[str, Item] = {}
    for each in item.children:
        place = place_of(each.name)
        if place in _MODIFIERS and place not in found and isinstance(each.value, Coded):
            if not each.children:
                found[place] = each
            elif place == "finding-site" and (below := _below_site(each)) is not None:
                found[place] = each
                found.update(below)
    if "finding-site" not in found:  # a laterality of no site has nothing to qualify
        return {place: each for place, each in found.items() if place == "method"}
    return found


def _below_site(site: Item) -> dict[str, Item] | None:
    """Laterality and topographical modifier below a finding site; None where there is more below it."""
    found: dict[str, Item] = {}
    for each in site.children:
        place = place_of(each.name)
        if place not in ("laterality", "topography") or place in found or each.children:
            return None
        if not isinstance(each.value, Coded):
            return None
        found[place] = each
    return found


def _target_site(making: Making, sites: dict[str, Item]) -> None:
    site = sites.get("finding-site")
    code = display.coded(site)
    if site is None or code is None:
        making.writer.leaf("targetSiteCode", {"nullFlavor": "NI"})
        return
    qualifiers = [(each, sites[each]) for each in ("laterality", "topography") if each in sites]

    def also() -> None:
        for place, item in qualifiers:
            with making.writer.element("qualifier"):
                if place == "laterality":
                    making.concept("name", "272741003", "Laterality", "SCT")
                else:
                    making.concept("name", "106233006", "Topographical modifier", "SCT")
                making.code("value", display.coded(item), where(item))

    making.code("targetSiteCode", code, where(site), also=also if qualifiers else None)


def _assertion(making: Making, code: Code, at: str) -> None:
    """A code that qualifies a number, as an observation of its own (10.1: ASSERTION)."""
    writer = making.writer
    with writer.element("entryRelationship", {"typeCode": "SUBJ"}), writer.element("observation", EVENT):
        writer.leaf("templateId", {"root": ENTRIES["coded"]})
        making.named(f"{at} qualifier")
        writer.leaf("code", {"code": "ASSERTION", "codeSystem": "2.16.840.1.113883.5.4"})
        writer.leaf("statusCode", {"code": "completed"})
        making.code("value", code, at, type="CD")
        writer.leaf("targetSiteCode", {"nullFlavor": "NI"})


def _lifted(making: Making, items: Iterable[Item]) -> Iterator[Item]:
    """The items, with those of coordinates in the place of the coordinates."""
    for item in items:
        if isinstance(item.value, _COORDINATES):
            making.losses.left_out(
                where(item), f"coordinates of a {item.value_type} (C.1): only named in the narrative"
            )
            yield from _lifted(making, item.children)
        else:
            yield item


def _related(making: Making, items: Iterable[Item]) -> None:
    for item in items:
        with making.writer.element("entryRelationship", {"typeCode": TYPE_CODE.get(item.relationship, "COMP")}):
            entry(making, item)


def statements(making: Making, items: Iterable[Item], write: Callable[[Making, Item], None] = entry) -> None:
    """One `entry` each."""
    for item in _lifted(making, items):
        with making.writer.element("entry"):
            write(making, item)


def _elsewhere(making: Making, item: Item) -> None:
    """An item by reference: the same instance again, or an observation with the id of the one that is meant."""
    target = making.document.follow(item)
    if isinstance(target.value, (Image, Composite, Waveform)):
        sop_instance(making, target, lambda: None)
        return
    with making.writer.element("observation", EVENT):
        identifier(making, target)
        making.code("code", target.name, where(target))
        with making.writer.element("text"):
            making.writer.leaf("reference", {"value": f"#{identified(target)}"})
