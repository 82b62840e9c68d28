"""Killed at random points while a medium is made: a complete, verified set under its name, or nothing; and a full disk.

The maker is a process of its own, killed with SIGKILL. What it leaves is swept by the next maker of the same name.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.media.opening import open_medium
from gateway.media.secure import opener
from tests.unit.media.objects import files
from tests.unit.security.pki import Pki

COMMAND = str(Path(sys.executable).parent / "dicom-gateway")
KILLS = 50


class Maker:
    """`media create` over the same inputs, again and again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "pki").mkdir()
        self.pki = Pki(folder / "pki")
        self.pki.issue("reader", self.pki.ca, kind="rsa2048", eku=(), usage=("key_encipherment",))
        self.pki.issue("signer", self.pki.ca, kind="rsa2048", eku=("email",), usage=("digital_signature",))
        files(folder / "in", 60)

    def start(self, out: Path) -> subprocess.Popen[bytes]:
        keys = ["--recipient", "pki/reader.pem", "--signer", "pki/signer.pem", "--signer-key", "pki/signer.key"]
        form = ["--profile", "STD-GEN-SEC-CD" if out.suffix else "STD-GEN-SEC-USB-J2K", "--out", str(out)]
        command = [COMMAND, "media", "create", *form, *keys, "in"]
        return subprocess.Popen(command, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def objects(self, out: Path) -> int:
        """How many objects are on it, all of them verified; raises where one is not."""
        pair = (self.folder / "pki" / "reader.pem", self.folder / "pki" / "reader.key")
        return open_medium(out, opener(*pair, None, self.pki.ca_file), None).objects


def writing(process: subprocess.Popen[bytes], out: Path) -> None:
    """Wait until something of it is on disk, or it has ended: how long a start takes says nothing of the rest."""
    while process.poll() is None and not any(out.parent.glob(".*")):
        time.sleep(0.002)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["set", "set.iso"])
def test_a_kill_leaves_a_whole_set_or_nothing(tmp_path: Path, name: str) -> None:
    maker = Maker(tmp_path)
    first = tmp_path / "first" / name
    first.parent.mkdir()
    process = maker.start(first)
    writing(process, first)
    began = time.monotonic()
    assert process.wait(120) == 0
    takes = time.monotonic() - began
    rng = random.Random(7)
    outcomes = {"nothing": 0, "whole": 0, "partial": 0}
    for turn in range(KILLS // 2):
        out = tmp_path / "out" / str(turn) / name
        out.parent.mkdir(parents=True)
        process = maker.start(out)
        if turn % 5:  # most kills come while it is written; the others whenever
            writing(process, out)
        try:
            process.wait(takes * rng.uniform(0.0, 1.1))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        outcomes["partial"] += any(out.parent.glob(".*"))
        if not out.exists():
            outcomes["nothing"] += 1
            assert maker.start(out).wait(120) == 0, "the next maker sweeps, and makes it"
        else:
            outcomes["whole"] += 1
        assert maker.objects(out) == 62
        assert list(out.parent.glob(".*")) == [] or outcomes["whole"]
    assert outcomes["partial"] > KILLS // 10, f"the kills came while it was written: {outcomes}"


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True, check=False)
    if done.returncode:
        (pytest.fail if os.environ.get("DICOM_GATEWAY_REQUIRE_PEERS") == "1" else pytest.skip)("mounting needs root")
    yield folder
    subprocess.run(["umount", "-l", folder], check=False)


@pytest.mark.peers
@pytest.mark.parametrize("filled", [0, 900, 1500])
def test_a_disk_that_is_full_leaves_nothing(tmp_path: Path, small: Path, filled: int) -> None:
    """Too small from the beginning, and filled up by somebody else."""
    maker = Maker(tmp_path)
    (small / "other").write_bytes(bytes(filled << 10))
    process = maker.start(small / "set")
    _, told = process.communicate(timeout=120)
    left = sorted(path.name for path in small.iterdir())
    if process.returncode == 0:
        assert maker.objects(small / "set") == 62 and left == ["other", "set"]
    else:
        assert b"media-disk-full" in told and left == ["other"]
    assert (process.returncode == 0) == (filled == 0)
