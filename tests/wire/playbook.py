"""Dialogues over a socket pair: one end is ours, the other is played by the test, PDU by PDU."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from gateway.dimse import messages, pdu
from gateway.dimse.acceptor import Acceptor
from gateway.dimse.limits import Limits
from gateway.dimse.messages import Command
from gateway.dimse.negotiation import AcceptancePolicy
from gateway.dimse.pdu import PduType
from gateway.dimse.service import AssociationEnd
from tests.unit.dimse.doubles import QUICK, MemoryService
from tests.unit.dimse.samples import associate_rq

CLOSED = "closed"


class Peer:
    """The played end."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        sock.settimeout(5)

    def says(self, *data: bytes) -> None:
        for each in data:
            self.sock.sendall(each)

    def hears(self) -> tuple[int, bytes] | str:
        """The next PDU, or CLOSED."""
        header = self._exactly(6)
        if header is None:
            return CLOSED
        kind, length = pdu.HEADER.unpack(header)
        body = self._exactly(length) if length else b""
        assert body is not None
        return kind, body

    def hears_answer(self) -> Command:
        """The next PDU is a whole response."""
        command = self.hears_answer_or_request()
        assert command.is_response
        return command

    def hears_answer_or_request(self) -> Command:
        """The next PDU is a whole command."""
        heard = self.hears()
        assert heard[0] == PduType.P_DATA_TF, heard
        (value,) = pdu.pdvs(memoryview(bytes(heard[1])))  # type: ignore[arg-type]
        assert value.control == pdu.COMMAND | pdu.LAST
        return messages.decode_command(bytes(value.fragment))

    def hears_abort(self) -> tuple[int, int]:
        """The next PDU is an A-ABORT: its source and reason."""
        heard = self.hears()
        assert heard[0] == PduType.ABORT, heard
        return heard[1][2], heard[1][3]  # type: ignore[return-value]

    def release(self) -> None:
        self.says(pdu.RELEASE_RQ)
        assert self.hears() == (PduType.RELEASE_RP, bytes(4))
        self.sock.close()

    def close(self) -> None:
        self.sock.close()

    def _exactly(self, size: int) -> bytes | None:
        data = b""
        while len(data) < size:
            try:
                more = self.sock.recv(size - len(data))
            except ConnectionError:
                return None
            if not more:
                assert not data, "cut within a PDU"
                return None
            data += more
        return data


class Stage:
    """A running acceptor, its service, and the played requestor."""

    def __init__(self, peer: Peer, acceptor: Acceptor, service: MemoryService, thread: threading.Thread) -> None:
        self.peer = peer
        self.acceptor = acceptor
        self.service = service
        self._thread = thread

    def end(self) -> AssociationEnd:
        """How it ended; waits for it."""
        self._thread.join(8)
        assert not self._thread.is_alive(), "the association does not end"
        (end,) = self.service.ends
        return end


@contextmanager
def accepting(
    service: MemoryService | None = None,
    request: bytes | None = None,
    policy: AcceptancePolicy = AcceptancePolicy(),
    established: bool = True,
    **limits: float,
) -> Iterator[Stage]:
    """An acceptor over a socket pair; `established` reads the A-ASSOCIATE-AC away."""
    service = service or MemoryService()
    ours, theirs = socket.socketpair()
    peer = Peer(theirs)
    found: Limits = replace(QUICK, **limits)  # type: ignore[arg-type]
    acceptor = Acceptor(ours, associate_rq() if request is None else request, policy, service, found)
    thread = threading.Thread(target=acceptor.run, daemon=True)
    thread.start()
    stage = Stage(peer, acceptor, service, thread)
    try:
        if established:
            heard = peer.hears()
            assert heard[0] == PduType.ASSOCIATE_AC, heard
        yield stage
    finally:
        peer.close()
        stage.end()
