"""The trail on disk: durable, idempotent, repaired only where a crash tore it, refused where it is damaged."""

from __future__ import annotations

import errno
import os
import stat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.audit import trail as module
from gateway.audit.chain import EMPTY, GENESIS, Head, parse, seal, stamp
from gateway.audit.trail import Trail, files, read
from gateway.audit.verify import verify
from gateway.errors import StorageFailed


def messages(first: int, last: int) -> list[tuple[int, bytes]]:
    return [(number, f"<AuditMessage n='{number}' é=''/>".encode()) for number in range(first, last + 1)]


def numbers(folder) -> list[int]:
    return [record.seq if record else 0 for _, _, record in read(folder)]


def test_records_are_chained_and_survive_reopening(tmp_path) -> None:
    trail = Trail(tmp_path / "audit", clock=lambda: 1.5)
    assert trail.head() == EMPTY == Head(0, GENESIS)
    first = trail.append(messages(1, 2))
    assert first == trail.head() and first.seq == 2
    trail.close()
    again = Trail(tmp_path / "audit")
    assert again.head() == first and again.repaired == 0
    again.append(messages(3, 5))
    assert numbers(tmp_path / "audit") == [1, 2, 3, 4, 5]
    records = [record for _, _, record in read(tmp_path / "audit")]
    assert [r.prev for r in records[1:]] == [r.hash for r in records[:-1]] and records[0].prev == GENESIS
    assert records[0].at == "1970-01-01T00:00:01.500000Z"
    assert records[4].message.encode() == messages(5, 5)[0][1]
    assert verify(tmp_path / "audit", again.head()) == []


def test_nobody_else_may_read_it(tmp_path) -> None:
    Trail(tmp_path / "audit").append(messages(1, 1))
    assert stat.S_IMODE((tmp_path / "audit").stat().st_mode) == 0o700
    assert {stat.S_IMODE(each.stat().st_mode) for each in (tmp_path / "audit").iterdir()} == {0o600}


def test_one_process_at_a_time(tmp_path) -> None:
    trail = Trail(tmp_path)
    with pytest.raises(StorageFailed, match="audit-trail-in-use"):
        Trail(tmp_path)
    trail.close()
    Trail(tmp_path).close()


def test_what_is_there_is_skipped_and_what_differs_stops(tmp_path) -> None:
    trail = Trail(tmp_path, rotate_at=200)
    trail.append(messages(1, 3))
    trail.append(messages(4, 6))
    head = trail.head()
    assert trail.append(messages(2, 5)) == head
    assert trail.append([*messages(5, 7), *messages(7, 7)]).seq == 7
    assert numbers(tmp_path) == [1, 2, 3, 4, 5, 6, 7]
    for seq in (2, 6):
        with pytest.raises(StorageFailed, match="audit-trail-conflict"):
            trail.append([(seq, b"another")])
    with pytest.raises(StorageFailed, match="audit-trail-conflict"):
        trail.append([*messages(8, 8), (8, b"another")])
    assert numbers(tmp_path) == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("numbers_", [[2], [1, 3], [0], [-1]])
def test_a_gap_writes_nothing(tmp_path, numbers_) -> None:
    trail = Trail(tmp_path)
    with pytest.raises(StorageFailed, match="audit-trail-gap"):
        trail.append([(number, b"x") for number in numbers_])
    assert numbers(tmp_path) == [] and trail.head() == EMPTY


def test_bytes_that_are_no_text_write_nothing(tmp_path) -> None:
    trail = Trail(tmp_path)
    with pytest.raises(UnicodeDecodeError):
        trail.append([(1, b"a"), (2, b"\xff")])
    assert trail.head() == EMPTY and numbers(tmp_path) == []


def test_files_turn_by_size_and_by_day_and_the_chain_runs_on(tmp_path) -> None:
    now = [0.0]
    trail = Trail(tmp_path, clock=lambda: now[0], rotate_at=400)
    for number in range(1, 7):
        trail.append(messages(number, number))
    by_size = len(files(tmp_path))
    assert 1 < by_size < 6
    now[0] = 86_400.0
    trail.append(messages(7, 7))
    assert len(files(tmp_path)) == by_size + 1
    trail.close()
    again = Trail(tmp_path, clock=lambda: now[0], rotate_at=400)
    again.append(messages(8, 8))
    assert files(tmp_path)[-1].name == "audit-000000000007.jsonl"
    assert verify(tmp_path, again.head()) == []


