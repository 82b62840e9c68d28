"""A crowd of sockets that say too little too slowly: silent, half a TLS hello, half an A-ASSOCIATE-RQ over mutual TLS.

One thread plays all of them. Each is a byte every `pause` seconds; each remembers how long it was let live. They may
come from one address or from many (Linux has all of 127.0.0.0/8), and may come again as soon as they are shut.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

REQUEST = struct.pack(">BBL", 1, 0, 2000) + bytes(2000)  # an A-ASSOCIATE-RQ by its header; it never comes whole
KINDS = ("silent", "hello", "request")


def hello() -> bytes:
    """A whole TLS ClientHello."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    return outgoing.read()


@dataclass(slots=True)
class Dripper:
    """One socket. `sent` counts bytes of its hello or of its request."""

    kind: str
    sock: socket.socket
    address: str
    born: float
    shaking: bool
    sent: int = 0
    next: float = 0.0


@dataclass
class Crowd:
    """`size` drippers against a port, `again`: for as long as it lasts, a new one for each that was shut."""

    port: int
    size: int
    context: ssl.SSLContext
    addresses: tuple[str, ...] = ("127.0.0.1",)
    pause: float = 1.0
    again: bool = False
    lives: list[tuple[str, float]] = field(default_factory=list)  # (kind, seconds) of each that was shut
    refused: int = 0  # by the system: nobody took the connection
    _alive: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._hello = hello()
        self._selector = selectors.DefaultSelector()
        self._stopping = threading.Event()
        self._leaving = threading.Event()
        self._drippers: dict[int, Dripper] = {}
        self._born = 0
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> Crowd:
        """Begin."""
        self._thread.start()
        return self

    @property
    def kinds(self) -> Counter[str]:
        """How many of each kind stand there now."""
        return Counter(each.kind for each in list(self._drippers.values()))

    def no_more(self) -> None:
        """Nobody comes again; those who stand there go on dripping."""
        self.again = False

    def stop(self) -> None:
        """All go away."""
        self._stopping.set()
        self._thread.join(20)
        for each in self._drippers.values():
            each.sock.close()
        self._selector.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            wanted = self.size if self.again else self.size - self._born
            for _ in range(min(50, max(0, wanted - len(self._drippers) if self.again else wanted))):
                self._come()
            for key, _ in self._selector.select(0.05):
                self._read(key.data)
            now = time.monotonic()
            for each in [d for d in self._drippers.values() if d.next <= now]:
                each.next = now + self.pause
                self._drip(each)

    def _come(self) -> None:
        kind = KINDS[self._born % len(KINDS)]
        address = self.addresses[self._born % len(self.addresses)]
        self._born += 1
        born = time.monotonic()
        try:
            sock = socket.create_connection(("127.0.0.1", self.port), 5, source_address=(address, 0))
        except OSError:
            self.refused += 1
            return
        sock.setblocking(False)
        shaking = kind == "request"
        if shaking:
            sock = self.context.wrap_socket(sock, server_hostname="localhost", do_handshake_on_connect=False)
        each = Dripper(kind, sock, address, born, shaking)
        self._drippers[sock.fileno()] = each
        self._selector.register(sock, selectors.EVENT_READ, each)
        if shaking:
            self._read(each)

    def _read(self, each: Dripper) -> None:
        try:
            if each.shaking:
                each.sock.do_handshake()  # type: ignore[attr-defined]
                each.shaking = False
            elif each.sock.recv(4096) == b"":
                self._shut(each)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
            pass
        except OSError:
            self._shut(each)

    def _drip(self, each: Dripper) -> None:
        words = {"silent": b"", "hello": self._hello[:-1], "request": REQUEST[:-1]}[each.kind]
        if each.shaking or each.sent >= len(words):
            return
        try:
            each.sent += each.sock.send(words[each.sent : each.sent + 1])
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
            pass
        except OSError:
            self._shut(each)

    def _shut(self, each: Dripper) -> None:
        found = [fd for fd, other in self._drippers.items() if other is each]
        for fd in found:
            self.lives.append((each.kind, time.monotonic() - each.born))
            self._selector.unregister(each.sock)
            del self._drippers[fd]
            each.sock.close()
