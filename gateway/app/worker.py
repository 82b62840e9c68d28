"""One worker process: admission on a selector, a thread per association, lanes per destination.

    python -m gateway.app.worker --rules HASH --state DIR --name NAME --control FD

Rules of this file
* It holds no database handle and opens no listening socket: sockets come from the supervisor, jobs from the writer.
* Whether there is room for one more association is the supervisor's word; the association's thread waits for it.
* Exec'd, never forked after threads exist. No core files: a core would hold patients.
* Drain (SIGTERM, a word from the supervisor, or its death): no new connections, associations end after their current
  message, lanes give their jobs back; then it exits 0.
"""

from __future__ import annotations

import gc
import logging
import os
import selectors
import signal
import socket
import ssl
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from gateway.app import control
from gateway.app.commitments import CommitmentSender
from gateway.app.control import Frame, Word
from gateway.app.start import run
from gateway.audit.events import Party, PeerRefused
from gateway.config.schema import Config
from gateway.deliver.batches import BatchCarrier, BatchLanes
from gateway.deliver.contract import Carrier, UnitCarrier
from gateway.deliver.lanes import Lanes
from gateway.deliver.table import Surroundings, carrier
from gateway.deliver.units import Units
from gateway.dimse.acceptor import Acceptor
from gateway.dimse.negotiation import AcceptancePolicy
from gateway.errors import RefusePeer
from gateway.logs import fields
from gateway.model import Job, Outcome, Result
from gateway.pipeline import Outgoing, prepare
from gateway.receive.admission import Admission, Arrival
from gateway.receive.commitment import Reporters
from gateway.receive.dimse import Intake, limits_of
from gateway.rulebook import Rulebook, compile_ruleset
from gateway.security.tls import describe, server_context, stale
from gateway.store.inflight import UNIT, Inflight
from gateway.store.spool import Spool
from gateway.writer.client import WriterClient
from gateway.writer.messages import AskCommitment, ReportCommitment

log = logging.getLogger("worker")

DRAIN_TIME = 30.0  # seconds that associations and lanes get to end in
_FRAMES = 64  # of the supervisor in one turn


class _Question:
    """One association's thread waits for the supervisor's word."""

    __slots__ = ("answered", "granted")

    def __init__(self) -> None:
        self.answered = threading.Event()
        self.granted = False


