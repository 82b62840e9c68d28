"""A worker's side of the conversation with the writer; and an operator's.

Rules of this file
* `received` waits until the object is durable, or raises StorageFailed. It is never said twice: the
  peer will send again.
* Everything else is kept until the writer has answered it, and said again, in order, to a new writer.
* While there is no writer, nothing is promised: `check` and `received` raise.
* A delivery counts as still ours until its outcome is answered, so that a new writer does not lease it again.
* Two locks: `_wire` keeps the order of what is said, `_lock` guards the tables. Who listens never needs `_wire`, so
  that an end that is slow to read cannot stop both.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from gateway.audit.events import AnyEvent
from gateway.config.schema import Config
from gateway.errors import GatewayError, HoldObject, StorageFailed, WaitObject
from gateway.logs import fields
from gateway.model import Instance, Job, Member, Outcome
from gateway.writer.messages import (
    LENGTH,
    AnyReply,
    AnyRequest,
    AskCommitment,
    AskMembers,
    Closed,
    CommitmentAsked,
    CommitmentReported,
    Committed,
    Drain,
    Failed,
    Found,
    Hello,
    Members,
    Note,
    Ok,
    Opened,
    Outcomes,
    Received,
    Reply,
    ReportCommitment,
    Request,
    Sought,
    TaskDone,
    Tasks,
    Work,
)

log = logging.getLogger("writer-client")

COMMIT_TIME = 60.0  # seconds a commit may take before the peer is told that it failed
_decoder = msgspec.msgpack.Decoder(Reply)
_encoder = msgspec.msgpack.Encoder()


_LOST = Failed("writer-lost", storage=True)


class _Waiting:
    """Who waits for so many answers, by the numbers of what was asked."""

    __slots__ = ("_expected", "answers", "done")

    def __init__(self, expected: int) -> None:
        self._expected = expected
        self.done = threading.Event()
        self.answers: dict[int, AnyReply] = {}

    def heard(self, reply: Reply) -> None:
        """One of them; the last one ends the wait."""
        self.answers[reply.id] = reply.body
        if len(self.answers) == self._expected:
            self.done.set()


class WriterClient:
    """One process' connection. All methods from any thread; `work` and `tasks` are called on the reader's thread.

    Without `work` this process takes no jobs: it only receives.
    """

    def __init__(
        self,
        path: Path,
        worker: str,
        work: Callable[[Sequence[Job]], None] | None,
        tasks: Callable[[Sequence[AskCommitment | ReportCommitment]], None] = lambda _: None,
    ) -> None:
        self._path = path
        self._worker = worker
        self._work = work
        self._tasks = tasks
        self._wire = threading.Lock()  # taken before _lock, never after
        self._lock = threading.Lock()
        self._sock: socket.socket | None = None
        self._serial = 0
        self._waiting: dict[int, _Waiting] = {}
        self._unanswered: dict[int, bytes] = {}  # in the order they were said
        self._running: set[int] = set()
        self._hello = (0, b"")  # the number and the words of our introduction to the writer that there is now
        self._ended: dict[int, tuple[int, ...]] = {}  # by number of the request that told their outcomes
        self._closing = threading.Event()
        self._idle = threading.Condition(self._lock)

    def connect(self) -> None:
        """Connect and keep connected. Raises StorageFailed where there is no writer now."""
        sock = self._dial()
        if sock is None:
            raise StorageFailed("writer-lost", "the writer does not answer")
        threading.Thread(target=self._read, args=(sock,), name="writer-reader", daemon=True).start()

    def check(self) -> None:
        """Raises StorageFailed while there is no writer."""
        if self._sock is None:
            raise StorageFailed("writer-lost", "nothing can be made durable now")

    def received(self, instance: Instance, refers: Iterable[str] = ()) -> Committed:
        """Blocks until the object is durable. Raises StorageFailed; the object is then not promised.

        `refers`: SOP instances that it refers to, where its route groups.
        """
        (answer,) = self.received_all([(instance, refers)])
        if isinstance(answer, StorageFailed):
            raise answer
        return answer

    def received_all(self, some: Sequence[tuple[Instance, Iterable[str]]]) -> list[Committed | StorageFailed]:
        """As `received` each, in their order, with one wait for all: what `received` gives or raises."""
        answers = self._ask_all([Received(instance, tuple(refers)) for instance, refers in some])
        return [_committed(each) for each in answers]

    def sought(self, sop_instances: Sequence[str]) -> tuple[Instance, ...]:
        """What of these has its bytes in the spool now (`Found`). Raises StorageFailed where nobody can say."""
        match self._ask(Sought(tuple(sop_instances))):
            case Found(instances=instances):
                return instances
            case Failed(reason=reason):
                raise StorageFailed(reason)
            case _:
                raise StorageFailed("writer-lost")

    def commitment(self, message: CommitmentAsked | CommitmentReported) -> str:
        """Blocks until it is durable: "", or why it is refused. Raises StorageFailed; nothing is promised then."""
        match self._ask(message):
            case Ok():
                return ""
            case Failed(reason=reason, storage=False):
                return reason
            case Failed(reason=reason):
                raise StorageFailed(reason)
            case _:
                raise StorageFailed("writer-lost")

    def members(self, group: int, series: str) -> tuple[Member, ...]:
        """The objects of a series in a closed group. Raises HoldObject (plugin-late), WaitObject."""
        match self._ask(AskMembers(group, series)):
            case Members(members=members):
                return members
            case Failed(reason=reason, storage=False):
                code, _, detail = reason.partition(": ")
                raise HoldObject(code, detail)
            case _:
                raise WaitObject("writer-lost", "nobody knows now what belongs to the series")

    def _ask(self, body: AnyRequest) -> AnyReply:
        """Say it once and wait for the answer."""
        return self._ask_all([body])[0]

    def _ask_all(self, bodies: Sequence[AnyRequest]) -> list[AnyReply]:
        """Say each once and wait for all answers."""
        waiting = _Waiting(len(bodies))
        with self._wire:
            with self._lock:
                numbers = [self._next() for _ in bodies]
                self._waiting.update(dict.fromkeys(numbers, waiting))
            sent = self._send(b"".join(map(_frame, numbers, bodies)))
        if not sent or not waiting.done.wait(COMMIT_TIME):
            with self._lock:
                for number in numbers:
                    self._waiting.pop(number, None)
        return [waiting.answers.get(number, _LOST) for number in numbers]

    def outcomes(self, outcomes: Sequence[Outcome]) -> None:
        """What came of jobs; durable sooner or later, whatever happens to the writer."""
        self._say(Outcomes(tuple(outcomes)))

    def done(self, message: TaskDone) -> None:
        """What came of a task."""
        self._say(message)

    def note(self, event: AnyEvent) -> None:
        """An event that changes no state."""
        self._say(Note(event))

    def opened(self, message: Opened) -> None:
        """An association began."""
        self._say(message)

    def closed(self, message: Closed) -> None:
        """An association ended."""
        self._say(message)

    def drain(self) -> None:
        """No more jobs."""
        self._say(Drain())

    def close(self, timeout: float) -> None:
        """Wait until everything said is durable, at most `timeout` seconds, and hang up."""
        deadline = time.monotonic() + timeout
        with self._idle:
            self._idle.wait_for(lambda: not self._unanswered, max(0.0, deadline - time.monotonic()))
            self._closing.set()
            if self._sock is not None:
                with suppress(OSError):
                    self._sock.shutdown(socket.SHUT_RDWR)  # the reader's stream keeps it open otherwise
                self._sock.close()
                self._sock = None

    def _next(self) -> int:
        self._serial += 1
        return self._serial

    def _say(self, body: AnyRequest) -> None:
        with self._wire:
            with self._lock:
                number = self._next()
                data = _frame(number, body)
                self._unanswered[number] = data
                if isinstance(body, Outcomes):
                    self._ended[number] = tuple(outcome.delivery for outcome in body.outcomes)
            self._send(data)

    def _send(self, data: bytes) -> bool:
        """Holds the wire."""
        sock = self._sock
        if sock is None:
            return False
        try:
            sock.sendall(data)
        except OSError:
            return False
        return True

    def _dial(self) -> socket.socket | None:
        """A new connection: who we are, what we still have, and all that was not answered."""
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.connect(str(self._path))
            with self._wire:
                with self._lock:
                    number = self._next()
                    hello = _frame(
                        number, Hello(self._worker, os.getpid(), tuple(self._running), self._work is not None)
                    )
                    self._hello = number, hello
                    unanswered = list(self._unanswered.values())
                for data in (hello, *unanswered):
                    sock.sendall(data)
                self._sock = sock
        except OSError:
            sock.close()
            return None
        return sock

    def _read(self, sock: socket.socket | None) -> None:
        """The reader's thread: answers and jobs; a new connection where the old one is lost."""
        while True:
            if sock is not None:
                self._listen(sock)
            with self._lock:
                self._sock = None
                lost = list(self._waiting.values())
                self._waiting.clear()
            for waiting in lost:
                waiting.done.set()
            if self._closing.is_set():
                return
            if sock is not None:
                log.warning(fields("writer-lost", waiting=len(lost)))
            time.sleep(0.05)
            sock = self._dial()

    def _listen(self, sock: socket.socket) -> None:
        stream = sock.makefile("rb")
        while True:
            try:
                head = stream.read(LENGTH.size)
                if len(head) < LENGTH.size:
                    return
                (size,) = LENGTH.unpack(head)
                data = stream.read(size)
            except (OSError, ValueError):
                return
            if len(data) < size:
                return
            self._hear(_decoder.decode(data))

    def _hear(self, reply: Reply) -> None:
        if isinstance(reply.body, Work) and self._work is not None:
            with self._lock:
                self._running.update(job.delivery for job in reply.body.jobs)
            self._work(reply.body.jobs)
            return
        if isinstance(reply.body, Tasks):
            self._tasks(reply.body.tasks)
            return
        with self._idle:
            waiting = self._waiting.pop(reply.id, None)
            if waiting is None:
                if isinstance(reply.body, Failed) and reply.body.storage:
                    self._again(reply.id)
                else:
                    if isinstance(reply.body, Failed):
                        log.error(fields("refused-by-writer", reason=reply.body.reason))
                    self._unanswered.pop(reply.id, None)
                    self._running.difference_update(self._ended.pop(reply.id, ()))
                if not self._unanswered:
                    self._idle.notify_all()
        if waiting is not None:
            waiting.heard(reply)

    def _again(self, number: int) -> None:
        """The disk was full: say it again in a second. Holds the lock."""

        def repeat() -> None:
            with self._wire:
                with self._lock:
                    data = self._hello[1] if number == self._hello[0] else self._unanswered.get(number)
                if data is not None:
                    self._send(data)

        timer = threading.Timer(1.0, repeat)
        timer.daemon = True
        timer.start()


