"""What is left to do with an object that came before, and who gets storage commitment then."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from gateway.decide.again import Before, left
from gateway.decide.commitment import Copy, judge
from gateway.model import Decision, DeliveryState, Failure, Identity, Instance, InstanceState, Origin, Stored, Verdict

CT = "1.2.840.10008.5.1.4.1.1.2"
ORIGIN = Origin("in", "a" * 32, "127.0.0.1", "CT1", "GW", "CN=ct1")
HELD, DONE, ACTIVE = InstanceState.HELD, InstanceState.DONE, InstanceState.ACTIVE
HOLD = Decision(Verdict.HOLD, "r", "no-route")


def to(*names: str, recipe: str = "") -> Decision:
    return Decision(Verdict.DELIVER, "r", destinations=names, recipe=recipe)


def coming(decision: Decision, origin: Origin = ORIGIN) -> Instance:
    return Instance(Identity(CT, "1.1"), origin, Stored("x", 0, 1, "ab"), "1.2", 0.0, decision)


def came(state: InstanceState, decision: Decision, *there: str) -> Before:
    return Before(state, coming(decision), frozenset(there or decision.destinations))


@pytest.mark.parametrize(
    ("decision", "before", "expected"),
    [
        (to("a"), [came(DONE, to("a"))], None),
        (to("a"), [came(ACTIVE, to("a"))], None),
        (to("a", "b", "c"), [came(DONE, to("b")), came(ACTIVE, to("c"))], ("a",)),
        (to("a", recipe="k1"), [came(DONE, to("a"))], ("a",)),
        (to("a", "b", recipe="k1"), [came(DONE, to("a", recipe="k2")), came(DONE, to("b", recipe="k1"))], ("a",)),
        (to("a"), [came(HELD, HOLD)], ("a",)),
        (to("a"), [came(HELD, to("a", "b"), "none")], None),  # held as a conflict: released, it goes there
        (to("a", "b"), [came(HELD, to("a"), "none")], ("a", "b")),
        (HOLD, [came(HELD, HOLD)], None),
        (HOLD, [came(DONE, to("a"))], ()),
        (HOLD, [came(HELD, replace(HOLD, reason="rule-type-error"))], ()),
        (Decision(Verdict.DROP, "r", "noise"), [came(DONE, to("a"))], None),
    ],
)
def test_what_is_left(decision: Decision, before: list[Before], expected: tuple[str, ...] | None) -> None:
    found = left(coming(decision), before)
    assert (found if found is None else found.destinations) == expected
    assert found is None or replace(found, destinations=decision.destinations) == decision


@pytest.mark.parametrize("field", ["listener", "calling_ae", "called_ae", "subject"])
def test_whatever_a_rule_may_ask_of_the_source_makes_another_of_what_is_held(field: str) -> None:
    before = [came(HELD, HOLD)]
    assert left(coming(HOLD, replace(ORIGIN, association="b" * 32, address="::1")), before) is None
    assert left(coming(HOLD, replace(ORIGIN, **{field: "other"})), before) == HOLD


D, H, W = DeliveryState.DELIVERED, DeliveryState.HELD, DeliveryState.WAITING


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (Copy(CT, DONE, "ab", "", frozenset({D})), 0),
        (Copy(CT, ACTIVE, "ab", "", frozenset({W})), 0),
        (Copy(CT, ACTIVE, "ab", "", frozenset({H})), Failure.PROCESSING),
        (Copy(CT, HELD, "ab", "", frozenset()), Failure.PROCESSING),
        (Copy(CT, DONE, "cd", "", frozenset({D})), Failure.PROCESSING),  # other bytes, of which nobody says it
        (Copy(CT, ACTIVE, "ab", "after-delivery", frozenset({W})), None),
        (Copy(CT, ACTIVE, "cd", "after-delivery", frozenset({D, W})), None),
    ],
)
def test_equal_bytes_on_another_route_take_nothing_away(second: Copy, expected: int | None) -> None:
    first = Copy(CT, DONE, "ab", "after-delivery", frozenset({D}))
    assert judge(CT, [first, second]) == judge(CT, [second, first]) == expected
    assert judge(CT, [second._replace(commit="", state=DONE, deliveries=frozenset({D}))]) == Failure.PROCESSING
