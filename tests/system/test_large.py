"""A 2 GB multi-frame object passes with constant memory, and comes out byte for byte (DESIGN promise 7)."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

import pytest

from gateway.dimse.client import Association, contexts_for
from gateway.security.tls import client_context_from
from tests.system.harness import Gateway, Site
from tests.system.senders import CT, ct, encoded
from transforms.dataset import part10
from transforms.source import BytesSource, chunks

RULES = """\
version: 1
state: {dir: ./state}
identity: {certificate: file:certs/gateway.pem, key: file:certs/gateway.key}
listeners:
  - id: hospital
    dimse: {ae: GATEWAY, host: 127.0.0.1, port: 0}
    tls: {trust: file:certs/ca.pem}
destinations:
  landing: {folder: {dir: ./landing}}
deidentify:
  trial: {profile: basic, key: file:trial.key}
routes:
  - id: only
    match: {SOPInstanceUID: {exists: true}}
    STEPS
    deliver: [landing]
  - {id: rest, otherwise: hold, reason: no-route}
"""
CAP = 128 << 20  # bytes of resident memory a worker may have, whatever comes (BENCHMARK.md)


class Made:
    """A data set whose pixel data is as long as wanted and never in memory."""

    def __init__(self, frames: int) -> None:
        data = ct(1)
        data.Rows = data.Columns = 1024
        data.NumberOfFrames = frames
        del data.PixelData
        self._head = encoded(data) + b"\xe0\x7f\x10\x00OW\0\0" + struct.pack("<L", frames * (2 << 20))
        self._block = bytes(range(256)) * 1024
        self.size = len(self._head) + frames * (2 << 20)
        self.uid = str(data.SOPInstanceUID)

    def pread(self, offset: int, length: int) -> bytes:
        length = min(length, self.size - offset)
        if offset < len(self._head):
            head = self._head[offset : offset + length]
            return head + self.pread(len(self._head), length - len(head)) if length > len(head) else head
        at = (offset - len(self._head)) % len(self._block)
        return (self._block * (2 + length // len(self._block)))[at : at + length]


def peak(pid: int) -> int:
    """The most memory a process ever had, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) * 1024


@pytest.mark.parametrize("steps", ["", "steps: [{deidentify: trial}]"], ids=["pass", "deid"])
@pytest.mark.parametrize("frames", [50, pytest.param(1023, marks=pytest.mark.slow)])
def test_memory_does_not_grow_with_the_object(site: Site, gateways, frames: int, steps: str) -> None:
    site.write(RULES.replace("STEPS", steps))
    gateway: Gateway = gateways(site).start()
    idle = max(map(peak, gateway.children("app.worker")))
    made = Made(frames)
    certs = site.folder / "certs"
    context = client_context_from(certs / "modality.pem", certs / "modality.key", certs / "ca.pem")
    association = Association.open(
        ("127.0.0.1", gateway.port),
        context,
        calling_ae="CT1",
        called_ae="GATEWAY",
        contexts=contexts_for([(CT, "1.2.840.10008.1.2.1")]),
    )
    number = association.accepted[CT, "1.2.840.10008.1.2.1"]
    assert association.store(CT, made.uid, number, made).status == 0
    association.release()
    rows = gateway.settled(300)
    assert [row["state"] for row in rows] == ["delivered"]
    most = max(map(peak, gateway.children("app.worker")))
    assert most < CAP, f"{most >> 20} MiB"
    assert most - idle < 32 << 20, f"{(most - idle) >> 20} MiB above idle"
    (out,) = (site.folder / "landing").rglob("*.dcm")
    size = out.stat().st_size
    with out.open("rb") as file:
        meta = part10.split(BytesSource(file.read(4096)))
        if not steps:
            file.seek(meta.offset)
            digest = hashlib.sha256()
            while block := file.read(1 << 20):
                digest.update(block)
            wanted = hashlib.sha256()
            for chunk in chunks(made):
                wanted.update(chunk)
            assert digest.hexdigest() == wanted.hexdigest()
        else:
            assert abs(size - made.size) < 1 << 16
            file.seek(size - 1000)
            assert file.read() == made.pread(made.size - 1000, 1000)
            file.seek(0)
            assert b"Mustermann" not in file.read(1 << 16)
