"""Each value, unit, code, name, date, reference and text of a document is in its CDA, or its place is in the losses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any
from urllib.parse import unquote

from hypothesis import HealthCheck, assume, given, settings

from profiles.cda import SCHEMES
from tests.unit.cda import worked
from tests.unit.cda.reading import parsed
from tests.unit.sr.trees import documents, headers
from transforms.cda.from_sr import Cda, convert
from transforms.sr.model import Document
from transforms.sr.values import ByReference, Code, SCoord, SCoord3D, TCoord

_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_DIGITS = re.compile(r"\D")
# of values that stand in CDA in another form, or say what the place itself says
_STRUCTURE = frozenset({"relationship", "position", "context", "language", "form", "continuity", "template", "vr"})
_COORDINATES = (SCoord, SCoord3D, TCoord)


def _said(cda: Cda) -> set[str]:
    """Every text and attribute value, as they are and as their digits."""
    root = parsed(cda.data)
    said: set[str] = set()
    for element in root.iter():
        for value in element.attrib.values():
            said.add(str(value))
            said.add(unquote(str(value)).removeprefix("tel:"))
            said.add(_DIGITS.sub("", str(value)))
        said.add("".join(element.itertext()))
        if element.text:
            said.add(element.text)
    return said


def _texts(value: Any) -> Iterator[str]:
    """Every text and number in a value of the model, but its structure."""
    if isinstance(value, str):
        if value.strip():
            yield value
    elif isinstance(value, bool) or value is None:
        return
    elif isinstance(value, (int, float)):
        yield repr(value)
    elif isinstance(value, tuple):
        for each in value:
            yield from _texts(each)
    elif is_dataclass(value):
        for each in fields(value):
            if each.name not in _STRUCTURE:
                yield from _texts(getattr(value, each.name))


def _heard(text: str, said: set[str], everything: str) -> bool:
    """Whether a text stands in the document: whole, in its parts (a name), or as digits (a date, a time)."""
    clean = _ILLEGAL.sub("\ufffd", text)
    if text in SCHEMES and (SCHEMES[text].oid in said or SCHEMES[text].name in everything):
        return True
    if text in said or clean in said or clean.strip() in said or clean in everything:
        return True
    digits = _DIGITS.sub("", text)
    if digits and re.fullmatch(r"[\d.:+-]+", text) and any(digits in each for each in said):
        return True
    parts = [part.strip(" ") for part in re.split(r"[\^=]", clean)]
    return len(parts) > 1 and all(part in everything for part in parts)


def _missing(cda: Cda, document: Document) -> list[tuple[str, str]]:
    said = _said(cda)
    everything = "\n".join(said)
    told = {loss.where for loss in cda.losses.lines}
    missing = []
    for item in document.root.walk():
        where = ".".join(map(str, item.position))
        if isinstance(item.value, (*_COORDINATES, ByReference)):
            assert where in told or isinstance(item.value, ByReference)
            continue
        if where in told:
            continue
        parts = (item.name, item.value, item.observed_at, item.observation_uid)
        missing += [(where, text) for part in parts for text in _texts(part) if not _heard(text, said, everything)]
    return missing


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(documents())
def test_no_item_vanishes(document: Document) -> None:
    assert _missing(convert(document), document) == []


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(headers())
def test_no_attribute_of_the_header_vanishes(document: Document) -> None:
    assume(document.study.instance)
    cda = convert(document)
    said = _said(cda)
    everything = "\n".join(said)
    told = {loss.where for loss in cda.losses.lines}
    for part in ("patient", "study", "series", "equipment", "general"):
        for field, text in _header(getattr(document, part)):
            if not _heard(text, said, everything):
                assert _told(field, told), (part, field, sorted(told))


def _header(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    for each in fields(value):
        inner = getattr(value, each.name)
        name = f"{path}.{each.name}".strip(".")
        if is_dataclass(inner):
            yield from _header(inner, name)
        elif isinstance(inner, tuple):
            for one in inner:
                if is_dataclass(one) and not isinstance(one, Code):
                    yield from _header(one, name)
                else:
                    for text in _texts(one):
                        yield name, text
        elif isinstance(inner, str) and inner.strip():
            yield name, inner


def _told(field: str, told: set[str]) -> bool:
    """Whether a line of the losses is about a field: they share a word of their names."""
    words = {_ALIAS.get(word, word).rstrip("s") for word in re.split(r"[._]", field.lower())}
    return any(word in where.lower() for word in words for where in told)


# fields whose attributes have other names
_ALIAS = {
    "readers": "physiciansreading", "verifiers": "verifying", "custodian": "custodial", "creation": "creationdate",
    "universal": "issuer", "local": "issuer", "other": "otherpatient", "requests": "request", "filler": "filler",
}  # fmt: skip


def test_the_test_notices() -> None:
    """The same document without one of its items: the item is missed."""
    whole = worked.document()
    children = (*whole.root.children[:6], *whole.root.children[7:])
    less = replace(whole, root=replace(whole.root, children=children))
    assert "Sore throat." in [text for _, text in _missing(convert(less), whole)]