class Worker:
    """Everything one worker process has."""

    def __init__(self, config: Config, digest: str, name: str, control_socket: socket.socket) -> None:
        state = config.state.dir
        self.config = config
        self.rulebook = Rulebook(state, compile_ruleset(config, digest))
        self.spool = Spool(state / "spool", reserve=config.state.reserve)
        self.inflight = Inflight.create(state / "run" / f"{name}.inflight")
        self._control = control_socket
        self._control_lock = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._admission = Admission(self._selector, self._established, self._refused, self._authenticated)
        self._acceptors: dict[int, Acceptor] = {}
        self._questions: dict[int, _Question] = {}
        self._lock = threading.Lock()
        self._draining = threading.Event()
        self._listeners = {each.id: (each, each.dimse) for each in config.listeners if each.dimse is not None}
        self._tls = {
            each.id: server_context(each.tls, each.tls.identity or config.identity) if each.tls else None
            for each, _ in self._listeners.values()
        }
        self.writer = WriterClient(state / "run" / "writer.sock", name, self._work, self._tasks)
        self._reporters = Reporters()
        self._commitments = CommitmentSender(config, self.writer, self._reporters)
        around = Surroundings(config, (state / "secret").read_bytes())
        self._lanes = {
            key: self._driver(key, carrier(block, around), _ourselves(block.dimse))
            for key, block in config.destinations.items()
        }

    def _driver(self, name: str, to: Carrier | UnitCarrier, source: Party) -> Lanes | Units:
        if to.whole:
            return Units(name, to, source, self._prepare, self.writer, self._making)
        if isinstance(to, BatchCarrier):
            return BatchLanes(name, to, source, self._prepare, self.writer)
        return Lanes(name, to, source, self._prepare, self.writer)

    def run(self) -> None:
        """Serve until drained."""
        self.writer.connect()
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_write, False)
        signal.set_wakeup_fd(wake_write)
        signal.signal(signal.SIGTERM, lambda *_: self._draining.set())
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor gets it too, and tells us
        self._selector.register(wake_read, selectors.EVENT_READ, None)
        self._selector.register(self._control, selectors.EVENT_READ, self._control)
        gc.collect()
        gc.freeze()  # code and tables are no garbage: the collector need not look through them again and again
        self._tell(Word.READY)
        log.info(fields("worker-ready", rules=self.rulebook.current.digest[:12]))
        while not self._draining.is_set():
            for key, _events in self._selector.select(0.25 if len(self._admission) else 5.0):
                if isinstance(key.data, Arrival):
                    self._admission.ready(key.data)
                elif key.data is self._control:
                    for frame, descriptor in control.frames(self._control, _FRAMES):
                        self._word(frame, descriptor)
                else:
                    os.read(wake_read, 64)
            self._admission.expire()
        self._drain()

    def _word(self, frame: Frame | None, descriptor: int | None) -> None:
        """One frame of the supervisor; None where it is gone."""
        if frame is None or frame.word is Word.DRAIN:
            self._draining.set()
        elif frame.word is Word.TAKE and descriptor is None:  # it came, but we have no descriptor left for it
            log.error("out-of-descriptors")
            self._tell(Word.CLOSED, frame.connection)
        elif frame.word is Word.TAKE and descriptor is not None:
            sock = socket.socket(fileno=descriptor)
            if frame.listener not in self._listeners:  # a reload took it away meanwhile
                sock.close()
                self._tell(Word.CLOSED, frame.connection)
                return
            limits = self._listeners[frame.listener][1].limits
            self._admission.add(
                sock,
                frame.listener,
                frame.connection,
                frame.address,
                self._tls[frame.listener],
                limits.artim,
                limits.associate_rq,
            )
        elif frame.word in (Word.GRANTED, Word.REFUSED):
            with self._lock:
                question = self._questions.get(frame.connection)
            if question is not None:
                question.granted = frame.word is Word.GRANTED
                question.answered.set()
        elif frame.word is Word.LET_GO:
            self._admission.let_go(frame.connection)
            with self._lock:
                acceptor = self._acceptors.get(frame.connection)
            if acceptor is not None:
                acceptor.hurry()

    def _admitted(self, connection: int, patience: float) -> bool:
        """Ask the supervisor whether there is room for this association. No answer in `patience` seconds is none."""
        question = _Question()
        with self._lock:
            self._questions[connection] = question
        self._tell(Word.ASKS, connection)
        try:
            return question.answered.wait(patience) and question.granted
        finally:
            with self._lock:
                del self._questions[connection]

    def _tell(self, word: Word, connection: int = 0) -> None:
        with self._control_lock:
            try:
                control.send(self._control, Frame(word, connection))
            except OSError:
                self._draining.set()

    def _refused(self, arrival: Arrival, error: RefusePeer) -> None:
        if error.security:
            self.writer.note(
                PeerRefused(when=time.time(), listener=arrival.listener, address=arrival.address, reason=error.reason)
            )
        self._tell(Word.CLOSED, arrival.connection)

    def _authenticated(self, arrival: Arrival) -> None:
        self._tell(Word.AUTHENTICATED, arrival.connection)

    def _established(self, arrival: Arrival) -> None:
        threading.Thread(target=self._associate, args=(arrival,), name="association", daemon=True).start()

    def _associate(self, arrival: Arrival) -> None:
        """One association, from its A-ASSOCIATE-RQ to its end."""
        listener, dimse = self._listeners[arrival.listener]
        try:
            subject = ""
            if isinstance(arrival.sock, ssl.SSLSocket):
                if stale(arrival.sock):  # TLS 1.2 resumed a session whose certificate has expired since
                    self._refused(arrival, RefusePeer("client-certificate-expired", security=True))
                    return
                subject = describe(arrival.sock).subject
            intake = Intake(
                listener,
                self.rulebook.current,
                self.spool,
                self.writer,
                self.config.peers,
                arrival.address,
                subject,
                time.time,
                lambda: self._admitted(arrival.connection, dimse.limits.artim),
                self._reporters,
            )
            policy = AcceptancePolicy(dimse.accept, frozenset(dimse.extra_sop_classes), commitment=dimse.commitment)
            acceptor = Acceptor(arrival.sock, arrival.request, policy, intake, limits_of(dimse.limits))
            with self._lock:
                self._acceptors[arrival.connection] = acceptor
            if self._draining.is_set():
                acceptor.drain()
            acceptor.run()
        except Exception:
            log.exception(fields("association-failed", listener=listener.id))
        finally:
            with self._lock:
                self._acceptors.pop(arrival.connection, None)
            arrival.sock.close()
            self._tell(Word.CLOSED, arrival.connection)

    def _work(self, jobs: Sequence[Job]) -> None:
        """Jobs leased to us by the writer (called on its reader thread)."""
        by_destination: dict[str, list[Job]] = defaultdict(list)
        for job in jobs:
            by_destination[job.destination].append(job)
        for name, some in by_destination.items():
            lanes = self._lanes.get(name)
            if lanes is None:
                gone = [Outcome(job.delivery, Result.HELD, reason="destination-gone") for job in some]
                self.writer.outcomes(gone)
            else:
                lanes.put(some)

    def _tasks(self, tasks: Sequence[AskCommitment | ReportCommitment]) -> None:
        """Messages of storage commitment leased to us by the writer (called on its reader thread)."""
        self._commitments.take(tasks)

    @contextmanager
    def _prepare(self, job: Job) -> Iterator[Outgoing]:
        """`pipeline.prepare` with its slot on disk: a crash inside is counted against this object."""
        slot = self.inflight.set(job.delivery)
        try:
            preparing = prepare(job, self.spool, self.rulebook, self.writer.sought, self.writer.members)
            outgoing = preparing.__enter__()
        finally:
            self.inflight.clear(slot)
        try:
            yield outgoing
        finally:
            preparing.__exit__(None, None, None)

    @contextmanager
    def _making(self, delivery: int) -> Iterator[None]:
        """A unit is being made: a crash inside is counted against all of its members."""
        slot = self.inflight.set(delivery | UNIT)
        try:
            yield
        finally:
            self.inflight.clear(slot)

    def _drain(self) -> None:
        log.info("draining")
        self._admission.close()
        deadline = time.monotonic() + DRAIN_TIME
        with self._lock:
            acceptors = list(self._acceptors.values())
        for acceptor in acceptors:
            acceptor.drain()
        self.writer.drain()
        for lanes in self._lanes.values():
            lanes.drain(max(0.1, deadline - time.monotonic()))
        while self._acceptors and time.monotonic() < deadline:
            time.sleep(0.05)
        self.writer.close(max(0.1, deadline - time.monotonic()))
        log.info("drained")


def _ourselves(dimse: object) -> Party:
    return Party(getattr(dimse, "calling_ae", ""), socket.gethostname())


def main() -> int:
    """Entry point of the process."""
    return run("worker", lambda start: Worker(start.config, start.digest, start.name, start.control).run())


if __name__ == "__main__":
    raise SystemExit(main())
