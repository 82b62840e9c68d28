"""One HTTP connection of a listener: uvicorn's protocol with the deadlines and the identity that it lacks.

Rules of this file
* Silence and dripping buy nothing: the head of each request has a total deadline, and so has the pause before it.
* Who calls is known before the first request: the certificate that TLS has verified.
* The parser is h11, which refuses what is ambiguous (RFC 9112 6.3: two lengths, obsolete folding, bad chunks).
* A body whose length h11 has found goes past it (`Direct`): TLS writes into a buffer of ours, block after block, and
  nothing is copied on the way. Not a byte beyond that length is taken, so that the next head is h11's again.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import Any

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from gateway.errors import RefusePeer
from gateway.security.tls import describe, stale

logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # its warnings quote what a peer sent

BLOCK = 512 << 10  # bytes of a body that are handed on at once
_READ = memoryview(bytearray(64 << 10))  # of all connections of the loop: what comes is copied out in the same turn


def server_config(app: Any, head: int, idle: float) -> Config:
    """uvicorn's settings: `head` bytes of a request's head, `idle` seconds between two requests."""
    config = Config(
        app,
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        h11_max_incomplete_event_size=head,
        timeout_keep_alive=max(1, int(idle)),
    )
    config.load()
    return config


class Direct:
    """The rest of one body, as blocks that are full. Two buffers: a block lives until the next but one is begun."""

    def __init__(self, connection: Connection, left: int) -> None:
        """`left` bytes are still to come, one at least."""
        self._connection = connection
        self._spare: bytearray | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._arrived: Callable[[int], None] = _nobody
        self._lost = False
        self.left = left  # to come
        self.block = bytearray(min(BLOCK, left))
        self.filled = 0  # octets of `block` that are there

    @property
    def full(self) -> bool:
        """Whether `block` may be used: the last one is as long as the body has it."""
        return self.filled == len(self.block)

    def begin(self) -> None:
        """The next block, once this one is full and its twin is of no use any more."""
        size = min(BLOCK, self.left)
        before, self.block = self.block, self._spare if self._spare is not None else bytearray(size)
        if len(self.block) != size:
            self.block = bytearray(size)
        self._spare = before
        self.filled = 0
        self._connection.flow.resume_reading()

    async def whole(self, arrived: Callable[[int], None]) -> None:
        """Wait until the block is full; octets that come meanwhile are told to `arrived`, which may raise RefusePeer.

        Nobody is woken for them: of a block they come in many pieces. Raises ConnectionError, RefusePeer.
        """
        if not self.full and not self._lost:
            self._waiter, self._arrived = asyncio.get_running_loop().create_future(), arrived
            try:
                await self._waiter
            finally:
                self._waiter, self._arrived = None, _nobody
        if self._lost:
            raise ConnectionResetError

    def room(self) -> memoryview:
        """Where the next bytes go; never beyond this body."""
        return memoryview(self.block)[self.filled :]

    def came(self, octets: int) -> None:
        """So many are there."""
        self.filled += octets
        self.left -= octets
        try:
            self._arrived(octets)
        except RefusePeer as error:
            self._wake(error)
        if self.full:
            self._connection.flow.pause_reading()
            self._wake()

    def lost(self) -> None:
        """The peer is gone."""
        self._lost = True
        self._wake()

    def _wake(self, error: RefusePeer | None = None) -> None:
        if self._waiter is None or self._waiter.done():
            return
        if error is not None:
            self._waiter.set_exception(error)
        else:
            self._waiter.set_result(None)


def _nobody(octets: int) -> None:
    """Nobody waits for the peer: what comes then is counted when somebody does."""


class Connection(H11Protocol, asyncio.BufferedProtocol):
    """One connection. `gone` is set when it is closed."""

    def __init__(self, config: Config, state: ServerState, *, number: int, address: str, head_time: float) -> None:
        super().__init__(config, state, {"connection": self})
        self.number = number  # the supervisor's number of it
        self.address = address
        self.subject = ""  # RFC 4514, of the verified client certificate
        self.verified = False  # it showed one
        self.admitted = False  # the supervisor has counted it among the callers
        self.gone = asyncio.Event()
        self._head_time = head_time
        self._head: asyncio.TimerHandle | None = None
        self._direct: Direct | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """TLS is done, or there is none."""
        super().connection_made(transport)
        found: ssl.SSLSocket | None = transport.get_extra_info("ssl_object")
        if found is not None:
            if stale(found):  # TLS 1.2 resumed a session whose certificate has expired since
                transport.abort()
                return
            facts = describe(found)
            self.subject, self.verified = facts.subject, bool(facts.subject)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is closed."""
        self._head_has_come()
        if self._direct is not None:
            self._direct.lost()
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self.gone.set()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes of the peer go."""
        return _READ if self._direct is None else self._direct.room()

    def buffer_updated(self, nbytes: int) -> None:
        """They are there."""
        if self._direct is None:
            self.data_received(bytes(_READ[:nbytes]))
        else:
            self._direct.came(nbytes)

    def direct(self, came: int) -> Direct | None:
        """Take the rest of the body under way past the parser; None where its length is not known before.

        `came`: octets of it that were received through ASGI. No more of it comes that way.
        """
        lengths = {value for name, value in self.headers if name == b"content-length"}
        if len(lengths) != 1 or any(name == b"transfer-encoding" for name, _ in self.headers):
            return None
        left = int(lengths.pop()) - came
        if left <= 0 or self.cycle.body or not self.cycle.more_body or self.transport.is_closing():
            return None
        self._direct = Direct(self, left)
        self.flow.resume_reading()  # what came before may have been more than ASGI holds at once
        return self._direct

    def data_received(self, data: bytes) -> None:
        """More bytes of the peer."""
        super().data_received(data)
        if self.busy:
            self._head_has_come()
        elif self._head is None and not self.transport.is_closing():
            self._expect_head()

    def on_response_complete(self) -> None:
        """A request is answered; another may follow."""
        direct, self._direct = self._direct, None
        if direct is not None and not self.transport.is_closing():
            if direct.left or self.conn.our_state is not h11.DONE:  # answered before its end: what follows is no head
                self.transport.close()
            else:  # this one still waits for the body
                self.conn = h11.Connection(h11.SERVER, self.config.h11_max_incomplete_event_size or 0)
        super().on_response_complete()
        if self.busy:  # the next one had come already
            self._head_has_come()

    @property
    def busy(self) -> bool:
        """Within a request, its body or its answer."""
        return self.cycle is not None and not self.cycle.response_complete

    def hurry(self) -> None:
        """Others need its place: close it where it is no caller yet."""
        if not self.admitted and self.transport is not None:
            self.transport.abort()

    def _expect_head(self) -> None:
        self._head = self.loop.call_later(self._head_time, self._too_slow)

    def _head_has_come(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _too_slow(self) -> None:
        self._head = None
        if not self.busy and not self.transport.is_closing():
            self.transport.abort()
