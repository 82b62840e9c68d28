"""Dates and times of DICOM (DA, TM, DT: PS3.5 6.2) as HL7 TS: digits, with the fraction and the zone that were sent.

None: the text is no date or time. "": nothing was sent.
"""

from __future__ import annotations

import re
from typing import Final

_DATE: Final = re.compile(r"(\d{4})[.-]?(\d\d)[.-]?(\d\d)\Z")
_TIME: Final = re.compile(r"(\d\d)(?::?(\d\d)(?::?(\d\d)(?:\.(\d{1,6}))?)?)?\Z")
_DATE_TIME: Final = re.compile(r"(\d{4}(?:\d\d){0,5})(?:\.(\d{1,6}))?([+-]\d{4})?\Z")
_ZONE: Final = re.compile(r"[+-]\d{4}\Z")


def timestamp(date: str, time: str = "", zone: str = "") -> str | None:
    """DA and TM as one TS; a time without its date is nothing that TS can say. `zone`: (0008,0201)."""
    if not date:
        return "" if not time else None
    day = _DATE.match(date)
    if day is None:
        return None
    if not time:
        return "".join(day.groups())
    clock = _TIME.match(time)
    if clock is None:
        return None
    return _joined("".join(day.groups()) + "".join(part or "" for part in clock.groups()[:3]), clock[4], zone)


def date_time(value: str, zone: str = "") -> str | None:
    """DT as TS; its own offset goes before the document's."""
    if not value:
        return ""
    found = _DATE_TIME.match(value)
    if found is None:
        return None
    return _joined(found[1], found[2], found[3] or zone)


def is_zone(zone: str) -> bool:
    """Whether an offset from UTC is one, or none was sent."""
    return not zone or _ZONE.match(zone) is not None


def _joined(digits: str, fraction: str | None, zone: str) -> str | None:
    if len(digits) < 9:
        return digits  # a day has no zone
    if fraction and len(digits) != 14:
        return None
    return digits + (f".{fraction}" if fraction else "") + (zone if _ZONE.match(zone) else "")


def shown(value: str) -> str:
    """A DA, TM or DT for people, where it is one: 2006-08-23 22:39:12.5+0200. Any other text is as it was."""
    if day := _DATE.match(value):
        return "-".join(day.groups())
    if (clock := _TIME.match(value)) and len(value) != 4:
        return ":".join(part for part in clock.groups()[:3] if part) + (f".{clock[4]}" if clock[4] else "")
    found = _DATE_TIME.match(value)
    if found is None:
        return value
    digits, fraction, zone = found.groups()
    day_part = "-".join(part for part in (digits[:4], digits[4:6], digits[6:8]) if part)
    time_part = ":".join(part for part in (digits[8:10], digits[10:12], digits[12:14]) if part)
    return f"{day_part} {time_part}".rstrip() + (f".{fraction}" if fraction else "") + (zone or "")
