"""A content item in the words of a reader: what stands in the narrative, and nowhere else.

Nothing is rounded and nothing is translated: numbers, texts and names are those that were sent.
"""

from __future__ import annotations

from typing import Final

from transforms.cda import names, times
from transforms.cda.terms import place_of
from transforms.dictionary import UID_dictionary
from transforms.sr.model import Item
from transforms.sr.values import (
    Cell,
    Code,
    Coded,
    Composite,
    Date,
    DateTime,
    Image,
    Num,
    PName,
    SCoord,
    SCoord3D,
    SopReference,
    TCoord,
    Text,
    Time,
    UidRef,
    Waveform,
)

_NO_UNIT: Final = frozenset({"1", "{none}"})


def where(item: Item) -> str:
    """The position of an item as it is written everywhere: 1.8.1."""
    return ".".join(map(str, item.position))


def heading(item: Item) -> str:
    """What the item is: the meaning of its concept name, else its code; "" where it has none."""
    return "" if item.name is None else meaning(item.name)


def meaning(code: Code) -> str:
    """A code for people."""
    return code.meaning or code.value


def value(item: Item) -> str:
    """What the item says, in one line but for texts."""
    given = item.value
    match given:
        case Text():
            return given.text
        case Coded():
            return meaning(given.code)
        case Num():
            return number(given)
        case Date() | Time() | DateTime():
            return times.shown(given.value)
        case PName():
            return names.shown(given.name) or given.name
        case UidRef():
            return given.uid
        case Image():
            return image(given)
        case Composite() | Waveform():
            channels = (
                [f"{group}.{channel}" for group, channel in given.channels] if isinstance(given, Waveform) else []
            )
            return reference(given.reference) + (f", channels {', '.join(channels)}" if channels else "")
        case SCoord():
            return f"{given.graphic_type.lower()}, {len(given.data) // 2} points in the image"
        case SCoord3D():
            return f"{given.graphic_type.lower()}, {len(given.data) // 3} points in space"
        case TCoord():
            times_given = (*map(str, given.samples), *given.offsets, *map(times.shown, given.date_times))
            return f"{given.range_type.lower()} {', '.join(times_given)}".rstrip()
        case _:
            return ""


def number(given: Num) -> str:
    """45 mm; a number without a value says why."""
    parts = [given.decimal]
    if given.unit is not None and given.unit.value not in _NO_UNIT:
        parts.append(given.unit.value)
    elif given.unit is not None and given.unit.meaning not in ("1", "no units", "unitless"):
        parts.append(given.unit.meaning)
    if given.rational is not None:
        parts.append(f"({given.rational[0]}/{given.rational[1]})")
    if given.qualifier is not None:
        parts.append(f"({meaning(given.qualifier)})" if given.decimal else meaning(given.qualifier))
    return " ".join(part for part in parts if part)


def image(given: Image) -> str:
    """CT Image 1.2.3, frames 4, 5."""
    parts = [reference(given.reference)]
    if given.frames:
        parts.append(f"{'frames' if len(given.frames) > 1 else 'frame'} {', '.join(map(str, given.frames))}")
    if given.segments:
        parts.append(f"{'segments' if len(given.segments) > 1 else 'segment'} {', '.join(map(str, given.segments))}")
    return ", ".join(parts)


def reference(given: SopReference) -> str:
    """CT Image 1.2.3."""
    return f"{sop_class(given.sop_class)} {given.sop_instance}".strip()


def sop_class(uid: str) -> str:
    """CT Image: what instances of a SOP class are; "" where PS3.6 does not know it."""
    return sop_class_name(uid).removesuffix(" Storage")


def sop_class_name(uid: str) -> str:
    """The name of a SOP class in PS3.6."""
    row = UID_dictionary.get(uid)
    return row[0] if row is not None else ""


def cell(given: Cell) -> str:
    """A cell of a TABLE."""
    unit = meaning(given.unit) if given.unit is not None and given.unit.value not in _NO_UNIT else ""
    said = [f"{each} {unit}".rstrip() for each in given.values] or ([unit] if unit else [])
    said += map(meaning, given.codes)
    if given.qualifier is not None:
        said.append(f"({meaning(given.qualifier)})")
    if given.target:
        said.append(f"see {'.'.join(map(str, given.target))}")
    return ", ".join(said)


def child(item: Item, place: str) -> Item | None:
    """The first child whose concept has this place of its own (profiles.cda.CONTEXT)."""
    return next((each for each in item.children if place_of(each.name) == place), None)


def coded(item: Item | None) -> Code | None:
    """The code of a CODE item."""
    return item.value.code if item is not None and isinstance(item.value, Coded) else None
