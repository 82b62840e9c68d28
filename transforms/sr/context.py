"""What holds at every item of a tree: its position, its observation context and its language, inherited from above.

Rules of this file
* Context is set by HAS OBS CONTEXT children of an item, for that item and all below it (PS3.3 C.17.5). A child's new
  observer, procedure or subject takes the place of the inherited one; the other two stay.
* Language is set by a HAS CONCEPT MOD child (121049, DCM) of an item, for it and all below (PS3.16 TID 1204).
* Observers: each (121005) Observer Type, or the first of an observer's items, begins another (TID 1001 to 1004).
* Items are read for what they say, never taken away.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from transforms.sr.model import Item, ObservationContext, Observer, Position, ProcedureContext, Subject
from transforms.sr.values import Code, Coded, Date, DateTime, Num, PName, Text, UidRef

_LANGUAGE: Final = "121049"
_OBSERVER_TYPE: Final = "121005"
_SUBJECT_CLASS: Final = "121024"
_DEVICE: Final = "121007"

# PS3.16 TID 1003 and 1004: code -> (person or device, field of Observer)
_OBSERVER: Final = {
    "121008": ("PSN", "name"),
    "121009": ("PSN", "organization"),
    "121010": ("PSN", "organization_role"),
    "121011": ("PSN", "procedure_role"),
    "128774": ("PSN", "identifier"),
    "128775": ("PSN", "identifier"),
    "121012": ("DEV", "uid"),
    "121013": ("DEV", "name"),
    "121014": ("DEV", "manufacturer"),
    "121015": ("DEV", "model"),
    "121016": ("DEV", "serial"),
    "121017": ("DEV", "location"),
    "113876": ("DEV", "procedure_role"),
}
# TID 1005
_PROCEDURE: Final = {
    "121018": "study",
    "121019": "component",
    "121020": "placer_number",
    "121021": "filler_number",
    "121022": "accession",
    "121023": "code",
}
# TID 1006 to 1009
_SUBJECT: Final = {
    "121028": "uid",
    "121029": "name",
    "121030": "id",
    "121031": "birth_date",
    "121032": "sex",
    "121033": "age",
    "121036": "mother",
    "121037": "number",
    "121038": "total",
    "11878-6": "total",  # LOINC, Number of Fetuses by US
    "11951-1": "id",  # LOINC, Fetus ID
    "121039": "uid",  # Specimen UID
    "121041": "id",  # Specimen Identifier
    "121193": "name",  # Device Subject Name
    "121198": "uid",  # Device Subject UID
}
_CODES: Final = frozenset({"organization_role", "procedure_role", "code", "sex"})


def settled(root: Item) -> Item:
    """The tree with `position`, `context` and `language` of every item as its content says. Children are not reordered.

    Builders of trees leave the three at their defaults and call this.
    """
    return _settled(root, (1,), ObservationContext(), None)


def _settled(item: Item, position: Position, context: ObservationContext, language: Code | None) -> Item:
    for child in item.children:
        if child.relationship == "HAS OBS CONTEXT":
            context = _with(context, (each for each in item.children if each.relationship == "HAS OBS CONTEXT"))
            break
    for child in item.children:
        if child.relationship == "HAS CONCEPT MOD" and _code(child) == _LANGUAGE and isinstance(child.value, Coded):
            language = child.value.code
    children = tuple(
        [_settled(child, (*position, number), context, language) for number, child in enumerate(item.children, 1)]
    )
    return replace(item, children=children, position=position, context=context, language=language)


def _with(above: ObservationContext, items: Iterable[Item]) -> ObservationContext:
    """The inherited context with what these items set anew."""
    observers: list[dict[str, object]] = []
    procedure: dict[str, object] = {}
    subject: dict[str, object] = {}
    for item in items:
        code = _code(item)
        if code == _OBSERVER_TYPE:
            kind = "DEV" if isinstance(item.value, Coded) and item.value.code.value == _DEVICE else "PSN"
            observers.append({"type": kind})
        elif code in _OBSERVER:
            kind, field = _OBSERVER[code]
            if not observers or observers[-1]["type"] != kind or (field == "name" and "name" in observers[-1]):
                observers.append({"type": kind})
            _set(observers[-1], field, item)
            for below in item.children:  # TID 1003: organization and roles may stand as properties of the name
                inner = _OBSERVER.get(_code(below))
                if inner is not None:
                    _set(observers[-1], inner[1], below)
        elif code in _PROCEDURE:
            _set(procedure, _PROCEDURE[code], item)
        elif code == _SUBJECT_CLASS:
            subject["kind"] = item.value.code if isinstance(item.value, Coded) else None
        elif code in _SUBJECT:
            _set(subject, _SUBJECT[code], item)
    return ObservationContext(
        tuple([Observer(**each) for each in observers]) or above.observers,  # type: ignore[arg-type]
        ProcedureContext(**procedure) if procedure else above.procedure,  # type: ignore[arg-type]
        Subject(**{"kind": None, **subject}) if subject else above.subject,  # type: ignore[arg-type]
    )


def _set(found: dict[str, object], field: str, item: Item) -> None:
    """The first value stays: a second one stands in the tree, where nothing is lost."""
    value = item.value
    if field in _CODES:
        said: object = value.code if isinstance(value, Coded) else None
    else:
        said = _said(item)
    if said and field not in found:
        found[field] = said


def _said(item: Item) -> str:
    match item.value:
        case Text(text) | UidRef(text) | PName(text) | Date(text) | DateTime(text):
            return text
        case Num(decimal, unit):
            return f"{decimal} {unit.value}" if unit is not None and unit.value != "1" else decimal
        case Coded(code):
            return code.meaning
    return ""


def _code(item: Item) -> str:
    return item.name.value if item.name is not None else ""
