"""A connection's way from TCP through the TLS handshake to its A-ASSOCIATE-RQ, without a thread.

Rules of this file
* One selector carries all of them; each has a total deadline (ARTIM, PS3.8 9.1.4), so that dripping bytes buys nothing.
* A thread and its buffer are given only to a complete A-ASSOCIATE-RQ: a thousand silent sockets cost a thousand
  small objects.
* A refused handshake is the peer's fault and raises a security alert; a timeout is counted and logged.
* Whose certificate TLS has verified is told at once: it stands in a room of its own (app/door.py).
* Nothing that one connection does reaches beyond it: whatever goes wrong with it, it is dropped and the others go on.
* It decides nothing about AE titles: receive/dimse.py does, once the request is parsed.
"""

from __future__ import annotations

import logging
import selectors
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.dimse.pdu import AssociateReader
from gateway.errors import RefusePeer
from gateway.logs import fields

log = logging.getLogger("admission")

_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)
# How OpenSSL's words translate into our codes; anything else is `tls-failed`.
_TLS_REASONS = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "client-certificate-missing",
    "CERTIFICATE_VERIFY_FAILED": "client-certificate-refused",
    "UNSUPPORTED_PROTOCOL": "tls-version-refused",
    "WRONG_VERSION_NUMBER": "not-tls",
    "HTTP_REQUEST": "not-tls",
    "WRONG_SSL_VERSION": "tls-version-refused",
    "NO_SHARED_CIPHER": "tls-suite-refused",
    "UNEXPECTED_EOF_WHILE_READING": "peer-gave-up",
}


def tls_refusal(error: ssl.SSLError) -> RefusePeer:
    """What a failed handshake of a caller means: its fault, and a Security Alert."""
    return RefusePeer(_TLS_REASONS.get(error.reason or "", "tls-failed"), error.reason or "", security=True)


@dataclass(slots=True)
class Arrival:
    """One connection on its way in."""

    sock: socket.socket
    listener: str  # id in gateway.yaml
    connection: int
    address: str
    deadline: float
    reader: AssociateReader
    handshaking: bool
    request: bytes = field(default=b"", repr=False)


class Admission:
    """Carries arrivals on a selector that the worker owns and polls."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        established: Callable[[Arrival], None],
        refused: Callable[[Arrival, RefusePeer], None],
        authenticated: Callable[[Arrival], None] = lambda _: None,
    ) -> None:
        self._selector = selector
        self._established = established
        self._authenticated = authenticated
        self._refused = refused
        self._by_connection: dict[int, Arrival] = {}

    def __len__(self) -> int:
        return len(self._by_connection)

    def add(
        self,
        sock: socket.socket,
        listener: str,
        connection: int,
        address: str,
        context: ssl.SSLContext | None,
        artim: float,
        limit: int,
    ) -> None:
        """Begin with a freshly accepted socket; `artim` in seconds, `limit` in bytes of the A-ASSOCIATE-RQ."""
        arrival = Arrival(
            sock, listener, connection, address, time.monotonic() + artim, AssociateReader(limit), context is not None
        )
        self._by_connection[connection] = arrival
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if context is not None:  # raises where the peer has said something and gone already (Python 3.11.4)
                arrival.sock = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
            self._selector.register(arrival.sock, selectors.EVENT_READ, arrival)
        except OSError as error:
            self._drop(arrival, RefusePeer("connection-lost", type(error).__name__))

    def ready(self, arrival: Arrival) -> None:
        """The selector says that this arrival can go on."""
        if self._by_connection.get(arrival.connection) is not arrival:
            return  # let go in the same turn
        try:
            if _QUICKACK is not None and arrival.sock.family in (socket.AF_INET, socket.AF_INET6):
                # A peer with Nagle's algorithm on holds its next words back until these are acknowledged (40 ms).
                arrival.sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
            if arrival.handshaking and not self._handshake(arrival):
                return
            self._read(arrival)
        except RefusePeer as error:
            self._drop(arrival, error)
        except OSError as error:
            self._drop(arrival, RefusePeer("connection-lost", type(error).__name__))
        except Exception:
            log.exception(fields("admission-failed", listener=arrival.listener))
            self._drop(arrival, RefusePeer("internal-error"))

    def expire(self) -> None:
        """Close what has passed its deadline. Called at least once a second."""
        now = time.monotonic()
        for arrival in [a for a in self._by_connection.values() if a.deadline <= now]:
            self._drop(arrival, RefusePeer("artim-expired", "no association request within the time allowed"))

    def let_go(self, connection: int) -> None:
        """Others need its place. Does nothing where it has become an association, or is gone."""
        arrival = self._by_connection.get(connection)
        if arrival is not None:
            self._drop(arrival, RefusePeer("too-many-half-open", "has stood longest where too many stand"))

    def close(self) -> None:
        """Drop all: the worker stops."""
        for arrival in list(self._by_connection.values()):
            self._drop(arrival, RefusePeer("shutting-down"))

    def _handshake(self, arrival: Arrival) -> bool:
        assert isinstance(arrival.sock, ssl.SSLSocket)
        try:
            arrival.sock.do_handshake()
        except ssl.SSLWantReadError:
            self._selector.modify(arrival.sock, selectors.EVENT_READ, arrival)
            return False
        except ssl.SSLWantWriteError:
            self._selector.modify(arrival.sock, selectors.EVENT_WRITE, arrival)
            return False
        except ssl.SSLError as error:
            raise tls_refusal(error) from error
        self._selector.modify(arrival.sock, selectors.EVENT_READ, arrival)
        arrival.handshaking = False
        if arrival.sock.getpeercert(binary_form=True):  # verified: a context that asks for one has anchors
            self._authenticated(arrival)
        return True

    def _read(self, arrival: Arrival) -> None:
        while True:
            try:
                data = arrival.sock.recv(arrival.reader.wanted)
            except (ssl.SSLWantReadError, BlockingIOError):
                return
            except ssl.SSLWantWriteError:
                self._selector.modify(arrival.sock, selectors.EVENT_WRITE, arrival)
                return
            except ssl.SSLError as error:
                # With TLS 1.3 a missing client certificate shows only here.
                raise tls_refusal(error) from error
            if not data:
                raise RefusePeer("peer-gave-up", "closed before its association request")
            request = arrival.reader.feed(data)
            if request is not None:
                self._forget(arrival)
                arrival.request = request
                arrival.sock.setblocking(True)
                self._established(arrival)
                return

    def _forget(self, arrival: Arrival) -> None:
        self._by_connection.pop(arrival.connection, None)
        try:
            self._selector.unregister(arrival.sock)
        except (KeyError, ValueError):
            pass  # it never was, or is already closed

    def _drop(self, arrival: Arrival, error: RefusePeer) -> None:
        self._forget(arrival)
        log.info(fields("refused", reason=error.reason, listener=arrival.listener, address=arrival.address))
        arrival.sock.close()
        self._refused(arrival, error)