@contextmanager
def operator(config: Config) -> Iterator[Callable[[AnyRequest], AnyReply]]:
    """Ask the writer of a serving gateway, one request after another. Raises GatewayError where none serves."""
    sock = socket.socket(socket.AF_UNIX)
    try:
        try:
            sock.connect(str(config.state.dir / "run" / "writer.sock"))
        except OSError as error:
            raise GatewayError(
                "not-serving", "start `dicom-gateway serve` first: only it changes the ledger"
            ) from error
        stream = sock.makefile("rb")

        def ask(body: AnyRequest) -> AnyReply:
            try:
                sock.sendall(_frame(1, body))
                head = stream.read(LENGTH.size)
            except OSError:
                head = b""
            if len(head) < LENGTH.size:
                raise GatewayError("writer-lost", "the writer went away")
            reply = _decoder.decode(stream.read(LENGTH.unpack(head)[0]))
            if isinstance(reply.body, Failed):
                reason, _, detail = reply.body.reason.partition(": ")
                raise GatewayError(reason, detail)
            return reply.body

        yield ask
    finally:
        sock.close()


def _committed(answer: AnyReply) -> Committed | StorageFailed:
    match answer:
        case Committed():
            return answer
        case Failed(reason=reason):
            return StorageFailed(reason)
        case _:
            return StorageFailed("writer-lost")


def _frame(number: int, body: AnyRequest) -> bytes:
    data = _encoder.encode(Request(number, body))
    return LENGTH.pack(len(data)) + data
