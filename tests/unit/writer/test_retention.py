"""What is done is forgotten after `state.keep`, audited; what is not at its end stays, whatever its age."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.audit.events import Party
from gateway.model import CommitmentRequest, Grouping, Reference, Result, Verdict
from gateway.writer import desk as desk_module
from gateway.writer.messages import Closed, CommitmentAsked, Opened, TaskDone
from tests.unit.writer.inside import Clock, Inside
from tests.unit.writer.stage import CT, Stage

DAY = 86400.0
TABLES = ("instances", "deliveries", "groups", "bringing", "associations", "commitments", "commitment_items")


@pytest.fixture
def it(tmp_path: Path, clock: Clock) -> Iterator[Inside]:
    inside = Inside(Stage(tmp_path, keep="10d"))
    yield inside
    inside.close()


def rows(it: Inside) -> dict[str, int]:
    with closing(sqlite3.connect(it.stage.state / "ledger.sqlite")) as ledger:
        return {name: ledger.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in TABLES}


def pass_days(it: Inside, clock: Clock, days: float) -> None:
    for _ in range(3):
        clock.sleep(days / 3 * DAY)
        it.turn()


def test_all_that_is_done_goes_and_all_that_is_not_stays(it: Inside, clock: Clock) -> None:
    worker, association = it.worker("w1"), "a" * 32
    worker.say(Opened(association, "in", Party("CT1", "h"), Party("GW", "h")))
    it.stored(worker, it.stage.make("1.1", group=Grouping("study", "1.9", 60.0, 3600.0)))
    it.stored(worker, it.stage.make("1.2", verdict=Verdict.DROP, reason="noise", to=()))
    worker.say(Closed(association, True))
    worker.say(
        CommitmentAsked("CT1", "GW", "in", association, 3600.0, CommitmentRequest("2.25.1", (Reference(CT, "1.2"),)))
    )
    it.turn(worker)
    clock.sleep(61)
    it.turn(worker)
    it.deliver(worker)
    worker.say(TaskDone(worker.tasks[0].commitment, True))
    it.turn(worker)
    assert rows(it) == dict.fromkeys(TABLES, 1) | {"instances": 2, "bringing": 0}
    pass_days(it, clock, 9)
    assert rows(it)["instances"] == 2
    pass_days(it, clock, 2)
    assert rows(it) == dict.fromkeys(TABLES, 0)
    assert it.stage.trail().count("FORGOTTEN") == 1 and "&lt;" not in it.stage.trail()
    assert it.stored(worker, it.stage.make("1.1")).outcome == "stored", "as if it had never come"


def test_what_is_held_waits_or_was_just_released_stays(it: Inside, clock: Clock) -> None:
    worker = it.worker("w1")
    it.stored(worker, it.stage.make("1.1", verdict=Verdict.HOLD, reason="no-route", to=()))
    it.stored(worker, it.stage.make("1.2"))
    it.deliver(worker, Result.HELD, reason="refused")
    it.stored(worker, it.stage.make("1.3"))
    it.stored(worker, it.stage.make("1.4"))
    late = worker.jobs.pop()
    it.deliver(worker, Result.DOWN, reason="connect-failed")
    worker.jobs = [late]
    pass_days(it, clock, 30)
    it.deliver(worker)
    pass_days(it, clock, 3)
    assert rows(it)["instances"] == 4, "its last change is what counts, not its arrival"
    pass_days(it, clock, 30)
    assert {row.sop_instance for row in it.stage.rows()} == {"1.1", "1.2", "1.3"}


def test_many_go_step_by_step(it: Inside, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_module, "FORGET_STEP", 7)
    worker = it.worker("w1")
    for number in range(20):
        it.stored(worker, it.stage.make(f"1.{number}", verdict=Verdict.DROP, reason="noise", to=()))
    clock.sleep(11 * DAY)
    left = []
    for _ in range(4):
        clock.sleep(2)
        it.turn()
        left.append(rows(it)["instances"])
    assert left == [13, 6, 0, 0]
