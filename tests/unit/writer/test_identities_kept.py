"""What the egress check knows of a study stays while the ledger has anything of it that is not at its end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.model import Result, Verdict
from gateway.store.identities import KEPT, Identities
from gateway.writer import process as process_module
from gateway.writer.messages import Discard
from tests.unit.writer.inside import Clock, Inside
from tests.unit.writer.stage import Stage

DAY = 86400.0


@pytest.fixture
def it(tmp_path: Path, clock: Clock) -> Iterator[Inside]:
    inside = Inside(Stage(tmp_path))
    yield inside
    inside.close()


def known(it: Inside, *studies: str) -> dict[str, bool]:
    """Of which studies identifiers are there, once what was to be deleted is."""
    it.process._remover.close()
    it.process._remover = process_module.Remover(it.process._spool)
    store = Identities(it.stage.state / "identities.sqlite")
    return {study: bool(store.after(study, 0)[0]) for study in studies}


def test_a_study_is_known_while_something_of_it_waits_or_is_held(it: Inside, clock: Clock) -> None:
    worker = it.worker("w1")
    store = Identities(it.stage.state / "identities.sqlite")
    for study in ("9.done", "9.held", "9.waiting", "9.refused", "9.nothing", "9.last"):
        store.put(study, [("patient-name", "Muster^Eva")], clock.now)
    it.stored(worker, it.stage.make("1.1", study="9.done"))
    it.deliver(worker)
    held = it.stored(worker, it.stage.make("1.2", study="9.held", verdict=Verdict.HOLD, reason="wait", to=()))
    it.stored(worker, it.stage.make("1.3", study="9.refused"))
    it.deliver(worker, Result.HELD, reason="refused")
    it.stored(worker, it.stage.make("1.4", study="9.waiting"))
    for number in range(2):
        clock.sleep(KEPT + DAY)
        store.put("9.last", [("free-id", f"ACC{number}")], clock.now)
        it.turn()
        assert known(it, "9.done", "9.held", "9.waiting", "9.refused", "9.nothing") == {
            "9.done": False,
            "9.held": True,
            "9.waiting": True,
            "9.refused": True,
            "9.nothing": False,
        }
    worker.say(Discard(held.instance_id, "not wanted", "tester"))
    it.turn(worker)
    clock.sleep(DAY)
    it.turn()
    assert known(it, "9.held", "9.last") == {"9.held": False, "9.last": True}


def test_what_left_lately_is_known_although_it_came_long_ago(it: Inside, clock: Clock) -> None:
    worker = it.worker("w1")
    store = Identities(it.stage.state / "identities.sqlite")
    for study in ("9.1", "9.last"):
        store.put(study, [("patient-name", "Muster^Eva")], clock.now)
    it.stored(worker, it.stage.make("1.1", study="9.1"))
    clock.sleep(KEPT + DAY)
    it.deliver(worker)
    clock.sleep(KEPT - DAY)
    it.turn()
    assert known(it, "9.1") == {"9.1": True}
    clock.sleep(2 * DAY)
    it.turn()
    assert known(it, "9.1") == {"9.1": False}


def test_without_identities_none_are_made(it: Inside, clock: Clock) -> None:
    it.turn()
    known_at = it.stage.state / "identities.sqlite"
    it.process._remover.close()
    it.process._remover = process_module.Remover(it.process._spool)
    assert not known_at.exists()