@settings(deadline=None, max_examples=60)
@given(keep=st.integers(0, 600))
def test_a_torn_last_line_is_cut_and_no_whole_record_is(keep: int, tmp_path_factory) -> None:
    folder = tmp_path_factory.mktemp("torn")
    trail = Trail(folder)
    trail.append(messages(1, 2))
    head = trail.head()
    trail.append(messages(3, 3))
    trail.close()
    (file,) = files(folder)
    whole = file.read_bytes()
    third = whole.rindex(b"\n", 0, -1) + 1
    size = third + keep % (len(whole) - third)
    os.truncate(file, size)
    again = Trail(folder)
    if size == len(whole) - 1:  # only the line feed was missing: the record is whole
        assert again.head().seq == 3 and again.repaired == 0
    else:
        assert again.head() == head and again.repaired == size - third
    again.append(messages(3, 4))
    assert numbers(folder) == [1, 2, 3, 4] and verify(folder, again.head()) == []
    again.close()


def test_a_file_begun_and_never_filled_is_used(tmp_path) -> None:
    trail = Trail(tmp_path)
    head = trail.append(messages(1, 2))
    trail.close()
    (tmp_path / "audit-000000000003.jsonl").touch(mode=0o600)
    again = Trail(tmp_path)
    assert again.head() == head
    assert verify(tmp_path, again.append(messages(3, 3))) == []


@pytest.mark.parametrize("damage", [b"{}\n", b"garbage\n", b"\n", b"\x00" * 40 + b"\n"])
def test_a_damaged_end_is_refused_and_left_alone(tmp_path, damage: bytes) -> None:
    trail = Trail(tmp_path)
    trail.append(messages(1, 2))
    trail.close()
    (file,) = files(tmp_path)
    file.write_bytes(file.read_bytes() + damage)
    before = file.read_bytes()
    with pytest.raises(StorageFailed, match="audit-trail-damaged"):
        Trail(tmp_path)
    assert file.read_bytes() == before


def test_the_ledgers_head_is_required(tmp_path) -> None:
    trail = Trail(tmp_path)
    second = trail.append(messages(1, 2))
    trail.append(messages(3, 3))
    for good in (EMPTY, second, trail.head()):
        trail.require(good)
    with pytest.raises(StorageFailed, match="audit-trail-cut"):
        trail.require(Head(4, second.hash))
    with pytest.raises(StorageFailed, match="audit-trail-changed"):
        trail.require(Head(3, second.hash))


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_a_failed_write_leaves_nothing_and_may_be_repeated(tmp_path, monkeypatch, error: int) -> None:
    trail = Trail(tmp_path)
    trail.append(messages(1, 1))
    real = os.write

    def half(descriptor: int, data: bytes) -> int:
        if len(data) > 20 and not done:
            done.append(1)
            return real(descriptor, data[:20])
        raise OSError(error, os.strerror(error))

    done: list[int] = []
    monkeypatch.setattr(module.os, "write", half)
    with pytest.raises(StorageFailed, match="audit-trail-full" if error == errno.ENOSPC else "audit-trail-failed"):
        trail.append(messages(2, 3))
    monkeypatch.setattr(module.os, "write", real)
    assert numbers(tmp_path) == [1]
    assert trail.append(messages(2, 3)).seq == 3
    assert verify(tmp_path, trail.head()) == []


def test_after_a_failed_sync_nothing_is_promised_any_more(tmp_path, monkeypatch) -> None:
    trail = Trail(tmp_path)
    trail.append(messages(1, 1))

    def fail(_descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(module, "_fdatasync", fail)
    with pytest.raises(StorageFailed, match="audit-trail-failed"):
        trail.append(messages(2, 2))
    monkeypatch.undo()
    with pytest.raises(StorageFailed, match="an earlier write"):
        trail.append(messages(2, 2))
    assert trail.head().seq == 1


def test_every_append_is_synced_once_and_a_new_file_also_in_its_folder(tmp_path, monkeypatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr(module, "_fdatasync", lambda fd: calls.append("data"))
    monkeypatch.setattr(module, "_sync_folder", lambda folder: calls.append("folder"))
    trail = Trail(tmp_path)
    trail.append(messages(1, 50))
    trail.append(messages(51, 52))
    trail.append(messages(51, 52))
    assert calls == ["folder", "data", "data"]


@given(st.integers(1, 1 << 50), st.floats(0, 4e9), st.text(st.characters(codec="utf-8")))
def test_a_line_has_one_spelling(seq: int, when: float, message: str) -> None:
    line, digest = seal(seq, stamp(when), GENESIS, message)
    assert line.count(b"\n") == 1 and line.endswith(b"\n")
    record = parse(line[:-1])
    assert (record.seq, record.message, record.hash) == (seq, message, digest)
    for twin in (
        line[:-1] + b" ",
        line[:-1].replace(b'{"seq":', b'{ "seq":'),
        line[:-1].replace(b'"at"', b'"\\u0061t"'),
    ):
        with pytest.raises(ValueError, match="record"):
            parse(twin)


@given(st.binary(max_size=400))
def test_whatever_stands_in_a_line_is_a_record_or_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="record"):
        parse(data)
