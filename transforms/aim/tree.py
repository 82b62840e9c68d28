"""Small words for SR content trees: concepts from profiles/aim, codes between AIM and SR, items made and found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from profiles.aim.codes import SCHEMES, SCT_OF_SRT
from profiles.aim.concepts import FIELDS, Triplet
from transforms.aim.model import datatypes as aim
from transforms.sr.model import Item
from transforms.sr.values import Code, Coded, Container, Text, Value

CONTAINS = "CONTAINS"
MODIFIER = "HAS CONCEPT MOD"
PROPERTY = "HAS PROPERTIES"
OBSERVATION = "HAS OBS CONTEXT"
ACQUISITION = "HAS ACQ CONTEXT"
INFERRED = "INFERRED FROM"
SELECTED = "SELECTED FROM"

_SHORT = 16  # characters of a Code Value (0008,0100), SH
_MEANING = 64  # of a Code Meaning (0008,0104), LO


def concept(triplet: Triplet) -> Code:
    """A concept of profiles/aim as SR has it."""
    value, scheme, meaning = triplet
    return Code(value, scheme, meaning, form="short" if len(value) <= _SHORT else "long")


def field(element: str) -> Code:
    """The concept for an element of AIM that no template has a row for."""
    return concept((element, FIELDS, element))


def to_sr(code: aim.Code) -> Code:
    """A code of AIM as SR has it (PS3.21 A.8): long and URN code values in their attributes, schemes by designator."""
    form: str = "short" if len(code.code) <= _SHORT else "long"
    if not code.scheme and code.code.lower().startswith(("urn:", "http:", "https:")):
        form = "urn"
    value = code.code or code.meaning[:_SHORT]
    meaning = (code.meaning or code.code)[:_MEANING]
    scheme = SCHEMES.get(code.scheme, code.scheme) or ("" if form == "urn" else FIELDS)
    return Code(value, scheme, meaning, code.version, form)  # type: ignore[arg-type]


def from_sr(code: Code) -> aim.Code:
    """The same the other way."""
    return aim.Code(code.value, code.scheme, code.meaning, "", code.version)


def triplet(code: Triplet) -> aim.Code:
    """A concept of profiles/aim as AIM has it."""
    return aim.Code(*code)


def is_named(item: Item, *concepts: Triplet) -> bool:
    """Whether an item's concept name is one of these, also in the SNOMED RT style code that older SRs use."""
    if item.name is None:
        return False
    key = (item.name.scheme, item.name.value)
    if item.name.scheme == "SRT" and item.name.value in SCT_OF_SRT:
        key = ("SCT", SCT_OF_SRT[item.name.value])
    return any(key == (scheme, value) for value, scheme, _ in concepts)


def named(items: Iterable[Item], *concepts: Triplet) -> Iterator[Item]:
    """Those of the items that have one of the names."""
    return (item for item in items if is_named(item, *concepts))


def text_of(items: Iterable[Item], name: Triplet) -> str:
    """The text of the first item of that name, "" where there is none."""
    return next((item.value.text for item in named(items, name) if isinstance(item.value, Text)), "")


def code_of(items: Iterable[Item], name: Triplet) -> Code | None:
    """The code of the first item of that name."""
    return next((item.value.code for item in named(items, name) if isinstance(item.value, Coded)), None)


def item(relationship: str, name: Triplet | Code | None, value: Value, *children: Item, uid: str = "") -> Item:
    """A content item; `settled` of transforms/sr/context.py gives it its position later."""
    code = concept(name) if isinstance(name, tuple) else name
    return Item(relationship, code, value, children, observation_uid=uid)


def text(relationship: str, name: Triplet | Code, words: str, *children: Item, uid: str = "") -> Item:
    """A TEXT item."""
    return item(relationship, name, Text(words), *children, uid=uid)


def with_children(parent: Item, *more: Item) -> Item:
    """The item with further children."""
    return replace(parent, children=(*parent.children, *more))


def container(name: Triplet, *children: Item, uid: str = "", relationship: str = CONTAINS) -> Item:
    """A CONTAINER item."""
    return item(relationship, name, Container("SEPARATE"), *children, uid=uid)


def told(item: Item) -> str:
    """An item in the words of a loss report: its type and the code of its name."""
    name = f" ({item.name.value}, {item.name.scheme})" if item.name is not None else ""
    return f"{item.value_type or 'reference'}{name}"


def place(item: Item) -> str:
    """Where an item stands: 1.6.2."""
    return ".".join(map(str, item.position))
