"""Options whose step runs before the walk: claimed where they ran on this object, never because they were chosen."""

from __future__ import annotations

import itertools

import pytest

from profiles.confidentiality import load
from tests.unit.deidentify.building import KEY, encode, image, parsed
from transforms.dataset.syntax import EXPLICIT_LE, IMPLICIT_LE
from transforms.deidentify.engine import Context, deidentify
from transforms.deidentify.options import ALL, MARKS, OUTSIDE, PIXELS, VISUAL_FEATURES
from transforms.deidentify.overrides import NONE
from transforms.deidentify.profile import ActionTable
from transforms.deidentify.rules import Rules
from transforms.source import BytesSource

SETS = [frozenset(names) for count in range(3) for names in itertools.combinations(OUTSIDE, count)]
BURNED, RECOGNIZABLE = 0x00280301, 0x00280302


@pytest.mark.parametrize("explicit", [True, False])
@pytest.mark.parametrize("trace", [True, False])
@pytest.mark.parametrize(
    "before", [{}, {BURNED: ("CS", b"YES")}, {BURNED: ("CS", b"YES"), RECOGNIZABLE: ("CS", b"YES")}]
)
@pytest.mark.parametrize("ran", SETS)
@pytest.mark.parametrize("wanted", SETS)
def test_what_ran_is_claimed(
    wanted: frozenset[str], ran: frozenset[str], before: dict[int, tuple[str, bytes]], trace: bool, explicit: bool
) -> None:
    table = ActionTable(Rules(load("basic"), tuple(name for name in ALL if name in wanted), {}), NONE)
    source = BytesSource(encode(image(before | {0x00280303: ("CS", b"OLD "), 0x00281050: ("DS", b"1 ")}), explicit))
    syntax = EXPLICIT_LE if explicit else IMPLICIT_LE
    done = deidentify(source, syntax, table, Context(KEY, "test"), ran=ran, trace=trace)
    data = parsed(done.plan.pread(0, done.plan.size), explicit)
    claimed = wanted & ran
    assert set(done.codes) - {"113100"} == {OUTSIDE[name].code for name in claimed}
    assert {item.CodeValue for item in data.DeidentificationMethodCodeSequence} == set(done.codes)
    assert all((name in done.steps[0]) == (name in claimed) for name in OUTSIDE)
    for name, tag in MARKS.items():
        old = before[tag][1].decode() if tag in before else None
        assert (data[tag].value if tag in data else None) == ("NO" if name in claimed else old)
    assert data[0x00280303].value == "REMOVED"
    assert list(data.keys()) == sorted(data.keys())


def test_the_codes_are_those_of_cid_7050() -> None:
    assert (OUTSIDE[PIXELS].code, OUTSIDE[VISUAL_FEATURES].code) == ("113101", "113102")
    assert [option.code for option in ALL.values()] == sorted(option.code for option in ALL.values())
