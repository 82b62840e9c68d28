"""One HTTP connection of a listener: uvicorn's protocol with the deadlines and the identity that it lacks.

Rules of this file
* Silence and dripping buy nothing: the head of each request has a total deadline, and so has the pause before it.
* Who calls is known before the first request: the certificate that TLS has verified.
* The parser is h11, which refuses what is ambiguous (RFC 9112 6.3: two lengths, obsolete folding, bad chunks).
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from gateway.security.tls import describe, stale

logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # its warnings quote what a peer sent


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


class Connection(H11Protocol):
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
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self.gone.set()

    def data_received(self, data: bytes) -> None:
        """More bytes of the peer."""
        super().data_received(data)
        if self.busy:
            self._head_has_come()
        elif self._head is None and not self.transport.is_closing():
            self._expect_head()

    def on_response_complete(self) -> None:
        """A request is answered; another may follow."""
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
