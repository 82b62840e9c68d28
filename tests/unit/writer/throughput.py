"""How many objects a second the writer makes durable, and how long one waits for it. Not a test: figures vary.

    python -m tests.unit.writer.throughput [--processes 2] [--threads 4] [--seconds 5] [--size 2000] [--backlog 0]

`received` counts only the conversation with the writer; the files are spooled beforehand. `with spool` makes, fills
and seals each file as a worker does. `--backlog N` puts N deliveries before a destination that nobody serves.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
import threading
import time
from multiprocessing.queues import Queue
from pathlib import Path

from msgspec.structs import replace

from gateway.model import Instance, Outcome, Result
from tests.unit.writer.stage import Stage


def _client(folder: Path, number: int, threads: int, seconds: float, size: int, spool: bool, out: Queue) -> None:
    stage = Stage(folder)
    name = f"w{number}"
    client = None

    def work(jobs: list) -> None:
        assert client is not None
        client.outcomes([Outcome(job.delivery, Result.DELIVERED, status=0) for job in jobs])

    client = stage.client(name, work)
    data = bytes(size)
    took: list[float] = []

    def send(thread: int) -> None:
        ready: list[Instance] = []
        if not spool:
            ready = [stage.make("1", data) for _ in range(int(seconds * 500))]
        start.wait()
        end = time.monotonic() + seconds
        count = 0
        while time.monotonic() < end:
            count += 1
            begun = time.perf_counter()
            made = ready.pop() if ready else stage.make("1", data)
            identity = replace(made.identity, sop_instance=f"1.{number}.{thread}.{count}", study=f"9.{number}.{thread}")
            client.received(replace(made, identity=identity))
            took.append(time.perf_counter() - begun)

    start = threading.Barrier(threads)
    all_of_them = [threading.Thread(target=send, args=(n,)) for n in range(threads)]
    for thread in all_of_them:
        thread.start()
    for thread in all_of_them:
        thread.join()
    client.close(30)
    out.put(took)


def measure(processes: int, threads: int, seconds: float, size: int, spool: bool, backlog: int) -> str:
    """One run in a folder of its own; what to print of it."""
    with tempfile.TemporaryDirectory(dir=".") as folder:
        stage = Stage(Path(folder)).start()
        if backlog:
            client = stage.client("w0")
            batch = [stage.make(f"2.{n}", b"x", to=("b",), study="9") for n in range(backlog)]

            def put(part: list[Instance]) -> None:
                for each in part:
                    client.received(each)

            filling = [threading.Thread(target=put, args=(batch[n::32],)) for n in range(32)]
            for thread in filling:
                thread.start()
            for thread in filling:
                thread.join()
        context = multiprocessing.get_context("spawn")
        out: Queue = context.Queue()
        before = _cpu(stage)
        workers = [
            context.Process(target=_client, args=(Path(folder), n + 1, threads, seconds, size, spool, out))
            for n in range(processes)
        ]
        for worker in workers:
            worker.start()
        took = sorted(second for _ in workers for second in out.get())
        for worker in workers:
            worker.join()
        spent = (_cpu(stage) - before) / len(took)
        stage.close()
    return (
        f"{len(took) / seconds:8.0f}/s   median {took[len(took) // 2] * 1e3:6.2f} ms   "
        f"p99 {took[int(len(took) * 0.99)] * 1e3:6.2f} ms   max {took[-1] * 1e3:6.1f} ms   "
        f"writer {spent * 1e3:.2f} ms CPU each"
    )


def _cpu(stage: Stage) -> float:
    """Seconds of processor time that the writer has had: what is left of the figure on a busy machine."""
    assert stage.process is not None
    words = Path(f"/proc/{stage.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--size", type=int, default=2000)
    parser.add_argument("--backlog", type=int, default=0)
    given = parser.parse_args()
    for what, spool in (("received", False), ("with spool", True)):
        line = measure(given.processes, given.threads, given.seconds, given.size, spool, given.backlog)
        print(f"{what:12} {given.processes} x {given.threads} threads  {line}")


if __name__ == "__main__":
    main()
