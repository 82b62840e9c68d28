"""How fast the acceptor is: bytes a second into a file, CPU a C-STORE. `pytest -m slow -s` prints the figures.

The bars are far below what was measured (README of benchmarks/), so that a busy machine does not fail and a lost
factor does.
"""

from __future__ import annotations

import multiprocessing
import os
import socket
import time
from pathlib import Path

import pytest

from gateway.dimse.acceptor import Acceptor
from gateway.dimse.client import Association, ProposedContext
from gateway.dimse.limits import Limits
from gateway.dimse.negotiation import AcceptancePolicy
from gateway.dimse.pdu import AssociateReader
from gateway.dimse.service import StoreRequest, StoreResponse
from gateway.dimse.uids import EXPLICIT_LE
from tests.unit.dimse.doubles import MemoryService
from tests.unit.dimse.samples import CT


class Zeros:
    """A source of `size` zeros."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._data = bytes(1 << 18)

    def pread(self, offset: int, length: int) -> bytes:
        return self._data[:length]


class FileSink:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, chunk: memoryview) -> None:
        os.write(self._descriptor, chunk)

    def finish(self) -> StoreResponse:
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        return StoreResponse(0)

    def abort(self) -> None:
        pass


def send(port: int, count: int, size: int, max_pdu: int) -> None:
    contexts = [ProposedContext(CT, (EXPLICIT_LE,))]
    address = ("127.0.0.1", port)
    with Association.open(address, calling_ae="A", called_ae="B", contexts=contexts, max_pdu=max_pdu) as association:
        for number in range(count):
            assert association.store(CT, f"1.2.{number}", 1, Zeros(size)).status == 0


def measured(count: int, size: int, path: Path, max_pdu: int = 131072) -> tuple[float, float]:
    """(MB/s, CPU milliseconds a C-STORE) of one association."""
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    service = MemoryService()

    def begin(_: StoreRequest) -> FileSink:
        return FileSink(descriptor)

    service.begin = begin  # type: ignore[assignment,method-assign]
    server = socket.create_server(("127.0.0.1", 0))
    arguments = (server.getsockname()[1], count, size, max_pdu)
    sender = multiprocessing.get_context("spawn").Process(target=send, args=arguments)
    sender.start()
    server.settimeout(30)
    sock, _ = server.accept()
    reader, request = AssociateReader(), None
    while request is None:
        request = reader.feed(sock.recv(reader.wanted))
    acceptor = Acceptor(sock, request, AcceptancePolicy(), service, Limits())
    begun, cpu = time.perf_counter(), time.process_time()
    end = acceptor.run()
    took, cpu = time.perf_counter() - begun, time.process_time() - cpu
    sender.join(30)
    server.close()
    os.close(descriptor)
    assert (end.reason, end.stored, end.octets) == ("released", count, count * size)
    return count * size / took / 1e6, cpu / count * 1e3


@pytest.mark.slow
def test_figures(tmp_path: Path) -> None:
    large, _ = measured(60, 50_000_000, tmp_path / "large")
    small_pdus, _ = measured(20, 50_000_000, tmp_path / "small", 16384)
    slices, slice_cpu = measured(2000, 543_000, tmp_path / "slices")
    _, overhead = measured(3000, 1024, tmp_path / "tiny")
    print(f"\n50 MB objects: {large:.0f} MB/s ({small_pdus:.0f} in PDUs of 16 KiB); CT slices: {slices:.0f} MB/s")
    print(f"CPU: {slice_cpu:.3f} ms a CT slice, {overhead:.3f} ms a C-STORE of 1 KiB")
    assert large > 400
    assert overhead < 0.5
