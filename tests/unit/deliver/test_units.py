"""Units: who cannot be prepared is held alone, who waits stops the whole, every member has an outcome."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal

from msgspec.structs import replace

from gateway.audit.events import Party
from gateway.deliver.contract import Answer, Need
from gateway.deliver.units import Units
from gateway.errors import DestinationDown, HoldObject, WaitObject
from gateway.model import Job, Result, Unit
from gateway.pipeline import Outgoing
from tests.unit.deliver.test_lanes import FakeWriter, job
from transforms.source import BytesSource


class Stage:
    """A destination of whole groups, scripted; it is its own carrier and session."""

    kind = "export"
    whole: Literal[True] = True

    def __init__(self) -> None:
        self.association = "s" * 32
        self.writer = FakeWriter()
        self.fails: dict[int, Exception] = {}  # by delivery: in preparing
        self.answers: dict[int, Answer] = {}
        self.down: Exception | None = None
        self.sent: list[list[int]] = []
        self.marked: list[int] = []
        self.open_members = 0
        self.units = Units(
            "studies",
            self,
            Party("", "here"),
            self.prepare,
            self.writer,  # type: ignore[arg-type]
            self.marking,
        )

    @contextmanager
    def marking(self, delivery: int) -> Iterator[None]:
        self.marked.append(delivery)
        yield
        self.marked.append(-delivery)

    @contextmanager
    def prepare(self, each: Job) -> Iterator[Outgoing]:
        if each.delivery in self.fails:
            raise self.fails[each.delivery]
        self.open_members += 1
        assert self.open_members == 1, "one member at a time has its bytes open"
        yield Outgoing(each, BytesSource(b"x" * 10), "1.2", each.instance.identity, steps=("did",))
        self.open_members -= 1

    def party(self) -> Party:
        return Party("", "there")

    def open(self, needs: Sequence[Need]) -> Stage:
        return self

    def send(self, unit: Unit, members: Iterator[Outgoing]) -> Mapping[int, Answer]:
        self.sent.append([])
        for each in members:
            self.sent[-1].append(each.job.delivery)
        if self.down is not None:
            raise self.down
        return {n: self.answers.get(n, Answer(Result.DELIVERED)) for n in self.sent[-1] if self.answers.get(n, 1)}

    def close(self, *, orderly: bool = True) -> None:
        return

    def put(self, *numbers: int, group: int = 1) -> None:
        unit = Unit(group, "r", "study", "1.9", 0, "quiet", len(numbers))
        self.units.put([replace(job(n), unit=unit) for n in numbers])

    def told(self, count: int) -> dict[int, tuple[str, str]]:
        """Results and reasons, once `count` outcomes were told."""
        deadline = time.monotonic() + 5
        while len(self.writer.told) < count:
            assert time.monotonic() < deadline, self.writer.told
            time.sleep(0.01)
        self.units.drain(5)
        return {o.delivery: (o.result, o.reason) for o in self.writer.told}


def test_a_member_that_is_held_lets_the_others_go() -> None:
    it = Stage()
    it.fails = {2: HoldObject("empty-patient-id", ""), 3: KeyError("ours")}
    it.put(1, 2, 3, 4)
    assert it.told(4) == {
        1: ("delivered", ""),
        2: ("held", "empty-patient-id"),
        3: ("held", "internal-error"),
        4: ("delivered", ""),
    }
    assert it.sent == [[1, 4]] and it.marked == [1, -1]
    assert it.writer.told[0].steps == ("did",) and len(it.writer.opened_) == len(it.writer.closed_) == 1


def test_a_member_that_waits_stops_the_whole() -> None:
    it = Stage()
    it.fails = {2: WaitObject("patient-service-timeout", "")}
    it.put(1, 2, 3)
    assert it.told(3) == {1: ("gave-back", ""), 2: ("waits", "patient-service-timeout"), 3: ("gave-back", "")}
    assert not it.writer.closed_[0].orderly


def test_a_destination_that_is_down_says_nothing_of_its_members() -> None:
    it = Stage()
    it.down = DestinationDown("folder-unavailable")
    it.put(1, 2)
    assert it.told(2) == {1: ("down", "folder-unavailable"), 2: ("down", "folder-unavailable")}


def test_a_destination_that_refuses_the_whole_holds_all() -> None:
    it = Stage()
    it.down = HoldObject("too-large", "")
    it.put(1, 2)
    assert it.told(2) == {1: ("held", "too-large"), 2: ("held", "too-large")}


def test_no_answer_is_no_delivery() -> None:
    it = Stage()
    it.answers = {2: ()}  # type: ignore[dict-item]  # the carrier forgets it
    it.put(1, 2)
    assert it.told(2) == {1: ("delivered", ""), 2: ("held", "internal-error")}


def test_units_do_not_mix_and_drain_gives_back() -> None:
    it = Stage()
    it.put(1, 2, group=1)
    it.put(3, group=2)
    it.told(3)
    assert sorted(it.sent) == [[1, 2], [3]]
    it.put(4)
    assert it.told(4)[4] == ("gave-back", "")
