"""Admission: deadlines are total, refusals have a reason, only a whole request gets a thread."""

from __future__ import annotations

import selectors
import socket
import ssl
import struct
import time

import pytest

from gateway.errors import RefusePeer
from gateway.receive.admission import Admission, Arrival

REQUEST = struct.pack(">BBL", 1, 0, 80) + bytes(80)


class Stage:
    """An Admission with its selector, and one peer."""

    def __init__(self, artim: float = 5.0) -> None:
        self.selector = selectors.DefaultSelector()
        self.established: list[Arrival] = []
        self.refused: list[tuple[Arrival, RefusePeer]] = []
        self.admission = Admission(
            self.selector, self.established.append, lambda arrival, error: self.refused.append((arrival, error))
        )
        self.server = socket.create_server(("127.0.0.1", 0))
        self.peer = socket.create_connection(self.server.getsockname())
        ours, _ = self.server.accept()
        self.admission.add(ours, "hospital", 7, "127.0.0.1", None, artim, 65536)

    def turn(self, seconds: float = 0.3) -> None:
        """Let the selector run for a while."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0 and len(self.admission):
            for key, _ in self.selector.select(min(left, 0.02)):
                self.admission.ready(key.data)
            self.admission.expire()

    def close(self) -> None:
        for arrival in self.established:
            arrival.sock.close()
        self.peer.close()
        self.server.close()
        self.selector.close()


@pytest.fixture
def stage():
    made: list[Stage] = []

    def make(**options: float) -> Stage:
        made.append(Stage(**options))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_a_whole_request_is_handed_on_with_a_blocking_socket(stage) -> None:
    it = stage()
    it.peer.sendall(REQUEST + b"what comes after is left in the socket")
    it.turn()
    (arrival,) = it.established
    assert arrival.request == REQUEST and arrival.sock.getblocking()
    assert arrival.sock.recv(4) == b"what"
    assert len(it.admission) == 0 and not it.refused


def test_a_request_may_come_in_any_pieces(stage) -> None:
    it = stage()
    for at in range(len(REQUEST)):
        it.peer.sendall(REQUEST[at : at + 1])
        it.turn(0.003)
    it.turn()
    assert [a.request for a in it.established] == [REQUEST]


def test_dripping_does_not_move_the_deadline(stage) -> None:
    it = stage(artim=0.4)
    started = time.monotonic()
    while len(it.admission) and time.monotonic() < started + 3:
        try:
            it.peer.send(REQUEST[:1])
            it.peer.setblocking(False)
        except OSError:
            break
        it.turn(0.05)
        if it.refused:
            break
    ((_, error),) = it.refused
    assert error.reason in ("artim-expired", "pdu-malformed", "pdu-too-long")
    assert time.monotonic() - started < 1.5


def test_silence_ends_at_the_deadline_and_raises_no_alert(stage) -> None:
    it = stage(artim=0.2)
    it.turn(1.0)
    ((_, error),) = it.refused
    assert error.reason == "artim-expired" and not error.security
    it.peer.settimeout(1)
    assert it.peer.recv(1) == b""


@pytest.mark.parametrize(
    ("lie", "reason"),
    [
        (struct.pack(">BBL", 1, 0, 0xFFFFFFFF), "pdu-too-long"),
        (struct.pack(">BBL", 4, 0, 10) + bytes(10), "pdu-unexpected"),
        (b"GET / HTTP/1.1\r\n\r\n", "pdu-unrecognized"),
    ],
)
def test_anything_else_is_refused_by_its_header(stage, lie: bytes, reason: str) -> None:
    it = stage()
    it.peer.sendall(lie)
    it.turn()
    ((_, error),) = it.refused
    assert error.reason == reason


def test_who_spoke_and_was_reset_before_tls_began_harms_nobody(stage) -> None:
    """`wrap_socket` itself raises then: that reached the worker's loop, and ended the worker."""
    it = stage()
    peer = socket.create_connection(it.server.getsockname())
    ours, _ = it.server.accept()
    peer.sendall(b"x")
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    it.admission.add(ours, "hospital", 8, "127.0.0.1", context, 5.0, 65536)
    ((arrival, error),) = it.refused
    assert (arrival.connection, error.reason) == (8, "connection-lost") and not error.security
    assert len(it.admission) == 1, "the other one was forgotten"
    it.peer.sendall(REQUEST)
    it.turn()
    assert [a.request for a in it.established] == [REQUEST]


def test_who_is_let_go_within_the_turn_is_no_concern_of_its_event(stage) -> None:
    it = stage()
    it.peer.sendall(REQUEST)
    (key, _), *_ = it.selector.select(1)
    it.admission.let_go(7)
    it.admission.ready(key.data)
    ((_, error),) = it.refused
    assert error.reason == "too-many-half-open" and not error.security and it.established == []
    it.admission.let_go(7)
    assert len(it.refused) == 1


def test_a_fault_of_ours_drops_one_connection_and_no_more(stage) -> None:
    it = stage()

    def failing(_: Arrival) -> None:
        raise RuntimeError("can't start new thread")

    it.admission._established = failing
    it.peer.sendall(REQUEST)
    it.turn()
    ((_, error),) = it.refused
    assert error.reason == "internal-error" and len(it.admission) == 0
    it.peer.settimeout(1)
    assert it.peer.recv(1) == b""


def test_a_peer_that_goes_away_is_forgotten(stage) -> None:
    it = stage()
    it.peer.close()
    it.turn()
    ((_, error),) = it.refused
    assert error.reason in ("peer-gave-up", "connection-lost") and len(it.admission) == 0
