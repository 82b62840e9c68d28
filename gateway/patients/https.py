"""One HTTPS request and its answer, bounded in time and size. The parser of HTTP is the standard library's.

Rules of this file
* One deadline over connecting, handshake, request and answer together: a server that drips a byte a second gains
  nothing. Names are resolved by the system, whose own limits hold.
* Not a byte more than the limit is read: headers and body count together. No redirect is followed, no proxy of the
  environment is used, no connection is kept.
* The server's certificate is verified and must name the host (security/tls.py makes the context).
* What fails without an answer about the patient raises WaitObject, with a code and no content.
"""

from __future__ import annotations

import io
import socket
import ssl
import time
from http.client import HTTPException, HTTPResponse
from typing import NamedTuple
from urllib.parse import urlsplit

from gateway.errors import WaitObject

HEADERS = 16 << 10  # bytes of status line and headers, beside those of the body


class Answer(NamedTuple):
    """A whole answer."""

    status: int
    kind: str  # media type, lower case, without parameters
    body: bytes


class TooLarge(Exception):
    """The answer goes beyond the limit."""


class Endpoint(NamedTuple):
    """One URL, taken apart."""

    host: str
    port: int
    path: str

    @staticmethod
    def of(url: str) -> Endpoint:
        """Of a URL that config/units.py has let through."""
        parts = urlsplit(url)
        return Endpoint(parts.hostname or "", parts.port or 443, parts.path or "/")


def post(
    endpoint: Endpoint, headers: dict[str, str], body: bytes, context: ssl.SSLContext, timeout: float, limit: int
) -> Answer:
    """POST and read the whole answer. Raises WaitObject, TooLarge."""
    deadline = time.monotonic() + timeout
    try:
        with _connected(endpoint, context, deadline) as sock:
            sock.settimeout(_left(deadline))
            sock.sendall(_request(endpoint, headers, body))
            return _answer(sock, deadline, limit)
    except TooLarge:
        raise
    except ssl.SSLCertVerificationError as error:
        raise WaitObject("patient-service-certificate", error.verify_message) from None
    except TimeoutError:
        raise WaitObject("patient-service-timeout", "no whole answer in time") from None
    except ssl.SSLError as error:
        raise WaitObject("patient-service-unavailable", error.reason or "TLS failed") from None
    except (OSError, HTTPException) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise WaitObject("patient-service-unavailable", str(why)) from None


def _connected(endpoint: Endpoint, context: ssl.SSLContext, deadline: float) -> ssl.SSLSocket:
    sock = socket.create_connection((endpoint.host, endpoint.port), timeout=_left(deadline))
    try:
        sock.settimeout(_left(deadline))
        return context.wrap_socket(sock, server_hostname=endpoint.host)
    except BaseException:
        sock.close()
        raise


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _request(endpoint: Endpoint, headers: dict[str, str], body: bytes) -> bytes:
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    lines = [f"POST {endpoint.path} HTTP/1.1", f"Host: {host}:{endpoint.port}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


def _answer(sock: ssl.SSLSocket, deadline: float, limit: int) -> Answer:
    response = HTTPResponse(_Bounded(sock, deadline, limit + HEADERS), method="POST")  # type: ignore[arg-type]
    with response:
        response.begin()
        body = response.read(limit + 1)  # with an integer, a short body raises nothing: asked below
        if len(body) > limit:
            raise TooLarge
        if response.length:  # less came than Content-Length says
            raise HTTPException
        kind = response.headers.get_content_type() if response.headers.get("Content-Type") else ""
        return Answer(response.status, kind, body)


class _Bounded:
    """The socket as HTTPResponse wants it: something that makes a file."""

    def __init__(self, sock: ssl.SSLSocket, deadline: float, limit: int) -> None:
        self._raw = _Raw(sock, deadline, limit)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self._raw, 4096)


class _Raw(io.RawIOBase):
    """Reads under a deadline and a limit."""

    def __init__(self, sock: ssl.SSLSocket, deadline: float, limit: int) -> None:
        self._sock = sock
        self._deadline = deadline
        self._left = limit

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        self._sock.settimeout(_left(self._deadline))
        count = self._sock.recv_into(view)
        self._left -= count
        if self._left < 0:
            raise TooLarge
        return count
