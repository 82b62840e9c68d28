"""One connected socket, plain or TLS, as a stream of PDUs under deadlines.

Rules of this file
* One buffer per association, reused; a PDU is given as a view of it, valid until the next is read.
* A PDU is judged by its 6 header bytes before the rest is read (pdu.check_header).
* Every wait has a total deadline: a peer that drips bytes is cut (docs/adr, slowloris).
* TCP_NODELAY always; TCP_QUICKACK re-armed before each recv, because a peer with Nagle on waits for our ACK.
* Errors are RefusePeer with a reason of faults.FAULTS.

What it does not do: know states (states.py) or messages (messages.py).
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable

from gateway.dimse.limits import Limits
from gateway.dimse.pdu import HEADER, check_header
from gateway.errors import RefusePeer

BUFFER = 256 << 10
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)


class Connection:
    """Reads and writes whole PDUs. Not for two threads at once."""

    def __init__(self, sock: socket.socket, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self.sock = sock
        self.limits = limits
        self._clock = clock
        self._tls = isinstance(sock, ssl.SSLSocket)
        self._tcp = sock.family in (socket.AF_INET, socket.AF_INET6)
        if self._tcp:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray(max(BUFFER, HEADER.size + max(limits.max_pdu, limits.associate_pdu)))
        self._view = memoryview(self._buffer)
        self._timeout = -1.0  # that the socket has now
        self._start = 0  # of what has come and was not read
        self._end = 0

    @property
    def buffered(self) -> int:
        """Bytes that have come and were not read."""
        return self._end - self._start

    def limit(self, limits: Limits) -> None:
        """From now on these; the buffer only ever grows, and only before the first P-DATA-TF."""
        self.limits = limits
        needed = HEADER.size + limits.max_pdu
        if needed > len(self._buffer):
            kept = bytes(self._view[self._start : self._end])
            self._buffer = bytearray(needed)
            self._view = memoryview(self._buffer)
            self._view[: len(kept)] = kept
            self._start, self._end = 0, len(kept)

    def peek(self) -> int:
        """The type of the PDU whose first byte is buffered."""
        return self._buffer[self._start]

    def wait(self, seconds: float) -> bool:
        """Something to read is here, or comes within `seconds`."""
        if self.buffered:
            return True
        try:
            self._receive(self._clock() + seconds, "idle-timeout")
        except RefusePeer as error:
            if error.reason == "idle-timeout":
                return False
            raise
        return True

    def read_pdu(self, first: float, late: str = "idle-timeout") -> tuple[int, memoryview]:
        """(type, variable field) of the next PDU, whose first byte may take `first` seconds, else reason `late`."""
        if not self.buffered:
            self._receive(self._clock() + first, late)
        deadline = 0.0
        while self.buffered < HEADER.size:
            deadline = deadline or self._clock() + self.limits.pdu_time
            self._receive(deadline, "pdu-timeout")
        kind, length = HEADER.unpack_from(self._buffer, self._start)
        check_header(kind, length, self.limits.max_pdu, self.limits.associate_pdu)
        whole = HEADER.size + length
        if self._start + whole > len(self._buffer):
            self._compact()
        while self.buffered < whole:
            deadline = deadline or self._clock() + self.limits.pdu_time
            self._receive(deadline, "pdu-timeout")
        body = self._view[self._start + HEADER.size : self._start + whole]
        self._start += whole
        return kind, body

    def _compact(self) -> None:
        """Move what is unread to the front; views given before end here."""
        kept = self.buffered
        self._view[:kept] = self._view[self._start : self._end]
        self._start, self._end = 0, kept

    def _receive(self, deadline: float, late: str) -> None:
        """One recv into the free part of the buffer."""
        if self._start == self._end:
            self._start = self._end = 0
        try:
            got = -1
            while got < 0:
                self._patience(deadline, late)
                if self._tcp and _QUICKACK is not None:
                    self.sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
                try:
                    got = self.sock.recv_into(self._view[self._end :])
                except TimeoutError:
                    pass  # of the socket; the deadline may be later
        except ssl.SSLError as error:
            raise RefusePeer("connection-lost", f"TLS: {error.reason or type(error).__name__}") from error
        except OSError as error:
            raise RefusePeer("connection-lost", type(error).__name__) from error
        if not got:
            raise RefusePeer("connection-lost", "closed by the peer")
        self._end += got

    def _patience(self, deadline: float, late: str) -> None:
        """Let the next call wait until about the deadline. Raises RefusePeer(late) when that has passed.

        The timeout is set only where it is off by much: setting it costs a system call and the interpreter's lock.
        """
        left = deadline - self._clock()
        if left <= 0:
            raise RefusePeer(late)
        if not left * 0.5 <= self._timeout <= left * 1.05:
            self.sock.settimeout(left)
            self._timeout = left

    def send(self, data: bytes | memoryview) -> None:
        """All of `data`, within `limits.pdu_time` in all."""
        deadline = self._clock() + self.limits.pdu_time
        view = memoryview(data)
        try:
            while view:  # one call takes one TLS record, or what the kernel has room for
                self._patience(deadline, "send-timeout")
                try:
                    view = view[self.sock.send(view) :]
                except TimeoutError:
                    pass  # of the socket; the deadline may be later
        except ssl.SSLError as error:
            raise RefusePeer("connection-lost", f"TLS: {error.reason or type(error).__name__}") from error
        except OSError as error:
            raise RefusePeer("connection-lost", type(error).__name__) from error

    def send_with_header(self, header: bytes, body: bytes) -> None:
        """Both as one, so that a header never travels alone."""
        if self._tls or not self._tcp:
            self.send(header + body)
            return
        try:
            self._patience(self._clock() + self.limits.pdu_time, "send-timeout")
            sent = self.sock.sendmsg((header, body))
        except TimeoutError:
            sent = 0  # `send` has a deadline of its own
        except OSError as error:
            raise RefusePeer("connection-lost", type(error).__name__) from error
        if sent < len(header) + len(body):
            self.send((header + body)[sent:] if sent < len(header) else memoryview(body)[sent - len(header) :])

    def linger(self) -> None:
        """Sta13: let the peer close, so that it gets our last PDU; what it still sends is thrown away."""
        deadline = self._clock() + self.limits.close
        try:
            while True:
                self._start = self._end = 0
                self._receive(deadline, "idle-timeout")
        except RefusePeer:
            pass

    def cut(self) -> None:
        """From any thread: whoever waits for this peer hears its end now."""
        try:
            socket.socket.shutdown(
                self.sock, socket.SHUT_RDWR
            )  # an SSLSocket's own would drop its session under a read
        except OSError:
            pass  # it has ended by itself

    def close(self) -> None:
        """Close; TLS says so to the peer without waiting for its word."""
        try:
            if isinstance(self.sock, ssl.SSLSocket):
                self.sock.settimeout(0)
                self.sock.unwrap()
        except (OSError, ValueError):
            pass
        finally:
            self.sock.close()
