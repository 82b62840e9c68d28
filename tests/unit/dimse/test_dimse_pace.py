"""A message may be slow, but not for ever: hours of dripping under a clock that is ours."""

from __future__ import annotations

import pytest

from gateway.dimse.limits import Limits
from gateway.dimse.pace import Pace
from gateway.errors import RefusePeer


class Played:
    """A clock, and a peer that sends `octets` every `pause` seconds."""

    def __init__(self, stall: float = 120.0, min_rate: int = 1024) -> None:
        self.now = 1000.0
        self.pace = Pace(Limits(stall=stall, min_rate=min_rate), lambda: self.now)
        self.pace.begin()

    def drips(self, octets: int, pause: float, most: float) -> float:
        """Seconds until it was cut, or `most`."""
        began = self.now
        while self.now - began < most:
            left = self.pace.waiting()
            self.now += min(pause, left)
            try:
                self.pace.came()
            except RefusePeer as error:
                assert error.reason == "too-slow"
                return self.now - began
            self.pace.earned(octets)
        return most


@pytest.mark.parametrize(("octets", "pause"), [(1, 1.0), (1, 59.0), (100, 1.0), (0, 0.001), (16, 0.1)])
def test_who_drips_is_cut_in_minutes(octets: int, pause: float) -> None:
    rate = octets / pause
    assert Played().drips(octets, pause, 86400.0) <= 120.0 / (1 - rate / 1024) + pause


@pytest.mark.parametrize(("octets", "pause"), [(1024, 1.0), (16384, 15.0), (131072, 100.0), (1 << 20, 119.0)])
def test_who_keeps_the_rate_may_take_a_day(octets: int, pause: float) -> None:
    assert Played().drips(octets, pause, 86400.0) == 86400.0


def test_a_fast_beginning_buys_no_hours() -> None:
    played = Played()
    played.pace.waiting()
    played.pace.came()
    played.pace.earned(1 << 30)
    assert played.drips(1, 10.0, 86400.0) <= 121.0


def test_a_flood_of_nothing_is_no_progress() -> None:
    """Nobody waits for such a peer, so that no time of it counts; its PDUs do."""
    played = Played()
    sent = 0
    while True:
        sent += 1
        played.pace.waiting()
        try:
            played.pace.came()
        except RefusePeer:
            break
        played.pace.earned(0)
    assert sent < 200_000


def test_each_message_begins_anew_and_our_own_time_is_not_the_peers() -> None:
    played = Played()
    for _ in range(10):
        played.pace.begin()
        assert played.drips(1, 10.0, 110.0) == 110.0
        played.now += 500.0  # our disk, or the pause between two messages


@pytest.mark.parametrize("bad", [{"stall": 0.0}, {"min_rate": 0}])
def test_no_rate_and_no_stall_cannot_be_meant(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"above zero|at least 1"):
        Limits(**bad)  # type: ignore[arg-type]
