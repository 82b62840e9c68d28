"""The spool: whole or not at all, whichever call fails; names of ours; rot is found."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from gateway.errors import HoldObject, StorageFailed
from gateway.store import spool as module
from gateway.store.spool import Spool

DATA = os.urandom(700_000)


def fill(spool: Spool, data: bytes = DATA, step: int = 10_000):
    incoming = spool.create(b"m" * 340)
    for at in range(0, len(data), step):
        incoming.write(memoryview(data)[at : at + step])
    return incoming


def leftovers(spool: Spool) -> tuple[list[str], list[str]]:
    incoming, objects = (sorted(p.name for p in (spool.folder / n).iterdir()) for n in ("incoming", "objects"))
    return incoming, objects


def test_what_went_in_comes_out(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", reserve=0)
    for step in (1, 9_999, 262_144, 700_000):
        data = DATA[: 3_000 if step == 1 else None]
        stored = fill(spool, data, step).seal()
        assert (stored.size, stored.sha256) == (len(data), hashlib.sha256(data).hexdigest())
        with spool.open(stored) as source:
            assert source.size == len(data)
            assert source.pread(0, 10**9) == data
            assert source.pread(len(data) - 3, 10) == data[-3:]
        raw = (spool.folder / "objects" / stored.name).read_bytes()
        assert raw == b"m" * 340 + data
        assert (spool.folder / "objects" / stored.name).stat().st_mode & 0o777 == 0o600
        spool.verify(stored)


def test_it_can_be_read_before_it_is_sealed(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", reserve=0)
    incoming = fill(spool)
    assert incoming.source().pread(5, 100) == DATA[5:105]
    incoming.abort()
    assert leftovers(spool) == ([], [])


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("call", ["write", "_fdatasync", "rename"])
def test_whichever_call_fails_nothing_is_left_under_a_final_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    spool = Spool(tmp_path / "spool", reserve=0)
    place = module if call == "_fdatasync" else os
    real = getattr(place, call)
    for failing in range(1, 20):  # fail the n-th call, for all n
        count = 0

        def faulty(*arguments: object, **options: object) -> object:
            nonlocal count
            count += 1
            if count == failing:  # noqa: B023 - called within the turn
                raise OSError(number, "injected")
            return real(*arguments, **options)

        monkeypatch.setattr(place, call, faulty)
        incoming = None
        try:
            incoming = fill(spool)
            stored = incoming.seal()
        except StorageFailed as error:
            assert error.reason == ("disk-full" if number == errno.ENOSPC else "storage-error")
            if incoming is not None:
                incoming.abort()
            monkeypatch.setattr(place, call, real)
            if incoming is None:  # the writing itself failed inside `fill`; the caller aborts
                for name in leftovers(spool)[0]:
                    (spool.folder / "incoming" / name).unlink()
            assert leftovers(spool) == ([], [])
        else:
            assert count < failing
            monkeypatch.setattr(place, call, real)
            spool.verify(stored)
            return
    raise AssertionError("never got through")


def test_a_full_disk_is_refused_before_a_byte_is_written(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", reserve=1 << 62)
    with pytest.raises(StorageFailed, match="disk-full"):
        spool.create(b"")
    assert leftovers(spool) == ([], [])


def test_every_flipped_bit_and_every_truncation_is_found(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", reserve=0)
    for number in range(40):
        stored = fill(spool, DATA[:5000]).seal()
        path = spool.folder / "objects" / stored.name
        raw = bytearray(path.read_bytes())
        if number % 2:
            raw[340 + number * 100] ^= 1 << (number % 8)
        else:
            del raw[-1 - number :]
        path.write_bytes(raw)
        with pytest.raises(HoldObject, match="spool-damaged"):
            spool.verify(stored)


def test_a_link_in_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", reserve=0)
    stored = fill(spool, b"x" * 100).seal()
    path = spool.folder / "objects" / stored.name
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(HoldObject, match="spool-unreadable"):
        spool.open(stored)
