"""The writer process: durable before it answers, once per UID, nothing lost by its own death."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from gateway.audit.chain import Head
from gateway.audit.events import Party
from gateway.audit.verify import verify
from gateway.errors import StorageFailed
from gateway.model import Decision, Instance, Job, Outcome, Result, Verdict
from gateway.store.inflight import Inflight
from gateway.writer.client import WriterClient, operator
from gateway.writer.messages import LENGTH, Closed, Committed, Discard, Failed, Hello, Opened, Release, Reply, Request
from tests.system.senders import ct, encoded
from tests.unit.writer.stage import Deliverer, Stage, delivering, until
from transforms.dataset.convert import to_implicit_le
from transforms.dataset.syntax import EXPLICIT_LE, IMPLICIT_LE
from transforms.source import BytesSource, chunks


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    it = Stage(tmp_path).start()
    yield it
    it.close()


def test_stored_then_delivered_then_gone_from_the_spool(stage: Stage) -> None:
    it = delivering(stage)
    assert it.client is not None
    instance = stage.make("1.1", to=("a", "b"))
    assert it.client.received(instance).outcome == "stored"
    until(lambda: stage.states() == {"1.1>a": "delivered", "1.1>b": "delivered"})
    until(lambda: stage.spool.names() == [])


def test_same_bytes_again_is_a_success_and_no_second_object(stage: Stage) -> None:
    it = delivering(stage)
    assert it.client is not None
    answers: list[str] = []
    lock = threading.Lock()

    def send() -> None:
        assert it.client is not None
        for _ in range(5):
            outcome = it.client.received(stage.make("1.1")).outcome
            with lock:
                answers.append(outcome)

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == ["duplicate"] * 39 + ["stored"]
    until(lambda: stage.states() == {"1.1>a": "delivered"})
    assert len(it.jobs) == 1
    until(lambda: stage.spool.names() == [])


def test_several_at_once_are_answered_each_in_their_order(stage: Stage) -> None:
    it = delivering(stage)
    assert it.client is not None
    twice = stage.make("1.1")
    some = [twice, stage.make("1.2"), twice, stage.make("1.1", b"other")]
    answers = it.client.received_all([(each, ()) for each in some])
    assert [each.outcome for each in answers if isinstance(each, Committed)] == [
        "stored",
        "stored",
        "duplicate",
        "conflict",
    ]
    stage.stop()
    lost = it.client.received_all([(stage.make("1.3"), ()), (stage.make("1.4"), ())])
    assert [getattr(each, "reason", "") for each in lost] == ["writer-lost", "writer-lost"]


def test_same_uid_other_bytes_is_kept_beside_and_held(stage: Stage) -> None:
    it = delivering(stage)
    assert it.client is not None
    it.client.received(stage.make("1.1"))
    other = stage.make("1.1", b"other")
    assert it.client.received(other).outcome == "conflict"
    until(lambda: stage.states() == {"1.1>a": "delivered", "1.1>": "held"})
    (held,) = stage.ask(lambda r: r.held())
    assert held.reason == "conflict"
    until(lambda: stage.spool.names() == [other.stored.name])  # the first is removed on a thread of its own


def test_where_the_listener_says_so_the_newer_one_is_delivered_too(stage: Stage) -> None:
    """Modalities and archives correct objects under their UID: a policy of the source, not of the gateway."""
    it = delivering(stage)
    assert it.client is not None
    it.client.received(stage.make("1.1"))
    assert it.client.received(stage.make("1.1", b"corrected", on_conflict="deliver")).outcome == "stored"
    assert it.client.received(stage.make("1.1", b"corrected", on_conflict="deliver")).outcome == "duplicate"
    until(lambda: sorted((row.state, row.destination) for row in stage.rows()) == [("delivered", "a")] * 2)
    assert it.client.received(stage.make("1.1", b"of another source")).outcome == "conflict"


def test_a_study_that_another_patient_has_is_noticed(stage: Stage) -> None:
    """Merged or mistaken patients: held beside, unless the source may do so. An empty Patient ID says nothing."""
    it = delivering(stage)
    assert it.client is not None

    def of(patient: str, uid: str, study: str = "1.9", **decision: str) -> Instance:
        made = stage.make(uid, uid.encode(), study=study, **decision)
        return replace(made, identity=replace(made.identity, patient_id=patient))

    client = it.client
    assert client.received(of("B", "1.1")).outcome == "stored"
    assert client.received(of("B", "1.2")).outcome == "stored"
    assert client.received(of("A", "1.3")).outcome == "conflict"
    assert client.received(of("C", "1.4")).outcome == "conflict"
    assert client.received(of("", "1.5")).outcome == "stored"
    assert client.received(of("C", "1.6", study="1.10")).outcome == "stored", "another study"
    assert client.received(of("C", "1.7", on_conflict="deliver")).outcome == "stored"
    assert {row.reason for row in stage.ask(lambda r: r.held())} == {"study-of-another-patient"}
    assert {uid.split(">")[0] for uid, state in stage.states().items() if state == "held"} == {"1.3", "1.4"}
    dropped = of("D", "1.8", study="1.11", verdict=Verdict.DROP, reason="noise", to=())  # type: ignore[arg-type]
    assert client.received(dropped).outcome == "stored"
    assert client.received(of("E", "1.12", study="1.11")).outcome == "stored", "what was dropped has no patient"


def test_a_series_that_another_study_has_is_noticed(stage: Stage) -> None:
    """Merged or split studies: held beside, unless the source may do so. No Series Instance UID says nothing."""
    it = delivering(stage)
    assert it.client is not None

    def of(study: str, uid: str, series: str = "1.8", **decision: str) -> Instance:
        made = stage.make(uid, uid.encode(), study=study, **decision)
        return replace(made, identity=replace(made.identity, series=series))

    client = it.client
    assert client.received(of("1.20", "1.1")).outcome == "stored"
    assert client.received(of("1.20", "1.2")).outcome == "stored"
    assert client.received(of("1.10", "1.3")).outcome == "conflict"
    assert client.received(of("1.30", "1.4")).outcome == "conflict"
    assert client.received(of("", "1.5")).outcome == "stored"
    assert client.received(of("1.30", "1.6", series="")).outcome == "stored"
    assert client.received(of("1.40", "1.7", series="")).outcome == "stored"
    assert client.received(of("1.30", "1.8", series="1.9")).outcome == "stored", "another series"
    assert client.received(of("1.30", "1.9", on_conflict="deliver")).outcome == "stored"
    assert {row.reason for row in stage.ask(lambda r: r.held())} == {"series-of-another-study"}
    assert {uid.split(">")[0] for uid, state in stage.states().items() if state == "held"} == {"1.3", "1.4"}
    dropped = of("1.50", "1.10", series="1.7", verdict=Verdict.DROP, reason="noise", to=())  # type: ignore[arg-type]
    assert client.received(dropped).outcome == "stored"
    assert client.received(of("1.60", "1.11", series="1.7")).outcome == "stored", "what was dropped has no study"
    until(lambda: stage.trail().count("series-of-another-study") >= 2)  # audited, a moment later


def test_equal_content_in_another_uncompressed_syntax_is_no_conflict_while_the_first_is_spooled(stage: Stage) -> None:
    explicit = encoded(ct(1))
    implicit = b"".join(chunks(to_implicit_le(BytesSource(explicit), EXPLICIT_LE)))
    client = stage.client()
    first = stage.make("1.1", explicit, verdict=Verdict.HOLD, reason="wait", to=())
    assert client.received(first).outcome == "stored"
    alike = stage.make("1.1", implicit, verdict=Verdict.HOLD, reason="wait", to=())
    again = msgspec.structs.replace(alike, syntax=IMPLICIT_LE)
    assert client.received(again).outcome == "duplicate"
    other = bytearray(implicit)
    other[-1] ^= 1
    changed = msgspec.structs.replace(stage.make("1.1", bytes(other)), syntax=IMPLICIT_LE)
    assert client.received(changed).outcome == "conflict"
    assert sorted(stage.spool.names()) == sorted([first.stored.name, changed.stored.name])


def test_held_released_discarded_dropped(stage: Stage) -> None:
    it = delivering(stage)
    assert it.client is not None
    one = it.client.received(stage.make("1.1", verdict=Verdict.HOLD, reason="no-route", to=())).instance_id
    two = it.client.received(stage.make("1.2", verdict=Verdict.HOLD, reason="no-route", to=())).instance_id
    it.client.received(stage.make("1.3", verdict=Verdict.DROP, reason="noise", to=()))
    assert stage.states() == {"1.1>": "held", "1.2>": "held", "1.3>": "dropped"}
    with operator(stage.config) as ask:
        ask(Release(one, Decision(Verdict.DELIVER, "r", destinations=("a",)), "tester"))
        ask(Discard(two, "not wanted", "tester"))
    until(lambda: stage.states() == {"1.1>a": "delivered", "1.2>": "discarded", "1.3>": "dropped"})
    until(lambda: stage.spool.names() == [])
    assert it.client.received(stage.make("1.2")).outcome == "stored", "what was discarded may be sent again"


def test_a_destination_down_costs_no_attempt_and_is_probed_with_one(stage: Stage) -> None:
    it = delivering(stage, answer=Result.DOWN, reason="connection-refused", status=None)
    assert it.client is not None
    for n in range(20):
        it.client.received(stage.make(f"1.{n}"))
    until(lambda: all(state == "waiting" for state in stage.states().values()) or len(it.jobs) > 25)
    time.sleep(0.5)
    row = stage.row("1.19")
    assert row.attempts == 0
    probes = len(it.jobs)
    assert probes < 40, "a destination that is down was flooded"
    it.answer, it.status = Result.DELIVERED, 0
    until(lambda: set(stage.states().values()) == {"delivered"})


def test_a_refusal_that_may_pass_is_counted_and_then_held(stage: Stage) -> None:
    it = delivering(stage, answer=Result.REFUSED, reason="out-of-resources", status=0xA700)
    assert it.client is not None
    it.client.received(stage.make("1.1"))
    until(lambda: stage.states() == {"1.1>a": "held"})
    assert len(it.jobs) == 3 and stage.row("1.1").reason == "out-of-resources" and stage.row("1.1").attempts == 3
    it.answer = Result.DELIVERED
    with operator(stage.config) as ask:
        ask(Release(stage.row("1.1").instance_id, None, "tester"))
    until(lambda: stage.states() == {"1.1>a": "delivered"})


def test_a_study_goes_to_the_worker_that_has_it(stage: Stage) -> None:
    first, second = Deliverer(), Deliverer()
    one, two = stage.client("w1", first), stage.client("w2", second)
    one.received(stage.make("1.1", study="9.1"))
    two.received(stage.make("1.2", study="9.1"))
    two.received(stage.make("1.3", study="9.2"))
    until(lambda: len(first.jobs) == 2 and len(second.jobs) == 1)
    assert {j.instance.identity.study for j in first.jobs} == {"9.1"}


def test_a_dead_workers_jobs_go_to_another_and_a_poisonous_one_is_held(stage: Stage) -> None:
    for number in range(3):
        name = f"dying{number}"
        slots = Inflight.create(stage.state / "run" / f"{name}.inflight")
        took: list[Job] = []
        client = stage.client(name, took.extend)
        if number == 0:
            client.received(stage.make("1.1"))
            client.received(stage.make("1.2"))
        until(lambda took=took: len(took) == 2)
        slots.set(next(j.delivery for j in took if j.instance.identity.sop_instance == "1.1"))
        client.close(1)
        time.sleep(0.2)
    it = delivering(stage, "healthy")
    until(lambda: stage.states() == {"1.1>a": "held", "1.2>a": "delivered"})
    assert stage.row("1.1").reason == "crashed-while-processing"
    assert [j.instance.identity.sop_instance for j in it.jobs] == ["1.2"]


def test_killed_again_and_again_the_writer_loses_nothing_it_answered(stage: Stage) -> None:
    it = delivering(stage)
    answered: list[str] = []
    stop = threading.Event()

    def send(number: int) -> None:
        assert it.client is not None
        count = 0
        while not stop.is_set():
            count += 1
            uid = f"1.{number}.{count}"
            instance = stage.make(uid, os.urandom(64), study=f"9.{count % 5}")
            for _ in range(100):
                try:
                    it.client.received(instance)
                    answered.append(uid)
                    break
                except StorageFailed:
                    time.sleep(0.05)
                    if stop.is_set():
                        return

    threads = [threading.Thread(target=send, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(6):
        time.sleep(0.4)
        stage.kill()
        stage.start()
    time.sleep(0.3)
    stop.set()
    for thread in threads:
        thread.join(20)
    assert len(answered) > 50
    until(lambda: set(stage.states().values()) == {"delivered"}, 20)
    assert {key.split(">")[0] for key in stage.states()} >= set(answered)
    assert stage.stop() == 0
    assert verify(stage.state / "audit", Head(*stage.ask(lambda r: r.audit_head()))) == []


def test_associations_are_audited_even_if_the_worker_dies(stage: Stage) -> None:
    it = delivering(stage)
    assert it.client is not None
    it.client.opened(Opened("a" * 32, "in", Party("CT1", "127.0.0.1"), Party("GW", "")))
    it.client.received(stage.make("1.1"))
    it.client.received(stage.make("1.2"))
    until(lambda: set(stage.states().values()) == {"delivered"})
    it.client.close(1)
    time.sleep(0.3)
    assert stage.stop() == 0
    text = b"".join(p.read_bytes() for p in (stage.state / "audit").glob("*.jsonl")).decode()
    assert text.count("110102") >= 1, "no Begin Transferring"
    assert text.count("110104") >= 1, "no Instances Transferred"
    assert verify(stage.state / "audit", Head(*stage.ask(lambda r: r.audit_head()))) == []


def test_a_closed_association_is_audited_once_although_it_is_said_twice(stage: Stage) -> None:
    it = delivering(stage)
    assert it.client is not None
    it.client.opened(Opened("a" * 32, "in", Party("CT1", "127.0.0.1"), Party("GW", "")))
    it.client.received(stage.make("1.1"))
    for _ in range(2):
        it.client.closed(Closed("a" * 32, True))
    until(lambda: set(stage.states().values()) == {"delivered"})
    assert stage.stop() == 0
    text = b"".join(p.read_bytes() for p in (stage.state / "audit").glob("*.jsonl")).decode()
    assert text.count('csd-code=\\"110104\\"') == 1


def test_a_failed_directory_fsync_is_never_answered_with_success(tmp_path: Path) -> None:
    code = (
        "import gateway.store.spool as s\n"
        "def bad(self): raise OSError(5, 'EIO')\n"
        "s.Spool.sync = bad\n"
        "from gateway.writer.process import main\n"
        "raise SystemExit(main())\n"
    )
    it = Stage(tmp_path)
    command = [sys.executable, "-c", code, "--state", str(it.state), "--rules", it.digest, "--fresh"]
    it.process = subprocess.Popen(command, stdin=subprocess.PIPE)
    until(lambda: (it.state / "run" / "writer.sock").exists())
    time.sleep(0.1)
    client = it.client()
    with pytest.raises(StorageFailed):
        client.received(it.make("1.1"))
    assert it.process.wait(5) == 1
    client.close(0.1)
    assert it.states() == {}


def test_a_hold_tells_its_detail_until_it_is_released(stage: Stage) -> None:
    it = Deliverer()
    detail = "patient-name as text in (0008,103E)"

    def work(jobs: Sequence[Job]) -> None:
        assert it.client is not None
        it.jobs.extend(jobs)
        held = it.answer is Result.HELD
        given = {"reason": "egress-hit", "detail": detail} if held else {"status": 0}
        it.client.outcomes([Outcome(job.delivery, it.answer, **given) for job in jobs])

    it.answer, it.client = Result.HELD, stage.client(work=work)
    it.client.received(stage.make("1.1"))
    until(lambda: stage.states() == {"1.1>a": "held"})
    (held,) = stage.ask(lambda r: r.held())
    assert (held.reason, held.detail) == ("egress-hit", detail) == (stage.row("1.1").reason, stage.row("1.1").detail)
    it.answer = Result.DELIVERED
    with operator(stage.config) as ask:
        ask(Release(held.instance_id, None, "tester"))
    until(lambda: stage.states() == {"1.1>a": "delivered"})
    assert stage.row("1.1").detail == ""


def test_an_introduction_that_a_full_disk_refused_is_said_again(tmp_path: Path) -> None:
    """Else the worker would get no jobs until the writer's next death."""
    path = tmp_path / "writer.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen(1)
        client = WriterClient(path, "w1", lambda jobs: None)
        client.connect()
        sock, _ = server.accept()
        with sock, sock.makefile("rb") as stream:
            heard = [stream.read(LENGTH.unpack(stream.read(LENGTH.size))[0])]
            first = msgspec.msgpack.decode(heard[0], type=Request)
            refused = msgspec.msgpack.encode(Reply(first.id, Failed("disk-full", storage=True)))
            sock.sendall(LENGTH.pack(len(refused)) + refused)
            sock.settimeout(10)
            heard.append(stream.read(LENGTH.unpack(stream.read(LENGTH.size))[0]))
            assert isinstance(first.body, Hello) and heard[1] == heard[0]
        client.close(0.1)


def test_what_killed_processes_had_in_plain_is_gone_when_nobody_is_alive(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    names = ("media/0123456789abcdef01234567", "mail/0123.making", "hosted/plugin-ab12", "media/in-discs", "mail/0123")
    staged, posted, faces, opened, sent = (stage.state / name / "x" for name in names)
    receipt = stage.state / "media" / "0123.json"
    for path in (staged, posted, faces, opened, sent):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"a patient")
    receipt.write_text("{}")
    try:
        stage.start()
        assert not any(path.parent.exists() for path in (staged, posted, faces))
        assert receipt.exists() and sent.exists()
        assert opened.exists(), "its inbox has a lock, and sweeps under it"
        staged.parent.mkdir()
        stage.kill()
        stage.start()  # workers may be alive: one of them may be at it
        assert staged.parent.exists()
    finally:
        stage.close()
