"""What framing remembers of other objects saves time and changes nothing: each as if it were the first."""

from __future__ import annotations

from random import Random

import pytest

from tests.unit.egress.outputs import EXPLICIT, IMPLICIT, ct, encoded, parsed
from transforms.dataset import framing
from transforms.dataset.elements import header_bytes
from transforms.dataset.repeated import _LONGEST, _MOST, KEY
from transforms.errors import BadFraming, TransformError
from transforms.source import BytesSource

Told = tuple[object, ...]


def told(raw: bytes, syntax: str, limits: framing.Limits = framing.Limits()) -> Told:
    """All that framing says of bytes."""
    try:
        found = framing.check(BytesSource(raw), syntax, limits)
    except BadFraming as error:
        return error.reason, error.detail
    except TransformError as error:
        return (error.reason,)  # a budget may be found to be spent an element earlier or later
    return list(found.entries.items()), found.count, found.warnings, found.size


def alone(raw: bytes, syntax: str, limits: framing.Limits = framing.Limits()) -> Told:
    """The same by who knows nothing."""
    framing._repeated.cache_clear()
    return told(raw, syntax, limits)


def series(syntax: str) -> list[bytes]:
    return [encoded(parsed(ct(number)), syntax) for number in range(1, 6)]


def changed(raw: bytes, dice: Random) -> bytes:
    """With elements in another order, twice, left out, of odd length or with other bytes: mostly of the header."""
    parts = [raw[entry[1] : entry[4]] for entry in framing.check(BytesSource(raw), EXPLICIT).entries.values()]
    for _ in range(dice.randint(0, 3)):
        at, other = dice.randrange(len(parts)), dice.randrange(len(parts))
        match dice.randrange(6):
            case 0:
                parts[at], parts[other] = parts[other], parts[at]
            case 1:
                parts.insert(other, parts[at])
            case 2 if len(parts) > 3:
                del parts[at]
            case 3:
                parts.insert(other, header_bytes(dice.choice((0x00290001, 0x00180013, 0x00111010)), "LO", 3) + b"odd")
            case 4:
                broken = bytearray(parts[at])
                broken[dice.randrange(min(20, len(broken)))] ^= 1 << dice.randrange(8)
                parts[at] = bytes(broken)
            case 5:
                cut = parts[at]
                parts[at] = cut[: dice.randrange(len(cut))]
    return b"".join(parts)


def test_a_series_frames_as_its_objects_do_alone() -> None:
    for syntax in (EXPLICIT, IMPLICIT):
        raws = series(syntax)
        expected = [alone(raw, syntax) for raw in raws]
        framing._repeated.cache_clear()
        for _ in range(3):
            assert [told(raw, syntax) for raw in raws] == expected
        known = framing._repeated(syntax, framing.Limits())
        assert sum(run.count for run in known.runs.values()) > 100, "nothing is remembered: then this shows nothing"


@pytest.mark.parametrize("seed", range(60))
def test_what_is_wrong_is_found_whatever_came_before(seed: int) -> None:
    dice = Random(seed)
    good = series(EXPLICIT)
    raws = [changed(dice.choice(good), dice) for _ in range(6)]
    expected = [alone(raw, EXPLICIT) for raw in raws]
    framing._repeated.cache_clear()
    for raw in good:
        told(raw, EXPLICIT)
    for _ in range(2):
        assert [told(raw, EXPLICIT) for raw in raws] == expected
        assert told(good[0], EXPLICIT) == alone(good[0], EXPLICIT)


def test_a_run_behind_a_higher_tag_is_out_of_order_and_one_behind_itself_stands_twice() -> None:
    raw = series(EXPLICIT)[0]
    told(raw, EXPLICIT)
    run = next(iter(framing._repeated(EXPLICIT, framing.Limits()).runs.values()))
    high = header_bytes(0x00400100, "SH", 2) + b"AB"
    assert "not-ascending" in str(told(high + run.data, EXPLICIT))
    assert told(run.data + run.data, EXPLICIT)[0] == "tag-twice"


def test_limits_hold_for_what_is_remembered() -> None:
    raw = series(EXPLICIT)[0]
    told(raw, EXPLICIT)
    count = framing.check(BytesSource(raw), EXPLICIT).count
    for _ in range(3):
        assert told(raw, EXPLICIT, framing.Limits(elements=count))[1] == count
        assert told(raw, EXPLICIT, framing.Limits(elements=count - 1))[0] == "elements"
        assert told(raw, EXPLICIT, framing.Limits(depth=1))[0] == "depth"


def test_it_is_bounded() -> None:
    framing._repeated.cache_clear()
    for number in range(300):
        extra = b"".join(header_bytes(0x00110010 + each, "LO", 6) + b"%06d" % (number * each) for each in range(900))
        framing.check(BytesSource(extra), EXPLICIT)
    known = framing._repeated(EXPLICIT, framing.Limits())
    assert len(known.runs) <= _MOST
    assert all(len(run.data) <= _LONGEST and run.data[:KEY] == key for key, run in known.runs.items())
