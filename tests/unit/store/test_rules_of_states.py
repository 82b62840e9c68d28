"""The transition table is whole, retry arithmetic is bounded, slots survive."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.schema import Retry
from gateway.model import DeliveryState
from gateway.store.inflight import Inflight, read
from gateway.store.retry import exhausted, expired, pause
from gateway.store.transitions import ENDS, TRANSITIONS, Cause, Impossible, after


def test_every_state_and_cause_is_in_the_table_or_impossible() -> None:
    for state, cause in itertools.product(DeliveryState, Cause):
        if (state, cause) in TRANSITIONS:
            assert after(state, cause) is TRANSITIONS[state, cause]
        else:
            with pytest.raises(Impossible):
                after(state, cause)


def test_ends_are_ends_and_every_other_state_can_reach_one() -> None:
    for state in DeliveryState:
        leaving = {new for (old, _), new in TRANSITIONS.items() if old is state and new is not state}
        assert (state in ENDS) == (not leaving), state
    reach = set(ENDS)
    for _ in DeliveryState:
        reach |= {old for (old, _), new in TRANSITIONS.items() if new in reach}
    assert reach == set(DeliveryState)


@given(st.integers(0, 10**6), st.floats(0.001, 100), st.floats(1, 1000))
def test_pauses_double_and_never_pass_the_longest(failures: int, first: float, factor: float) -> None:
    retry = Retry(backoff=(first, first * factor))
    now, then = pause(retry, failures), pause(retry, failures + 1)
    assert first <= now <= then <= first * factor


def test_a_clock_set_back_expires_nothing() -> None:
    retry = Retry.model_validate({"for": "1h", "attempts": 3})
    assert expired(retry, 1000.0, 1000.0 + 3601) and not expired(retry, 1000.0, 1000.0 - 10**9)
    assert [exhausted(retry, n) for n in (2, 3)] == [False, True]


def test_slots_are_on_disk_before_and_gone_after(tmp_path: Path) -> None:
    path = tmp_path / "w.inflight"
    slots = Inflight.create(path)
    one, two = slots.set(7), slots.set(9)
    assert sorted(read(path)) == [7, 9]
    slots.clear(one)
    assert read(path) == [9]
    slots.clear(two)
    assert read(path) == [] and read(tmp_path / "none") == []
    with pytest.raises(FileExistsError):
        Inflight.create(path)
