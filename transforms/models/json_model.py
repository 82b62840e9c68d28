"""DICOM JSON -> model (PS3.18 Annex F).

Rules of this file
* Numbers keep their digits: they are never made floats here, so that a DS leaves as it came.
* A key that Annex F does not know, or two kinds of value at once, is an error; nothing is guessed.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from transforms.models.model import ELEMENTS, Attribute, Budget, DataSet, MetadataError, stored, tag_of, vr_of

_KINDS = ("Value", "InlineBinary", "BulkDataURI")
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_BRACKETS = 4 * ELEMENTS  # an attribute, its Value, and a name in it have one each: a parser makes an object of each


class Number(str):
    """A number's digits, as they stood there."""

    __slots__ = ()


def read(data: bytes, most: int = 10_000) -> list[tuple[DataSet, str]]:
    """Each data set of a JSON array (or one alone), with the transfer syntax it names, "" for none. MetadataError.

    `most` data sets: each gets an answer of its own.
    """
    if data.count(b"{") + data.count(b"[") > _BRACKETS:
        raise MetadataError("metadata-too-large", "more elements than are read")
    try:
        told = json.loads(
            data.decode("utf-8"),
            parse_int=Number,
            parse_float=Number,
            parse_constant=_no_constant,
            object_pairs_hook=_once,
        )
    except (ValueError, RecursionError) as error:
        raise MetadataError("metadata-malformed", "not JSON") from error
    if isinstance(told, dict):
        told = [told]
    if not isinstance(told, list) or not told:
        raise MetadataError("metadata-malformed", "DICOM JSON is an array of data sets")
    if len(told) > most:
        raise MetadataError("metadata-too-large", "more data sets than are taken at once")
    budget = Budget()
    found = []
    for each in told:
        attributes = _attributes(each, budget, 0)
        syntax = next((a.values[0] for a in attributes if a.tag == 0x00020010 and a.values), "")
        found.append((stored(attributes), syntax))
    return found


def _no_constant(_: str) -> Any:
    raise ValueError("NaN and Infinity are no JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key stands twice")
    return made


def _attributes(told: Any, budget: Budget, depth: int) -> list[Attribute]:
    if not isinstance(told, dict):
        raise MetadataError("metadata-malformed", "a data set is an object")
    return [_attribute(tag_of(key), value, budget, depth) for key, value in told.items()]


def _attribute(tag: int, told: Any, budget: Budget, depth: int) -> Attribute:
    budget.spend(depth)
    if not isinstance(told, dict) or not told.keys() <= {"vr", *_KINDS}:
        raise MetadataError("metadata-malformed", "an attribute is an object of vr and one kind of value")
    vr = vr_of(told.get("vr"))
    kinds = [kind for kind in _KINDS if kind in told]
    if len(kinds) > 1:
        raise MetadataError("metadata-malformed", "an attribute has one kind of value")
    if not kinds:
        return Attribute(tag, vr)
    value = told[kinds[0]]
    if kinds[0] == "BulkDataURI":
        if not isinstance(value, str) or isinstance(value, Number) or not value or vr == "SQ":
            raise MetadataError("metadata-value", "a BulkDataURI is text")
        return Attribute(tag, vr, bulk=value)
    if kinds[0] == "InlineBinary":
        return Attribute(tag, vr, inline=inline(value))
    if not isinstance(value, list):
        raise MetadataError("metadata-value", "a Value is an array")
    if vr == "SQ":
        items = [{} if each is None else each for each in value]
        return Attribute(tag, vr, items=tuple(stored(_attributes(each, budget, depth + 1)) for each in items))
    return Attribute(tag, vr, values=tuple(_text(vr, each) for each in value))


def inline(value: Any) -> bytes:
    """Base64 -> bytes. Raises MetadataError."""
    try:
        return base64.b64decode(value if isinstance(value, str) else "?", validate=True)
    except (binascii.Error, ValueError) as error:
        raise MetadataError("metadata-value", "an InlineBinary is base64") from error


def _text(vr: str, value: Any) -> str:
    if value is None:
        return ""
    if vr == "PN":
        return _name(value)
    if not isinstance(value, str):
        raise MetadataError("metadata-value", "a value is text, a number or null")
    return value


def _name(value: Any) -> str:
    """PS3.18 F.2.2: the component groups of a PN."""
    if not isinstance(value, dict) or not value.keys() <= set(_GROUPS):
        raise MetadataError("metadata-value", "a person name is an object of its component groups")
    groups = [value.get(key) or "" for key in _GROUPS]
    if any(not isinstance(each, str) or "=" in each for each in groups):
        raise MetadataError("metadata-value", "a component group is text without `=`")
    return "=".join(groups).rstrip("=")
