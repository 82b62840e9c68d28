"""Storage commitment in the ledger: nothing is deleted or promised without a valid report, whatever is lost."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import text

from gateway.audit.events import Party
from gateway.model import (
    CommitmentReport,
    CommitmentRequest,
    Failure,
    Instance,
    Reference,
    Refused,
    Result,
    Verdict,
)
from gateway.store import reading
from gateway.store.commitments import CommitmentRow, CommitmentTable
from gateway.writer import commitments as commitments_module
from gateway.writer import process as process_module
from gateway.writer.commitments import Commitments
from gateway.writer.messages import (
    AskCommitment,
    Closed,
    CommitmentAsked,
    CommitmentReported,
    Discard,
    Failed,
    Ok,
    Opened,
    ReportCommitment,
    TaskDone,
)
from tests.unit.writer.inside import Clock, End, Inside
from tests.unit.writer.stage import CT, Stage

SURE = {
    "dimse": {
        "host": "h", "port": 104, "ae": "SURE", "confirm": "storage-commitment", "confirm_within": "10m",
    },
    "unsafe_plaintext": "a test",
    "retry": {"for": "1h", "backoff": "1s..4s", "attempts": 4},
}  # fmt: skip
MR = "1.2.840.10008.5.1.4.1.1.4"


@pytest.fixture
def it(tmp_path: Path) -> Iterator[Inside]:
    inside = Inside(Stage(tmp_path, also={"sure": SURE}))
    yield inside
    inside.close()


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(process_module, "time", found)
    monkeypatch.setattr(reading, "time", found)
    return found


def passed(it: Inside, clock: Clock, seconds: float, *ends: End) -> None:
    clock.sleep(seconds)
    it.turn(*ends)


def files(it: Inside) -> set[str]:
    it.process._remover.close()
    it.process._remover = process_module.Remover(it.process._spool)
    return set(it.stage.spool.names())


def sent(it: Inside, clock: Clock, worker: End, *uids: str) -> AskCommitment:
    """Stored, sent, and asked for."""
    for uid in uids:
        it.stored(worker, it.stage.make(uid, uid.encode(), to=("sure",)))
    jobs, worker.jobs = worker.jobs, []
    for job in jobs:
        worker.jobs = [job]
        it.deliver(worker, Result.SENT, sent_instance=job.instance.identity.sop_instance, status=0)
    passed(it, clock, 3, worker)
    (task,) = worker.tasks
    worker.tasks = []
    assert isinstance(task, AskCommitment)
    return task


def says(it: Inside, worker: End, body: Any) -> Any:
    number = worker.say(body)
    it.turn(worker)
    return worker.answers[number]


def report(task: AskCommitment, *refused: str, reason: int = Failure.NO_SUCH_INSTANCE) -> CommitmentReport:
    all_of = task.request.references
    return CommitmentReport(
        task.request.transaction,
        tuple(r for r in all_of if r.sop_instance not in refused),
        tuple(Refused(r.sop_class, r.sop_instance, reason) for r in all_of if r.sop_instance in refused),
    )


# as SCU: a destination that has to commit


def test_what_is_sent_is_delivered_and_deleted_only_by_the_report(it: Inside, clock: Clock) -> None:
    worker = it.worker("w1")
    task = sent(it, clock, worker, "1.1", "1.2")
    assert task.request.references == (Reference(CT, "1.1"), Reference(CT, "1.2"))
    assert it.stage.counted() == {"confirming": 2} and len(files(it)) == 2
    assert it.stage.row("1.1").reason == "commitment-awaited"
    says(it, worker, TaskDone(task.commitment, True))
    assert it.stage.counted() == {"confirming": 2}, "that it was asked is no commitment"
    assert says(it, worker, CommitmentReported("SURE", report(task))) == Ok(2)
    assert it.stage.counted() == {"delivered": 2} and files(it) == set()
    assert says(it, worker, CommitmentReported("SURE", report(task))) == Ok(0), "said twice"


def test_forged_reports_confirm_nothing(it: Inside, clock: Clock) -> None:
    worker = it.worker("w1")
    task = sent(it, clock, worker, "1.1")
    good = report(task)
    unknown = Failed("commitment-unknown")
    assert says(it, worker, CommitmentReported("OTHER", good)) == unknown
    assert says(it, worker, CommitmentReported("SURE", replace(good, transaction="2.25.1"))) == unknown
    other = replace(good, committed=(Reference(CT, "1.99"),))
    assert says(it, worker, CommitmentReported("SURE", other)) == Ok(0)
    wrong_class = replace(good, committed=(Reference(MR, "1.1"),))
    assert says(it, worker, CommitmentReported("SURE", wrong_class)) == Ok(0)
    assert it.stage.counted() == {"confirming": 1} and len(files(it)) == 1
    says(it, worker, CommitmentReported("SURE", good))
    assert it.stage.counted() == {"delivered": 1}


def test_what_the_destination_lost_is_sent_again_and_held_in_the_end(it: Inside, clock: Clock) -> None:
    worker = it.worker("w1")
    task = sent(it, clock, worker, "1.1", "1.2", "1.3")
    refused = replace(report(task, "1.1"), failed=(
        Refused(CT, "1.1", Failure.NO_SUCH_INSTANCE), Refused(CT, "1.2", Failure.CLASS_NOT_SUPPORTED),
    ), committed=(Reference(CT, "1.3"),))  # fmt: skip
    says(it, worker, CommitmentReported("SURE", refused))
    assert it.stage.states() == {"1.1>sure": "waiting", "1.2>sure": "held", "1.3>sure": "delivered"}
    assert it.stage.row("1.1").reason == it.stage.row("1.2").reason == "commitment-refused"
    for _ in range(3):
        passed(it, clock, 5, worker)
        assert [job.instance.identity.sop_instance for job in worker.jobs] == ["1.1"]
        it.deliver(worker, Result.SENT, sent_instance="1.1")
        passed(it, clock, 3, worker)
        (again,) = worker.tasks
        worker.tasks = []
        assert isinstance(again, AskCommitment) and again.request.transaction != task.request.transaction
        says(it, worker, CommitmentReported("SURE", report(again, "1.1")))
    assert it.stage.states()["1.1>sure"] == "held"
    says(it, worker, CommitmentReported("SURE", report(task))), "the old transaction is over"
    assert it.stage.states()["1.1>sure"] == "held" and len(files(it)) == 2


def test_a_report_that_never_comes_is_asked_for_again_and_the_old_one_counts_no_more(it: Inside, clock: Clock) -> None:
    worker = it.worker("w1")
    task = sent(it, clock, worker, "1.1")
    says(it, worker, TaskDone(task.commitment, True))
    passed(it, clock, 601, worker)
    passed(it, clock, 2, worker)
    (again,) = worker.tasks
    assert isinstance(again, AskCommitment) and again.request.references == task.request.references
    assert says(it, worker, CommitmentReported("SURE", report(task))) == Ok(0)
    assert it.stage.counted() == {"confirming": 1}
    says(it, worker, CommitmentReported("SURE", report(again)))
    assert it.stage.counted() == {"delivered": 1}


def test_nothing_waits_for_ever(it: Inside, clock: Clock) -> None:
    worker = it.worker("w1")
    task = sent(it, clock, worker, "1.1")
    says(it, worker, TaskDone(task.commitment, True))
    for _ in range(12):
        passed(it, clock, 300, worker)
        for each in worker.tasks:
            worker.say(TaskDone(each.commitment, True))
        worker.tasks = []
    assert it.stage.row("1.1").state == "held" and it.stage.row("1.1").reason == "commitment-timeout"
    assert len(files(it)) == 1, "held keeps its bytes"


def test_a_partial_report_confirms_what_it_names(it: Inside, clock: Clock) -> None:
    worker = it.worker("w1")
    task = sent(it, clock, worker, "1.1", "1.2")
    some = replace(report(task), committed=(Reference(CT, "1.1"),))
    says(it, worker, CommitmentReported("SURE", some))
    assert it.stage.states() == {"1.1>sure": "delivered", "1.2>sure": "confirming"}


# as SCP: a sender that asks


def asked(it: Inside, worker: End, *references: Reference, transaction: str = "2.25.4", peer: str = "CT1") -> Any:
    request = CommitmentRequest(transaction, references)
    return says(it, worker, CommitmentAsked(peer, "GW", "in", "f" * 32, 3600.0, request))


def told(worker: End) -> dict[str, int]:
    """What the one report that is due says, by SOP instance."""
    (task,) = worker.tasks
    worker.tasks = []
    assert isinstance(task, ReportCommitment)
    found = {r.sop_instance: 0 for r in task.report.committed}
    return found | {r.sop_instance: r.reason for r in task.report.failed}


def kept(it: Inside, uid: str, commit: str = "after-delivery", **more: Any) -> Instance:
    return it.stage.make(uid, uid.encode(), commit=commit, **more)


def test_a_sender_is_told_once_every_destination_has_it(it: Inside, clock: Clock) -> None:
    worker = it.worker("w1")
    it.stored(worker, kept(it, "1.1", to=("a", "b")))
    assert asked(it, worker, Reference(CT, "1.1")) == Ok(1)
    first, second = worker.jobs
    worker.jobs = [first]
    it.deliver(worker)
    passed(it, clock, 20, worker)
    assert worker.tasks == [], "one of two has it"
    worker.jobs = [second]
    it.deliver(worker)
    passed(it, clock, 20, worker)
    assert told(worker) == {"1.1": 0}


def test_what_is_not_kept_for_good_is_never_committed(it: Inside, clock: Clock) -> None:
    worker = it.worker("w1")
    it.stored(worker, kept(it, "1.1"))
    it.stored(worker, kept(it, "1.2", commit=""))
    it.stored(worker, kept(it, "1.3"))
    it.stored(worker, kept(it, "1.5"))
    it.deliver(worker)
    it.stored(worker, kept(it, "1.3b", verdict=Verdict.HOLD, reason="no-route", to=()))
    it.stored(worker, kept(it, "1.4", verdict=Verdict.DROP, reason="noise", to=()))
    it.stored(worker, replace(kept(it, "1.5"), stored=it.stage.make("1.5", b"other").stored))
    number = it.stored(worker, kept(it, "1.6")).instance_id
    it.deliver(worker, Result.HELD, reason="refused")
    worker.say(Discard(number, "not wanted", "tester"))
    it.turn(worker)
    uids = ("1.1", "1.2", "1.3b", "1.4", "1.5", "1.6", "1.7")
    asked(it, worker, *(Reference(CT, uid) for uid in uids), Reference(MR, "1.3"))
    passed(it, clock, 1, worker)
    assert told(worker) == {
        "1.1": 0,
        "1.2": Failure.PROCESSING,  # no `commit` on its route: it may have been de-identified
        "1.3": Failure.CLASS_CONFLICT,
        "1.3b": Failure.PROCESSING,  # held
        "1.4": Failure.PROCESSING,  # dropped
        "1.5": Failure.PROCESSING,  # other bytes under its UID are held: the sender must keep its own
        "1.6": Failure.NO_SUCH_INSTANCE,  # given up: as if it had never come
        "1.7": Failure.NO_SUCH_INSTANCE,
    }


def test_after_commitment_means_after_theirs(it: Inside, clock: Clock) -> None:
    worker = it.worker("w1")
    it.stored(worker, kept(it, "1.1", commit="after-commitment", to=("sure",)))
    asked(it, worker, Reference(CT, "1.1"))
    it.deliver(worker, Result.SENT, sent_instance="1.1")
    passed(it, clock, 20, worker)
    (task,) = worker.tasks
    worker.tasks = []
    assert isinstance(task, AskCommitment)
    passed(it, clock, 20, worker)
    assert worker.tasks == []
    says(it, worker, CommitmentReported("SURE", report(task)))
    passed(it, clock, 20, worker)
    assert told(worker) == {"1.1": 0}


def test_what_has_not_got_there_in_time_is_told_to_have_failed(it: Inside, clock: Clock) -> None:
    worker = it.worker("w1")
    it.stored(worker, kept(it, "1.1"))
    it.deliver(worker, Result.DOWN, reason="connect-failed")
    asked(it, worker, Reference(CT, "1.1"))
    for _ in range(240):
        passed(it, clock, 16, worker)
    assert told(worker) == {"1.1": Failure.PROCESSING}


def test_asked_twice_is_told_twice_and_another_request_under_one_uid_is_refused(it: Inside, clock: Clock) -> None:
    worker = it.worker("w1")
    it.stored(worker, kept(it, "1.1"))
    it.deliver(worker)
    asked(it, worker, Reference(CT, "1.1"))
    passed(it, clock, 1, worker)
    number = worker.tasks[0].commitment
    assert told(worker) == {"1.1": 0}
    says(it, worker, TaskDone(number, True))
    assert asked(it, worker, Reference(CT, "1.1")) == Ok()
    passed(it, clock, 1, worker)
    assert told(worker) == {"1.1": 0}
    assert asked(it, worker, Reference(CT, "1.2")) == Failed("commitment-duplicate")
    assert asked(it, worker, Reference(CT, "1.2"), peer="CT2") == Ok(1), "another sender's transactions are its own"


def test_one_sender_cannot_fill_the_ledger_with_questions(
    it: Inside, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commitments_module, "MOST_OPEN", 3)
    worker = it.worker("w1")
    it.stored(worker, kept(it, "1.1"))
    answers = [asked(it, worker, Reference(CT, "1.1"), transaction=f"2.25.{n}") for n in range(4)]
    assert answers == [Ok(1), Ok(1), Ok(1), Failed("commitment-too-many")]
    assert asked(it, worker, Reference(CT, "1.1"), peer="CT2") == Ok(1)


def many(first: int, count: int) -> tuple[Reference, ...]:
    return tuple(Reference(CT, f"1.{number}") for number in range(first, first + count))


def test_instances_that_wait_are_bounded_for_each_sender_and_for_all(
    it: Inside, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commitments_module, "MOST_ITEMS", 10)
    monkeypatch.setattr(commitments_module, "MOST_IN_ALL", 15)
    worker, none = it.worker("w1"), Failed("commitment-too-many")

    def ask(number: int, count: int, peer: str = "CT1") -> object:
        return asked(it, worker, *many(0, count), transaction=f"2.25.{number}", peer=peer)

    it.stored(worker, kept(it, "1.0"))
    assert ask(1, 11) == none, "more than it may have at once"
    assert ask(2, 6) == Ok(6) and ask(3, 5) == none and ask(4, 4) == Ok(4) and ask(5, 1) == none
    assert ask(6, 6, "CT2") == none and ask(7, 5, "CT2") == Ok(5), "all senders together"
    assert ask(2, 6) == Ok(), "what is known is no new one"
    assert ask(8, 1, "CT3") == none
    it.deliver(worker)
    passed(it, clock, 1, worker)
    for task in worker.tasks:
        says(it, worker, TaskDone(task.commitment, True))
    assert len(worker.tasks) == 3 and ask(8, 10) == Ok(10), "their reports were taken"


def test_a_look_at_what_waits_is_short_and_everybody_has_a_turn(
    it: Inside, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commitments_module, "JUDGED", 20)
    worker = it.worker("w1")
    for number in range(4):
        it.stored(worker, kept(it, f"1.{number}"))
    looked: list[str] = []
    real = Commitments._judge

    def judge(self: Commitments, row: CommitmentRow) -> int:
        looked.append(row.transaction_uid)
        return real(self, row)

    monkeypatch.setattr(Commitments, "_judge", judge)
    for number in range(6):
        asked(it, worker, *many(0, 4), transaction=f"2.25.{number}")
        clock.sleep(0.001)
    assert len(looked) == 3, "ten instances, and then others come first"
    it.turn(worker)
    assert len(looked) == 3
    for _ in range(20):
        before = len(looked)
        passed(it, clock, 0.5, worker)
        assert len(looked) - before <= 3
    times = Counter(looked)
    assert len(times) == 6 and max(times.values()) - min(times.values()) <= 2, "none waits for ever"
    it.deliver(worker)
    for _ in range(20):
        passed(it, clock, 15.0, worker)
    assert len(worker.tasks) == 6


def test_reports_that_nobody_takes_wait_too(it: Inside, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decided at once, and no address to report to: such requests would gather for days."""
    monkeypatch.setattr(commitments_module, "MOST_OPEN", 3)
    worker = it.worker("w1")
    for number in range(3):
        assert asked(it, worker, Reference(CT, "1.404"), transaction=f"2.25.{number}") == Ok(1)
        passed(it, clock, 1, worker)
        says(it, worker, TaskDone(worker.tasks.pop().commitment, False, "commitment-peer-unknown"))
    assert asked(it, worker, Reference(CT, "1.404"), transaction="2.25.9") == Failed("commitment-too-many")


