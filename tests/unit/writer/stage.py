"""A state directory with its writer process, and a way to store without a gateway around it."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from gateway.config.kept import keep
from gateway.config.schema import Config
from gateway.model import Decision, Identity, Instance, Job, Origin, Outcome, Result, Verdict
from gateway.store.reading import Reader, read_only
from gateway.store.spool import Spool
from gateway.writer.client import WriterClient

CT = "1.2.840.10008.5.1.4.1.1.2"


def until(what: Callable[[], object], seconds: float = 10.0) -> Any:
    """The first true value of `what`, or AssertionError."""
    deadline = time.monotonic() + seconds
    while not (value := what()):
        assert time.monotonic() < deadline, "did not come"
        time.sleep(0.01)
    return value


class Stage:
    """A state directory, its writer, and a way to store.

    `before` is code that runs in the writer before it starts; `also` are further destinations, `state` further keys of
    its block.
    """

    def __init__(self, folder: Path, before: str = "", also: dict[str, Any] | None = None, **state: Any) -> None:
        self.state = folder / "state"
        for name in ("run", "rules", "spool", "audit"):
            (self.state / name).mkdir(parents=True, exist_ok=True)
        retry = {"for": "1h", "backoff": "50ms..100ms"}
        self.config = Config.model_validate(
            {
                "version": 1,
                "state": {"dir": self.state, **state},
                "listeners": [{"id": "in", "dimse": {"ae": ["GW"], "port": 0}, "unsafe_plaintext": "a test"}],
                "destinations": {
                    "a": {"folder": {"dir": folder / "a"}, "retry": {**retry, "attempts": 3}},
                    "b": {"folder": {"dir": folder / "b"}, "retry": retry},
                    **(also or {}),
                },
                "routes": [{"id": "rest", "otherwise": "hold", "reason": "no-route"}],
            }
        )
        self.digest = keep(self.config)
        self.spool = Spool(self.state / "spool", reserve=0)
        self.process: subprocess.Popen[bytes] | None = None
        self.fresh = True
        self.before = before
        self.clients: list[WriterClient] = []

    def start(self, wrapper: Sequence[str] = ()) -> Stage:
        """Start the writer and wait until it takes connections; `wrapper` is put before its command."""
        code = self.before + "\nfrom gateway.writer.process import main\nraise SystemExit(main())\n"
        command = [*wrapper, sys.executable, "-c", code, "--state", str(self.state), "--rules", self.digest]
        (self.state / "run" / "writer.sock").unlink(missing_ok=True)
        self.process = subprocess.Popen(command + ["--fresh"] * self.fresh, stdin=subprocess.PIPE)
        self.fresh = False
        until(lambda: (self.state / "run" / "writer.sock").exists(), 30)
        time.sleep(0.05)
        return self

    def kill(self) -> None:
        """SIGKILL."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM and wait; the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    def close(self) -> None:
        """Leave nothing running."""
        for client in self.clients:
            client.close(0.1)
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def client(self, name: str = "w1", work: Callable[[Any], None] = lambda jobs: None) -> WriterClient:
        """A connected worker."""
        client = WriterClient(self.state / "run" / "writer.sock", name, work)
        client.connect()
        self.clients.append(client)
        return client

    def make(
        self, uid: str, data: bytes = b"data", to: tuple[str, ...] = ("a",), study: str = "1.9", **decision: Any
    ) -> Instance:
        """An instance whose file is spooled and sealed."""
        incoming = self.spool.create(b"meta")
        incoming.write(data)
        stored = incoming.seal()
        assert stored.sha256 == hashlib.sha256(data).hexdigest()
        return Instance(
            Identity(CT, uid, study, f"{study}.8", "PAT1", "CT"),
            Origin("in", "a" * 32, "127.0.0.1", "CT1", "GW"),
            stored,
            "1.2.840.10008.1.2.1",
            time.time(),
            Decision(decision.pop("verdict", Verdict.DELIVER), "r", destinations=to, **decision),
        )

    def ask(self, question: Callable[[Reader], Any]) -> Any:
        """A question to the ledger as it is."""
        with read_only(self.config.state) as reader:
            return question(reader)

    def rows(self) -> list[Any]:
        """Every row of `status`."""
        found: list[Any] = self.ask(lambda r: r.status(everything=True, limit=1_000_000))
        return found

    def states(self) -> dict[str, str]:
        """`UID>destination` -> state; of instances that were stored beside another, the newest."""
        return {f"{row.sop_instance}>{row.destination}": row.state for row in reversed(self.rows())}

    def counted(self) -> Counter[str]:
        """How many rows are in each state."""
        return Counter(row.state for row in self.rows())

    def row(self, uid: str) -> Any:
        """The newest row of an instance."""
        return next(row for row in self.rows() if row.sop_instance == uid)

    def trail(self) -> str:
        """The audit trail as text."""
        return b"".join(p.read_bytes() for p in sorted((self.state / "audit").glob("*.jsonl"))).decode()


class Deliverer:
    """Takes jobs and answers as told."""

    def __init__(self, answer: Result = Result.DELIVERED, reason: str = "", status: int | None = 0) -> None:
        self.answer, self.reason, self.status = answer, reason, status
        self.jobs: list[Job] = []
        self.client: WriterClient | None = None

    def __call__(self, jobs: Any) -> None:
        self.jobs.extend(jobs)
        if self.client is not None:
            self.client.outcomes(
                [Outcome(j.delivery, self.answer, status=self.status, reason=self.reason) for j in jobs]
            )


def delivering(stage: Stage, name: str = "w1", **options: Any) -> Deliverer:
    """A worker that answers each job at once."""
    deliverer = Deliverer(**options)
    deliverer.client = stage.client(name, deliverer)
    return deliverer


def free_of(folder: Path) -> list[str]:
    """Names beneath a folder."""
    return sorted(os.listdir(folder))  # noqa: PTH208 - names alone
