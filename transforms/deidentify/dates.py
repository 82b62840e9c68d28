"""Dates and times moved by one offset per patient (PS3.15 E.3.6, Retain Longitudinal ... Modified Dates).

* The offset is whole days, always back in time, and the patient's own (context.py): intervals stay exact to the
  fraction of a second, whatever attributes they lie between, and times of day, zones and weekdays' order stay as they
  are. Shifting clock times too would break every interval between a date with a time and one without (docs/adr/0006).
* A value keeps its length and precision: a DT of year and month comes out as year and month.
* What is no date cannot be moved: `moved` says so, and the caller takes a dummy.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Final

DATE_VRS: Final = frozenset({"DA", "DT", "TM"})
_DA: Final = re.compile(rb"([0-9]{4})(\.?)([0-9]{2})\2([0-9]{2})")  # with dots before 1993 (PS3.5 6.2)
_DT: Final = re.compile(
    rb"([0-9]{4})([0-9]{2})?([0-9]{2})?((?:[0-9]{2}){0,3}(?:\.[0-9]{1,6})?(?:[+-][0-9]{4})?)(?<![+-])"
)
_TM: Final = re.compile(rb"([01][0-9]|2[0-3])(:?)([0-5][0-9](\2([0-5][0-9]|60)(\.[0-9]{1,6})?)?)?")
_PADDING: Final = b" \0"


def moved(vr: str, value: bytes, days: int) -> bytes | None:
    """A DA, DT or TM value `days` (negative: back) later, of even length; None where a part of it is no such value."""
    parts = []
    for part in value.split(b"\\"):
        core = part.strip(_PADDING)
        fresh = core and _ONE[vr](core, days)
        if fresh is None:
            return None
        parts.append(fresh)
    joined = b"\\".join(parts)
    return joined + b" " * (len(joined) & 1)


def _date(core: bytes, days: int) -> bytes | None:
    found = _DA.fullmatch(core)
    if found is None:
        return None
    fresh = _later(int(found[1]), int(found[3]), int(found[4]), days)
    return fresh and found[2].join((fresh[:4], fresh[4:6], fresh[6:]))


def _date_time(core: bytes, days: int) -> bytes | None:
    found = _DT.fullmatch(core)
    if found is None or (found[3] is None and found[4] and found[4][:1] not in b"+-"):
        return None
    # A part of a date is moved from its first day: it stays as exact as it was
    fresh = _later(int(found[1]), int(found[2] or 1), int(found[3] or 1), days)
    return fresh and fresh[: 4 if found[2] is None else 6 if found[3] is None else 8] + found[4]


def _time(core: bytes, _days: int) -> bytes | None:
    return core if _TM.fullmatch(core) else None


def _later(year: int, month: int, day: int, days: int) -> bytes | None:
    try:
        fresh = date(year, month, day) + timedelta(days)
    except (ValueError, OverflowError):
        return None
    return b"%04d%02d%02d" % (fresh.year, fresh.month, fresh.day)


_ONE: Final = {"DA": _date, "DT": _date_time, "TM": _time}
