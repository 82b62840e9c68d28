"""AIM fields that no row of TID 1500 has, as content items of their own, and back.


Rules of this file
* Each is an item named by its element in the scheme FIELDS; a structure is a TEXT that names its type, its fields below
  it. Any type of model/ goes there and back, with no code of its own.
* Numbers that fit stand as NUM, others as TEXT with every digit. SCOORD and IMAGE may have TEXT and CODE only
  (PS3.3 Table A.35.2-2, HAS CONCEPT MOD).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from profiles.aim.concepts import FIELDS, NO, NO_UNITS, YES
from transforms.aim import schema, tree
from transforms.aim.model.datatypes import Attribute, Code, Real, St, Stamp, Uid
from transforms.aim.numbers import decimal_string
from transforms.errors import TransformError
from transforms.sr.model import Item
from transforms.sr.values import Coded, Num, Text, UidRef, Value

_TEXTS = (St, Stamp, Attribute, str)


def items(value: Any, relationship: str, skip: Iterable[str] = ()) -> tuple[Item, ...]:
    """The fields of a structure as items, but for those that `skip` names and those that say nothing."""
    found = []
    left = frozenset(skip)
    for part in schema.parts(type(value)):
        held = getattr(value, part.field)
        if part.field in left or held is None or held in ((), ""):
            continue
        for each in held if part.many else (held,):
            found.append(_item(part, each, relationship))
    return tuple(found)


def one(value: Any, name: str, relationship: str) -> Item:
    """A single field of a structure as an item."""
    part = next(part for part in schema.parts(type(value)) if part.field == name)
    return _item(part, getattr(value, name), relationship)


def _item(part: schema.Part, held: Any, relationship: str) -> Item:
    name = tree.field(part.element)
    if part.is_datatype:
        return tree.item(relationship, name, _value(part.type, held, narrow=relationship == tree.MODIFIER))
    return tree.text(relationship, name, type(held).__name__, *items(held, tree.PROPERTY))


def _value(kind: object, held: Any, *, narrow: bool) -> Value:
    if kind is Code:
        return Coded(tree.to_sr(held))
    if kind is bool:
        return Coded(tree.concept(YES if held else NO))
    if kind is Uid and not narrow:
        return UidRef(held)
    if kind in (Real, int) and not narrow:
        decimal = decimal_string(str(held))
        if decimal is not None and decimal[0] == str(held):
            return Num(decimal[0], tree.concept(NO_UNITS))
    return Text(str(held))


def restored(found: Iterable[Item], cls: type, given: dict[str, Any]) -> Any:
    """The structure whose further fields stand in items; `given` are those that are known otherwise.

    Raises TransformError('sr-bad-field') where an item named in FIELDS is none of the type, or one is missing.
    """
    parts = {part.element: part for part in schema.parts(cls)}
    values: dict[str, Any] = {}
    for each in found:
        if each.name is None or each.name.scheme != FIELDS or each.name.value not in parts:
            continue
        part = parts[each.name.value]
        held = _held(each, part)
        if part.many:
            values[part.field] = (*values.get(part.field, ()), held)
        else:
            values[part.field] = held
    values = {**given, **values}
    for part in schema.parts(cls):
        if part.field in values or not part.required:
            continue
        if part.type not in _TEXTS:
            raise TransformError("sr-bad-field", f"{cls.__name__} without {part.element}")
        values[part.field] = St("")
    return cls(**values)


def _held(item: Item, part: schema.Part) -> Any:
    value = item.value
    if not part.is_datatype:
        cls = schema.kinds(part.type).get(value.text) if isinstance(value, Text) else None
        if cls is None:
            raise TransformError("sr-bad-field", f"{part.element} of a type that AIM does not have")
        return restored(item.children, cls, {})
    if part.type is Code and isinstance(value, Coded):
        return tree.from_sr(value.code)
    if part.type is bool and isinstance(value, Coded):
        return value.code.value == YES[0]
    if part.type is Uid and isinstance(value, UidRef):
        return Uid(value.uid)
    said = value.decimal if isinstance(value, Num) else value.text if isinstance(value, Text) else None
    if said is None or part.type in (Code, bool):
        raise TransformError("sr-bad-field", f"{part.element} with a value of another type")
    if part.type is int:
        if not said.lstrip("+-").isdecimal():
            raise TransformError("sr-bad-field", f"{part.element} is no whole number")
        return int(said)
    return said


def unsaid(value: Any, back: Any, relationship: str, skip: Iterable[str] = ()) -> tuple[Item, ...]:
    """Those fields of a structure that do not come `back` from the rows of the template."""
    same = {
        part.field
        for part in schema.parts(type(value))
        if _said(getattr(value, part.field)) == _said(getattr(back, part.field, None))
    }
    return items(value, relationship, same.union(skip))


def _said(held: Any) -> Any:
    """A value, where empty is nothing."""
    return None if held in ((), "") else held
