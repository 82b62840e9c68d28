"""A small HTTP/1.1 client: one connection, requests that stream, answers that are bounded. The parser is h11.

Rules of this file
* Every wait has an end: connecting, each write, and the whole of an answer.
* Not more of an answer than the limit is kept; a body that goes beyond it, or beyond HTTP, ends the connection.
* No redirect is followed, no proxy of the environment is used, no cookie is kept, nothing is decompressed.
* What says nothing about the request raises DestinationDown; what a status means is the caller's business.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import urlsplit

import h11

from gateway.dimse.dial import dial
from gateway.errors import DestinationDown

HEAD = 32 << 10  # bytes of an answer's status line and headers
LIMIT = 4 << 20  # bytes of an answer's body
_INFORMATIONAL = 8  # answers of class 1xx before the answer
_LATE = 1.0  # seconds in which an answer is looked for after a write has failed


class _Network(Exception):
    """A read or write of ours failed; what a body raises is another matter."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error)
        self.error = error


_CLOSED = _Network(ConnectionResetError(104, "closed before its answer"))


class Url(NamedTuple):
    """A URL, taken apart."""

    scheme: str
    host: str
    port: int
    path: str  # without a slash at its end

    @staticmethod
    def of(text: str) -> Url:
        """Of a URL that config/units.py has let through."""
        parts = urlsplit(text)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return Url(parts.scheme, parts.hostname or "", port, parts.path.rstrip("/"))

    @property
    def authority(self) -> str:
        """For the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class Answer(NamedTuple):
    """A whole answer."""

    status: int
    headers: dict[str, str]  # names in lower case; the first of those that stand twice
    body: bytes


class Client:
    """One connection."""

    def __init__(self, url: Url, context: ssl.SSLContext | None, timeout: float) -> None:
        """Connect. Raises DestinationDown. `timeout`, in seconds, bounds connecting, each write and each answer."""
        self._url = url
        self._timeout = timeout
        self._sock: socket.socket = dial((url.host, url.port), context, url.host, timeout)
        self._http = h11.Connection(h11.CLIENT, HEAD)
        self.alive = True

    def ready(self) -> bool:
        """Whether the connection can take another request: servers close what has been idle."""
        if not self.alive:
            return False
        try:
            self._sock.settimeout(0)
            if self._sock.recv(1) is not None:  # its end, or words that nobody asked for
                self.close()
        except (ssl.SSLWantReadError, BlockingIOError):
            pass
        except OSError:
            self.close()
        return self.alive

    def request(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        body: Iterable[bytes] = (),
        length: int = 0,
        *,
        limit: int = LIMIT,
    ) -> Answer:
        """Send a request with a body of `length` bytes and read the whole answer. Raises DestinationDown.

        What `body` raises goes on, and ends the connection: half a request went.
        """
        named = [("Host", self._url.authority), ("Accept-Encoding", "identity"), *headers.items()]
        if method == "POST":
            named.append(("Content-Length", str(length)))
        try:
            try:
                self._send(h11.Request(method=method, target=path or "/", headers=named))
                for chunk in body:
                    self._send(h11.Data(data=chunk))
                self._send(h11.EndOfMessage())
            except _Network as failed:
                # Who refuses a body early answers and closes: the answer says more than the broken connection.
                return self._answer(_LATE, limit, after=failed)
            return self._answer(self._timeout, limit)
        except h11.RemoteProtocolError as error:
            self.close()
            raise DestinationDown("answer-malformed", "what came is not HTTP") from error
        except _Network as failed:
            self.close()
            if isinstance(failed.error, TimeoutError):
                raise DestinationDown("answer-timeout") from failed
            raise DestinationDown("connection-lost", failed.error.strerror or type(failed.error).__name__) from failed
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Never raises."""
        self.alive = False
        self._sock.close()

    def _send(self, event: h11.Request | h11.Data | h11.EndOfMessage) -> None:
        try:
            self._sock.settimeout(self._timeout)
            for part in self._http.send_with_data_passthrough(event) or ():  # `send` would copy what is large
                if part:
                    self._sock.sendall(part)
        except OSError as error:
            raise _Network(error) from error

    def _answer(self, seconds: float, limit: int, after: _Network | None = None) -> Answer:
        deadline = time.monotonic() + seconds
        response: h11.Response | None = None
        body = bytearray()
        told = 0
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                try:
                    data = self._receive(deadline)
                except OSError as error:
                    raise after or _Network(error) from error
                if not data and response is None:
                    raise after or _CLOSED
                self._http.receive_data(data)
            elif isinstance(event, h11.InformationalResponse):
                told += 1
                if told > _INFORMATIONAL:
                    raise h11.RemoteProtocolError("answers without end")
            elif isinstance(event, h11.Response):
                response = event
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > limit:
                    raise DestinationDown("answer-too-long", "more than is read of an answer")
            else:
                break
        if response is None:
            raise after or _CLOSED
        if after is None and self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        else:
            self.close()
        headers: dict[str, str] = {}
        for name, value in response.headers:
            headers.setdefault(name.decode("ascii", "replace"), value.decode("ascii", "replace"))
        return Answer(response.status_code, headers, bytes(body))

    def _receive(self, deadline: float) -> bytes:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)
        return self._sock.recv(1 << 16)


def fetched(url: Url, context: ssl.SSLContext | None, timeout: float, limit: int) -> bytes:
    """The body of one GET that was answered 200. Raises DestinationDown."""
    client = Client(url, context, timeout)
    try:
        answer = client.request("GET", url.path, {"Connection": "close"}, limit=limit)
    finally:
        client.close()
    if answer.status != 200:
        raise DestinationDown("answer-unexpected", f"HTTP {answer.status}")
    return answer.body
