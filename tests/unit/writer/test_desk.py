"""What the writer does with what it is told, one turn at a time: twins, conflicts, windows, clocks, ends."""

from __future__ import annotations

import logging
import os

import pytest
from msgspec.structs import replace

from gateway.audit.events import Party
from gateway.audit.trail import Trail
from gateway.errors import StorageFailed
from gateway.model import Decision, DeliveryState, Result, Verdict
from gateway.store import spool as spool_module
from gateway.writer import process as process_module
from gateway.writer.dispatch import WINDOW
from gateway.writer.messages import Committed, Discard, Failed, Opened, Outcomes, Received, Release
from gateway.writer.peer import Peer
from gateway.writer.process import Process
from tests.unit.writer.inside import Clock, Inside

DROP = {"verdict": Verdict.DROP, "reason": "noise", "to": ()}


def files(it: Inside) -> set[str]:
    it.process._remover.close()  # what was to be deleted is
    it.process._remover = process_module.Remover(it.process._spool)
    return set(it.stage.spool.names())


def test_the_same_file_said_twice_is_not_deleted_as_its_own_twin(it: Inside) -> None:
    worker = it.worker("w1")
    instance = it.stage.make("1.1", to=("a",))
    assert it.stored(worker, instance).outcome == "stored"
    assert it.stored(worker, instance).outcome == "duplicate"
    assert files(it) == {instance.stored.name}


def test_a_file_that_is_not_there_or_not_whole_is_not_promised(it: Inside) -> None:
    worker = it.worker("w1")
    gone, short = it.stage.make("1.1"), it.stage.make("1.2")
    objects = it.stage.spool.folder / "objects"
    (objects / gone.stored.name).unlink()
    os.truncate(objects / short.stored.name, 3)
    outside = replace(gone, stored=replace(gone.stored, name="../../ledger.sqlite"))
    for instance in (gone, short):
        assert it.store(worker, instance) == Failed("spool-missing", storage=True)
    assert isinstance(it.store(worker, outside), Failed)
    assert it.stage.rows() == []


def test_two_objects_can_not_have_one_file(it: Inside) -> None:
    worker = it.worker("w1")
    first = it.stage.make("1.1")
    second = replace(first, identity=replace(first.identity, sop_instance="1.2"))
    good = it.stage.make("1.3")
    numbers = [worker.say(Received(each)) for each in (first, second, good)]
    it.turn(worker)
    assert [type(worker.answers[n]) for n in numbers] == [Committed, Failed, Committed]
    assert it.stage.states() == {"1.1>a": "sending", "1.3>a": "sending"}


def test_what_was_dropped_is_stored_when_the_rules_say_otherwise(it: Inside) -> None:
    worker = it.worker("w1")
    assert it.stored(worker, it.stage.make("1.1", **DROP)).outcome == "stored"
    assert it.stored(worker, it.stage.make("1.1", **DROP)).outcome == "duplicate"
    assert it.stored(worker, it.stage.make("1.1", b"other", **DROP)).outcome == "stored", "noise is no conflict"
    wanted = it.stage.make("1.1")
    assert it.stored(worker, wanted).outcome == "stored"
    assert it.stage.counted() == {"dropped": 2, "sending": 1}
    assert files(it) == {wanted.stored.name}
    assert it.stored(worker, it.stage.make("1.1", b"third", **DROP)).outcome == "conflict", "it would hide a change"


def test_what_was_given_up_everywhere_may_be_sent_again(it: Inside) -> None:
    worker = it.worker("w1")
    number = it.stored(worker, it.stage.make("1.1", to=("a", "b"))).instance_id
    it.deliver(worker, Result.HELD, reason="refused")
    worker.say(Discard(number, "not wanted", "tester"))
    it.turn(worker)
    assert it.stage.states() == {"1.1>a": "discarded", "1.1>b": "discarded"} and files(it) == set()
    assert it.stored(worker, it.stage.make("1.1")).outcome == "stored"


