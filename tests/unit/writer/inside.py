"""The writer without its process: the same code, one turn at a time, workers at the other end of socket pairs."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import msgspec

from gateway.model import Instance, Job, Outcome, Result
from gateway.writer.messages import (
    LENGTH,
    AnyReply,
    AnyRequest,
    AskCommitment,
    Committed,
    Hello,
    Outcomes,
    Received,
    Reply,
    ReportCommitment,
    Request,
    Tasks,
    Work,
)
from gateway.writer.peer import Peer
from gateway.writer.process import Process
from tests.unit.writer.stage import Stage

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Reply)


class End:
    """A worker's end of a connection, without a thread."""

    def __init__(self, sock: socket.socket, name: str) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.name = name
        self.jobs: list[Job] = []
        self.tasks: list[AskCommitment | ReportCommitment] = []
        self.answers: dict[int, AnyReply] = {}
        self._serial = 0
        self._data = bytearray()

    def say(self, body: AnyRequest) -> int:
        """Send a request; its number."""
        self._serial += 1
        data = _encoder.encode(Request(self._serial, body))
        self.sock.sendall(LENGTH.pack(len(data)) + data)
        return self._serial

    def hear(self) -> None:
        """Take what has come."""
        try:
            while data := self.sock.recv(1 << 20):
                self._data += data
        except OSError:
            pass
        for reply in self._frames():
            if isinstance(reply.body, Work):
                self.jobs.extend(reply.body.jobs)
            elif isinstance(reply.body, Tasks):
                self.tasks.extend(reply.body.tasks)
            else:
                self.answers[reply.id] = reply.body

    def _frames(self) -> Iterator[Reply]:
        while len(self._data) >= LENGTH.size:
            (size,) = LENGTH.unpack_from(self._data)
            if len(self._data) < LENGTH.size + size:
                return
            yield _decoder.decode(bytes(self._data[LENGTH.size : LENGTH.size + size]))
            del self._data[: LENGTH.size + size]


class Inside:
    """A `Process` of a stage. Turns happen when they are asked for."""

    def __init__(self, stage: Stage, fresh: bool = True) -> None:
        self.stage = stage
        self.process = Process(stage.config, stage.digest, fresh)
        self._closed = False

    def worker(self, name: str, *running: int, takes_jobs: bool = True) -> End:
        """Connect one and let it say its name, and which deliveries it has."""
        ours, theirs = socket.socketpair(socket.AF_UNIX)
        end = End(ours, name)
        Peer(theirs, self.process._selector)
        end.say(Hello(name, 1, running, takes_jobs))
        self.turn(end)
        return end

    def turn(self, *ends: End) -> None:
        """One turn of the writer; then these hear."""
        self.process.turn(0)
        for end in ends:
            end.hear()

    def store(self, end: End, instance: Instance) -> AnyReply | None:
        """Say it, one turn, and the answer."""
        number = end.say(Received(instance))
        self.turn(end)
        return end.answers.get(number)

    def stored(self, end: End, instance: Instance) -> Committed:
        """As `store`, where it has to go well."""
        answer = self.store(end, instance)
        assert isinstance(answer, Committed), answer
        return answer

    def deliver(self, end: End, result: Result = Result.DELIVERED, **facts: object) -> int:
        """Answer all jobs of a worker, one turn; how many they were."""
        jobs, end.jobs = end.jobs, []
        if jobs:
            end.say(Outcomes(tuple(Outcome(job.delivery, result, **facts) for job in jobs)))  # type: ignore[arg-type]
            self.turn(end)
        return len(jobs)

    def crash(self) -> None:
        """The process ends and a new one takes its place; workers have to connect again."""
        self.close()
        self._closed = False
        self.process = Process(self.stage.config, self.stage.digest, False)

    def close(self) -> None:
        """Let go of everything, as a crash would. Once: descriptors are used again."""
        if self._closed:
            return
        self._closed = True
        self.process._remover.close()
        self.process._trail.close()
        self.process._engine.dispose()
        self.process._selector.close()


class Clock:
    """Stands in for `time` where the writer looks at it."""

    def __init__(self) -> None:
        self.now = time.time()
        self.steady = time.monotonic()

    def time(self) -> float:
        """Of day."""
        return self.now

    def monotonic(self) -> float:
        """Since some moment."""
        return self.steady

    def sleep(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds
        self.steady += seconds
