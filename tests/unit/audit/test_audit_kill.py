"""kill -9 while appending: every record whose append returned is there, and the trail goes on."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gateway.audit.trail import Trail, read
from gateway.audit.verify import verify

# Appends until it is killed; each acknowledged number goes to the pipe only after `append` returned.
WRITER = """
import os, sys
from pathlib import Path
from gateway.audit.trail import Trail
trail = Trail(Path(sys.argv[1]), rotate_at=40_000)
number = trail.head().seq
while True:
    batch = [(number + n, f"<AuditMessage n='{number + n}'>{'x' * 700}</AuditMessage>".encode()) for n in range(1, 8)]
    number = trail.append(batch).seq
    os.write(1, b"%d\\n" % number)
"""


def kill_some(folder, rounds: int) -> int:
    """Rounds of append and kill; the last number acknowledged in any."""
    chance = random.Random(7)
    acknowledged = 0
    for _ in range(rounds):
        process = subprocess.Popen([sys.executable, "-c", WRITER, folder], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(chance.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read()
        process.wait()
        whole = [int(line) for line in rest.split(b"\n")[:-1]]
        with opened(folder) as trail:
            assert trail.head().seq >= max([acknowledged, *whole])
            acknowledged = trail.head().seq
            assert verify(folder, trail.head()) == []
    return acknowledged


@contextmanager
def opened(folder) -> Iterator[Trail]:
    trail = Trail(folder)
    try:
        yield trail
    finally:
        trail.close()


def test_kill_while_appending_loses_no_acknowledged_record(tmp_path) -> None:
    last = kill_some(tmp_path, 4)
    assert [record.seq for _, _, record in read(tmp_path) if record] == list(range(1, last + 1))


@pytest.mark.slow
def test_many_kills(tmp_path) -> None:
    last = kill_some(tmp_path, 60)
    assert [record.seq for _, _, record in read(tmp_path) if record] == list(range(1, last + 1))


def test_a_crash_at_every_system_call_loses_nothing(tmp_path) -> None:
    """The same, at chosen places: the process ends before its n-th write, truncate, sync or folder sync."""
    script = """
import os, sys
from pathlib import Path
import gateway.audit.trail as module
left = int(sys.argv[2])
def dying(real):
    def call(*args):
        global left
        left -= 1
        if left == 0:
            if real is os_write and len(args[1]) > 1:
                real(args[0], args[1][: len(args[1]) // 2])
            os._exit(9)
        return real(*args)
    return call
os_write = os.write
trail = module.Trail(Path(sys.argv[1]), rotate_at=500)
module.os.write = dying(os.write)
module._fdatasync, module._sync_folder = dying(module._fdatasync), dying(module._sync_folder)
for number in range(trail.head().seq + 1, 12):
    trail.append([(number, b"<AuditMessage/>" * 9)])
    os_write(1, b"%d\\n" % number)
"""
    for place in range(1, 30, 3):
        folder = tmp_path / str(place)
        done = subprocess.run([sys.executable, "-c", script, folder, str(place)], capture_output=True, check=False)
        told = [int(line) for line in done.stdout.split()]
        with opened(folder) as trail:
            assert trail.head().seq >= max([0, *told]), place
            following = trail.head().seq + 1
            head = trail.append([(following, b"<AuditMessage/>")])
            assert verify(folder, head) == []
