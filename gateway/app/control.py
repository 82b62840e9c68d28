"""The few words that supervisor and worker exchange over a Unix socket pair.

Rules of this file
* A frame has a fixed size and, towards the worker, may carry one file descriptor: a freshly accepted socket.
* The supervisor counts; the worker tells it when a connection is established and when it is closed.
* End of file means that the other side is gone; a worker without a supervisor drains and stops.
"""

from __future__ import annotations

import socket
import struct
from enum import IntEnum
from typing import NamedTuple

_FRAME = struct.Struct("!QH64s52s")


class Word(IntEnum):
    """What a frame says."""

    READY = 1  # worker: I can take connections
    TAKE = 2  # supervisor: here is a connection (with its socket)
    ESTABLISHED = 3  # worker: this connection became an association
    CLOSED = 4  # worker: this connection is gone
    DRAIN = 5  # supervisor: take nothing more, finish, stop


class Frame(NamedTuple):
    """`connection` is the supervisor's number of it, `listener` the id in gateway.yaml."""

    word: Word
    connection: int = 0
    listener: str = ""
    address: str = ""


def send(sock: socket.socket, frame: Frame, descriptor: int | None = None) -> None:
    """Write one frame, with a descriptor where given. Raises OSError where the other side is gone."""
    data = _FRAME.pack(frame.connection, frame.word, frame.listener.encode(), frame.address.encode()[:52])
    if descriptor is None:
        sock.sendall(data)
    else:
        socket.send_fds(sock, [data], [descriptor])


def receive(sock: socket.socket) -> tuple[Frame | None, int | None]:
    """Read one frame and its descriptor; (None, None) at end of file."""
    data, descriptors, _flags, _address = socket.recv_fds(sock, _FRAME.size, 1)
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


def _text(field: bytes) -> str:
    return field.rstrip(b"\0").decode()