def test_what_one_destination_has_is_done_although_another_was_given_up(it: Inside) -> None:
    worker = it.worker("w1")
    number = it.stored(worker, it.stage.make("1.1", to=("a", "b"))).instance_id
    first, second = worker.jobs
    worker.jobs = [first]
    it.deliver(worker)
    worker.jobs = [second]
    it.deliver(worker, Result.HELD, reason="refused")
    worker.say(Discard(number, "not wanted", "tester"))
    it.turn(worker)
    assert it.stored(worker, it.stage.make("1.1", to=("a", "b"))).outcome == "duplicate"
    assert files(it) == set()


def test_a_thousand_twins_and_a_thousand_conflicts(it: Inside) -> None:
    ends = [it.worker(f"w{n}") for n in range(16)]
    for _ in range(63):
        for end in ends:
            end.say(Received(it.stage.make("1.1")))
        it.turn(*ends)
    told = [answer.outcome for end in ends for answer in end.answers.values() if isinstance(answer, Committed)]
    assert sorted(told) == ["duplicate"] * 1007 + ["stored"]
    assert sum(len(end.jobs) for end in ends) == 1 and len(files(it)) == 1
    for number in range(1000):
        ends[number % 16].say(Received(it.stage.make("1.1", b"%d" % number)))
    it.turn(*ends)
    assert it.stage.counted() == {"held": 1000, "sending": 1}
    assert len(files(it)) == 1001
    assert {row.reason for row in it.stage.ask(lambda r: r.held())} == {"conflict"}


def test_a_full_window_of_one_study_does_not_hold_up_the_others(it: Inside) -> None:
    first, second = it.worker("w1"), it.worker("w2")
    for number in range(WINDOW + 30):
        first.say(Received(it.stage.make(f"1.{number}", study="9.1")))
    it.turn(first, second)
    it.turn(first, second)
    assert (len(first.jobs), len(second.jobs)) == (WINDOW, 0), "a study stays with its worker"
    first.say(Received(it.stage.make("2.1", study="9.2")))
    it.turn(first, second)
    it.turn(first, second)
    assert [job.instance.identity.study for job in second.jobs] == ["9.2"]
    sent = [job.instance.identity.sop_instance for job in first.jobs]
    while it.deliver(first):
        sent += [job.instance.identity.sop_instance for job in first.jobs]
        it.turn(first)
    assert sent == [f"1.{n}" for n in range(WINDOW + 30)], "in the order they came"


def test_while_all_windows_are_full_the_writer_sleeps(it: Inside) -> None:
    worker = it.worker("w1")
    for number in range(WINDOW + 5):
        worker.say(Received(it.stage.make(f"1.{number}")))
    it.turn(worker)
    it.turn(worker)
    assert it.process._pause() > 0.5


def test_what_waits_for_something_else_is_tried_again_uncounted_for_its_time(it: Inside, clock: Clock) -> None:
    """Destination `a` has backoff 50ms..100ms, three attempts and an hour: far more than three tries fit in it."""
    worker = it.worker("w1")
    it.stored(worker, it.stage.make("1.1"))
    it.stored(worker, it.stage.make("1.2", study="9.2"))
    it.deliver(worker, Result.WAITS, reason="patient-service-timeout")
    for _ in range(8):
        assert it.stage.states() == {"1.1>a": "waiting", "1.2>a": "waiting"}
        assert {row.reason for row in it.stage.rows()} == {"patient-service-timeout"}
        it.turn(worker)
        assert worker.jobs == [], "not before its pause is over"
        clock.sleep(0.11)
        it.turn(worker)
        assert [job.attempts for job in worker.jobs] == [0, 0]
        it.deliver(worker, Result.WAITS, reason="patient-service-timeout")
    clock.sleep(3601)
    it.turn(worker)
    waiting, worker.jobs = worker.jobs[1:], worker.jobs[:1]
    it.deliver(worker, Result.WAITS, reason="patient-service-timeout")
    assert sorted(it.stage.states().values()) == ["held", "sending"]
    worker.jobs = waiting
    it.deliver(worker)
    assert sorted(it.stage.states().values()) == ["delivered", "held"]


