"""The largest DICOM File that a Secure DICOM File may hold, in little memory (issue: 4 GiB - 1). Minutes."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
from pathlib import Path

import pytest
from parties import Parties, opens, signs

from benchmarks.resident import forget, highest
from gateway.security.cms.errors import NotOpened, NotWritten
from gateway.security.cms.reading import read
from gateway.security.cms.writing import MOST, write
from gateway.store.files import FileSource

PIECE = bytes(range(256)) * 4096


class Made:
    """So many bytes, none of them anywhere."""

    def __init__(self, size: int) -> None:
        self.size = size

    def pread(self, offset: int, length: int) -> bytes:
        length = min(length, self.size - offset)
        start = offset % len(PIECE)
        return (PIECE * (2 + length // len(PIECE)))[start : start + length]


class Sink(io.RawIOBase):
    """Takes bytes, keeps their digest."""

    def __init__(self) -> None:
        self.digest = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.digest.update(data)
        self.size += len(data)
        return len(data)


@pytest.mark.slow
def test_four_gibibytes_pass_in_little_memory(parties: Parties, tmp_path: Path) -> None:
    assert shutil.disk_usage(tmp_path).free > MOST + (1 << 30), "this test needs 5 GiB of disk"
    before = forget()
    sealed, source, sink = tmp_path / "sealed", Made(MOST), Sink()
    with sealed.open("wb") as out:
        write(source, out, [parties.rsa.certificate], signer=signs(parties.signer))
    try:
        with sealed.open("rb") as file, FileSource(os.dup(file.fileno()), 0, sealed.stat().st_size) as data:
            opened = read(data, sink, [opens(parties.rsa)])  # type: ignore[arg-type]
    finally:
        sealed.unlink()
    expected = hashlib.sha256()
    for _ in range(MOST // len(PIECE)):
        expected.update(PIECE)
    expected.update(PIECE[: MOST % len(PIECE)])
    assert (opened.size, sink.size, sink.digest.digest()) == (MOST, MOST, expected.digest())
    assert highest() - before < 64 << 20


def test_one_byte_more_is_refused_at_once(parties: Parties) -> None:
    with pytest.raises(NotWritten, match="cms-too-large"):
        write(Made(MOST + 1), io.BytesIO(), [parties.rsa.certificate])


def test_a_small_message_that_tells_of_a_long_one_costs_nothing(parties: Parties) -> None:
    from parties import unseal

    from gateway.security.cms import ber

    huge = ber.header(ber.SEQUENCE, 1 << 40) + ber.oid("1.2.840.113549.1.7.3") + ber.header(0xA0, 1 << 39)
    with pytest.raises(NotOpened) as refused:
        unseal(huge + ber.header(ber.SEQUENCE, 1 << 38) + ber.header(ber.INTEGER, 1 << 37), opens(parties.rsa))
    assert refused.value.reason in ("cms-too-large", "cms-truncated")
    deep = b"\x30\x80" * 100_000
    with pytest.raises(NotOpened):
        unseal(deep, opens(parties.rsa))
    many = ber.oid("1.2.840.113549.1.7.3") + b"\xa0\x80\x30\x80\x02\x01\x00\x31\x80" + b"\x30\x00" * 100_000
    with pytest.raises(NotOpened, match="recipients"):
        unseal(b"\x30\x80" + many, opens(parties.rsa))
