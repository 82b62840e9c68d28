"""Who is of a series in a closed group, as the writer tells it; and when what was made of it may go."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from gateway.model import Grouping, Instance, Outcome, Result
from gateway.store import reading
from gateway.store.kept_answers import path_of
from gateway.writer import process as process_module
from gateway.writer.messages import AskMembers, Discard, Failed, Members, Outcomes
from gateway.writer.process import SWEEP_EVERY
from tests.unit.writer.inside import Clock, End, Inside
from tests.unit.writer.stage import until


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(process_module, "time", found)
    monkeypatch.setattr(reading, "time", found)
    return found


def made(it: Inside, uid: str, series: str, **more: Any) -> Instance:
    """An instance of a route that groups by study."""
    instance = it.stage.make(uid, uid.encode(), group=Grouping("study", "1.9", 90.0, 3600.0), **more)
    return replace(instance, identity=replace(instance.identity, series=series))


def asked(it: Inside, worker: End, group: int, series: str) -> Any:
    number = worker.say(AskMembers(group, series))
    it.turn(worker)
    return worker.answers[number]


def answered(it: Inside, worker: End, uid: str, result: Result, *to: str) -> None:
    """What came of an object, at these destinations or all."""
    for job in worker.jobs:
        if job.instance.identity.sop_instance == uid and job.destination in (to or ("a", "b")):
            worker.say(Outcomes((Outcome(job.delivery, result),)))
    it.turn(worker)


def test_the_members_are_those_of_its_series_whatever_became_of_them(it: Inside, clock: Clock) -> None:
    worker = it.worker("w1")
    each = [made(it, f"1.{number}", "1.8.1" if number % 2 else "1.8.2", to=("a", "b")) for number in range(6)]
    for one in each:
        it.stored(worker, one)
    clock.sleep(100)
    it.turn(worker)
    assert {job.group for job in worker.jobs} == {1} and len(worker.jobs) == 12
    found = asked(it, worker, 1, "1.8.1")
    assert isinstance(found, Members)
    assert [member.stored for member in found.members] == [each[1].stored, each[3].stored, each[5].stored]
    assert all(member.here and member.syntax == each[1].syntax for member in found.members)
    answered(it, worker, "1.1", Result.DELIVERED)
    answered(it, worker, "1.3", Result.HELD)
    assert [member.here for member in asked(it, worker, 1, "1.8.1").members] == [False, True, True]
    worker.say(Discard(4, "unreadable", "somebody"))
    it.turn(worker)
    assert len(asked(it, worker, 1, "1.8.1").members) == 2, "what a person has given up is not of it"


def test_what_comes_late_is_told_so_but_a_series_that_is_new_is_whole(it: Inside, clock: Clock) -> None:
    worker = it.worker("w1")
    it.stored(worker, made(it, "1.1", "1.8.1"))
    clock.sleep(100)
    it.turn(worker)
    for uid, series in (("1.2", "1.8.1"), ("1.3", "1.8.2")):
        it.stored(worker, made(it, uid, series))
    clock.sleep(100)
    it.turn(worker)
    assert [job.group for job in worker.jobs] == [1, 2, 2]
    late = asked(it, worker, 2, "1.8.1")
    assert isinstance(late, Failed) and late.reason.startswith("plugin-late") and not late.storage
    assert len(asked(it, worker, 2, "1.8.2").members) == 1
    assert len(asked(it, worker, 1, "1.8.1").members) == 1


def test_answers_go_when_nothing_of_the_group_is_left_to_be_done(it: Inside, clock: Clock) -> None:
    worker = it.worker("w1")
    it.stored(worker, made(it, "1.1", "1.8.1", to=("a", "b")))
    clock.sleep(100)
    it.turn(worker)
    hosted = it.stage.state / "hosted"
    kept, of_none, other = path_of(hosted, 1, "0" * 24), path_of(hosted, 77, "0" * 24), hosted / "series" / "notes"
    for path in (kept, kept.with_suffix(".lock"), of_none, other):
        path.write_bytes(b"x")
    answered(it, worker, "1.1", Result.DELIVERED, "a")
    clock.sleep(SWEEP_EVERY + 1)
    it.turn(worker)
    until(lambda: not of_none.exists())
    assert kept.exists() and other.exists(), "one destination still waits"
    answered(it, worker, "1.1", Result.DELIVERED, "b")
    clock.sleep(SWEEP_EVERY + 1)
    it.turn(worker)
    until(lambda: not kept.exists() and not kept.with_suffix(".lock").exists())
    assert other.exists()
