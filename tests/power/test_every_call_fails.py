"""Fail the N-th call, for all N (P5, P6): nothing acknowledged is missing, nothing is torn, nothing goes on in doubt.

A worker's spool and a whole writer (desk, ledger, trail) live in this process; each history is played with the first
call failing, then the second, until one is played in which none was left to fail.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from gateway.errors import GatewayError
from gateway.model import Decision, DeliveryState, Identity, Instance, Origin, Outcome, Result, Verdict
from gateway.store.spool import Spool
from gateway.writer.messages import AnyReply, Committed, Failed, Ok, Outcomes, Received
from gateway.writer.process import Fatal, Process
from tests.power.conservation import recount
from tests.power.failing import Failing
from tests.power.seeded.faults import seeded
from tests.unit.writer.inside import End, Inside
from tests.unit.writer.stage import CT, Stage

_SYNCS = ("fsync", "fdatasync", "commit")


def started(stage: Stage) -> Inside:
    """A writer, or what it raised; where it raised, nothing of it is left, as after the end of its process."""
    process = Process.__new__(Process)
    try:
        Process.__init__(process, stage.config, stage.digest, True)
    except BaseException:
        for name, end in (("_remover", "close"), ("_trail", "close"), ("_ledger", "close"), ("_engine", "dispose")):
            if hasattr(process, name):
                getattr(getattr(process, name), end)()
        for entry in Path("/proc/self/fd").iterdir():  # a trail that was opened half way has nobody to close it
            with suppress(OSError):
                if str(entry.readlink()).startswith(str(stage.state / "audit")):
                    os.close(int(entry.name))
        raise
    inside = Inside.__new__(Inside)
    inside.stage, inside.process, inside._closed = stage, process, False
    return inside


class First(dict[int, AnyReply]):
    """A peer acts on the first answer, whatever is said later."""

    def __setitem__(self, number: int, answer: AnyReply) -> None:
        self.setdefault(number, answer)


class World:
    """One state directory through deaths of its writer; what was promised, and what the destinations have."""

    def __init__(self, folder: Path, failing: Failing) -> None:
        for name in ("incoming", "objects"):  # a start that cannot make its folders makes no promise: no history
            (folder / "state" / "spool" / name).mkdir(mode=0o700, parents=True)
        self.stage = Stage(folder)
        self.failing = failing
        self.spool = Spool(self.stage.state / "spool", reserve=0)
        self.inside: Inside | None = None
        self.worker: End | None = None
        self.acknowledged: dict[str, bytes] = {}
        self.refused: set[str] = set()
        self.arrived: dict[str, set[str]] = {"a": set(), "b": set()}
        self.untold: list[Outcome] = []
        self.deaths = 0
        self.whole: set[bytes] = set()

    def start(self) -> tuple[Inside, End]:
        """The writer, started again where it has died, as often as it takes; not for ever."""
        for _ in range(3):
            if self.inside is not None and self.worker is not None:
                return self.inside, self.worker
            try:
                self.inside = started(self.stage)
                self.worker = self.inside.worker("w1")
                self.worker.answers = First()
            except (Fatal, GatewayError, DBAPIError, OSError):
                self.died()
        raise AssertionError("the writer does not start any more")

    def died(self) -> None:
        self.deaths += 1
        if self.inside is not None:
            self.inside.close()
        self.inside = self.worker = None
        self.check_torn()

    def turn(self) -> bool:
        """One turn of the writer; False where it died of it."""
        inside, worker = self.start()
        before = len(self.failing.failed)
        try:
            inside.turn(worker)
        except Fatal:
            worker.hear()
            self.died()
            return False
        if self.failing.number == errno.EIO and any(f in _SYNCS for f in self.failing.failed[before:]):
            raise AssertionError(f"the writer lives on after a failed {self.failing.failed[before:]}")
        return True

    def store(self, uid: str) -> None:
        """What pipeline.accept does: spool, seal, tell the writer, wait."""
        worker = self.ready()
        if worker is None:
            self.refused.add(uid)  # `WriterClient.check` refuses
            return
        data = uid.encode() * 4000
        self.whole.add(b"meta" + data)
        incoming = self.spool.create(b"meta")
        try:
            incoming.write(data)
            stored = incoming.seal()
        except GatewayError:
            incoming.abort()
            self.refused.add(uid)
            return
        decision = Decision(Verdict.DELIVER, "r", destinations=("a", "b"))
        origin = Origin("in", "a" * 32, "127.0.0.1", "CT1", "GW")
        instance = Instance(
            Identity(CT, uid, "1.9", "1.8", "PAT1", "CT"), origin, stored, "1.2.840.10008.1.2.1", 1e9, decision
        )
        number = worker.say(Received(instance))
        self.turn()
        answer = worker.answers.get(number)
        if isinstance(answer, Committed):
            self.acknowledged[uid] = data
            self.refused.discard(uid)
        else:
            assert answer is None or (isinstance(answer, Failed) and answer.storage), answer
            self.refused.add(uid)

    def ready(self) -> End | None:
        """The worker, if there is a writer."""
        try:
            return self.start()[1]
        except AssertionError:
            return None

    def deliver(self) -> None:
        """Every job that the worker has; its destinations always take it. What was not answered is said again."""
        worker = self.ready()
        if worker is None:
            return
        jobs, worker.jobs = worker.jobs, []
        for job in jobs:
            self.arrived[job.destination].add(job.instance.identity.sop_instance)
            self.untold.append(Outcome(job.delivery, Result.DELIVERED, status=0))
        number = worker.say(Outcomes(tuple(self.untold)))
        self.turn()
        if isinstance(worker.answers.get(number), Ok):
            self.untold.clear()

    def check_torn(self) -> None:
        """No file under a final name but whole ones."""
        for path in (self.stage.state / "spool" / "objects").iterdir():
            with suppress(FileNotFoundError):  # it was delivered, and is being removed
                assert path.read_bytes() in self.whole, "a torn object stands under a final name"


def play(folder: Path, failing: Failing, objects: int) -> World:
    """The history: store, deliver, store more, heal, and see that all is well."""
    world = World(folder, failing)
    for number in range(objects):
        world.store(f"1.2.{number}")
        if number % 2:
            world.deliver()
    world.check_torn()
    books = recount(world.stage.state, world.acknowledged, world.arrived) if world.acknowledged else None
    assert books is None or books.differences == [], (failing.failed, books.differences)
    failing.heal()
    for uid in sorted({"1.2.100"} | world.refused):
        world.store(uid)
        assert uid in world.acknowledged, "it does not work again"
    for _ in range(4):
        world.deliver()
    world.died()  # and once more from what is on disk
    world.start()
    books = recount(world.stage.state, world.acknowledged, world.arrived)
    assert books.differences == [] and books.surplus == set(), (failing.failed, books)
    assert books.where == {DeliveryState.DELIVERED: 2 * (objects + 1)}, (failing.failed, books.where)
    assert world.inside is not None
    world.inside.close()
    return world


def every(folder: Path, number: int, objects: int, *, onward: bool = False, late: bool = False) -> int:
    """For N = 1.. until nothing fails; how many there were."""
    at = 1
    while True:
        place = folder / str(at)
        place.mkdir()
        failing = Failing(place, at, number, onward=onward, late=late)
        with pytest.MonkeyPatch.context() as patch:
            failing.install(patch)
            play(place, failing, objects)
        if not failing.failed:
            return at - 1
        at += 1


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_each_call_of_a_short_history_fails_once(folder: Path, number: int) -> None:
    assert every(folder, number, 2) >= 14


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "how"),
    [
        (errno.ENOSPC, {}),
        (errno.ENOSPC, {"onward": True}),
        (errno.EIO, {}),
        (errno.EIO, {"onward": True}),
        (errno.EIO, {"late": True}),  # where the log cannot be synced SQLite says so in these words, whatever the errno
    ],
)
def test_each_call_of_a_long_history_fails_once_or_from_there_on(
    folder: Path, number: int, how: dict[str, bool]
) -> None:
    assert every(folder, number, 6, **how) > 30


@pytest.mark.parametrize(
    ("fault", "number", "words"),
    [
        ("failed_writes_ignored", errno.ENOSPC, "a torn object"),
        ("broken_disk_taken_for_a_full_one", errno.EIO, "lives on after a failed"),
        ("answered_before_commit", errno.ENOSPC, "acknowledged, and is not there"),
    ],
)
def test_a_bad_server_is_found(folder: Path, fault: str, number: int, words: str) -> None:
    with seeded(fault), pytest.raises(AssertionError, match=words):
        every(folder, number, 2)
