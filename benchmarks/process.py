"""Starts a system in a session of its own, measures the whole tree of processes, and ends it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


class Usage(NamedTuple):
    """What a tree used: CPU seconds so far, bytes resident now in all and in its largest process."""

    cpu: float
    resident: int
    largest: int


class Tree:
    """One started program and all that it starts, by their session."""

    def __init__(
        self, command: Sequence[str | Path], folder: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.log = folder / f"{Path(command[0]).name}.log"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(c) for c in command],
                cwd=folder,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.peak = self.peak_largest = 0
        self._ended = threading.Event()
        self._watch = threading.Thread(target=self._sample, daemon=True)
        self._watch.start()

    def _sample(self) -> None:
        while not self._ended.wait(0.2):
            now = self.usage()
            self.peak, self.peak_largest = max(self.peak, now.resident), max(self.peak_largest, now.largest)

    @property
    def pid(self) -> int:
        """Of the started process."""
        return self._process.pid

    def pids(self) -> list[int]:
        """Processes of the session."""
        entries = (path.name for path in Path("/proc").iterdir())
        return [int(name) for name in entries if name.isdigit() and _session(name) == self._process.pid]

    def usage(self) -> Usage:
        """Now."""
        cpu, sizes = 0.0, [0]
        for pid in self.pids():
            with contextlib.suppress(OSError, ValueError, IndexError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                # utime, stime and those of children that were waited for (proc(5) fields 14 to 17)
                cpu += sum(int(fields[n]) for n in (11, 12, 13, 14)) / TICKS
                sizes.append(int(fields[21]) * PAGE)
        return Usage(cpu, sum(sizes), max(sizes))

    def alive(self) -> bool:
        """The started process has not ended."""
        return self._process.poll() is None

    def stop(self) -> None:
        """SIGTERM, then SIGKILL to all that is left. A second time does nothing."""
        if self._ended.is_set():
            return
        self._ended.set()
        self._watch.join()
        left = self.pids()
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(30)
        for pid in {*left, *self.pids()}:
            with contextlib.suppress(ProcessLookupError):
                if _session(str(pid)) == self._process.pid:
                    os.kill(pid, signal.SIGKILL)
        self._process.wait()
        deadline = time.monotonic() + 5
        while self.living() and time.monotonic() < deadline:
            time.sleep(0.02)

    def living(self) -> list[int]:
        """Processes of the session that have not ended: a zombie has, though nobody waited for it."""
        return [pid for pid in self.pids() if _field(str(pid), 0) not in ("Z", "X", "")]

    def tail(self) -> str:
        """The end of what it printed."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])


def _field(name: str, number: int) -> str:
    """A field of proc(5) stat after the command's name; "" where the process is gone."""
    try:
        return Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()[number]
    except (OSError, IndexError):
        return ""


def _session(name: str) -> int:
    return int(_field(name, 3) or -1)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listening(tree: Tree, port: int, seconds: float = 60.0) -> None:
    """Wait until the port takes connections. Raises RuntimeError where the program ends or the time is over."""
    deadline = time.monotonic() + seconds
    while True:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if not tree.alive() or time.monotonic() > deadline:
            raise RuntimeError(f"does not listen on {port}:\n{tree.tail()}")
        time.sleep(0.05)


def said(tree: Tree, word: str, times: int, seconds: float = 60.0) -> None:
    """Wait until the program's log holds a word so often. Raises RuntimeError as `listening` does."""
    deadline = time.monotonic() + seconds
    while tree.log.read_text(errors="replace").count(word) < times:
        if not tree.alive() or time.monotonic() > deadline:
            raise RuntimeError(f"does not say {word} {times} times:\n{tree.tail()}")
        time.sleep(0.05)
