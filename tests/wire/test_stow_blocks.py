"""Large bodies go past the HTTP parser, block after block: nothing is lost at an edge, and the next head is a head."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from pathlib import Path

import pytest

from gateway.web.connection import BLOCK
from tests.wire.web import Server, digest_of, file_of, multipart, read_answer, request, serving, uid_of

SIZES = (BLOCK - 4096, BLOCK, 3 * BLOCK + 1, 100)


@pytest.fixture
def server(tmp_path: Path):
    with serving(tmp_path, "limits: {stall: 3s}") as made:
        yield made


def sent(server: Server, *requests: bytes, step: int = 1 << 20) -> list[int]:
    """The status of each, all on one connection, written without a pause."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as sock:
        statuses = []
        for each in requests:
            for at in range(0, len(each), step):
                sock.sendall(each[at : at + step])
            statuses.append(int(read_answer(sock)[9:12]))
        return statuses


@pytest.mark.parametrize("step", [999, 65536, 1 << 22])
def test_blocks_lose_nothing_and_mix_nothing_up(server: Server, step: int) -> None:
    files = [file_of(n, size=size) for n, size in enumerate(SIZES)]
    assert sent(server, request(multipart(*files)), step=step) == [200]
    assert server.stored() == {uid_of(n): digest_of(n, size=size) for n, size in enumerate(SIZES)}
    assert not [name for name in server.files() if name.startswith("incoming")]


def test_requests_follow_each_other_on_one_connection(server: Server) -> None:
    each = [request(multipart(file_of(n, size=BLOCK + n))) for n in range(4)]
    assert sent(server, *each) == [200] * 4
    assert len(server.stored()) == 4


def test_the_head_behind_a_body_is_not_taken_for_the_body(server: Server) -> None:
    """Both requests lie in the socket before the first is answered."""
    both = request(multipart(file_of(1, size=2 * BLOCK))) + request(multipart(file_of(2, size=2 * BLOCK)))
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as sock:
        sock.sendall(both)
        first = read_answer(sock)
        assert b" 200 " in first.partition(b"\r\n")[0]
        assert b" 200 " in (first[first.find(b"HTTP", 9) :] if first.count(b"HTTP/1.1") == 2 else read_answer(sock))
    assert server.stored() == {uid_of(n): digest_of(n, size=2 * BLOCK) for n in (1, 2)}


def test_what_came_while_the_caller_was_judged_does_not_stop_the_rest(server: Server) -> None:
    """More than ASGI holds at once had come: reading was paused, and has to go on."""
    server.ponders = 0.3
    assert sent(server, request(multipart(file_of(1, size=4 * BLOCK)))) == [200]


def test_a_body_that_stops_in_a_block_is_cut_for_its_slowness(server: Server) -> None:
    whole = request(multipart(file_of(1, size=4 * BLOCK)))
    assert sent(server, whole[: 2 * BLOCK + 77]) == [408]
    assert server.stored() == {} and not [name for name in server.files() if name.startswith("incoming")]


def test_a_body_that_earns_its_time_may_take_longer_than_a_stall(tmp_path: Path) -> None:
    """Pieces of a block keep its pace although nobody is woken for them."""
    whole = request(multipart(file_of(1, size=BLOCK)))
    with (
        serving(tmp_path, "limits: {stall: 1s, min_rate: 20KiB}") as slow,
        socket.create_connection(("127.0.0.1", slow.port), timeout=20) as sock,
    ):
        for at in range(0, len(whole), 64 << 10):
            sock.sendall(whole[at : at + (64 << 10)])
            time.sleep(0.3)
        assert int(read_answer(sock)[9:12]) == 200


def test_a_body_that_drips_within_a_block_is_cut(tmp_path: Path) -> None:
    whole = request(multipart(file_of(1, size=BLOCK)))
    with (
        serving(tmp_path, "limits: {stall: 1s, min_rate: 200KiB}") as fast,
        socket.create_connection(("127.0.0.1", fast.port), timeout=20) as sock,
    ):
        began = time.monotonic()
        sock.sendall(whole[: 64 << 10])
        sock.settimeout(0.1)
        answer = b""
        while not answer:
            with suppress(TimeoutError):
                answer = sock.recv(4096)
            with suppress(OSError):
                sock.sendall(b"x")
        assert int(answer[9:12]) == 408 and time.monotonic() - began < 8


def test_a_caller_that_leaves_in_a_block_leaves_nothing(server: Server) -> None:
    whole = request(multipart(file_of(1, size=4 * BLOCK)))
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as sock:
        sock.sendall(whole[: 2 * BLOCK + 77])
    assert sent(server, request(multipart(file_of(2, size=BLOCK)))) == [200]  # and harms nobody
    assert set(server.stored()) == {uid_of(2)}


def test_a_bad_body_is_refused_in_the_middle_and_the_connection_ends(server: Server) -> None:
    body = multipart(file_of(1, size=BLOCK), head=b"Content-Type: application/dicom\r\nBroken\x01 : 1\r\n")
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as sock:
        sock.sendall(request(body + bytes(BLOCK), length=len(body) + BLOCK))
        assert int(read_answer(sock)[9:12]) == 400
        assert sock.recv(1) == b""
