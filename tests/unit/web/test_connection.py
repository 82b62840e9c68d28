"""A body that goes past the parser, with a transport that remembers whether it is read."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from uvicorn.server import ServerState

from gateway.errors import RefusePeer
from gateway.web.connection import BLOCK, Connection, Direct, server_config

LENGTH = 3 * BLOCK


class Transport(asyncio.Transport):
    """Remembers what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.paused = self.closed = False
        self.written = b""

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def write(self, data: Any) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    abort = close


def feed(connection: Connection, data: bytes) -> None:
    """As a transport does: never more than there is room for."""
    while data:
        assert not connection.transport.paused, "read though it was told not to"  # type: ignore[attr-defined]
        room = connection.get_buffer(-1)
        some, data = data[: len(room)], data[len(room) :]
        room[: len(some)] = some
        connection.buffer_updated(len(some))


async def begun(head: bytes, first: list[bytes]) -> tuple[Connection, Transport, Direct | None, asyncio.Event]:
    """A connection whose application has taken the rest of its body, after `first` came in one turn of the loop."""
    taken: asyncio.Future[Direct | None] = asyncio.get_running_loop().create_future()
    done = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        taken.set_result(connection.direct(len(message["body"])))
        await done.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    connection = Connection(server_config(app, 16384, 60.0), ServerState(), number=1, address="x", head_time=30.0)
    transport = Transport()
    connection.connection_made(transport)
    feed(connection, b"POST / HTTP/1.1\r\nHost: g\r\n" + head + b"\r\n")
    for _ in range(3):
        await asyncio.sleep(0)
    for each in first:
        feed(connection, each)
    return connection, transport, await taken, done


def test_more_than_asgi_holds_in_one_turn_does_not_stop_the_rest() -> None:
    """As TLS gives it: two reads before the application runs, the second of which pauses the transport."""

    async def run() -> None:
        head = b"Content-Length: %d\r\n" % LENGTH
        connection, transport, direct, _ = await begun(head, [bytes(60 << 10), bytes(60 << 10)])
        assert direct is not None and direct.left == LENGTH - (120 << 10)
        assert not transport.paused
        feed(connection, b"x" * BLOCK)
        assert transport.paused and direct.full and bytes(direct.block) == b"x" * BLOCK

    asyncio.run(run())


def test_not_a_byte_beyond_the_body_is_taken_and_the_next_head_is_parsed() -> None:
    async def run() -> None:
        connection, transport, direct, done = await begun(b"Content-Length: 1000\r\n", [b"a" * 10])
        assert direct is not None and len(connection.get_buffer(-1)) == 990
        feed(connection, b"b" * 990)
        assert direct.full and not direct.left and transport.paused
        done.set()
        for _ in range(3):
            await asyncio.sleep(0)
        assert transport.written.startswith(b"HTTP/1.1 200") and not transport.paused and not transport.closed
        feed(connection, b"POST / HTTP/1.1\r\nHost: g\r\nContent-Length: 5\r\n\r\n12345")
        assert connection.busy and bytes(connection.cycle.body) == b"12345"

    asyncio.run(run())


def test_who_waits_for_a_block_is_told_of_its_pieces_and_woken_once() -> None:
    async def run() -> None:
        connection, _, direct, _ = await begun(b"Content-Length: 1000\r\n", [b"a" * 10])
        assert direct is not None
        feed(connection, b"b" * 100)  # nobody waits: whoever does so later finds them
        assert direct.filled == 100
        told: list[int] = []
        waiting = asyncio.create_task(direct.whole(told.append))
        for size in (300, 400, 190):
            await asyncio.sleep(0)
            assert not waiting.done()
            feed(connection, b"c" * size)
        await waiting
        assert direct.full and told == [300, 400, 190]

    asyncio.run(run())


def test_a_wait_ends_with_what_its_pieces_are_refused_for_and_with_the_peer() -> None:
    async def run() -> None:
        def too_slow(octets: int) -> None:
            raise RefusePeer("too-slow")

        connection, _, direct, _ = await begun(b"Content-Length: 1000\r\n", [b"a" * 10])
        assert direct is not None
        waiting = asyncio.create_task(direct.whole(too_slow))
        await asyncio.sleep(0)
        feed(connection, b"b" * 100)
        with pytest.raises(RefusePeer, match="too-slow"):
            await waiting
        waiting = asyncio.create_task(direct.whole(lambda _: None))
        await asyncio.sleep(0)
        direct.lost()
        with pytest.raises(ConnectionError):
            await waiting
        with pytest.raises(ConnectionError):
            await direct.whole(lambda _: None)

    asyncio.run(run())


def test_an_answer_before_the_end_of_the_body_ends_the_connection() -> None:
    async def run() -> None:
        connection, transport, direct, done = await begun(b"Content-Length: 1000\r\n", [b"a" * 10])
        assert direct is not None
        feed(connection, b"b" * 100)
        done.set()
        for _ in range(3):
            await asyncio.sleep(0)
        assert transport.closed

    asyncio.run(run())


def test_a_chunked_body_stays_with_the_parser() -> None:
    async def run() -> None:
        _, _, direct, _ = await begun(b"Transfer-Encoding: chunked\r\n", [b"3\r\nabc\r\n"])
        assert direct is None

    asyncio.run(run())
