"""The supervisor: accepts, hands sockets to workers, restarts what dies, reloads and drains.

Rules of this file
* Single-threaded; it never reads a byte of a connection, so that no peer can hold it up.
* It owns the caps (door.py): who stands longest at the door makes room for who comes; an association above a cap is
  rejected. Nobody is turned away because something is still starting: who calls then waits in the backlog.
* It never waits for a worker: a frame that one does not take now goes to another, or is not said.
* A socket goes to the process of its kind (kinds.py) with the fewest connections (no SO_REUSEPORT: it can put all into
  one of them).
* Reload (SIGHUP) checks the file first; a bad one changes nothing. A good one starts a new generation of workers,
  and the old one drains.
* What dies is started again, at most `MAX_RESTARTS` times a minute; then the gateway stops with a reason.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import resource
import secrets
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from gateway.app import control
from gateway.app.control import Frame, Word
from gateway.app.door import Door
from gateway.app.kinds import Kind, wanted
from gateway.app.ports import Ports
from gateway.appearing import appearing
from gateway.errors import ConfigRefused, GatewayError
from gateway.folders import made
from gateway.logs import fields
from gateway.rulebook import compile_ruleset, take
from gateway.writer.client import operator
from gateway.writer.messages import Configure

log = logging.getLogger("supervisor")

SECRET = 32  # bytes
MAX_RESTARTS = 10  # a minute
STOP_TIME = 40.0
MOST_FILES = 65536  # descriptors; the caps need some thousand
_FRAMES = 256  # of one worker in one turn


@dataclass(slots=True)
class _Worker:
    name: str
    process: subprocess.Popen[bytes]
    control: socket.socket
    generation: int
    kind: Kind = Kind.WORKER
    ready: bool = False
    connections: set[int] = field(default_factory=set)


class Supervisor:
    """The whole process tree of one `serve`."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._config, self._digest = take(file)
        compile_ruleset(self._config, self._digest)  # keys and profiles: a fault stops the start, not an object
        self._state = self._config.state.dir
        self._selector = selectors.DefaultSelector()
        self._ports = Ports(self._selector)
        self._workers: list[_Worker] = []
        self._writer: subprocess.Popen[bytes] | None = None
        self._door = Door()
        self._owners: dict[int, _Worker] = {}  # by connection
        self._serial = 0
        self._generation = 0
        self._announced = 0  # the generation that `serving.json` tells of
        self._restarts: deque[float] = deque()
        self._signals: set[int] = set()

    def run(self) -> int:
        """Serve until a signal or an unrecoverable fault; the exit status."""
        os.umask(0o077)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        _many_files()
        with self._only_one():
            self._install_signals()
            self._start_writer()
            self._ports.open(self._config.listeners, 1)
            self._start_workers()
            try:
                return self._serve()
            finally:
                self._stop()

    @contextlib.contextmanager
    def _only_one(self) -> Iterator[None]:
        """One `serve` per state directory."""
        for name in ("", "run", "spool", "audit"):
            made(self._state / name)
        _secret(self._state / "secret")
        with (self._state / "run" / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise GatewayError("already-serving", "another process serves this state directory") from error
            yield

    def _install_signals(self) -> None:
        read, write = os.pipe()
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)
        self._selector.register(read, selectors.EVENT_READ, ("signal", read))

    def _start_writer(self) -> None:
        """A writer that answers. One that is killed while it starts is one death more; one that refuses ends us."""
        while not self._writer_came_up():
            assert self._writer is not None
            status = self._writer.poll()
            if status is None or status >= 0 or not self._may_restart(1):
                raise GatewayError("writer-cannot-start", "see the log lines of `writer` above")
            log.error(fields("writer-died", status=status))

    def _writer_came_up(self) -> bool:
        path = self._state / "run" / "writer.sock"
        command = [sys.executable, "-m", "gateway.writer", "--state", str(self._state), "--rules", self._digest]
        if not self._generation:
            command.append("--fresh")  # we hold the lock of the state directory and have started no worker yet
        path.unlink(missing_ok=True)
        # Its standard input is our life: when we die, however, it reads the end of file and stops.
        self._writer = subprocess.Popen(command, stdin=subprocess.PIPE)  # noqa: S603 - ourselves
        deadline = time.monotonic() + 30
        while not path.exists() or not _answers(path):
            if self._writer.poll() is not None or time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def _may_restart(self, died: int) -> bool:
        """Counts deaths. False when there were too many in the last minute."""
        now = time.monotonic()
        self._restarts.extend([now] * died)
        while self._restarts and self._restarts[0] < now - 60:
            self._restarts.popleft()
        return len(self._restarts) <= MAX_RESTARTS

    def _start_workers(self) -> None:
        self._generation += 1
        for kind, count in wanted(self._config).items():
            for _ in range(count):
                self._start_worker(kind)

    def _start_worker(self, kind: Kind) -> None:
        ours, theirs = socket.socketpair()
        self._serial += 1
        name = f"{kind}-{self._serial}-{secrets.token_hex(3)}"
        command = [sys.executable, "-m", f"gateway.app.{kind}", "--rules", self._digest, "--state", str(self._state)]
        command += ["--name", name, "--control", str(theirs.fileno())]
        with theirs:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()])  # noqa: S603
        worker = _Worker(name, process, ours, self._generation, kind)
        self._workers.append(worker)
        self._selector.register(ours, selectors.EVENT_READ, ("worker", worker))

    def _announce(self) -> None:
        """`run/serving.json`: who serves, where; once there is a worker to serve. Commands and tests read it."""
        self._announced = self._generation
        facts = {
            "pid": os.getpid(),
            "rules": self._digest,
            "listeners": self._ports.numbers(),
        }
        fresh = self._state / "run" / ".serving.json"
        fresh.write_bytes(msgspec.json.encode(facts))
        fresh.rename(self._state / "run" / "serving.json")
        for name, port in self._ports.numbers().items():
            log.info(fields("listening", listener=name, port=port))

    def _serve(self) -> int:
        while True:
            calling: list[str] = []
            for key, _events in self._selector.select(1.0):
                what, which = key.data
                if what == "signal":
                    self._signals.update(os.read(which, 64))
                elif what == "accept":
                    calling.append(which)
                elif what == "worker":
                    self._hear(which)
            for name in calling:  # after the workers' words: who is gone has made room
                self._accept(name)
            signals, self._signals = self._signals, set()
            if signals & {signal.SIGTERM, signal.SIGINT}:
                log.info("stopping")
                return 0
            if signal.SIGHUP in signals:
                self._reload()
            if not self._reap():
                log.error(fields("giving-up", reason="too-many-restarts"))
                return 1

    def _accept(self, name: str) -> None:
        port = self._ports[name]
        workers = [w for w in self._workers if w.ready and w.kind is port.kind and w.generation >= port.generation]
        if not workers:
            time.sleep(0.02)  # a worker is starting: who calls now waits in the backlog and is not turned away
            return
        for _ in range(64):  # then let the workers' words in
            if not self._door.opens(time.monotonic()):
                time.sleep(0.002)
                return
            try:
                sock, peer = self._ports[name].socket.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                log.warning(fields("accept-failed", listener=name, error=error.strerror))
                time.sleep(0.01)  # out of descriptors: do not spin
                return
            with sock:
                self._hand_over(sock, name, peer[0], workers)

    def _hand_over(self, sock: socket.socket, name: str, address: str, workers: list[_Worker]) -> None:
        """Give one accepted socket to the least loaded worker that takes it."""
        self._serial += 1
        frame = Frame(Word.TAKE, self._serial, name, address)
        for worker in sorted(workers, key=lambda w: len(w.connections)):
            try:
                control.send(worker.control, frame, sock.fileno(), wait=False)
            except OSError:
                continue  # it does not keep up, or is dying
            self._owners[self._serial] = worker
            worker.connections.add(self._serial)
            self._let_go(self._door.arrived(self._serial, name, address))
            return
        log.warning(fields("connection-refused", listener=name, address=address, reason="no-worker"))

    def _let_go(self, number: int | None) -> None:
        """Somebody has stood long enough."""
        if number is not None:
            self._say(number, Word.LET_GO)

    def _say(self, number: int, word: Word) -> None:
        """A word about a connection to whoever has it."""
        worker = self._owners.get(number)
        if worker is not None:
            with contextlib.suppress(OSError):
                control.send(worker.control, Frame(word, number), wait=False)

    def _hear(self, worker: _Worker) -> None:
        for frame, _descriptor in control.frames(worker.control, _FRAMES):
            if frame is None:
                self._selector.unregister(worker.control)
                for number in list(worker.connections):
                    self._forget(number)
            elif frame.word is Word.READY:
                self._ready(worker)
            elif frame.word is Word.AUTHENTICATED:
                self._let_go(self._door.authenticated(frame.connection))
            elif frame.word is Word.ASKS:
                self._say(frame.connection, self._verdict(frame.connection, worker))
            elif frame.word is Word.CLOSED:
                self._forget(frame.connection)

    def _ready(self, worker: _Worker) -> None:
        """One more process serves; of a new generation, the old ones of its kind drain now and not before."""
        worker.ready = True
        serving = {w.kind for w in self._workers if w.ready and w.generation == self._generation}
        kinds = wanted(self._config).keys()
        if self._generation != self._announced and kinds <= serving:
            self._announce()
        for old in self._workers:
            if old.generation < self._generation and old.ready and (old.kind in serving or old.kind not in kinds):
                old.ready = False
                with contextlib.suppress(OSError):
                    control.send(old.control, Frame(Word.DRAIN))

    def _verdict(self, number: int, worker: _Worker) -> Word:
        """Whether a connection may become an association."""
        name = self._door.listener(number)
        listener = next((each for each in self._config.listeners if each.id == name), None)
        if listener is None:  # a reload took it away; its worker drains
            return Word.REFUSED
        mixed = listener.tls is not None and listener.tls.client_cert == "optional"
        refusal = self._door.associated(number, listener.caps, mixed=mixed)
        if refusal:
            log.warning(fields("association-refused", listener=name, reason=refusal, worker=worker.name))
        return Word.REFUSED if refusal else Word.GRANTED

    def _forget(self, number: int) -> None:
        worker = self._owners.pop(number, None)
        if worker is not None:
            worker.connections.discard(number)
            self._door.gone(number)

    def _reap(self) -> bool:
        """Start again what died. False when it dies too often."""
        died = 0
        for worker in [w for w in self._workers if w.process.poll() is not None]:
            self._workers.remove(worker)
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(worker.control)
            worker.control.close()
            for number in list(worker.connections):
                self._forget(number)
            if worker.generation == self._generation:
                log.error(fields("worker-died", worker=worker.name, status=worker.process.returncode))
                died += 1
                self._start_worker(worker.kind)
        if self._writer is not None and self._writer.poll() is not None:
            log.error(fields("writer-died", status=self._writer.returncode))
            died += 1
            self._start_writer()
        return self._may_restart(died)

    def _reload(self) -> None:
        """Take the file anew: all of it or none of it."""
        try:
            config, digest = take(self._file)
            compile_ruleset(config, digest)
            if config.state != self._config.state:
                raise GatewayError("state-changed", "the state block cannot change while serving")
            self._ports.open(config.listeners, self._generation + 1)
        except (ConfigRefused, GatewayError) as error:
            log.error(fields("reload-refused", reason=error.reason, detail=error.detail))
            return
        self._config, self._digest = config, digest
        try:
            with operator(config) as ask:
                ask(Configure(digest))
        except GatewayError:
            log.warning("writer-lost")  # it is dead: the one that is started in its place gets these rules
        log.info(fields("reloaded", rules=digest[:12]))
        self._start_workers()

    def _stop(self) -> None:
        """Drain workers, then the writer: it must outlive what still has something to tell it."""
        self._ports.close()
        deadline = time.monotonic() + STOP_TIME
        for worker in self._workers:
            with contextlib.suppress(OSError):
                control.send(worker.control, Frame(Word.DRAIN))
        for worker in self._workers:
            _wait(worker.process, deadline)
        if self._writer is not None:
            self._writer.send_signal(signal.SIGTERM)
            _wait(self._writer, deadline + 10)
        (self._state / "run" / "serving.json").unlink(missing_ok=True)


def _secret(path: Path) -> None:
    """What keys the names of delivered files: made once, whole under its name or not there. Raises GatewayError."""
    try:
        with contextlib.suppress(FileExistsError):
            if not path.exists():
                with appearing(path) as out:
                    out.write(secrets.token_bytes(SECRET))
        if path.stat().st_size < SECRET:
            raise GatewayError("secret-too-short", f"{path}: put back the one that was there, or remove it")
    except OSError as error:
        raise GatewayError("secret-missing", f"{path}: {os.strerror(error.errno or 5)}") from None


def _wait(process: subprocess.Popen[bytes], deadline: float) -> None:
    try:
        process.wait(max(0.1, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _many_files() -> None:
    """As many descriptors as the system lets us have: the usual 1024 are fewer than the caps allow sockets."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _answers(path: Path) -> bool:
    """Whether somebody listens on a Unix socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True
