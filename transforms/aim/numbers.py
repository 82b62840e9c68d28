"""Numbers between AIM's decimal texts and what SR has: 32-bit floats (FL), decimal strings (DS).

Rules of this file
* A 32-bit float becomes the shortest decimal that reads back to the same float; a decimal becomes the nearest float.
* A decimal that fits DS (PS3.5 6.2: 16 characters) keeps every digit. A longer one is rounded to 16 characters, and the
  Floating Point Value (0040,A161) beside it holds the nearest 64-bit float.
* Sums (half a pixel) are made in decimal: 12.7 and half a pixel are 13.2.
"""

from __future__ import annotations

import re
import struct
from decimal import Decimal, InvalidOperation
from typing import Final

from profiles.aim.concepts import NEGATIVE_INFINITY, NOT_A_NUMBER, POSITIVE_INFINITY, Triplet
from transforms.errors import TransformError

_DS: Final = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_LONGEST_DS: Final = 16
LARGEST: Final = 300  # power of ten
# PS3.21 A.8: what Java and XML Schema write for what is no number
QUALIFIERS: Final[dict[str, Triplet]] = {
    "NaN": NOT_A_NUMBER,
    "-Infinity": NEGATIVE_INFINITY,
    "-INF": NEGATIVE_INFINITY,
    "Infinity": POSITIVE_INFINITY,
    "INF": POSITIVE_INFINITY,
}


def float32(text: str) -> float:
    """The 32-bit float nearest to a decimal. Raises TransformError('aim-bad-value') where none is."""
    try:
        value: float = struct.unpack("<f", struct.pack("<f", float(text)))[0]
    except (OverflowError, ValueError):
        raise TransformError("aim-bad-value", "a coordinate that no 32-bit float holds") from None
    return value


def shortest(value: float) -> str:
    """The shortest decimal that reads back to a 32-bit float, without an exponent."""
    for digits in range(1, 10):
        text = f"{value:.{digits}g}"
        if struct.pack("<f", float(text)) == struct.pack("<f", value):
            break
    return plain(Decimal(text))


def plain(number: Decimal) -> str:
    """A decimal without an exponent."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def shifted(text: str, by: Decimal) -> str:
    """A decimal text plus a decimal, exactly."""
    return text if not by else plain(Decimal(text) + by)


def decimal_string(text: str) -> tuple[str, float | None] | None:
    """A number of AIM as a DS and, where that had to be rounded, as a float; None where it is no number."""
    text = text.strip()
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    if not number.is_finite():
        return None
    if len(text) <= _LONGEST_DS and _DS.fullmatch(text):
        return text, None
    exact = plain(number)
    if len(exact) <= _LONGEST_DS:
        return exact, None
    rounded = next(
        found for digits in range(16, 0, -1) if len(found := f"{number:.{digits}g}".replace("e+", "e")) <= _LONGEST_DS
    )
    return rounded, float(number)


def bounded(number: Decimal) -> bool:
    """Whether a decimal is a number that a 64-bit float could be: written out, others are a million digits long."""
    return number.is_finite() and abs(number.adjusted()) <= LARGEST


def number_text(decimal: str, floating: float | None) -> str:
    """The text of a number that was sent as a DS and perhaps as a float: of the two, the one with more digits.

    Raises TransformError('aim-does-not-fit') for what no reader of ours would take back.
    """
    if floating is None:
        try:
            if decimal and not bounded(Decimal(decimal)):
                raise TransformError("aim-does-not-fit", "a number that no 64-bit float holds")
        except InvalidOperation:
            pass  # what is no number has a qualifier
        return decimal
    exact = repr(floating)
    try:
        return decimal if Decimal(decimal) == Decimal(exact) else exact
    except InvalidOperation:
        return exact