def test_a_report_goes_to_the_worker_with_the_association_and_on_after_a_death(it: Inside, clock: Clock) -> None:
    first, second = it.worker("w1"), it.worker("w2")
    second.say(Opened("f" * 32, "in", Party("CT1", "h"), Party("GW", "h")))
    it.turn(second)
    asked(it, second, Reference(CT, "1.1"))
    passed(it, clock, 1, first, second)
    assert first.tasks == [] and told(second) == {"1.1": Failure.NO_SUCH_INSTANCE}
    second.say(Closed("f" * 32, True))
    second.sock.close()
    it.turn(first)
    passed(it, clock, 1, first)
    assert told(first) == {"1.1": Failure.NO_SUCH_INSTANCE}
    it.crash()
    first = it.worker("w1")
    passed(it, clock, 301, first)
    passed(it, clock, 10, first)
    assert told(first) == {"1.1": Failure.NO_SUCH_INSTANCE}, "what it said before the crash may not have left"


# both, under fire


def test_sixty_transactions_under_fire(it: Inside, clock: Clock) -> None:
    _fire(it, clock, 60, seed=1)


@pytest.mark.slow
def test_a_thousand_transactions_under_fire(it: Inside, clock: Clock) -> None:
    _fire(it, clock, 1000, seed=2)


