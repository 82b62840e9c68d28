"""Shifted dates: judged by the calendar of the standard library, over every form that PS3.5 6.2 knows."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.deidentify.building import KEY
from transforms.deidentify.context import Context
from transforms.deidentify.dates import moved

DAYS = st.integers(-3650, -1)
DATES = st.dates(date(1901, 1, 1), date(2100, 12, 31))


@given(DATES, DATES, DAYS)
def test_intervals_are_exact(one: date, other: date, days: int) -> None:
    fresh = []
    for each in (one, other):
        out = moved("DA", each.strftime("%Y%m%d").encode(), days)
        assert out is not None
        fresh.append(datetime.strptime(out.decode(), "%Y%m%d").date())
    assert fresh[0] - fresh[1] == one - other and one - fresh[0] == timedelta(-days)


@given(st.datetimes(datetime(1901, 1, 1), datetime(2100, 1, 1)), DAYS, st.sampled_from(["", "+0100", "-1130", "+0000"]))
def test_date_times_keep_clock_and_zone(moment: datetime, days: int, zone: str) -> None:
    text = moment.strftime("%Y%m%d%H%M%S.%f") + zone
    out = moved("DT", text.encode(), days)
    assert out is not None
    told = out.decode().rstrip()
    assert told[8:] == text[8:]
    assert datetime.strptime(told[:8], "%Y%m%d").date() == moment.date() + timedelta(days)


@pytest.mark.parametrize(
    ("vr", "before", "after"),
    [
        ("DA", b"20240301", b"20240229"),  # the end of February in a leap year
        ("DA", b"20230301", b"20230228"),
        ("DA", b"20240101", b"20231231"),
        ("DA", b"1992.01.01", b"1991.12.31"),
        ("DA", b"20240102\\20240301 ", b"20240101\\20240229 "),
        ("DA", b"", b""),
        ("DT", b"2024", b"2023"),
        ("DT", b"202403", b"202402"),
        ("DT", b"20240301", b"20240229"),
        ("DT", b"20240301-0500 ", b"20240229-0500 "),
        ("DT", b"2024030112", b"2024022912"),
        ("TM", b"235959.999999 ", b"235959.999999 "),
        ("TM", b"10", b"10"),
        ("DA", b"00000000", None),
        ("DA", b"20230229", None),
        ("DA", b"UNKNOWN ", None),
        ("DA", b"20240102-20240301", None),  # a range belongs to queries
        ("DA", b"00010101", None),  # nothing lies before it
        ("DT", b"20241301", None),
        ("DT", b"2024010", None),
        ("DT", b"202401-05", None),
        ("TM", b"DOE^JANE", None),
        ("TM", b"2500", None),
        ("DA", b"DOE^JANE", None),
    ],
)
def test_forms(vr: str, before: bytes, after: bytes | None) -> None:
    assert moved(vr, before, -1) == after


def test_shifts_are_the_patients_own() -> None:
    context, other = Context(KEY, "trial"), Context(KEY, "another")
    shifts = [context.shift(f"P{number}") for number in range(3000)]
    assert all(-3650 <= days <= -1 for days in shifts) and len(set(shifts)) > 1500
    assert [context.shift(f"P{number}") for number in range(100)] == shifts[:100]
    same = sum(other.shift(f"P{number}") == days for number, days in enumerate(shifts))
    assert same < 20  # by chance about one; another project says nothing about this one
