"""The supervisor: accepts, hands sockets to workers, restarts what dies, reloads and drains.

Rules of this file
* Single-threaded; it never reads a byte of a connection, so that no peer can hold it up.
* It owns the caps: per peer address and in all, half-open and established. Above a cap the socket is closed at once.
* A socket goes to the worker with the fewest connections (no SO_REUSEPORT: it can put all into one worker).
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
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from gateway.app import control
from gateway.app.control import Frame, Word
from gateway.errors import ConfigRefused, GatewayError
from gateway.logs import fields
from gateway.rulebook import compile_ruleset, take
from gateway.writer.client import operator
from gateway.writer.messages import Configure

log = logging.getLogger("supervisor")

MAX_RESTARTS = 10  # a minute
HALF_OPEN = 512  # connections in all that have not become an association yet
HALF_OPEN_PER_PEER = 64
STOP_TIME = 40.0


@dataclass(slots=True)
class _Worker:
    name: str
    process: subprocess.Popen[bytes]
    control: socket.socket
    generation: int
    ready: bool = False
    connections: set[int] = field(default_factory=set)


@dataclass(slots=True)
class _Connection:
    address: str
    listener: str
    worker: _Worker
    established: bool = False


class Supervisor:
    """The whole process tree of one `serve`."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._config, self._digest = take(file)
        compile_ruleset(self._config, self._digest)  # keys and profiles: a fault stops the start, not an object
        self._state = self._config.state.dir
        self._selector = selectors.DefaultSelector()
        self._sockets: dict[str, socket.socket] = {}
        self._workers: list[_Worker] = []
        self._writer: subprocess.Popen[bytes] | None = None
        self._connections: dict[int, _Connection] = {}
        self._half_open: Counter[str] = Counter()
        self._established: Counter[tuple[str, str]] = Counter()
        self._serial = 0
        self._generation = 0
        self._restarts: deque[float] = deque()
        self._signals: set[int] = set()

    def run(self) -> int:
        """Serve until a signal or an unrecoverable fault; the exit status."""
        os.umask(0o077)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with self._only_one():
            self._install_signals()
            self._start_writer()
            self._listen()
            self._start_workers()
            self._announce()
            try:
                return self._serve()
            finally:
                self._stop()

    @contextlib.contextmanager
    def _only_one(self) -> Iterator[None]:
        """One `serve` per state directory."""
        for name in ("", "run", "spool", "audit"):
            (self._state / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        secret = self._state / "secret"
        if not secret.exists():
            with os.fdopen(os.open(secret, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as out:
                out.write(secrets.token_bytes(32))
                out.flush()
                os.fsync(out.fileno())
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
        path = self._state / "run" / "writer.sock"
        command = [sys.executable, "-m", "gateway.writer", "--state", str(self._state), "--rules", self._digest]
        if self._writer is None:
            command.append("--fresh")  # we hold the lock of the state directory and have started no worker yet
        path.unlink(missing_ok=True)
        # Its standard input is our life: when we die, however, it reads the end of file and stops.
        self._writer = subprocess.Popen(command, stdin=subprocess.PIPE)  # noqa: S603 - ourselves
        deadline = time.monotonic() + 30
        while not path.exists() or not _answers(path):
            if self._writer.poll() is not None or time.monotonic() > deadline:
                raise GatewayError("writer-cannot-start", "see the log lines of `writer` above")
            time.sleep(0.02)

    def _listen(self) -> None:
        """Open what the configuration wants and is not open; close what it no longer wants."""
        wanted = {each.id: each for each in self._config.listeners}
        for name in [n for n in self._sockets if n not in wanted]:
            self._selector.unregister(self._sockets[name])
            self._sockets.pop(name).close()
        for name, listener in wanted.items():
            if name in self._sockets:
                continue
            family = socket.AF_INET6 if ":" in listener.dimse.host else socket.AF_INET
            sock = socket.socket(family, socket.SOCK_STREAM)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind((listener.dimse.host, listener.dimse.port))
            except OSError as error:
                raise GatewayError("cannot-listen", f"listener {name}: {error.strerror}") from error
            sock.listen(1024)
            sock.setblocking(False)
            self._sockets[name] = sock
            self._selector.register(sock, selectors.EVENT_READ, ("accept", name))

    def _start_workers(self) -> None:
        self._generation += 1
        for _ in range(self._config.workers.count):
            self._start_worker()

    def _start_worker(self) -> None:
        ours, theirs = socket.socketpair()
        self._serial += 1
        name = f"worker-{self._serial}-{secrets.token_hex(3)}"
        command = [sys.executable, "-m", "gateway.app.worker", "--rules", self._digest, "--state", str(self._state)]
        command += ["--name", name, "--control", str(theirs.fileno())]
        with theirs:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()])  # noqa: S603
        worker = _Worker(name, process, ours, self._generation)
        self._workers.append(worker)
        self._selector.register(ours, selectors.EVENT_READ, ("worker", worker))

    def _announce(self) -> None:
        """`run/serving.json`: who serves, where. Commands and tests read it."""
        facts = {
            "pid": os.getpid(),
            "rules": self._digest,
            "listeners": {name: sock.getsockname()[1] for name, sock in self._sockets.items()},
        }
        fresh = self._state / "run" / ".serving.json"
        fresh.write_bytes(msgspec.json.encode(facts))
        fresh.rename(self._state / "run" / "serving.json")
        for name, sock in self._sockets.items():
            log.info(fields("listening", listener=name, port=sock.getsockname()[1]))

    def _serve(self) -> int:
        while True:
            for key, _events in self._selector.select(1.0):
                what, which = key.data
                if what == "signal":
                    self._signals.update(os.read(which, 64))
                elif what == "accept":
                    self._accept(which)
                elif what == "worker":
                    self._hear(which)
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
        if not any(worker.ready for worker in self._workers):
            time.sleep(0.02)  # a worker is starting: who calls now waits in the backlog and is not turned away
            return
        for _ in range(64):  # then let the workers' words in
            try:
                sock, peer = self._sockets[name].accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                log.warning(fields("accept-failed", listener=name, error=error.strerror))
                time.sleep(0.01)  # out of descriptors: do not spin
                return
            with sock:
                self._hand_over(sock, name, peer[0])

    def _hand_over(self, sock: socket.socket, name: str, address: str) -> None:
        """Give one accepted socket to the least loaded worker, within the caps."""
        limits = next(each for each in self._config.listeners if each.id == name).dimse.limits
        ready = [w for w in self._workers if w.ready]
        established = sum(n for (which, _), n in self._established.items() if which == name)
        refusal = ""
        if not ready:
            refusal = "no-worker"
        elif self._half_open.total() >= HALF_OPEN or self._half_open[address] >= HALF_OPEN_PER_PEER:
            refusal = "too-many-half-open"
        elif established >= limits.associations:
            refusal = "too-many-associations"
        elif self._established[name, address] >= limits.associations_per_peer:
            refusal = "too-many-of-this-peer"
        if refusal:
            log.warning(fields("connection-refused", listener=name, address=address, reason=refusal))
            return
        worker = min(ready, key=lambda w: len(w.connections))
        self._serial += 1
        try:
            control.send(worker.control, Frame(Word.TAKE, self._serial, name, address), sock.fileno())
        except OSError:
            return  # the worker is dying; the peer will try again
        self._connections[self._serial] = _Connection(address, name, worker)
        worker.connections.add(self._serial)
        self._half_open[address] += 1

    def _hear(self, worker: _Worker) -> None:
        frame, _ = control.receive(worker.control)
        if frame is None:
            self._selector.unregister(worker.control)
            for number in list(worker.connections):
                self._forget(number)
            return
        if frame.word is Word.READY:
            worker.ready = True
            for old in self._workers:  # only now: until then the old generation serves
                if old.generation < self._generation and old.ready:
                    old.ready = False
                    with contextlib.suppress(OSError):
                        control.send(old.control, Frame(Word.DRAIN))
        elif frame.word is Word.ESTABLISHED and (found := self._connections.get(frame.connection)):
            found.established = True
            self._half_open[found.address] -= 1
            self._established[found.listener, found.address] += 1
        elif frame.word is Word.CLOSED:
            self._forget(frame.connection)

    def _forget(self, number: int) -> None:
        found = self._connections.pop(number, None)
        if found is None:
            return
        found.worker.connections.discard(number)
        if found.established:
            self._established[found.listener, found.address] -= 1
            if not self._established[found.listener, found.address]:
                del self._established[found.listener, found.address]
        else:
            self._half_open[found.address] -= 1
            if not self._half_open[found.address]:
                del self._half_open[found.address]

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
                self._start_worker()
        if self._writer is not None and self._writer.poll() is not None:
            log.error(fields("writer-died", status=self._writer.returncode))
            died += 1
            self._start_writer()
        now = time.monotonic()
        self._restarts.extend([now] * died)
        while self._restarts and self._restarts[0] < now - 60:
            self._restarts.popleft()
        return len(self._restarts) <= MAX_RESTARTS

    def _reload(self) -> None:
        """Take the file anew: all of it or none of it."""
        try:
            config, digest = take(self._file)
            compile_ruleset(config, digest)
            if config.state != self._config.state:
                raise GatewayError("state-changed", "the state block cannot change while serving")
            self._config, self._digest = config, digest
            self._listen()
        except (ConfigRefused, GatewayError) as error:
            log.error(fields("reload-refused", reason=error.reason, detail=error.detail))
            return
        with operator(config) as ask:
            ask(Configure(digest))
        log.info(fields("reloaded", rules=digest[:12]))
        self._start_workers()
        self._announce()

    def _stop(self) -> None:
        """Drain workers, then the writer: it must outlive what still has something to tell it."""
        for sock in self._sockets.values():
            sock.close()
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


def _wait(process: subprocess.Popen[bytes], deadline: float) -> None:
    try:
        process.wait(max(0.1, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _answers(path: Path) -> bool:
    """Whether somebody listens on a Unix socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True
