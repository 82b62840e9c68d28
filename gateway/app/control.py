"""The few words that supervisor and worker exchange over a Unix socket pair.

Rules of this file
* A frame has a fixed size and, towards the worker, may carry one file descriptor: a freshly accepted socket.
* The supervisor counts and decides; the worker tells it what a connection has become and when it is closed.
* The supervisor never waits for a worker to take a frame: two that wait for each other would wait for ever.
* End of file means that the other side is gone; a worker without a supervisor drains and stops.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

_FRAME = struct.Struct("!QH64s52s")
_FD = struct.Struct("i")


class Word(IntEnum):
    """What a frame says."""

    READY = 1  # worker: I can take connections
    TAKE = 2  # supervisor: here is a connection (with its socket)
    AUTHENTICATED = 3  # worker: TLS is done with this connection, and it showed a certificate
    ASKS = 4  # worker: its A-ASSOCIATE-RQ has come; may it be?
    GRANTED = 5  # supervisor: it may
    REFUSED = 6  # supervisor: it may not, there are too many
    LET_GO = 7  # supervisor: close this connection if it is no association yet, others need its place
    CLOSED = 8  # worker: this connection is gone
    DRAIN = 9  # supervisor: take nothing more, finish, stop


class Frame(NamedTuple):
    """`connection` is the supervisor's number of it, `listener` the id in gateway.yaml."""

    word: Word
    connection: int = 0
    listener: str = ""
    address: str = ""


def send(sock: socket.socket, frame: Frame, descriptor: int | None = None, *, wait: bool = True) -> None:
    """Write one frame, with a descriptor where given. Raises OSError where the other side is gone.

    Without `wait` also BlockingIOError, and nothing is written: the other side does not keep up.
    """
    data = _FRAME.pack(frame.connection, frame.word, frame.listener.encode(), frame.address.encode()[:52])
    flags = 0 if wait else socket.MSG_DONTWAIT
    if descriptor is None:
        sock.sendall(data, flags)
    else:
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, _FD.pack(descriptor))]  # send_fds drops its flags (3.11)
        sock.sendmsg([data], rights, flags)


def receive(sock: socket.socket, *, wait: bool = True) -> tuple[Frame | None, int | None]:
    """Read one frame and its descriptor; (None, None) at end of file. Without `wait` raises BlockingIOError on none."""
    flags = 0 if wait else socket.MSG_DONTWAIT
    data, ancillary, _flags, _address = sock.recvmsg(_FRAME.size, socket.CMSG_LEN(_FD.size), flags)
    descriptors = [_FD.unpack(value)[0] for _, kind, value in ancillary if kind == socket.SCM_RIGHTS]
    while 0 < len(data) < _FRAME.size:
        more = sock.recv(_FRAME.size - len(data))
        if not more:
            return None, None
        data += more
    if not data:
        return None, None
    connection, word, listener, address = _FRAME.unpack(data)
    frame = Frame(Word(word), connection, _text(listener), _text(address))
    return frame, descriptors[0] if descriptors else None


def frames(sock: socket.socket, most: int) -> Iterator[tuple[Frame | None, int | None]]:
    """Every frame that is there now, at most so many; ends after (None, None), the end of file."""
    for _ in range(most):
        try:
            frame, descriptor = receive(sock, wait=False)
        except BlockingIOError:
            return
        except OSError:
            frame, descriptor = None, None
        yield frame, descriptor
        if frame is None:
            return


def _text(field: bytes) -> str:
    return field.rstrip(b"\0").decode()
