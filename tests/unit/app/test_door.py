"""Who goes and who stays at the door: caps, rooms, reserved places; and that nobody is counted twice or for ever."""

from __future__ import annotations

import random

import pytest

from gateway.app.door import BURST, KEPT, KNOWN, MOST_LEAVING, PER_ADDRESS, RATE, STRANGERS, Door
from gateway.config.schema import Caps

LIMITS = Caps(200, 50)
FILL = STRANGERS // PER_ADDRESS  # of one address


def crowd(door: Door, count: int, address: str = "", first: int = 1) -> list[int]:
    """Strangers; each of an address of its own unless one is given. Who was let go for them."""
    gone = [
        door.arrived(n, "hospital", address or f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}")
        for n in range(first, first + count)
    ]
    return [number for number in gone if number is not None]


def test_one_address_has_its_fill_and_its_oldest_goes() -> None:
    door = Door()
    door.arrived(1, "hospital", "192.0.2.9")
    assert crowd(door, 1000, "192.0.2.1", first=2) == list(range(2, 2 + 1000 - FILL))
    assert door.counts.strangers == FILL + 1


def test_from_everywhere_the_longest_standing_goes_and_who_comes_is_never_refused() -> None:
    door = Door()
    assert crowd(door, 2 * STRANGERS) == list(range(1, STRANGERS + 1))
    assert door.counts.strangers == STRANGERS


def test_an_address_that_has_most_gives_way_first() -> None:
    door = Door()
    crowd(door, STRANGERS - FILL)
    crowd(door, FILL, "192.0.2.1", first=10000)
    assert door.arrived(20000, "hospital", "192.0.2.2") == 10000


def test_strangers_never_crowd_out_who_showed_a_certificate() -> None:
    door = Door()
    door.arrived(1, "hospital", "192.0.2.1")
    assert door.authenticated(1) is None
    assert 1 not in crowd(door, 5000, "192.0.2.1", first=2)
    assert door.associated(1, LIMITS, mixed=False) == ""


def test_the_known_have_caps_of_their_own() -> None:
    door = Door()
    gone = []
    for number in range(1, 2 * KNOWN + 1):
        door.arrived(number, "hospital", f"192.0.{number % 200}.1")
        gone.append(door.authenticated(number))
    assert [n for n in gone if n] == list(range(1, KNOWN + 1))
    assert door.counts.known == KNOWN and door.counts.strangers == 0


def test_associations_are_capped_by_listener_and_by_address() -> None:
    door = Door()
    limits = Caps(5, 3)
    crowd(door, 10, "192.0.2.1")
    assert [door.associated(n, limits, mixed=False) for n in range(1, 5)] == ["", "", "", "too-many-of-this-peer"]
    crowd(door, 3, first=100)
    assert [door.associated(n, limits, mixed=False) for n in range(100, 103)] == ["", "", "too-many-associations"]
    door.arrived(200, "other", "192.0.2.1")
    assert door.associated(200, limits, mixed=False) == "", "another listener has a cap of its own"
    door.gone(1)
    assert door.associated(102, limits, mixed=False) == ""


def test_places_are_kept_for_those_with_a_certificate() -> None:
    door = Door()
    limits = Caps(40, 40)
    crowd(door, 60)
    said = [door.associated(n, limits, mixed=True) for n in range(1, 61)]
    free = limits.associations - limits.associations // KEPT
    assert said == [""] * free + ["too-many-without-certificate"] * (60 - free)
    for number in range(100, 100 + limits.associations // KEPT):
        door.arrived(number, "hospital", "192.0.2.1")
        door.authenticated(number)
        assert door.associated(number, limits, mixed=True) == ""
    door.gone(1)
    assert door.associated(60, limits, mixed=True) == ""


def test_where_workers_do_not_keep_up_the_door_closes_and_opens_again() -> None:
    door = Door()
    gone = crowd(door, MOST_LEAVING + FILL, "192.0.2.1")
    assert not door.opens(1e9) and door.counts.leaving == len(gone) == MOST_LEAVING
    door.gone(gone[0])
    assert door.opens(1e9 + 1)


def test_who_was_let_go_but_was_faster_is_an_association() -> None:
    door = Door()
    (gone,) = crowd(door, FILL + 1, "192.0.2.1")
    assert door.authenticated(gone) is None
    assert door.associated(gone, LIMITS, mixed=False) == ""
    assert door.counts == (FILL, 0, 0, 1)


def test_whoever_comes_in_has_about_a_second() -> None:
    """A crowd that comes again as soon as it is shut: how long the shortest stay is."""
    door = Door()
    now, came, shortest = 1000.0, {}, 1e9
    for number in range(1, 20000):
        while not door.opens(now):
            now += 0.001
        came[number] = now
        gone = door.arrived(number, "hospital", "192.0.2.1")
        if gone is not None:
            shortest = min(shortest, now - came[gone]) if number > 2 * FILL + BURST else shortest
            door.gone(gone)
    assert shortest >= 0.8 * FILL / RATE


def test_a_door_that_need_not_let_anybody_go_does_not_pause() -> None:
    door = Door()
    for number in range(1, 5000):
        assert door.opens(1000.0)
        door.arrived(number, "hospital", "192.0.2.1")
        assert door.associated(number, Caps(5000, 5000), mixed=False) == ""


@pytest.mark.parametrize("seed", range(5))
def test_whatever_happens_counts_end_at_zero(seed: int) -> None:
    rng = random.Random(seed)
    door = Door()
    alive: list[int] = []
    limits = Caps(30, 10)
    for number in range(1, 6000):
        if door.opens(number * 0.01):
            door.arrived(number, rng.choice(("a", "b")), f"192.0.2.{int(rng.expovariate(0.1))}")
            alive.append(number)
        for _ in range(rng.randrange(3)):
            chosen = rng.choice(alive) if alive else 0
            what = rng.randrange(4)
            if what == 0:
                door.authenticated(chosen)
            elif what == 1:
                door.associated(chosen, limits, mixed=rng.random() < 0.5)
            elif chosen:
                door.gone(chosen)
                alive.remove(chosen)
        counts = door.counts
        assert 0 <= counts.strangers <= STRANGERS and 0 <= counts.known <= KNOWN and 0 <= counts.leaving <= MOST_LEAVING
        assert counts.associations <= 2 * limits.associations
        assert counts.strangers + counts.known + counts.leaving + counts.associations == len(alive)
    for number in alive:
        door.gone(number)
    assert door.counts == (0, 0, 0, 0)
