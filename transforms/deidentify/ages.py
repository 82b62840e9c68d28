"""Whether a content item says that its subject is above 89 years old: with few people of that age, an age may name one.

* Units are those of CID 7456, in UCUM. A day of doubt counts: 90 years are at least 90 times 365 days.
* What cannot be told (no unit, another unit, no number) is told as such: the caller lets no number through.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from struct import Struct, error
from typing import Final

from transforms.deidentify.content_items import Measure
from transforms.deidentify.content_values import DENOMINATOR, FLOATING, NUMERIC, RATIONAL

OLDEST: Final = 89  # years; above, an age alone may say who it is (45 CFR 164.514(b)(2)(i)(C))
_DAYS: Final = 365.0
_A_YEAR: Final = {
    "a": 1.0, "mo": 12.0, "wk": _DAYS / 7, "d": _DAYS, "h": _DAYS * 24, "min": _DAYS * 1440, "s": _DAYS * 86400,
}  # fmt: skip
_DOUBLE: Final = Struct("<d").iter_unpack
_SIGNED: Final = Struct("<i").iter_unpack
_UNSIGNED: Final = Struct("<I").iter_unpack


def above_89(measures: Iterable[Measure]) -> bool | None:
    """Whether one of them is an age of 90 years or more; None where one of them cannot be told."""
    unknown = False
    for each in measures:
        years = _years(each)
        if years is None:
            unknown = True
        elif years >= OLDEST + 1:
            return True
    return None if unknown else False


def _years(measure: Measure) -> float | None:
    """The greatest age that it states, in whatever way."""
    a_year = _A_YEAR.get(measure.unit) if measure.scheme == "UCUM" else None
    if a_year is None:
        return None
    numbers = measure.numbers
    try:
        found = [float(part) for part in numbers.get(NUMERIC, b"").split(b"\\") if part.strip(b" \0")]
        found += [value for (value,) in _DOUBLE(numbers.get(FLOATING, b""))]
        above = [value for (value,) in _SIGNED(numbers.get(RATIONAL, b""))]
        below = [value for (value,) in _UNSIGNED(numbers.get(DENOMINATOR, b""))]
        found += [first / second for first, second in zip(above, below, strict=True)]
    except (ValueError, ZeroDivisionError, error):
        return None
    if not found or not all(map(math.isfinite, found)):
        return None
    return max(found) / a_year
