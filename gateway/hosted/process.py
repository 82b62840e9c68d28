"""Runs one program under limits, and tells in one word how it ended.

* Its own session, killed whole at the end: nothing it started goes on. Nothing of our environment but PATH.
* Its standard error goes nowhere: it may quote what it reads. Its standard output goes where the caller says.
* Memory is the address space of each of its processes, output the size of each file. The network is not shut: that is
  the container's or the service manager's to do (docs/plugins.md).

Reasons: hosted-missing, hosted-timeout, hosted-killed, hosted-failed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from gateway.errors import HoldObject

_LAUNCH = Path(__file__).with_name("launch.py")
MISSING = 127  # exit code where the program cannot be run (launch.py)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a program may cost."""

    timeout: float  # seconds of the clock; of the processor as many
    memory: int  # bytes of address space
    output: int = 4 << 30  # bytes of one file


def run(
    command: tuple[str, ...],
    folder: Path,
    bounds: Bounds,
    *,
    stdin: IO[bytes] | None = None,
    stdout: IO[bytes] | None = None,
) -> None:
    """Run a program in `folder` until it ends well. Raises HoldObject where it does not."""
    process = started(command, folder, bounds, stdin=stdin, stdout=stdout)
    try:
        code = process.wait(bounds.timeout)
    except subprocess.TimeoutExpired:
        raise HoldObject("hosted-timeout", f"not done after {bounds.timeout:g} s") from None
    finally:
        stopped(process)
    if code == MISSING:
        raise HoldObject("hosted-missing", "the program cannot be run")
    if code < 0:
        raise HoldObject("hosted-killed", f"by signal {-code}: a limit, or a fault of the program")
    if code:
        raise HoldObject("hosted-failed", f"exit code {code}")


def started(
    command: tuple[str, ...],
    folder: Path,
    bounds: Bounds,
    *,
    stdin: IO[bytes] | None = None,
    stdout: IO[bytes] | None = None,
) -> subprocess.Popen[bytes]:
    """A program under its limits; whoever starts it watches the clock and says `stopped`. Raises HoldObject."""
    limits = (str(bounds.memory), str(max(1, round(bounds.timeout))), str(bounds.output))
    home = str(folder)
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": home, "TMPDIR": home, "LANG": "C.UTF-8"}
    try:
        return subprocess.Popen(  # noqa: S603 - what the rule file names, and no shell
            (sys.executable, "-I", "-S", str(_LAUNCH), *limits, *command),
            cwd=folder,
            env=environment,
            stdin=stdin or subprocess.DEVNULL,
            stdout=stdout or subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        raise HoldObject("hosted-missing", "no process can be started") from None


def stopped(process: subprocess.Popen[bytes]) -> None:
    """Kill it with all that it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
