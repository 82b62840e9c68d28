"""A program under limits: it ends well, or there is a reason; and nothing of it goes on."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from gateway.errors import HoldObject
from gateway.hosted.process import Bounds, run

BOUNDS = Bounds(timeout=20.0, memory=2 << 30, output=1 << 20)


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-c", code)


def reason(folder: Path, command: tuple[str, ...], bounds: Bounds = BOUNDS) -> str:
    with pytest.raises(HoldObject) as caught:
        run(command, folder, bounds)
    return caught.value.reason


def test_a_program_that_ends_well(tmp_path: Path) -> None:
    run(python("open('made', 'w').write('yes')"), tmp_path, BOUNDS)
    assert (tmp_path / "made").read_text() == "yes"


def test_it_sees_nothing_of_our_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIAL42_KEY", "a secret")
    run(python("import os; open('made', 'w').write(' '.join(sorted(os.environ)))"), tmp_path, BOUNDS)
    assert set((tmp_path / "made").read_text().split()) <= {"PATH", "HOME", "TMPDIR", "LANG", "LC_CTYPE"}


def test_each_end_has_its_reason(tmp_path: Path) -> None:
    assert reason(tmp_path, ("no-such-program-here",)) == "hosted-missing"
    assert reason(tmp_path, python("raise SystemExit(4)")) == "hosted-failed"
    assert reason(tmp_path, python("import os; os.kill(os.getpid(), 11)")) == "hosted-killed"


def test_it_is_killed_when_its_time_is_over(tmp_path: Path) -> None:
    began = time.monotonic()
    assert reason(tmp_path, python("import time; time.sleep(60)"), Bounds(1.0, 2 << 30)) == "hosted-timeout"
    assert time.monotonic() - began < 10


def test_what_it_started_is_killed_with_it(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, pathlib;"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        "pathlib.Path('child').write_text(str(child.pid))"
    )
    run(python(code), tmp_path, BOUNDS)
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 5
    while _lives(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _lives(child)


def test_memory_processor_and_output_are_limited(tmp_path: Path) -> None:
    assert reason(tmp_path, python("b'x' * (4 << 30)"), Bounds(20.0, 1 << 30)) in ("hosted-failed", "hosted-killed")
    spin = Bounds(timeout=2.0, memory=1 << 30)
    assert reason(tmp_path, python("while True: pass"), spin) in ("hosted-killed", "hosted-timeout")
    big = python("open('big', 'wb').write(b'x' * (4 << 20))")
    assert reason(tmp_path, big) in ("hosted-failed", "hosted-killed")
    assert (tmp_path / "big").stat().st_size <= BOUNDS.output


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
