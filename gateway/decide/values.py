"""Text of a value -> something to compare, by the kind of its VR (PS3.5 section 6.2).

Rules of this file
* A value that is not what its VR asks for is a `WrongValue`: the rule cannot be answered, and the object is held.
  The error never holds the value.
* Padding is not part of a value: spaces and NULs behind it, and, where the VR says so, spaces before it.
* A date, time or date-time of less precision stands for the first moment of it: 2024 is 2024-01-01 00:00.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

MAX_CHARACTERS = 16_384  # of one value that a rule may look at; PS3.5 allows more in UC, UR and UT only


class WrongValue(ValueError):
    """A value of the object is not of the kind that its VR says. Holds the object; names no value."""


class Kind(StrEnum):
    """How values are compared."""

    TEXT = "text"
    PERSON = "a person's name"
    UID = "a UID"
    DATE = "a date"
    TIME = "a time"
    DATETIME = "a date and time"
    AGE = "an age"
    NUMBER = "a number"
    TAG = "an attribute tag"
    BYTES = "bytes"
    SEQUENCE = "a sequence"


KINDS: dict[str, Kind] = {
    **dict.fromkeys(("AE", "CS", "LO", "LT", "SH", "ST", "UC", "UR", "UT"), Kind.TEXT),
    **dict.fromkeys(("DS", "IS", "FL", "FD", "SL", "SS", "SV", "UL", "US", "UV", "US or SS"), Kind.NUMBER),
    "PN": Kind.PERSON,
    "UI": Kind.UID,
    "DA": Kind.DATE,
    "TM": Kind.TIME,
    "DT": Kind.DATETIME,
    "AS": Kind.AGE,
    "AT": Kind.TAG,
    "SQ": Kind.SEQUENCE,
    "": Kind.TEXT,  # not in the dictionary
}


def kind_of(vr: str) -> Kind:
    """How values of a VR are compared. What a rule cannot name a value of is BYTES."""
    return KINDS.get(vr, Kind.BYTES)


@dataclass(frozen=True, slots=True)
class Moment:
    """A DT: as the clock on the wall showed it, and in UTC where the value says its offset."""

    wall: datetime
    utc: datetime | None


def text(value: str) -> str:
    """Without padding."""
    if len(value) > MAX_CHARACTERS:
        raise WrongValue(f"a value has more than {MAX_CHARACTERS} characters")
    return value.strip(" \0")


def uid(value: str) -> str:
    """As it is; compared whole (PS3.5 9)."""
    return text(value)


_NUMBER = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,3})?", re.ASCII)


def number(value: str) -> Decimal:
    """Of DS, IS and the binary VRs, exactly as written."""
    found = text(value)
    if len(found) > 64 or not _NUMBER.fullmatch(found):
        raise WrongValue("a value is not a number")
    return Decimal(found)


_DATE = re.compile(r"([0-9]{4})([.-]?)([0-9]{2})\2([0-9]{2})", re.ASCII)


def day(value: str) -> date:
    """YYYYMMDD; also YYYY.MM.DD (ACR-NEMA) and, for operands, YYYY-MM-DD."""
    found = _DATE.fullmatch(text(value))
    try:
        if found:
            return date(int(found[1]), int(found[3]), int(found[4]))
    except ValueError:
        pass
    raise WrongValue("a value is not a date")


_TIME = re.compile(r"([01][0-9]|2[0-3])(?::?([0-5][0-9])(?::?([0-5][0-9]|60)(?:\.([0-9]{1,6}))?)?)?", re.ASCII)


def time_of_day(value: str) -> Decimal:
    """HH[MM[SS[.F]]], with or without colons, as seconds since midnight."""
    found = _TIME.fullmatch(text(value))
    if not found:
        raise WrongValue("a value is not a time")
    return int(found[1]) * 3600 + int(found[2] or 0) * 60 + Decimal(f"{found[3] or 0}.{found[4] or 0}")


_DATETIME = re.compile(
    r"([0-9]{4})(?:(0[1-9]|1[0-2])(?:([0-9]{2})(?:([01][0-9]|2[0-3])(?:([0-5][0-9])(?:([0-5][0-9]|60)"
    r"(?:\.([0-9]{1,6}))?)?)?)?)?)?(?:([-+])([0-9]{2})([0-5][0-9]))?",
    re.ASCII,
)


def moment(value: str) -> Moment:
    """YYYY[MM[DD[HH[MM[SS[.F]]]]]][&ZZXX]; a leap second is taken for the second before it."""
    found = _DATETIME.fullmatch(text(value))
    try:
        if found:
            year, month, date_ = int(found[1]), int(found[2] or 1), int(found[3] or 1)
            second, fraction = min(int(found[6] or 0), 59), int((found[7] or "0").ljust(6, "0"))
            wall = datetime(year, month, date_, int(found[4] or 0), int(found[5] or 0), second, fraction)
            if not found[8]:
                return Moment(wall, None)
            offset = timedelta(hours=int(found[9]), minutes=int(found[10]))
            if offset <= timedelta(hours=14):  # PS3.5 6.2: -1200 to +1400
                return Moment(wall, wall + offset if found[8] == "-" else wall - offset)
    except (ValueError, OverflowError):
        pass
    raise WrongValue("a value is not a date and time")


_AGE = re.compile(r"([0-9]{1,3})([DWMY])", re.ASCII)
_DAYS = {"D": Decimal(1), "W": Decimal(7), "M": Decimal("30.4375"), "Y": Decimal("365.25")}


def age(value: str) -> Decimal:
    """nnnD, nnnW, nnnM or nnnY, as days; a year is 365.25 of them and has twelve months."""
    found = _AGE.fullmatch(text(value))
    if not found:
        raise WrongValue("a value is not an age")
    return int(found[1]) * _DAYS[found[2]]


def tag(value: str) -> str:
    """(gggg,eeee) or ggggeeee, as eight digits."""
    found = re.sub(r"[(),\s]", "", text(value)).lower()
    if not re.fullmatch(r"[0-9a-f]{8}", found):
        raise WrongValue("a value is not a tag")
    return found


def person(value: str) -> tuple[tuple[str, ...], ...]:
    """Component groups (alphabetic, ideographic, phonetic) of components, without the empty ones at the end."""
    groups = [tuple(part.strip(" ") for part in group.split("^")) for group in text(value).split("=")]
    return _short(tuple(_short(group) for group in groups))


def _short(parts: tuple[Any, ...]) -> tuple[Any, ...]:
    while parts and not parts[-1]:
        parts = parts[:-1]
    return parts


READERS: dict[Kind, Callable[[str], Any]] = {
    Kind.TEXT: text,
    Kind.PERSON: person,
    Kind.UID: uid,
    Kind.DATE: day,
    Kind.TIME: time_of_day,
    Kind.DATETIME: moment,
    Kind.AGE: age,
    Kind.NUMBER: number,
    Kind.TAG: tag,
}
