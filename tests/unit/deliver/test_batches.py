"""Batches: what waits of a study goes together, one bad object stops no other, and a pause asked for is told."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from gateway.audit.events import Party
from gateway.config.schema import Destination, Retry
from gateway.deliver.batches import BatchLanes
from gateway.deliver.contract import Answer, Need
from gateway.errors import DestinationDown, HoldObject
from gateway.model import Job, Result
from gateway.pipeline import Outgoing
from gateway.writer.dispatch import Dispatch
from tests.unit.deliver.test_lanes import FakeCarrier, FakeSession, FakeWriter, job, prepared, until


class BatchingCarrier(FakeCarrier):
    """Remembers which objects went together."""

    batch = 5
    batch_bytes = 1000

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[list[int]] = []
        self.raises: Exception | None = None
        self.at: int | None = None

    def open(self, needs: Sequence[Need]) -> FakeSession:
        super().open(needs)
        return BatchingSession(self, f"s{self.sessions}")


class BatchingSession(FakeSession):
    reading: int | None = None

    def send_all(self, outgoings: Sequence[Outgoing]) -> list[Answer]:
        carrier = self._carrier
        assert isinstance(carrier, BatchingCarrier)
        carrier.gate.wait(5)
        carrier.requests.append([each.job.delivery for each in outgoings])
        if carrier.raises is not None:
            error, carrier.raises = carrier.raises, None
            self.reading = carrier.at
            raise error
        return [carrier.answers.get(each.identity.sop_instance, Answer(Result.DELIVERED, 0)) for each in outgoings]  # type: ignore[misc]


@pytest.fixture
def stage() -> tuple[BatchingCarrier, FakeWriter, BatchLanes]:
    carrier, writer = BatchingCarrier(), FakeWriter()
    return carrier, writer, BatchLanes("web", carrier, Party("", "here"), prepared, writer)  # type: ignore[arg-type]


def results(writer: FakeWriter) -> dict[int, Result]:
    return {each.delivery: each.result for each in writer.told}


def sized(number: int, size: int) -> Job:
    made = job(number)
    return replace(made, instance=replace(made.instance, stored=replace(made.instance.stored, size=size)))


def test_what_waits_goes_together_up_to_the_limits(stage) -> None:
    carrier, writer, lanes = stage
    lanes.put([job(n) for n in range(12)] + [job(100, study="9.9")])
    until(lambda: len(writer.told) == 13)
    mine = [each for each in carrier.requests if each != [100]]
    assert mine == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10, 11]] and [100] in carrier.requests
    lanes.put([sized(20, 600), sized(21, 300), sized(22, 200), sized(23, 5000)])
    until(lambda: len(writer.told) == 17)
    assert carrier.requests[-3:] == [[20, 21], [22], [23]], "a large one goes alone, and it goes"


def test_each_object_of_a_batch_has_its_own_outcome(stage) -> None:
    carrier, writer, lanes = stage
    carrier.answers["1.2.2"] = Answer(Result.HELD, 0xC000, "cannot-understand")
    lanes.put([job(1), job(666), job(2), job(777), job(3)])
    until(lambda: len(writer.told) == 5)
    assert results(writer) == {
        1: Result.DELIVERED, 2: Result.HELD, 3: Result.DELIVERED, 666: Result.HELD, 777: Result.WAITS
    }  # fmt: skip
    assert carrier.requests == [[1, 2, 3]]


def test_one_that_cannot_be_read_is_held_and_the_others_come_back(stage) -> None:
    carrier, writer, lanes = stage
    carrier.raises, carrier.at = HoldObject("spool-damaged"), 1
    lanes.put([job(n) for n in range(3)])
    until(lambda: len(writer.told) == 3)
    assert results(writer) == {0: Result.GAVE_BACK, 1: Result.HELD, 2: Result.GAVE_BACK}
    assert next(each.reason for each in writer.told if each.delivery == 1) == "spool-damaged"
    assert [each.orderly for each in writer.closed_] == [False]


def test_a_fault_of_ours_holds_all_it_may_be_about(stage) -> None:
    carrier, writer, lanes = stage
    carrier.raises = RuntimeError("a fault of ours")
    lanes.put([job(1), job(2)])
    until(lambda: len(writer.told) == 2)
    assert results(writer) == {1: Result.HELD, 2: Result.HELD}


def test_a_server_that_asks_for_a_pause_gets_it(stage) -> None:
    carrier, writer, lanes = stage
    carrier.raises = DestinationDown("server-unavailable", retry_after=120.0)
    lanes.put([job(n) for n in range(7)])
    until(lambda: len(writer.told) == 7)
    assert sorted(results(writer).values()) == [Result.DOWN] * 5 + [Result.GAVE_BACK] * 2
    assert {each.retry_after for each in writer.told if each.result is Result.DOWN} == {120.0}


def dispatched(**backoffs: str) -> Dispatch:
    return Dispatch({name: Destination(retry=Retry.model_validate({"backoff": b})) for name, b in backoffs.items()})


def test_the_pause_is_kept_but_for_what_is_longer_than_our_own_longest() -> None:
    now = time.time()
    dispatch = dispatched(web="5s..1h", short="1s..10s")
    assert dispatch.down("web", "server-unavailable", now, 120.0) == now + 120
    assert dispatch.down("short", "server-unavailable", now, 120.0) == now + 10
    fresh = dispatched(web="5s..1h")
    assert fresh.down("web", "server-unavailable", now) == now + 5
