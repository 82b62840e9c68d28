"""An object that comes again goes where it has not been yet, if its route says so now (docs/adr/0016)."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from gateway.model import Decision, Grouping, Instance, Reference, Result, Verdict
from gateway.store.commitments import CommitmentTable
from gateway.store.prepared import Cursor
from gateway.writer.messages import Discard, Release
from tests.unit.writer.inside import End, Inside
from tests.unit.writer.stage import CT

HOLD: dict[str, Any] = {"verdict": Verdict.HOLD, "reason": "no-route", "to": ()}


def by(instance: Instance, listener: str) -> Instance:
    """The same, from another source."""
    return replace(instance, origin=replace(instance.origin, listener=listener))


def gone_to(it: Inside, worker: End) -> list[tuple[str, str]]:
    """(route, destination) of what is leased, which is delivered then."""
    found = [(job.instance.decision.route, job.destination) for job in worker.jobs]
    it.deliver(worker)
    return found


def on(instance: Instance, route: str) -> Instance:
    return replace(instance, decision=replace(instance.decision, route=route))


def test_by_another_source_it_goes_where_that_source_s_route_says(it: Inside) -> None:
    worker = it.worker("w1")
    assert it.stored(worker, it.stage.make("1.1", to=("a",))).outcome == "stored"
    assert gone_to(it, worker) == [("r", "a")]
    second = on(by(it.stage.make("1.1", to=("b",)), "other"), "second")
    assert it.stored(worker, second).outcome == "stored"
    assert gone_to(it, worker) == [("second", "b")]
    assert it.stage.states() == {"1.1>a": "delivered", "1.1>b": "delivered"}
    assert it.stored(worker, on(by(it.stage.make("1.1", to=("b",)), "other"), "second")).outcome == "duplicate"
    assert it.stored(worker, it.stage.make("1.1", to=("a",))).outcome == "duplicate"
    assert worker.jobs == []


def test_after_the_rules_changed_only_what_is_missing_is_made(it: Inside) -> None:
    worker = it.worker("w1")
    it.stored(worker, it.stage.make("1.1", to=("a",)))
    assert it.stored(worker, it.stage.make("1.1", to=("a", "b"))).outcome == "stored", "while the first is being sent"
    assert sorted(gone_to(it, worker)) == [("r", "a"), ("r", "b")]
    assert it.stored(worker, it.stage.make("1.1", to=("b", "a"))).outcome == "duplicate"


def test_what_waits_for_a_destination_or_is_held_or_given_up_there_is_no_new_object(it: Inside) -> None:
    worker = it.worker("w1")
    number = it.stored(worker, it.stage.make("1.1", to=("a", "b"))).instance_id
    it.deliver(worker, Result.HELD, reason="refused")
    assert it.stored(worker, it.stage.make("1.1", to=("a",))).outcome == "duplicate"
    worker.say(Release(number, None, "tester"))
    it.turn(worker)
    assert it.stored(worker, it.stage.make("1.1", to=("b",))).outcome == "duplicate"


def test_made_by_other_steps_it_is_not_what_the_destination_has(it: Inside) -> None:
    """Two trials with two keys that share one destination: each gets its own pseudonymous copy."""
    worker = it.worker("w1")
    for recipe in ("", "trial42", "trial43"):
        assert it.stored(worker, it.stage.make("1.1", recipe=recipe)).outcome == "stored"
        assert gone_to(it, worker) == [("r", "a")]
        assert it.stored(worker, it.stage.make("1.1", recipe=recipe)).outcome == "duplicate"


def test_what_is_held_for_one_source_is_delivered_for_another(it: Inside) -> None:
    worker = it.worker("w1")
    number = it.stored(worker, it.stage.make("1.1", **HOLD)).instance_id
    assert it.stored(worker, it.stage.make("1.1", **HOLD)).outcome == "duplicate"
    assert it.stored(worker, by(it.stage.make("1.1", **HOLD), "other")).outcome == "stored", "its rules are asked anew"
    assert it.stored(worker, it.stage.make("1.1", to=("b",))).outcome == "stored", "its rules say otherwise by now"
    assert gone_to(it, worker) == [("r", "b")]
    worker.say(Release(number, Decision(Verdict.DELIVER, "r", destinations=("a",)), "tester"))
    it.turn(worker)
    it.turn(worker)
    assert gone_to(it, worker) == [("r", "a")]
    assert it.stage.counted() == {"delivered": 2, "held": 1}


def test_what_is_to_be_held_is_held_although_another_source_had_it_delivered(it: Inside) -> None:
    worker = it.worker("w1")
    it.stored(worker, it.stage.make("1.1"))
    it.deliver(worker)
    assert it.stored(worker, by(it.stage.make("1.1", **HOLD), "other")).outcome == "stored"
    assert it.stage.counted() == {"delivered": 1, "held": 1}
    assert it.stored(worker, it.stage.make("1.1", verdict=Verdict.DROP, reason="noise", to=())).outcome == "duplicate"


def test_a_conflict_stays_one_and_its_twin_is_held_once(it: Inside) -> None:
    worker = it.worker("w1")
    it.stored(worker, it.stage.make("1.1", to=("a",)))
    it.deliver(worker)
    number = it.stored(worker, it.stage.make("1.1", b"other", to=("a",))).instance_id
    assert it.stored(worker, it.stage.make("1.1", b"other", to=("a",))).outcome == "duplicate"
    assert it.stored(worker, it.stage.make("1.1", b"other", to=("a", "b"))).outcome == "conflict", "more is asked for"
    worker.say(Discard(number, "mistaken", "tester"))
    it.turn(worker)
    assert it.stage.counted() == {"delivered": 1, "held": 1, "discarded": 1}


def test_in_an_open_group_what_is_missing_waits_with_the_others(it: Inside) -> None:
    worker = it.worker("w1")
    group = Grouping("study", "1.9", quiet=90.0, max_wait=3600.0)
    it.stored(worker, it.stage.make("1.1", to=("a",), group=group))
    assert it.stored(worker, it.stage.make("1.1", to=("a", "b"), group=group)).outcome == "stored"
    (told,) = it.stage.ask(lambda r: r.groups())
    assert told.arrived == 1 and worker.jobs == []
    assert it.stage.states() == {"1.1>a": "waiting", "1.1>b": "waiting"}


def test_a_route_that_commits_to_nothing_takes_no_commitment_from_equal_bytes(it: Inside) -> None:
    worker = it.worker("w1")
    it.stored(worker, it.stage.make("1.1", to=("a",), commit="after-delivery"))
    it.deliver(worker)
    assert it.stored(worker, it.stage.make("1.1", to=("b",), recipe="trial42")).outcome == "stored"
    assert _judged(it) == 0
    it.deliver(worker, Result.HELD, reason="refused")
    assert _judged(it) == 0x0110, "while one is held the sender keeps its own"


def _judged(it: Inside) -> int | None:
    from gateway.decide.commitment import judge

    connection = it.process._ledger
    with connection.begin():
        copies = CommitmentTable(connection, Cursor(connection)).copies(["1.1"])
    return judge(Reference(CT, "1.1").sop_class, copies["1.1"])
