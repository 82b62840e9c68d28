"""Numbers with units as PQ (10.5): the digits that were sent, a UCUM unit, and what else is known beside them."""

from __future__ import annotations

import re
from typing import Final

from transforms.cda.making import Making, as_text, attributes
from transforms.cda.terms import TOKEN, Term
from transforms.sr.values import Code, Num

_REAL: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\Z")
# Numeric Value Qualifier (CID 42) -> NullFlavor
_NULL: Final = {
    "114000": "NA",  # Not a number
    "114001": "NINF",
    "114002": "PINF",
    "114003": "NA",  # Divide by zero
    "114006": "NAV",  # Measurement failure
    "114007": "NASK",  # Measurement not attempted
    "114010": "UNK",
}


def quantity(making: Making, name: str, given: Num, where: str, *, typed: bool = True) -> None:
    """PQ of a NUM. A unit that is not UCUM stands in a translation: PQ without @unit would be dimensionless."""
    writer = making.writer
    start = {"xsi:type": "PQ"} if typed else {}
    decimal = given.decimal.strip()
    if not _REAL.match(decimal):
        null = _NULL.get(given.qualifier.value, "NI") if given.qualifier is not None else making.absent
        if decimal:
            making.losses.changed(where, "a number that is none stands in the narrative only")
        with writer.element(name, start | {"nullFlavor": null}):
            _translations(making, given, "", where)
        return
    ucum = given.unit is not None and given.unit.scheme == "UCUM" and TOKEN.match(given.unit.value) is not None
    if ucum and given.unit is not None:
        start |= {"value": decimal, "unit": given.unit.value}
    else:
        start |= {"nullFlavor": "OTH"}
    with writer.element(name, start):
        _translations(making, given, "" if ucum else decimal, where)


def _translations(making: Making, given: Num, decimal: str, where: str) -> None:
    """PQR of what PQ itself cannot say: another scheme's unit, the unit's meaning, a binary value."""
    unit = given.unit
    if unit is not None and (decimal or not given.decimal or unit.meaning not in ("", unit.value)):
        _translation(making, unit, decimal or (given.decimal.strip() if given.decimal else ""), where)
    elif decimal:
        making.writer.leaf("translation", {"value": decimal, "nullFlavor": "NI"})
    for term in making.terms.of(unit)[1:] if unit is not None else ():
        _term(making, term, "", where)
    if given.floating is not None:
        _translation(making, unit, repr(given.floating), where)


def _translation(making: Making, unit: Code | None, value: str, where: str) -> None:
    _term(making, making.terms.of(unit)[0] if unit is not None else None, value, where)


def _term(making: Making, term: Term | None, value: str, where: str) -> None:
    start = {"value": value} if value and _REAL.match(value) else {}
    if term is not None and term.known:
        making.writer.leaf("translation", start | attributes(term))
        return
    with making.writer.element("translation", start | {"nullFlavor": "OTH"}):
        if term is not None:
            making.writer.leaf("originalText", text=as_text(term))
            making.losses.changed(
                where, f"no OID is known of the coding scheme {term.scheme}: the unit is kept as text"
            )