@pytest.mark.parametrize("fault", ["any peer", "asked is committed", "once is for ever", "any instance"])
def test_the_fire_catches_a_writer_that_is_careless(
    it: Inside, clock: Clock, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test has power: each of four seeded faults is caught by it."""
    find, pending, done = CommitmentTable.find, CommitmentTable.pending, Commitments.done

    def any_peer(table: CommitmentTable, role: str, transaction: str, peer: str) -> CommitmentRow | None:
        return find(table, role, transaction, "SURE")

    def for_ever(table: CommitmentTable, number: int) -> list[tuple[str, str, int | None]]:
        table._do(text("UPDATE commitment_items SET outcome = NULL WHERE outcome = -1"))
        return pending(table, number)

    def any_class(table: CommitmentTable, number: int) -> list[tuple[str, str, int | None]]:
        return [(MR, uid, delivery) for _, uid, delivery in pending(table, number)]

    def is_committed(commitments: Commitments, message: TaskDone) -> Ok:
        for _, _, delivery in pending(commitments._table, message.commitment) if message.ok else ():
            commitments._commit(delivery or 0)
        return done(commitments, message)

    faults: dict[str, tuple[type, str, Any]] = {
        "any peer": (CommitmentTable, "find", any_peer),
        "asked is committed": (Commitments, "done", is_committed),
        "once is for ever": (CommitmentTable, "pending", for_ever),
        "any instance": (CommitmentTable, "pending", any_class),
    }
    monkeypatch.setattr(*faults[fault])
    with pytest.raises(AssertionError, match="without"):
        _fire(it, clock, 80, seed=3)


def _fire(it: Inside, clock: Clock, transactions: int, seed: int) -> None:
    """Requests and reports are dropped, doubled, forged, come late or in part; processes die at every step.

    The archive is modelled: what it has committed to under which transaction. At each moment: whatever of ours is
    delivered, or no longer in the spool, is in a valid report that we were given.
    """
    chance = random.Random(seed)
    valid: set[str] = set()  # SOP instances named by a report of the archive for the transaction that asks for it
    over: list[tuple[float, CommitmentReport]] = []  # what was true once, and from when on its transaction is over
    seen: Counter[str] = Counter()
    made = 0
    worker = it.worker("w0")
    spooled: dict[str, str] = {}

    def check() -> None:
        delivered = {row.sop_instance for row in it.stage.rows() if row.state == "delivered"}
        assert delivered <= valid, "confirmed without a valid commitment"
        there = files(it)
        assert {uid for uid, name in spooled.items() if name not in there} <= valid, "deleted without one"

    def hear(task: AskCommitment) -> None:
        act = chance.choice(("good", "good", "drop", "double", "forge", "part", "refuse", "late", "dies", "unasked"))
        seen[act] += 1
        good = report(task)
        if act == "dies":
            return  # the worker, or the request on its way
        if act != "drop":
            worker.say(TaskDone(task.commitment, act != "unasked", "connect-failed"))
        if act in ("good", "double"):
            valid.update(r.sop_instance for r in good.committed)
            for _ in range(1 + (act == "double")):
                worker.say(CommitmentReported("SURE", good))
        elif act == "forge":
            worker.say(CommitmentReported("MALLORY", good))
            worker.say(CommitmentReported("SURE", replace(good, transaction=f"2.25.{chance.getrandbits(90)}")))
            classes = tuple(replace(r, sop_class=MR) for r in good.committed)
            worker.say(CommitmentReported("SURE", replace(good, committed=classes)))
            past = [old for since, old in over if since < clock.now]
            if past:
                old = chance.choice(past)
                worker.say(CommitmentReported("SURE", replace(old, committed=good.committed)))
                worker.say(CommitmentReported("SURE", old))
        elif act == "part":
            some = good.committed[: max(1, len(good.committed) // 2)]
            valid.update(r.sop_instance for r in some)
            worker.say(CommitmentReported("SURE", replace(good, committed=some)))
        elif act == "refuse":
            worker.say(CommitmentReported("SURE", report(task, *(r.sop_instance for r in good.committed))))
            over.append((0.0, good))
        elif act == "late":
            over.append((clock.now + 610, good))

    while made < transactions or it.stage.counted().keys() - {"delivered", "held"}:
        if made < transactions:
            for n in range(chance.randint(1, 4)):
                instance = it.stage.make(f"1.{made}.{n}", f"{made}.{n}".encode(), to=("sure",))
                spooled[instance.identity.sop_instance] = instance.stored.name
                it.stored(worker, instance)
            made += 1
        for job in [worker.jobs.pop() for _ in range(len(worker.jobs))]:
            if chance.random() < 0.95:
                worker.jobs = [*worker.jobs, job]
        for job in list(worker.jobs):
            worker.jobs.remove(job)
            rest, worker.jobs = worker.jobs, [job]
            it.deliver(worker, Result.SENT, sent_instance=job.instance.identity.sop_instance)
            worker.jobs = [*rest, *worker.jobs]
        tasks, worker.tasks = worker.tasks, []
        for task in tasks:
            assert isinstance(task, AskCommitment)
            hear(task)
        it.turn(worker)
        fate = chance.random()
        if fate < 0.03:
            it.crash()
            worker = it.worker(f"w{made}")
        elif fate < 0.06:
            worker.sock.close()
            it.turn()
            worker = it.worker(f"v{made}.{chance.random()}")
        passed(it, clock, chance.choice((0.5, 3.0, 3.0, 400.0)), worker)
        if made % 10 == 0 or made == transactions:
            check()
    check()
    assert len(seen) == 9 and it.stage.counted()["delivered"] > transactions, (seen, it.stage.counted())
