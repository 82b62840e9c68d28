"""A picture of a held image shows a patient: it goes with the last object that is held for its group."""

from __future__ import annotations

import os

import pytest

from gateway.model import Result
from gateway.pixels.groups import Groups
from gateway.writer import process as process_module
from gateway.writer.messages import Discard, Release
from tests.unit.writer.inside import Clock, End, Inside

A, B = "3f9a12c0d4e7", "aaaabbbbcccc"


def picture(it: Inside, name: str) -> None:
    folder = it.stage.state / "pixels"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.png").write_bytes(b"a patient")
    (folder / f"{name}.json").write_bytes(b"{}")


def hold(it: Inside, worker: End, uid: str, group: str, to: tuple[str, ...] = ("a",)) -> int:
    number = it.stored(worker, it.stage.make(uid, to=to)).instance_id
    it.deliver(worker, Result.HELD, reason="burned-in-unknown", detail=f"group {group}: no text detector runs")
    return number


def discard(it: Inside, worker: End, number: int) -> None:
    worker.say(Discard(number, "not wanted", "tester"))
    it.turn(worker)


def lying(it: Inside) -> set[str]:
    it.process._remover.close()
    it.process._remover = process_module.Remover(it.process._spool)
    return {path.name for path in (it.stage.state / "pixels").iterdir()}


def test_the_last_one_that_is_discarded_takes_it_along(it: Inside) -> None:
    worker = it.worker("w1")
    picture(it, A)
    picture(it, B)
    first, second = hold(it, worker, "1.1", A), hold(it, worker, "1.2", A, to=("a", "b"))
    hold(it, worker, "1.3", B)
    discard(it, worker, first)
    assert lying(it) == {f"{A}.png", f"{A}.json", f"{B}.png", f"{B}.json"}, "another patient's image is still held"
    discard(it, worker, second)
    assert lying(it) == {f"{B}.png", f"{B}.json"}
    assert [path.name for path in it.stage.state.glob("pixels/*.png")] == [f"{B}.png"]
    assert Groups(it.stage.state).picture(A) is None and Groups(it.stage.state).picture(B)


def test_what_is_released_one_by_one_leaves_none_behind(it: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(process_module, "time", clock)
    worker = it.worker("w1")
    for name in (A, B):
        picture(it, name)
    number = hold(it, worker, "1.1", A)
    hold(it, worker, "1.2", B)
    worker.say(Release(number, None, "tester"))
    it.turn(worker)
    clock.sleep(process_module.SWEEP_EVERY)
    it.turn(worker)
    assert f"{A}.png" in lying(it), "too young: its object may be on its way to be held"
    for path in (it.stage.state / "pixels").iterdir():
        os.utime(path, (0, 0))
    (it.stage.state / "pixels" / f".{B}.png.4711").write_bytes(b"a patient")
    os.utime(it.stage.state / "pixels" / f".{B}.png.4711", (0, 0))
    clock.sleep(process_module.SWEEP_EVERY)
    it.turn(worker)
    assert lying(it) == {f"{B}.png", f"{B}.json"}


def test_a_name_in_a_detail_leads_nowhere(it: Inside) -> None:
    worker = it.worker("w1")
    picture(it, A)
    (it.stage.state / "x.json").write_bytes(b"")
    discard(it, worker, hold(it, worker, "1.1", "../x"))
    assert (it.stage.state / "x.json").exists() and lying(it) == {f"{A}.png", f"{A}.json"}
