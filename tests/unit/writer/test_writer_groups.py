"""Deliveries of a group wait until it is complete, through kills; late ones follow; whole units go to one worker."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.audit.events import Party
from gateway.decide.groups import BEING_SENT, BY_HAND, CAP, EXPECTED, INCOMPLETE, QUIET, STILL_ARRIVING
from gateway.model import Grouping, Instance, Job, Outcome, Result
from gateway.store import reading
from gateway.store.inflight import UNIT, Inflight
from gateway.writer import process as process_module
from gateway.writer.messages import Closed, CloseGroup, Failed, Ok, Opened, Outcomes, Received
from tests.unit.writer.inside import Clock, End, Inside
from tests.unit.writer.stage import Stage


@pytest.fixture
def it(tmp_path: Path) -> Iterator[Inside]:
    stage = Stage(tmp_path, also={"whole": {"folder": {"dir": tmp_path / "whole", "layout": "group"}}})
    inside = Inside(stage)
    yield inside
    inside.close()


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(process_module, "time", found)
    monkeypatch.setattr(reading, "time", found)
    return found


def made(it: Inside, uid: str, study: str = "1.9", association: str = "a" * 32, **more: Any) -> Instance:
    """An instance of a route that groups by study: 90 s quiet, an hour at most."""
    expected = more.pop("expected", 0)
    group = Grouping("study", study, 90.0, 3600.0, expected)
    instance = it.stage.make(uid, uid.encode(), study=study, group=group, **more)
    return replace(instance, origin=replace(instance.origin, association=association))


def begun(it: Inside, worker: End, association: str) -> None:
    worker.say(Opened(association, "in", Party("CT1", "h"), Party("GW", "h")))
    it.turn(worker)


def ended(it: Inside, worker: End, association: str) -> None:
    worker.say(Closed(association, True))
    it.turn(worker)


def passed(it: Inside, clock: Clock, seconds: float, *ends: End) -> None:
    clock.sleep(seconds)
    it.turn(*ends)


def test_a_study_waits_until_it_is_quiet_and_nobody_sends_it(it: Inside, clock: Clock) -> None:
    worker, association = it.worker("w1"), "b" * 32
    begun(it, worker, association)
    for number in range(3):
        it.stored(worker, made(it, f"1.{number}", association=association))
        clock.sleep(60)
    assert worker.jobs == []
    row = it.stage.row("1.0")
    assert (row.state, row.reason, row.detail) == ("waiting", STILL_ARRIVING, "study has 3")
    assert row.next_try == pytest.approx(clock.now + 30)
    passed(it, clock, 60, worker)
    row = it.stage.row("1.0")
    assert worker.jobs == [] and row.reason == BEING_SENT and row.next_try == pytest.approx(clock.now - 240 + 3600)
    ended(it, worker, association)
    assert [job.instance.identity.sop_instance for job in worker.jobs] == ["1.0", "1.1", "1.2"], "in their order"
    it.deliver(worker)
    assert it.stage.counted() == {"delivered": 3}


def test_fewer_than_announced_wait_for_the_cap_and_the_late_one_follows(it: Inside, clock: Clock) -> None:
    worker = it.worker("w1")
    for number in range(2):
        it.stored(worker, made(it, f"1.{number}", expected=3, to=("whole",)))
    passed(it, clock, 100, worker)
    row = it.stage.row("1.0")
    assert worker.jobs == [] and (row.reason, row.detail) == (INCOMPLETE, "study has 2 of 3")
    passed(it, clock, 3500, worker)
    assert {(job.unit.closed, job.unit.members, job.unit.follow_up) for job in worker.jobs if job.unit} == {(CAP, 2, 0)}
    it.deliver(worker)
    it.stored(worker, made(it, "1.2", expected=3, to=("whole",)))
    row = it.stage.row("1.2")
    assert (row.reason, row.detail) == (STILL_ARRIVING, "study has 3 of 3, follow-up 1")
    passed(it, clock, 91, worker)
    (job,) = worker.jobs
    assert job.unit is not None and (job.unit.closed, job.unit.follow_up, job.unit.members) == (EXPECTED, 1, 1)


def test_saying_it_again_is_still_sending(it: Inside, clock: Clock) -> None:
    worker, again = it.worker("w1"), "c" * 32
    it.stored(worker, made(it, "1.0"))
    passed(it, clock, 80, worker)
    begun(it, worker, again)
    assert it.stored(worker, made(it, "1.0", association=again)).outcome == "duplicate"
    passed(it, clock, 80, worker)
    assert it.stage.row("1.0").reason == STILL_ARRIVING
    passed(it, clock, 20, worker)
    assert it.stage.row("1.0").reason == BEING_SENT and worker.jobs == []
    ended(it, worker, again)
    assert len(worker.jobs) == 1


def test_another_route_of_the_same_study_is_evidence_too(it: Inside, clock: Clock) -> None:
    worker, association = it.worker("w1"), "d" * 32
    begun(it, worker, association)
    it.stored(worker, made(it, "1.0"))
    other = it.stage.make("1.1", b"sr", study="1.9")
    it.stored(worker, replace(other, origin=replace(other.origin, association=association)))
    assert [job.instance.identity.sop_instance for job in worker.jobs] == ["1.1"], "its own route groups nothing"
    passed(it, clock, 100, worker)
    assert it.stage.row("1.0").reason == BEING_SENT
    ended(it, worker, association)
    assert len(worker.jobs) == 2


def test_a_destination_that_comes_back_wakes_no_open_group(it: Inside, clock: Clock) -> None:
    worker = it.worker("w1")
    it.stored(worker, it.stage.make("9.1", study="9"))
    it.stored(worker, made(it, "1.0"))
    it.deliver(worker, Result.DOWN, reason="connect-failed")
    passed(it, clock, 1, worker)
    it.deliver(worker)
    passed(it, clock, 1, worker)
    assert worker.jobs == [] and it.stage.row("1.0").reason == STILL_ARRIVING


def test_a_unit_goes_whole_to_one_worker_and_only_what_failed_comes_again(it: Inside, clock: Clock) -> None:
    first, second = it.worker("w1"), it.worker("w2")
    for number in range(200):
        it.stored(first, made(it, f"1.{number}", to=("whole", "a")))
    passed(it, clock, 91, first, second)
    units = [[job for job in end.jobs if job.destination == "whole"] for end in (first, second)]
    assert sorted(map(len, units)) == [0, 200], "more than any window, in one message, to one worker"
    holder = first if units[0] else second
    unit = units[0] or units[1]
    holder.jobs = []
    refused = {job.delivery for job in unit[:3]}
    held = {job.delivery for job in unit[3:5]}

    def outcome(job: Job) -> Outcome:
        result = (
            Result.REFUSED if job.delivery in refused else Result.HELD if job.delivery in held else Result.DELIVERED
        )
        return Outcome(job.delivery, result, reason="" if result is Result.DELIVERED else "because")

    holder.say(Outcomes(tuple(map(outcome, unit))))
    it.turn(first, second)
    clock.sleep(10)
    it.turn(first, second)
    again = [job for end in (first, second) for job in end.jobs if job.destination == "whole"]
    assert {job.delivery for job in again} == refused and {job.unit.members for job in again if job.unit} == {3}
    assert Counter(row.state for row in it.stage.rows() if row.destination == "whole") == {
        "delivered": 195, "sending": 3, "held": 2,
    }  # fmt: skip


def test_a_crash_in_a_member_counts_against_it_and_one_in_the_making_against_all(it: Inside, clock: Clock) -> None:
    def dies(name: str, number: int, *, whole: bool) -> None:
        worker = it.worker(name)
        passed(it, clock, 91, worker)
        jobs = [job for job in worker.jobs if job.destination == "whole"]
        assert len(jobs) == number
        slots = Inflight.create(it.stage.state / "run" / f"{name}.inflight")
        slots.set(jobs[0].delivery | UNIT if whole else jobs[0].delivery)
        worker.sock.close()
        it.turn()

    first = it.worker("w0")
    for number in range(3):
        it.stored(first, made(it, f"1.{number}", to=("whole",)))
    first.sock.close()
    it.turn()
    for number in range(3):
        dies(f"member{number}", 3, whole=False)
    assert [row.state for row in reversed(it.stage.rows())] == ["held", "waiting", "waiting"]
    for number in range(3):
        dies(f"making{number}", 2, whole=True)
    assert {(row.state, row.reason) for row in it.stage.rows()} == {("held", "crashed-while-processing")}


def test_references_to_what_never_came_are_listed_and_hold_nothing_up(it: Inside, clock: Clock) -> None:
    worker = it.worker("w1")
    for uid, refers in (("1.0", ("1.1", "1.9")), ("1.1", ("1.9", "8.8")), ("1.2", ())):
        worker.say(Received(made(it, uid), refers))
    it.turn(worker)
    passed(it, clock, 91, worker)
    assert len(worker.jobs) == 3
    (told,) = it.stage.ask(lambda r: r.all_groups(10))
    assert (told.reason, told.until, told.missing) == (QUIET, None, ("1.9", "8.8"))
    it.stored(worker, it.stage.make("8.8"))
    assert it.stage.ask(lambda r: r.all_groups(10))[-1].missing == ("1.9",), "it came after all"


def test_the_cap_comes_however_much_arrives(it: Inside, clock: Clock) -> None:
    worker = it.worker("w1")
    for number in range(70):
        it.stored(worker, made(it, f"1.{number}"))
        passed(it, clock, 60, worker)
        if worker.jobs:
            break
    assert 59 <= number <= 61 and len(worker.jobs) == number + 1


def test_a_receiver_that_takes_no_jobs_still_sends_after_the_writer_was_away(it: Inside, clock: Clock) -> None:
    association = "e" * 32
    worker, web = it.worker("w1"), it.worker("web", takes_jobs=False)
    begun(it, web, association)
    it.stored(web, made(it, "1.0", association=association))
    it.crash()
    worker, web = it.worker("w1"), it.worker("web", takes_jobs=False)
    for _ in range(10):
        passed(it, clock, 20, worker, web)
    assert worker.jobs == [] and it.stage.row("1.0").reason == BEING_SENT
    ended(it, web, association)
    it.turn(worker)
    assert len(worker.jobs) == 1 and web.jobs == []


def test_a_clock_set_back_a_year_stalls_no_group(it: Inside, clock: Clock) -> None:
    worker = it.worker("w1")
    it.stored(worker, made(it, "1.0"))
    clock.now -= 365 * 86400
    for _ in range(4):
        passed(it, clock, 60, worker)
    assert len(worker.jobs) == 1


def test_a_thousand_studies_in_any_order_through_restarts(it: Inside, clock: Clock) -> None:
    """Each group that was closed had its evidence at that moment; in the end everything is delivered, late ones too."""
    chance = random.Random(7)
    sizes = {f"2.{n}": chance.randint(1, 4) for n in range(1000)}
    announced = {study for study in sizes if chance.random() < 0.5}
    withheld = {study for study in sorted(announced) if chance.random() < 0.1}  # one instance never comes
    todo = [(study, n) for study, size in sizes.items() for n in range(size)]
    chance.shuffle(todo)
    came: dict[str, list[float]] = defaultdict(list)  # by study: when each of its instances came, repeats too
    delivered: Counter[str] = Counter()
    worker = it.worker("w1")

    def deliver() -> None:
        delivered.update(job.instance.identity.study for job in worker.jobs)
        it.deliver(worker)

    while todo:
        batch, todo = todo[:150], todo[150:]
        repeated = [(study, 0) for study, n in batch if n == 0 and chance.random() < 0.1]
        for study, number in (*batch, *repeated):
            expected = sizes[study] + (study in withheld) if study in announced else 0
            worker.say(Received(made(it, f"{study}.{number}", study=study, to=("whole",), expected=expected)))
            came[study].append(clock.now)
        it.turn(worker)
        deliver()
        passed(it, clock, chance.choice((1.0, 30.0, 50.0)), worker)
        deliver()
        if chance.random() < 0.2:
            it.crash()
            worker = it.worker("w1")
    for _ in range(300):
        passed(it, clock, 20, worker)
        deliver()
        if sum(delivered.values()) == sum(sizes.values()):
            break
    assert delivered == Counter(sizes), "each once, none forgotten"
    with closing(sqlite3.connect(it.stage.state / "ledger.sqlite")) as ledger:
        units = ledger.execute("SELECT uid, why, closed, opened, number FROM groups").fetchall()
    assert Counter(why for _, why, *_ in units).keys() == {QUIET, EXPECTED, CAP}
    assert sum(number > 0 for *_, number in units) > 100
    for study, why, closed, opened, _ in units:
        before = [moment for moment in came[study] if moment < closed]
        if why == CAP:
            assert closed - opened >= 3600
        else:
            assert closed - max(before) >= 90
            assert (why == EXPECTED) == (study in announced)
            assert study not in withheld and (why == QUIET or len(before) >= sizes[study])


def test_a_person_closes_a_group_and_what_comes_later_follows(it: Inside, clock: Clock) -> None:
    worker, operator, association = it.worker("w1"), it.worker("op", takes_jobs=False), "e" * 32
    begun(it, worker, association)
    for number in range(2):
        it.stored(worker, made(it, f"1.{number}", expected=5, association=association, to=("whole",)))
    (told,) = it.stage.ask(lambda reader: reader.groups())

    def closed(group: int) -> object:
        number = operator.say(CloseGroup(group, "the rest is lost", "mta"))
        it.turn(operator, worker)
        return operator.answers[number]

    assert closed(told.group) == Ok(2)
    assert [(job.unit.closed, job.unit.members) for job in worker.jobs if job.unit] == [(BY_HAND, 2)] * 2
    passed(it, clock, 1, worker)  # the outbox gathers for a while
    trail = it.stage.trail()
    assert trail.count("GROUPCLOSED") == 1 and "mta" in trail and "the rest is lost" in trail
    it.deliver(worker)
    it.stored(worker, made(it, "1.2", expected=5, association=association, to=("whole",)))
    assert it.stage.row("1.2").detail == "study has 3 of 5, follow-up 1"
    for number, reason in ((told.group, "group-closed"), (999, "unknown-group")):
        answer = closed(number)
        assert isinstance(answer, Failed) and answer.reason.startswith(reason)
    assert it.stage.trail().count("GROUPCLOSED") == 1
