"""Lanes: one session a study, order kept, three failures kept apart, drain gives back."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from gateway.audit.events import Party
from gateway.deliver.contract import Answer, Need
from gateway.deliver.lanes import Lanes
from gateway.errors import DestinationDown, HoldObject, WaitObject
from gateway.model import Decision, Identity, Instance, Job, Origin, Outcome, Result, Stored, Verdict
from gateway.pipeline import Outgoing
from gateway.writer.messages import Closed, Opened
from transforms.source import BytesSource


class FakeWriter:
    """Remembers what lanes tell."""

    def __init__(self) -> None:
        self.told: list[Outcome] = []
        self.opened_: list[Opened] = []
        self.closed_: list[Closed] = []

    def outcomes(self, outcomes: Sequence[Outcome]) -> None:
        self.told.extend(outcomes)

    def opened(self, message: Opened) -> None:
        self.opened_.append(message)

    def closed(self, message: Closed) -> None:
        self.closed_.append(message)


class FakeCarrier:
    """A destination whose behaviour a test scripts by SOP Instance UID."""

    kind = "out"
    lanes = 2
    idle = 0.2

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []  # session, SOP Instance UID
        self.down_on_open = False
        self.answers: dict[str, Answer | Exception] = {}
        self.gate = threading.Event()
        self.gate.set()
        self.sessions = 0
        self.running = 0
        self.most = 0

    def party(self) -> Party:
        return Party("ARCHIVE", "127.0.0.1")

    def open(self, needs: Sequence[Need]) -> FakeSession:
        if self.down_on_open:
            raise DestinationDown("connection-refused")
        self.sessions += 1
        return FakeSession(self, f"s{self.sessions}")


class FakeSession:
    def __init__(self, carrier: FakeCarrier, name: str) -> None:
        self.association = name
        self._carrier = carrier

    def carries(self, need: Need) -> bool:
        return True

    def send(self, outgoing: Outgoing) -> Answer:
        carrier = self._carrier
        carrier.running += 1
        carrier.most = max(carrier.most, carrier.running)
        carrier.gate.wait(5)
        carrier.running -= 1
        uid = outgoing.identity.sop_instance
        carrier.sent.append((self.association, uid))
        answer = carrier.answers.get(uid, Answer(Result.DELIVERED, 0))
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self, *, orderly: bool = True) -> None:
        return


def job(number: int, study: str = "1.2") -> Job:
    instance = Instance(
        Identity("1.2.840.10008.5.1.4.1.1.2", f"1.2.{number}", study),
        Origin("hospital", "a", "127.0.0.1"),
        Stored(f"n{number}", 0, 4, "00"),
        "1.2.840.10008.1.2.1",
        0.0,
        Decision(Verdict.DELIVER, "r", destinations=("archive",)),
    )
    return Job(number, number, instance, "archive", 0)


@contextmanager
def prepared(what: Job) -> Iterator[Outgoing]:
    if what.instance.identity.sop_instance == "1.2.666":
        raise HoldObject("empty-patient-id")
    if what.instance.identity.sop_instance == "1.2.777":
        raise WaitObject("patient-service-timeout")
    yield Outgoing(what, BytesSource(b"data"), what.instance.syntax, what.instance.identity)


@pytest.fixture
def stage() -> tuple[FakeCarrier, FakeWriter, Lanes]:
    carrier, writer = FakeCarrier(), FakeWriter()
    return carrier, writer, Lanes("archive", carrier, Party("US", "here"), prepared, writer)  # type: ignore[arg-type]


def until(what: object, seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():  # type: ignore[operator]
        assert time.monotonic() < deadline, "did not come"
        time.sleep(0.005)


def test_a_study_goes_in_order_over_one_session(stage) -> None:
    carrier, writer, lanes = stage
    lanes.put([job(n) for n in range(20)])
    until(lambda: len(writer.told) == 20)
    assert carrier.sent == [("s1", f"1.2.{n}") for n in range(20)]
    assert all(o.result is Result.DELIVERED and o.association == "s1" for o in writer.told)
    until(lambda: writer.closed_ == [Closed("s1", True)])


def test_studies_go_side_by_side_but_never_more_than_lanes(stage) -> None:
    carrier, writer, lanes = stage
    carrier.gate.clear()
    lanes.put([job(n, study=f"9.{n % 5}") for n in range(25)])
    until(lambda: carrier.running == 2)
    carrier.gate.set()
    until(lambda: len(writer.told) == 25)
    assert carrier.most == 2
    for study in range(5):
        mine = [(s, u) for s, u in carrier.sent if int(u.rsplit(".", 1)[1]) % 5 == study]
        assert len({s for s, _ in mine}) == 1, "a study was split over sessions"
        assert [u for _, u in mine] == [f"1.2.{n}" for n in range(study, 25, 5)]


def test_a_destination_that_is_down_gives_everything_back_uncounted(stage) -> None:
    carrier, writer, lanes = stage
    carrier.down_on_open = True
    lanes.put([job(n) for n in range(4)])
    until(lambda: len(writer.told) == 4)
    assert sorted(o.result for o in writer.told) == [Result.DOWN] + [Result.GAVE_BACK] * 3
    assert {o.reason for o in writer.told if o.result is Result.DOWN} == {"connection-refused"}


def test_a_session_lost_in_the_middle_is_not_used_again(stage) -> None:
    carrier, writer, lanes = stage
    carrier.answers["1.2.1"] = DestinationDown("connection-lost")
    lanes.put([job(0), job(1)])
    until(lambda: len(writer.told) == 2)
    assert [o.result for o in writer.told] == [Result.DELIVERED, Result.DOWN]
    assert Closed("s1", False) in writer.closed_
    lanes.put([job(2)])
    until(lambda: len(writer.told) == 3)
    assert carrier.sent[-1] == ("s2", "1.2.2")


def test_a_bad_object_is_held_and_the_others_go_on(stage) -> None:
    carrier, writer, lanes = stage
    carrier.answers["1.2.2"] = RuntimeError("a fault of ours")
    lanes.put([job(1), job(666), job(2), job(3)])
    until(lambda: len(writer.told) == 4)
    results = {o.delivery: (o.result, o.reason) for o in writer.told}
    assert results[1][0] is Result.DELIVERED and results[3][0] is Result.DELIVERED
    assert results[666] == (Result.HELD, "empty-patient-id")
    assert results[2] == (Result.HELD, "internal-error")


def test_an_object_that_waits_for_something_else_holds_up_nobody(stage) -> None:
    carrier, writer, lanes = stage
    lanes.put([job(1), job(777), job(2)])
    until(lambda: len(writer.told) == 3)
    assert [(o.delivery, o.result, o.reason) for o in writer.told] == [
        (1, Result.DELIVERED, ""),
        (777, Result.WAITS, "patient-service-timeout"),
        (2, Result.DELIVERED, ""),
    ]
    assert {session for session, _ in carrier.sent} == {"s1"} and not any(c.orderly is False for c in writer.closed_)


def test_drain_gives_back_what_waits_and_lets_the_one_under_way_end(stage) -> None:
    carrier, writer, lanes = stage
    carrier.gate.clear()
    lanes.put([job(n) for n in range(3)])
    until(lambda: carrier.running == 1)
    threading.Timer(0.2, carrier.gate.set).start()
    lanes.drain(5)
    assert sorted((o.delivery, o.result) for o in writer.told) == [
        (0, Result.DELIVERED),
        (1, Result.GAVE_BACK),
        (2, Result.GAVE_BACK),
    ]
    lanes.put([job(9)])
    assert writer.told[-1].result is Result.GAVE_BACK


def test_work_that_comes_as_a_lane_ends_is_not_forgotten(stage) -> None:
    _carrier, writer, lanes = stage
    for n in range(12):
        lanes.put([job(n)])
        time.sleep(0.19 + 0.002 * n)  # about as long as a lane waits
    until(lambda: len(writer.told) == 12)
