"""2,000 objects and one of 4 GB to a secure ISO image: memory does not follow the size (docs/media.md)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import study

from tests.unit.security.pki import Pki
from transforms.dataset.elements import header_bytes

COMMAND = str(Path(sys.executable).parent / "dicom-gateway")
COUNT = 2_000
LARGE = (4 << 30) - (1 << 20)  # bytes of one object's pixels
MOST = 128 << 20  # bytes above the base
ROOM = 20 << 30


def peak(*arguments: str) -> int:
    """The most bytes that a command held. In a process of its own: rusage is of all children there were."""
    code = (
        "import resource, subprocess, sys; done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(done.returncode)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout) * 1024


@pytest.mark.slow
def test_memory_stays_where_it_is(tmp_path: Path) -> None:
    room = os.statvfs(tmp_path)
    if room.f_bavail * room.f_frsize < ROOM:
        pytest.skip("20 GiB are needed")
    pki = Pki(tmp_path)
    reader = pki.issue("reader", pki.ca, kind="rsa2048", eku=(), usage=("key_encipherment",)).pair
    signer = pki.issue("signer", pki.ca, kind="rsa2048", eku=("email",), usage=("digital_signature",)).pair
    (tmp_path / "in").mkdir()
    data = study.ct(1, 1, 64)
    for number in range(COUNT):
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = study.uid(1, "many", number)
        study.write(data, tmp_path / "in" / f"{number:04d}.dcm")
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = study.uid(1, "large")
    del data.PixelData
    study.write(data, tmp_path / "in" / "large.dcm")
    with (tmp_path / "in" / "large.dcm").open("ab") as file:
        file.write(header_bytes(0x7FE00010, "OW", LARGE))
        file.truncate(file.tell() + LARGE)  # sparse: the disk of the test need not hold it
    base = peak(COMMAND, "media", "profiles")
    image = tmp_path / "set.iso"
    keys = ["--recipient", reader.certificate, "--signer", signer.certificate, "--signer-key", signer.key]
    form = ["--profile", "STD-GEN-SEC-BD", "--out", image]
    made = peak(COMMAND, "media", "create", *map(str, (*form, *keys, tmp_path / "in")))
    who = ["--cert", reader.certificate, "--key", reader.key, "--ca", pki.ca_file]
    verified = peak(COMMAND, "media", "verify", *map(str, (*who, image)))
    assert image.stat().st_size > LARGE
    shutil.rmtree(tmp_path / "in")
    assert made - base < MOST, "making it"
    assert verified - base < MOST, "verifying it"
