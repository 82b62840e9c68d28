"""A storage service that keeps what it gets, and an acceptor on a loopback port: doubles for the tests of dimse."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gateway.dimse.acceptor import Acceptor
from gateway.dimse.limits import Limits
from gateway.dimse.negotiation import AcceptancePolicy
from gateway.dimse.pdu import AssociateReader, AssociateRequest
from gateway.dimse.service import Accept, AssociationEnd, Reject, StoreRequest, StoreResponse
from gateway.errors import RefusePeer

QUICK = Limits(artim=5.0, idle=5.0, pdu_time=5.0, answer=5.0, close=2.0)


class MemorySink:
    """Keeps the bytes of one object."""

    def __init__(self, service: MemoryService, request: StoreRequest) -> None:
        self.service = service
        self.request = request
        self.data = bytearray()

    def write(self, chunk: memoryview) -> None:
        if self.service.on_write is not None:
            self.service.on_write(self)
        self.data += chunk

    def finish(self) -> StoreResponse:
        answer = self.service.on_finish(self) if self.service.on_finish is not None else StoreResponse(0)
        self.service.stored.append((self.request, bytes(self.data)))
        return answer

    def abort(self) -> None:
        self.service.aborted.append(self.request)


@dataclass
class MemoryService:
    """A StorageService; the hooks make it fail."""

    verdict: Accept | Reject = field(default_factory=Accept)
    on_begin: Callable[[StoreRequest], None] | None = None
    on_write: Callable[[MemorySink], None] | None = None
    on_finish: Callable[[MemorySink], StoreResponse] | None = None
    requests: list[AssociateRequest] = field(default_factory=list)
    stored: list[tuple[StoreRequest, bytes]] = field(default_factory=list)
    aborted: list[StoreRequest] = field(default_factory=list)
    echoes: int = 0
    ends: list[AssociationEnd] = field(default_factory=list)

    def associate(self, request: AssociateRequest) -> Accept | Reject:
        self.requests.append(request)
        return self.verdict

    def begin(self, store: StoreRequest) -> MemorySink:
        if self.on_begin is not None:
            self.on_begin(store)
        return MemorySink(self, store)

    def echo(self) -> int:
        self.echoes += 1
        return 0

    def ended(self, end: AssociationEnd) -> None:
        self.ends.append(end)


def server_context(certs: Path) -> ssl.SSLContext:
    """Mutual TLS 1.3 with the certificates that certs.dev.make has put into a folder."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(certs / "gateway.pem", certs / "gateway.key")
    context.load_verify_locations(certs / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    return context


class Listening:
    """What `listening` gives: where it is, and what came."""

    def __init__(self, port: int, service: MemoryService) -> None:
        self.port = port
        self.service = service
        self.refused: list[str] = []
        self.acceptors: list[Acceptor] = []


@contextmanager
def listening(
    service: MemoryService | None = None,
    policy: AcceptancePolicy = AcceptancePolicy(),
    limits: Limits = QUICK,
    context: ssl.SSLContext | None = None,
) -> Iterator[Listening]:
    """An SCP on 127.0.0.1, a thread an association, until the block ends."""
    service = service or MemoryService()
    server = socket.create_server(("127.0.0.1", 0))
    found = Listening(server.getsockname()[1], service)
    threads: list[threading.Thread] = []

    def serve(sock: socket.socket) -> None:
        try:
            sock.settimeout(limits.artim)
            if context is not None:
                sock = context.wrap_socket(sock, server_side=True)
            reader = AssociateReader(limits.associate_pdu)
            request = None
            while request is None:
                data = sock.recv(reader.wanted)
                if not data:
                    raise RefusePeer("peer-gave-up")
                request = reader.feed(data)
        except (RefusePeer, OSError) as error:
            found.refused.append(getattr(error, "reason", None) or type(error).__name__)
            sock.close()
            return
        acceptor = Acceptor(sock, request, policy, service, limits)
        found.acceptors.append(acceptor)
        acceptor.run()

    def accept() -> None:
        while True:
            try:
                sock, _ = server.accept()
            except OSError:
                return
            thread = threading.Thread(target=serve, args=(sock,), daemon=True)
            threads.append(thread)
            thread.start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield found
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        accepting.join(5)
        for acceptor in found.acceptors:
            acceptor.drain()
        for thread in threads:
            thread.join(10)
        assert not any(thread.is_alive() for thread in threads)