def test_a_clock_set_back_stalls_nothing(it: Inside, clock: Clock) -> None:
    worker = it.worker("w1")
    for uid, result in (("1.1", Result.DOWN), ("1.2", Result.REFUSED)):
        it.stored(worker, it.stage.make(uid, to=("a" if result is Result.DOWN else "b",)))
        it.deliver(worker, result, reason="x")
    clock.now -= 400 * 86400
    clock.steady += 1
    tries = 0
    for _ in range(10):
        clock.sleep(0.2)  # a second, or the longest pause, is the most it may cost
        it.turn(worker)
        tries += len(worker.jobs)
        it.deliver(worker)
    assert tries == 2 and set(it.stage.states().values()) == {"delivered"}


def test_a_clock_set_forward_starts_no_storm(it: Inside, clock: Clock) -> None:
    worker = it.worker("w1")
    for number in range(50):
        it.stored(worker, it.stage.make(f"1.{number}"))
    it.deliver(worker, Result.DOWN, reason="x")
    clock.now += 400 * 86400
    it.turn(worker)
    assert len(worker.jobs) == 1, "a destination that is down is probed with one"


def test_a_worker_that_does_not_read_holds_up_nobody(it: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    deaf, other = it.worker("deaf"), it.worker("other")
    for number in range(2000):
        deaf.say(Received(it.stage.make(f"1.{number}", study=f"9.{number}", to=())))
        it.process.turn(0)
    assert it.stored(other, it.stage.make("2.1")).outcome == "stored"
    deaf.hear()
    it.turn(deaf)
    it.turn(deaf)
    assert sum(isinstance(answer, Committed) for answer in deaf.answers.values()) == 2000, "late, but all of it"


def test_one_that_never_reads_is_cut_off_and_its_number_can_be_used_again(
    it: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.writer.peer.MOST_UNREAD", 50_000)
    deaf = it.worker("deaf")
    for number in range(3000):
        try:
            deaf.say(Received(it.stage.make(f"1.{number}")))
        except OSError:
            break
        it.process.turn(0)
    it.process.turn(0)
    assert [key.data.worker for key in it.process._selector.get_map().values() if isinstance(key.data, Peer)] == []
    again = [it.worker(f"w{n}") for n in range(3)]  # the descriptor comes back
    it.turn(*again)
    assert again[0].jobs or again[1].jobs or again[2].jobs, "what it had is leased to others"


def test_a_told_outcome_that_was_not_answered_is_not_sent_again(it: Inside) -> None:
    worker = it.worker("w1")
    it.stored(worker, it.stage.make("1.1"))
    (job,) = worker.jobs
    it.crash()
    back = it.worker("w1", job.delivery)
    it.turn(back)
    assert back.jobs == [], "it still has it"
    back.jobs = [job]
    it.deliver(back)
    assert it.stage.states() == {"1.1>a": "delivered"}


def test_associations_of_a_worker_that_never_came_back_are_closed(it: Inside, clock: Clock) -> None:
    worker = it.worker("w1")
    worker.say(Opened("a" * 32, "in", Party("CT1", "127.0.0.1"), Party("GW", "")))
    it.stored(worker, it.stage.make("1.1", to=(), verdict=Verdict.HOLD, reason="wait"))
    it.crash()
    clock.sleep(process_module.GRACE + 1)
    it.turn()
    assert it.stage.trail().count('csd-code=\\"110104\\"') == 1


def test_orphans_are_swept_and_nothing_else_is(it: Inside, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = it.worker("w1")
    held = it.stage.make("1.1", to=(), verdict=Verdict.HOLD, reason="wait")
    it.stored(worker, held)
    waiting = it.stage.make("1.2")
    it.stored(worker, waiting)
    orphan, late = it.stage.make("1.3"), it.stage.make("1.4")
    clock.sleep(process_module.SWEEP_EVERY)
    it.turn()
    assert files(it) == {each.stored.name for each in (held, waiting, orphan, late)}, "too young to be one"
    monkeypatch.setattr(spool_module, "ORPHAN_AGE", -1.0)
    clock.sleep(process_module.SWEEP_EVERY)
    worker.say(Received(late))  # in the very turn of the sweep
    it.turn(worker)
    assert files(it) == {each.stored.name for each in (held, waiting, late)}
    assert it.store(worker, orphan) == Failed("spool-missing", storage=True), "too late: the sender sends it again"


def test_a_full_audit_disk_is_survived_and_caught_up_with(
    it: Inside, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = it.worker("w1")
    real = Trail.append

    def full(self: Trail, records: object) -> object:
        raise StorageFailed("audit-trail-full", "injected")

    monkeypatch.setattr(Trail, "append", full)
    uid = "2.25.42424242"  # no moment of time has it
    assert it.stored(worker, it.stage.make(uid, to=(), verdict=Verdict.HOLD, reason="wait")).outcome == "stored"
    it.turn()
    before = it.stage.trail().count(uid)
    monkeypatch.setattr(Trail, "append", real)
    clock.sleep(2)
    it.turn()
    assert before == 0 and it.stage.trail().count(uid) >= 1


def test_what_a_crash_left_in_the_outbox_is_appended_at_the_next_start(
    it: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = it.worker("w1")
    monkeypatch.setattr(Process, "_append", lambda self: None)
    uid = "2.25.42424242"  # no moment of time has it
    it.stored(worker, it.stage.make(uid, to=(), verdict=Verdict.HOLD, reason="wait"))
    assert uid not in it.stage.trail()
    monkeypatch.undo()
    it.crash()
    assert uid in it.stage.trail()


def test_a_trail_that_was_cut_stops_the_start(it: Inside) -> None:
    worker = it.worker("w1")
    for number in range(3):
        it.stored(worker, it.stage.make(f"1.{number}", to=(), verdict=Verdict.HOLD, reason="wait"))
    it.close()
    (file,) = (it.stage.state / "audit").glob("*.jsonl")
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-1]))
    with pytest.raises(StorageFailed, match="audit-trail-cut"):
        Process(it.stage.config, it.stage.digest, False)


def test_no_value_of_a_patient_is_in_what_the_database_complains_about(
    it: Inside, caplog: pytest.LogCaptureFixture
) -> None:
    worker = it.worker("w1")
    first = it.stage.make("1.1")
    canary = replace(first.identity, sop_instance="1.2", patient_id="CANARY-7731")
    it.stored(worker, first)
    with caplog.at_level(logging.DEBUG):
        assert it.store(worker, replace(first, identity=canary)) == Failed("internal-error")
    assert caplog.records and "CANARY" not in caplog.text + "".join(str(r.exc_info) for r in caplog.records)


def test_release_and_delivery_leave_every_count_as_it_should_be(it: Inside) -> None:
    worker = it.worker("w1")
    number = it.stored(worker, it.stage.make("1.1", to=(), verdict=Verdict.HOLD, reason="wait")).instance_id
    worker.say(Release(number, Decision(Verdict.DELIVER, "r", destinations=("a", "b")), "tester"))
    it.turn(worker)
    it.turn(worker)
    assert len(worker.jobs) == 2
    it.deliver(worker)
    worker.say(Outcomes(()))
    it.turn(worker)
    counts = it.stage.ask(lambda r: r.counts())
    assert counts[DeliveryState.DELIVERED] == 2 and sum(counts.values()) == 2
    for there in it.process._dispatch.destinations.values():
        assert not there.leased.total()
