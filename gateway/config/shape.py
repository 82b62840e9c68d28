"""What pydantic found wrong with the shape of a file, in words for its author, each at its line and column.

Messages never repeat a value but a wrong key or a wrong word of a closed list: the value may be a secret.
"""

from __future__ import annotations

from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gateway.config.document import Positions
from gateway.config.problems import Loc, Problem, nearest
from gateway.config.schema import Config

_WORDS = {
    "string_type": "this is text: put it in quotes",
    "int_type": "this is a whole number",
    "int_parsing": "this is a whole number",
    "int_from_float": "this is a whole number",
    "float_parsing": "this is a number",
    "bool_parsing": "this is true or false",
    "bool_type": "this is true or false",
    "tuple_type": "this is a list: [one, two]",
    "dict_type": "this is a map: {key: value}",
    "model_type": "this is a map: {key: value}",
    "model_attributes_type": "this is a map: {key: value}",
}


def told(error: ValidationError, data: Any, places: Positions) -> list[Problem]:
    """Every problem of a validation."""
    found = error.errors(include_url=False, include_context=True, include_input=False)
    problems: dict[object, Problem] = {}
    for each in found:
        here = places.known(each["loc"])
        inside = each["type"] not in ("missing", "extra_forbidden") and len(each["loc"]) > len(here)
        # Each arm of a union complains of the same place: one of them is enough.
        key = here if inside and each["loc"][-1] != "[key]" else (each["type"], each["loc"])
        problems.setdefault(key, _problem(each, data, places))
    return list(problems.values())


def _problem(error: ErrorDetails, data: Any, places: Positions) -> Problem:
    kind = error["type"]
    loc: Loc = error["loc"]
    if kind == "extra_forbidden":
        siblings = fields(loc[:-1])
        return places.at_key(loc, f"unknown key {str(loc[-1])[:64]!r}", nearest(loc[-1], siblings))
    if kind == "missing":
        return places.at_key(places.known(loc[:-1]), f"missing key {str(loc[-1])!r}")
    if loc and loc[-1] == "[key]":
        return places.at_key(loc[:-1], _message(error))
    here = places.known(loc)
    if kind == "literal_error":
        words = [str(word) for word in literals(here)]
        value = _value(data, here)
        shown = f"{value!r} is not one of {', '.join(words)}" if isinstance(value, str | int) else _one_of(words)
        return places.at_value(here, shown[:200], nearest(value, words))
    return places.at_value(here, _message(error))


def _one_of(words: list[str]) -> str:
    return f"this is one of {', '.join(words)}"


def _message(error: ErrorDetails) -> str:
    if error["type"] in _WORDS:
        return _WORDS[error["type"]]
    message = error["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return message if error["type"] == "value_error" else f"this should be {message}"


def _value(data: Any, loc: Loc) -> Any:
    for part in loc:
        data = data[part]
    return data


def fields(loc: Loc) -> list[str]:
    """The keys that a block may have, in the words of the file; [] where `loc` is no block."""
    kind = _at(loc)
    if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return []
    return [field.alias or name for name, field in kind.model_fields.items()]


def literals(loc: Loc) -> tuple[Any, ...]:
    """The closed list of words that may stand at `loc`."""
    kind = _at(loc)
    return get_args(kind) if kind is not None else ()


def _at(loc: Loc) -> Any:
    """The type that schema.py gives the place."""
    kind: Any = Config
    for part in loc:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            named = {field.alias or name: field.annotation for name, field in kind.model_fields.items()}
            kind = _plain(named.get(str(part)))
        elif get_origin(kind) is tuple:
            kind = _plain(get_args(kind)[0])
        elif get_origin(kind) is dict:
            kind = _plain(get_args(kind)[1])
        else:
            return None
    return kind


def _plain(kind: Any) -> Any:
    """Without Annotated and Optional."""
    while True:
        if get_origin(kind) is Annotated:
            kind = get_args(kind)[0]
        elif get_origin(kind) in (Union, UnionType):
            kind = next(each for each in get_args(kind) if each is not type(None))
        else:
            return kind
