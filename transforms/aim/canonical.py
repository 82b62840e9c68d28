"""AIM and SR documents as flat tables, in which two of a kind can be compared item by item.

Rules of this file
* A row is a key and what stands there. Equal values in other spellings are equal: 1.50 and 1.5, 2017-02-01 and
  20170201, an empty text and none, SNOMED RT style codes of concept names and their SNOMED CT ones.
* Entities are told apart by their UID, content items by their name among their siblings; otherwise by their place.
  The order of items that differ in name carries no meaning in TID 1500 and is not compared.
* `where` of a row is a place without a value: it may be shown where the document may not.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation, Overflow
from typing import Any, Final, NamedTuple, TypeAlias

from profiles.aim.codes import SCT_OF_SRT
from profiles.aim.concepts import FIELDS
from transforms.aim import schema, tree
from transforms.aim.checks import digits
from transforms.aim.model.annotation import AnnotationCollection
from transforms.aim.model.datatypes import Code, Real, Stamp, Uid
from transforms.aim.model.entities import AnnotationStatement
from transforms.aim.numbers import number_text
from transforms.loss import Losses
from transforms.sr import values as sr
from transforms.sr.model import Document, Item

Key: TypeAlias = tuple[str, ...]


class Row(NamedTuple):
    """What stands at a key."""

    where: str
    what: str
    value: object


Table: TypeAlias = dict[Key, Row]

# Of the objects themselves, not of what they say
_AIM_ASIDE: Final = frozenset({"aim_version"})
_SR_ASIDE: Final = frozenset({"sop_instance", "root", "others", "language", "character_set"})


def of_aim(collection: AnnotationCollection) -> Table:
    """The rows of an AIM document, its own UID and version aside."""
    rows: Table = {}
    _structure(dataclasses.replace(collection, unique_identifier=Uid("")), (), "", rows)
    return rows


def _structure(value: Any, key: Key, where: str, rows: Table) -> None:
    for part in schema.parts(type(value)):
        held = getattr(value, part.field)
        if held is None or part.field in _AIM_ASIDE:
            continue
        place = f"{where}/{part.element}"
        if not part.many:
            _one(held, part, (*key, part.element), place, rows)
            continue
        for number, each in enumerate(held):
            name = f"{part.collection}[{number + 1}]" if part.collection else f"[{number + 1}]"
            inner = f"{place}/{name}" if part.collection else f"{place}{name}"
            _one(each, part, (*key, f"{part.element} {_told_apart(each, number)}"), inner, rows)


def _told_apart(value: Any, number: int) -> str:
    if isinstance(value, AnnotationStatement):
        return f"{value.kind} {value.subject_unique_identifier} {value.object_unique_identifier}"
    return str(getattr(value, "unique_identifier", None) or number)


def _one(held: Any, part: schema.Part, key: Key, where: str, rows: Table) -> None:
    if isinstance(held, Code):
        for name in ("code", "scheme", "meaning", "system", "version"):
            if getattr(held, name):
                rows[(*key, name)] = Row(where, f"code, {name}", getattr(held, name))
    elif not part.is_datatype:
        rows[(*key, "")] = Row(where, "type", type(held).__name__)
        _structure(held, key, where, rows)
    elif held != "":
        rows[key] = Row(where, "value", _spelt(held, part.type))


def _spelt(held: Any, kind: object) -> object:
    if kind is Real:
        return _number(held)
    if kind is Stamp:
        text = digits(held)
        return text[:8] if len(text) == 14 and text.endswith("000000") else text
    return held


def _number(text: str) -> object:
    try:
        return Decimal(text).normalize()
    except (InvalidOperation, Overflow):
        return text


def of_sr(document: Document) -> Table:
    """The rows of an SR document: header and content tree, its own UID and character set aside."""
    rows: Table = {}
    for name, value in _fields(document):
        if name not in _SR_ASIDE:
            rows.update(_header(value, (name,)))
    _item(document.root, ("root",), rows)
    return rows


def _fields(value: Any) -> Iterator[tuple[str, Any]]:
    return ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))


def _header(value: Any, key: Key) -> Iterator[tuple[Key, Row]]:
    if dataclasses.is_dataclass(value) and not isinstance(value, sr.Code):
        if getattr(value, "designator", "") == FIELDS:
            return
        for name, inner in _fields(value):
            yield from _header(inner, (*key, name))
    elif isinstance(value, tuple):
        for number, inner in enumerate(sorted(value, key=_instance)):
            yield from _header(inner, (*key, _instance(inner) or str(number + 1)))
    elif value not in ("", None):
        where = "/".join("*" if "." in part else part for part in key)
        yield key, Row(where, "attribute", value)


def _instance(value: Any) -> str:
    reference = getattr(value, "reference", None)
    return str(getattr(reference, "sop_instance", ""))


def _item(item: Item, key: Key, rows: Table) -> None:
    where = tree.place(item)
    told = tree.told(item)
    rows[(*key, "")] = Row(where, told, item.value_type)
    for aspect, value in (
        ("relationship", item.relationship),
        ("concept name", item.name),
        *_values(item.value),
        ("Observation DateTime", item.observed_at),
        ("Observation UID", item.observation_uid),
    ):
        if value not in ("", None):
            rows[(*key, aspect)] = Row(where, f"{told}: {aspect}", value)
    seen: Counter[Key] = Counter()
    for child in item.children:
        named = _name(child)
        seen[named] += 1
        _item(child, (*key, f"{' '.join(named)} {seen[named]}"), rows)


def _name(item: Item) -> Key:
    if item.name is None:
        return (item.value_type, "", "")
    scheme, value = item.name.scheme, item.name.value
    if scheme == "SRT" and value in SCT_OF_SRT:
        scheme, value = "SCT", SCT_OF_SRT[value]
    return (item.value_type, scheme, value)


def _values(value: sr.Value) -> Iterator[tuple[str, object]]:
    if not isinstance(value, sr.Num):
        yield "value", value
        return
    text = number_text(value.decimal, value.floating)  # a float that only repeats the decimal says nothing more
    yield "number", (_number(text), value.rational)
    yield "qualifier", value.qualifier
    if value.unit is not None:
        yield "unit", (value.unit.value, value.unit.scheme)
        yield "meaning of the unit", value.unit.meaning


def compare(before: Table, after: Table, losses: Losses) -> None:
    """Everything of `before` that `after` does not say, or says otherwise, as lines of a loss report."""
    there = {key[:length] for key in after for length in range(1, len(key) + 1)}
    for key, row in before.items():
        now = after.get(key)
        if now is not None:
            if now.value != row.value:
                losses.changed(row.where, row.what)
            continue
        top = _top(key, there)
        whole = before.get((*top, ""))
        if whole is not None:
            losses.left_out(whole.where, whole.what)
        else:
            losses.left_out(row.where, row.what)


def _top(key: Key, there: set[Key]) -> Key:
    """The outermost structure that holds a key and is not there at all."""
    for length in range(1, len(key) + 1):
        if key[:length] not in there:
            return key[:length]
    return key
