"""Records of media and messages go when the ledger has forgotten all they are of, and not before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.model import Verdict
from gateway.writer import process as process_module
from tests.unit.writer.inside import Clock, Inside
from tests.unit.writer.stage import Stage

DAY = 86400.0


@pytest.fixture
def it(tmp_path: Path, clock: Clock, request: pytest.FixtureRequest) -> Iterator[Inside]:
    inside = Inside(Stage(tmp_path, **getattr(request, "param", {"keep": "10d"})))
    yield inside
    inside.close()


def record(it: Inside, name: str, told: object) -> Path:
    path = it.stage.state / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(told))
    return path


def lying(it: Inside) -> set[str]:
    it.process._remover.close()
    it.process._remover = process_module.Remover(it.process._spool)
    found = (it.stage.state / "media", it.stage.state / "mail")
    return {str(path.relative_to(it.stage.state)) for top in found for path in top.rglob("*") if path.is_file()}


def pass_days(it: Inside, clock: Clock, days: int) -> None:
    for _ in range(3):
        clock.sleep(days / 3 * DAY)
        it.turn()


def filled(it: Inside) -> None:
    """A medium and two messages of one unit: of what is done, of what is held, and of both."""
    worker = it.worker("w1")
    done, held = it.stage.make("1.1"), it.stage.make("1.2", verdict=Verdict.HOLD, reason="wait", to=())
    it.stored(worker, done)
    it.stored(worker, held)
    it.deliver(worker)
    one, other = done.stored.name, held.stored.name
    record(it, "media/a.json", {"members": [one], "files": {"DICOMDIR": "00"}})
    record(it, "media/b.json", {"members": [one, other], "files": {}})
    record(it, "media/group-7.progress", "write 5 %")
    record(it, "mail/u1/m1.json", {"id": "m1", "members": [one], "number": 1, "of": 2, "state": "taken"})
    record(it, "mail/u1/m2.json", {"id": "m2", "members": [other], "number": 2, "of": 2, "state": "planned"})
    record(it, "mail/u2/m3.json", {"id": "m3", "members": [one], "number": 1, "of": 1, "state": "taken"})


def test_they_go_with_the_rows_of_all_their_members(it: Inside, clock: Clock) -> None:
    filled(it)
    record(it, "media/old.json", {"DICOMDIR": "00"})
    everything = lying(it)
    assert len(everything) == 7
    pass_days(it, clock, 9)
    assert lying(it) == everything
    pass_days(it, clock, 9)
    assert lying(it) == {"media/b.json", "media/group-7.progress", "mail/u1/m2.json"}
    assert not (it.stage.state / "mail" / "u2").exists()
    pass_days(it, clock, 90)
    assert lying(it) == {"media/b.json", "media/group-7.progress", "mail/u1/m2.json"}, "it is held yet"


@pytest.mark.parametrize("it", [{}], indirect=True)
def test_they_stay_where_rows_do(it: Inside, clock: Clock) -> None:
    filled(it)
    record(it, "media/old.json", {"DICOMDIR": "00"})
    pass_days(it, clock, 900)
    assert len(lying(it)) == 7


def test_one_that_is_fresh_stays_whatever_it_names(it: Inside, clock: Clock) -> None:
    record(it, "media/a.json", {"members": ["unknown"], "files": {}})
    record(it, "mail/u/broken.json", ["no", "record"])
    clock.sleep(8 * DAY)
    it.turn()
    assert len(lying(it)) == 2
    pass_days(it, clock, 11)
    assert lying(it) == set()
