"""The sender, the same for every system: one process, one association over mutual TLS, objects one after the other.

    python -m benchmarks.sender < JSON lines

It opens the association, says `ready`, waits for a line, sends, prints its times as JSON, waits for a line, releases.
The harness measures a system's CPU time before the release, while all its processes are still there.
"""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.corpus import ROOT


class Sent(NamedTuple):
    """What the senders saw together."""

    began: float  # time.time() of the first byte
    ended: float  # time.time() of the last answer
    latencies: tuple[float, ...]  # seconds from C-STORE-RQ to its answer, one an object
    refused: int


class Senders:
    """Several senders, started, held, released together."""

    def __init__(
        self,
        port: int,
        called: str,
        certs: Path,
        batches: Sequence[Sequence[Path]],
        module: str = "benchmarks.sender",
    ) -> None:
        self._processes: list[subprocess.Popen[str]] = []
        for files in batches:
            process = subprocess.Popen(
                [sys.executable, "-m", module],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            order = {"port": port, "called": called, "certs": str(certs), "files": [str(f) for f in files]}
            self._processes.append(process)
            self._say(process, json.dumps(order))
        for process in self._processes:
            if self._hear(process) != "ready":
                raise RuntimeError("a sender could not open its association")

    @staticmethod
    def _say(process: subprocess.Popen[str], text: str) -> None:
        assert process.stdin
        process.stdin.write(text + "\n")
        process.stdin.flush()

    @staticmethod
    def _hear(process: subprocess.Popen[str]) -> str:
        assert process.stdout
        return process.stdout.readline().strip()

    def go(self) -> Sent:
        """Send everything; returns when all is answered."""
        for process in self._processes:
            self._say(process, "go")
        results: list[dict[str, Any]] = [json.loads(self._hear(process) or "null") for process in self._processes]
        if None in results:
            raise RuntimeError("a sender lost its association")
        return Sent(
            min(r["began"] for r in results),
            max(r["ended"] for r in results),
            tuple(t for r in results for t in r["latencies"]),
            sum(r["refused"] for r in results),
        )

    def release(self) -> None:
        """End the associations and the processes. A second time does nothing."""
        for process in self._processes:
            if process.poll() is None:
                try:
                    self._say(process, "release")
                    process.wait(30)
                except (OSError, subprocess.TimeoutExpired):
                    process.kill()
                    process.wait()


def tls(certs: Path) -> ssl.SSLContext:
    """The modality's side of mutual TLS. The host's name is not what is measured."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(certs / "ca.pem")
    context.load_cert_chain(certs / "modality.pem", certs / "modality.key")
    return context


def main() -> None:
    """One sender."""
    from gateway.cli.send import OpenFile, look
    from gateway.dimse.client import Association, contexts_for

    order = json.loads(sys.stdin.readline())
    objects = [look(Path(file)) for file in order["files"]]
    parts = [each for each in objects if not isinstance(each, str)]
    assert len(parts) == len(objects), "the corpus holds what is no Part 10 file"
    association = Association.open(
        ("127.0.0.1", order["port"]),
        tls(Path(order["certs"])),
        calling_ae="MODALITY",
        called_ae=order["called"],
        contexts=contexts_for((each.sop_class, each.syntax) for each in parts),
        timeout=600.0,
    )
    print("ready", flush=True)
    sys.stdin.readline()
    latencies, refused = [], 0
    began = time.time()
    for each in parts:
        at = time.perf_counter()
        with each.path.open("rb") as file:
            context = association.accepted[each.sop_class, each.syntax]
            answer = association.store(each.sop_class, each.sop_instance, context, OpenFile(file.fileno(), each.offset))
        latencies.append(time.perf_counter() - at)
        refused += answer.status != 0
    print(json.dumps({"began": began, "ended": time.time(), "latencies": latencies, "refused": refused}), flush=True)
    sys.stdin.readline()
    association.release()


if __name__ == "__main__":
    main()
