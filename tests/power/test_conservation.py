"""P14: the books balance after any history, and each server that cooks them is found."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from gateway.model import Result, Verdict
from gateway.writer.messages import Committed, Discard
from tests.power.conservation import Account, recount
from tests.power.seeded.faults import seeded
from tests.unit.writer.inside import Inside
from tests.unit.writer.stage import Stage


class Story:
    """A writer, one worker, and what the two destinations have confirmed."""

    def __init__(self, folder: Path) -> None:
        self.it = Inside(Stage(folder))
        self.worker = self.it.worker("w1")
        self.acknowledged: set[str] = set()
        self.arrived: dict[str, set[str]] = {"a": set(), "b": set()}
        self._serial = 0

    def store(self, number: int, **decision: object) -> None:
        for _ in range(number):
            self._serial += 1
            uid = f"1.2.{self._serial}"
            decision.setdefault("to", ("a", "b"))
            answer = self.it.store(self.worker, self.it.stage.make(uid, uid.encode() * 50, **decision))  # type: ignore[arg-type]
            if isinstance(answer, Committed):
                self.acknowledged.add(uid)

    def deliver(self, most: int, result: Result = Result.DELIVERED) -> None:
        taken, left = self.worker.jobs[:most], self.worker.jobs[most:]
        self.worker.jobs = taken
        for job in taken if result is Result.DELIVERED else []:
            self.arrived[job.destination].add(job.instance.identity.sop_instance)
        self.it.deliver(self.worker, result, status=0 if result is Result.DELIVERED else 0xA900, reason="x")
        self.worker.jobs += left

    def books(self) -> Account:
        self.it.process._remover.close()  # what was to be deleted is
        self.it.crash()
        return recount(self.it.stage.state, self.acknowledged, self.arrived)


def whole_story(folder: Path) -> Story:
    """Some delivered, some refused, some waiting, some held before any delivery, some dropped, one given up."""
    story = Story(folder)
    story.store(12)
    story.deliver(9)
    story.deliver(3, Result.HELD)
    story.store(3, verdict=Verdict.HOLD, reason="wait", to=())
    story.store(2, verdict=Verdict.DROP, reason="noise", to=())
    held = next(row for row in story.it.stage.rows() if row.state == "held" and not row.destination)
    story.worker.say(Discard(held.instance_id, "mine", "me"))
    story.it.turn(story.worker)
    story.acknowledged.discard(held.sop_instance)
    return story


def test_the_books_of_an_honest_writer_balance(folder: Path) -> None:
    story = whole_story(folder)
    found = story.books()
    assert found.differences == []
    assert found.where == Counter({"delivered": 9, "held": 3, "pending": 12})
    assert found.where.total() == 12 * 2, "received = delivered + pending + held, at each destination"
    assert found.instances.total() == 17 and found.instances["dropped"] == 2
    assert found.surplus == set()
    story.it.close()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("deleted_before_delivered", "its file is not there"),
        ("called_delivered_before_it_was", "which has not got it"),
        ("one_destination_forgotten", "is to go to"),
    ],
)
def test_a_bad_server_is_found_by_its_books(folder: Path, fault: str, words: str) -> None:
    with seeded(fault):
        story = Story(folder)
        story.store(12)
        found = story.books()
        assert len([d for d in found.differences if words in d]) >= 12, found.differences
        story.it.close()
    with seeded("honest"):
        story = Story(folder / "twin")
        story.store(12)
        assert story.books().differences == []
        story.it.close()


def _sql(statement: str) -> object:
    def change(state: Path) -> None:
        with closing(sqlite3.connect(state / "ledger.sqlite")) as ledger, ledger:
            assert ledger.execute(statement).rowcount == 1

    return change


def _file(change: object) -> object:
    def apply(state: Path) -> None:
        assert callable(change)
        with closing(sqlite3.connect(state / "ledger.sqlite")) as ledger:
            (name,) = ledger.execute("SELECT spool FROM instances WHERE state = 'active' ORDER BY id").fetchone()
        path = state / "spool" / "objects" / name
        path.write_bytes(change(path.read_bytes()))

    return apply


_FIRST = "(SELECT min(id) FROM instances WHERE state = 'active')"


def _first(column: str, table: str, state: str) -> str:
    return f"id = (SELECT min({column}) FROM {table} WHERE state = '{state}')"


_ACTIVE, _DONE = _first("id", "instances", "active"), _first("id", "instances", "done")
_HELD, _SENDING = _first("instance", "deliveries", "held"), _first("id", "deliveries", "sending")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_sql(f"DELETE FROM instances WHERE {_ACTIVE}"), "acknowledged, and is not there"),
        (_sql(f"DELETE FROM instances WHERE {_ACTIVE}"), "which is not there"),
        (_sql("DELETE FROM deliveries WHERE id = (SELECT max(id) FROM deliveries)"), "is to go to"),
        (_sql("UPDATE deliveries SET destination = 'c' WHERE id = 1"), "is to go to"),
        (_sql(f"UPDATE instances SET state = 'done' WHERE {_HELD}"), "delivery of it is not"),
        (_sql(f"UPDATE instances SET state = 'active' WHERE {_DONE}"), "is not done"),
        (_sql(f"UPDATE deliveries SET state = 'delivered' WHERE {_SENDING}"), "has not got it"),
        (_file(lambda data: data[:-1]), "another length"),
        (_file(lambda data: data[:-1] + bytes([data[-1] ^ 4])), "other bytes"),
    ],
)
def test_each_way_to_cook_the_books_is_found(folder: Path, change: object, words: str) -> None:
    story = whole_story(folder)
    assert story.books().differences == []
    story.it.close()
    assert callable(change)
    change(story.it.stage.state)
    found = recount(story.it.stage.state, story.acknowledged, story.arrived)
    assert any(words in each for each in found.differences), found.differences
