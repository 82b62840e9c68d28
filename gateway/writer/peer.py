"""One connection to the writer: frames in, frames out, never waiting for the other end.

Rules of this file
* A worker that does not read (stopped, swapped out) holds up nobody: what it has not taken waits in memory, up to
  `MOST_UNREAD`, and then it is cut off. Its leases go back, and it may connect again.
* A broken connection is shut down, never closed here: the selector sees its end and process.py forgets it then.
"""

from __future__ import annotations

import os
import selectors
import socket
import struct

import msgspec

from gateway.writer.messages import LENGTH, MAX_FRAME, AnyReply, Reply, Request

MOST_UNREAD = 128 << 20  # bytes: more than all windows hold, or a unit of a hundred thousand instances
_decoder = msgspec.msgpack.Decoder(Request)
_encoder = msgspec.msgpack.Encoder()


class Peer:
    """One connection: a worker, the supervisor or an operator."""

    def __init__(self, sock: socket.socket, selector: selectors.BaseSelector) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.worker = ""  # until it says its name, and for ever where it is none
        self._selector = selector
        self._in = bytearray()
        self._out = bytearray()
        self._events = selectors.EVENT_READ
        selector.register(sock, selectors.EVENT_READ, self)

    def read(self) -> list[Request] | None:
        """The requests that have come whole; None at end of file. Raises ValueError on what is not a request."""
        try:
            data = self.sock.recv(1 << 20)
        except BlockingIOError:
            return []
        except OSError:
            return None
        if not data:
            return None
        self._in += data
        found: list[Request] = []
        at = 0
        while len(self._in) - at >= LENGTH.size:
            (size,) = LENGTH.unpack_from(self._in, at)
            if size > MAX_FRAME:
                raise ValueError("frame too long")
            begin = at + LENGTH.size
            if len(self._in) < begin + size:
                break
            found.append(_decoder.decode(bytes(self._in[begin : begin + size])))
            at = begin + size
        del self._in[:at]
        return found

    def send(self, number: int, body: AnyReply) -> None:
        """Answer, or keep the answer until the other end takes it."""
        self.put(number, body)
        self.push()

    def put(self, number: int, body: AnyReply) -> None:
        """An answer that goes out with the next `push`."""
        data = _encoder.encode(Reply(number, body))
        self._out += LENGTH.pack(len(data))
        self._out += data
        if len(self._out) > MOST_UNREAD:
            self._cut()

    def push(self) -> None:
        """Hand over what was put, unless the other end is not reading anyway."""
        if self._events == selectors.EVENT_READ:
            self.flush()

    def flush(self) -> None:
        """Hand over what the other end takes now."""
        try:
            while self._out:
                del self._out[: self.sock.send(self._out)]
        except BlockingIOError:
            pass
        except OSError:
            self._cut()
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._out else 0)
        if events != self._events:
            self._events = events
            self._selector.modify(self.sock, events, self)

    def forget(self) -> None:
        """It is gone."""
        self._selector.unregister(self.sock)
        self.sock.close()
        self._out.clear()

    def _cut(self) -> None:
        self._out.clear()
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the other end was faster


def ourselves(sock: socket.socket) -> bool:
    """The other end runs as the same user (Linux says so; elsewhere the socket's mode has to do)."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    _pid, uid, _gid = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return bool(uid == os.getuid())
