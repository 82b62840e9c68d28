"""The reader of traces: every word of strace that the oracle leans on, and no word guessed at."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.power.acks import responses
from tests.power.histories import ACCEPTED, HONEST, quoted, response, send
from tests.power.trace import NEVER, Call, NotUnderstood, command, read


def test_a_call_in_one_line() -> None:
    (call,) = read(['7 pwrite64(6</s/a-wal>, "a\\0\\1\\"\\\\z\\3772", 8, 4120) = 8'])
    assert call == Call(7, "pwrite64", 0, 0, 8, "", "/s/a-wal", data=b'a\0\1"\\z\xff2', offset=4120)


def test_what_failed_says_how() -> None:
    (call,) = read(["7 fsync(4</s/objects>)       = -1 EIO (Input/output error) (INJECTED)"])
    assert (call.well, call.result, call.error, call.path) == (False, -1, "EIO", "/s/objects")


def test_two_halves_of_a_call_are_one_with_two_moments() -> None:
    lines = ["7 fdatasync(5</s/f> <unfinished ...>", "8 fsync(4</s>) = 0", "7 <... fdatasync resumed>) = 0"]
    first, second = read(lines)
    assert (first.name, first.begun, first.ended, first.well) == ("fdatasync", 0, 2, True)
    assert (second.begun, second.ended) == (1, 1)


def test_a_call_that_never_returned_has_failed() -> None:
    for end in (["7 +++ killed by SIGKILL +++"], []):
        (call,) = read(["7 fdatasync(5</s/f> <unfinished ...>", *end])
        assert (call.ended, call.well, call.path) == (NEVER, False, "/s/f")


def test_only_what_the_result_says_was_written() -> None:
    (call,) = read(['7 write(5</s/f>, "abcdef", 6) = 4'])
    assert call.data == b"abcd"


def test_names_beneath_a_descriptor_are_absolute() -> None:
    (call,) = read(['7 renameat(3</s/in>, "a", AT_FDCWD</s>, "objects/../o/b") = 0'])
    assert (call.path, call.target) == ("/s/in/a", "/s/o/b")


def test_parts_of_a_vector_are_one_text() -> None:
    line = (
        '7 sendmsg(7<socket:[1]>, {msg_name=NULL, msg_iov=[{iov_base="a, ", iov_len=3}, {iov_base="}b", iov_len=2}], '
    )
    (call,) = read([line + "msg_iovlen=2, msg_controllen=0, msg_flags=0}, 0) = 5"])
    assert call.data == b"a, }b"


@pytest.mark.parametrize(
    "line",
    [
        'write(5</s/f>, "a", 1) = 1',
        '7 write(5</s/f>, "abc"..., 6) = 6',  # cut short: the oracle has not seen all
        '7 write(5</s/f>, "a", 6) = 6',
        "7 fsync(5</s/f>",
        "7 fsync(5</s/f>)",
        "7 io_uring_enter(5, 1, 0) = 1",  # a way to write that nobody here looks at
        "7 <... fsync resumed>) = 0",
        '7 pwrite64(6</s/a>, "a", 1) = 1',
    ],
)
def test_what_is_not_understood_is_an_error(line: str) -> None:
    with pytest.raises(NotUnderstood):
        read([line])


def test_any_bytes_come_back() -> None:
    chance = random.Random(5)
    for _ in range(300):
        data = chance.randbytes(chance.randrange(40)) + b'")<...> = 0, {'
        (call,) = read([f"7 write(5</s/f>, {quoted(data)}, {len(data)}) = {len(data)}"])
        assert call.data == data


def test_cut_anywhere_a_trace_is_read_or_refused() -> None:
    text = "\n".join(HONEST.values())
    for at in range(0, len(text), 3):
        try:
            assert all(isinstance(call, Call) for call in read(text[:at].splitlines()))
        except NotUnderstood:
            pass


def test_answers_are_found_however_they_are_cut() -> None:
    whole = response(0) + response(0xA700, "1.2.5") + response(0, field=0x8030)
    for size in (1, 7, 50, len(whole)):
        lines = [send(10, ACCEPTED), *(send(10, whole[at : at + size]) for at in range(0, len(whole), size))]
        found = responses(read(lines))
        assert [(each.sop_instance, each.status) for each in found] == [("1.2.3.4", 0), ("1.2.5", 0xA700)]
        assert found[0].begun == (len(response(0)) - 1) // size + 1, "not before its last byte"


def test_what_is_sent_as_requestor_or_to_the_writer_is_no_answer() -> None:
    assert responses(read([send(10, b"\x01\x00\x00\x00\x00\x00"), send(10, response(0))])) == []
    assert responses(read([send(10, b"\x00\x00\x00\x05hello"), send(10, response(0))])) == []


@pytest.mark.peers
def test_strace_itself_is_understood(tmp_path: Path, program: Callable[[str], str]) -> None:
    code = """
import os, socket, sqlite3, threading
os.mkdir("in"); os.mkdir("out")
i, o = (os.open(n, os.O_RDONLY | os.O_DIRECTORY) for n in ("in", "out"))
f = os.open("a", os.O_CREAT | os.O_RDWR, 0o600, dir_fd=i)
os.write(f, bytes(range(256)) * 600); os.fdatasync(f)
os.rename("a", "a", src_dir_fd=i, dst_dir_fd=o); os.fsync(o)
a, b = socket.socketpair()
a.sendmsg([b"one", b"two"]); a.sendall(b'three")')
many = [threading.Thread(target=os.fsync, args=(o,)) for _ in range(4)]
[t.start() for t in many]; [t.join() for t in many]
"""
    program("strace")
    out = tmp_path / "trace"
    subprocess.run(command(str(out), sys.executable, "-c", code), cwd=tmp_path, check=True)
    calls = read(out.read_text(encoding="ascii").splitlines())
    assert b"".join(c.data for c in calls if c.path == f"{tmp_path}/in/a" and c.well) == bytes(range(256)) * 600
    (placed,) = (c for c in calls if c.name.startswith("rename") and c.target == os.fspath(tmp_path / "out" / "a"))
    assert placed.path == os.fspath(tmp_path / "in" / "a")
    synced = [c for c in calls if c.name == "fsync" and c.path == f"{tmp_path}/out"]
    assert len(synced) == 5 and all(c.well and c.begun > placed.ended for c in synced)
    assert [c.data for c in calls if c.path.startswith("socket:")] == [b"onetwo", b'three")']
