"""Receivers of HL7 v2: python-hl7's own MLLP server, which nobody here wrote, and one that follows a script.

`Receiver` acknowledges and remembers; `Scripted` does with each connection what a test says.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress

import hl7
from hl7.mllp import HL7StreamReader, HL7StreamWriter, start_hl7_server


class Receiver:
    """An `hl7.mllp` server in a thread of its own; `messages` has what it acknowledged with AA."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.messages: list[str] = []
        self.connections = 0
        self._context = context
        self._loop = asyncio.new_event_loop()
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        assert started.wait(10)

    def _run(self, started: threading.Event) -> None:
        async def serve() -> None:
            self._server = await start_hl7_server(
                self._client, host="127.0.0.1", port=0, encoding="utf-8", ssl=self._context, limit=1 << 26
            )
            self.port = self._server.sockets[0].getsockname()[1]
            started.set()

        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(serve())
        self._loop.run_forever()

    async def _client(self, reader: HL7StreamReader, writer: HL7StreamWriter) -> None:
        self.connections += 1
        with suppress(asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            while not writer.is_closing():
                message = await reader.readmessage()
                self.messages.append(str(message))
                writer.writemessage(message.create_ack("AA"))
                await writer.drain()
        writer.close()

    def parsed(self) -> list[hl7.Message]:
        """The messages, as python-hl7 reads them."""
        return [hl7.parse(each) for each in self.messages]

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)


class Scripted:
    """A server that gives each connection, in turn, to the next part of its script; then hangs up."""

    def __init__(self, *script: Callable[[socket.socket], None], context: ssl.SSLContext | None = None) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.connections = 0
        self._script = script
        self._context = context
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        with suppress(OSError):
            for part in self._script:
                sock, _ = self._listening.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(sock, part), daemon=True).start()

    def _serve(self, sock: socket.socket, part: Callable[[socket.socket], None]) -> None:
        with suppress(OSError):
            sock.settimeout(10)
            if self._context is not None:
                sock = self._context.wrap_socket(sock, server_side=True)
            with sock:
                part(sock)

    def close(self) -> None:
        self._listening.close()


def received(sock: socket.socket) -> bytes:
    """One block, without its frame."""
    found = b""
    while not found.endswith(b"\x1c\r"):
        part = sock.recv(1 << 16)
        if not part:
            raise ConnectionError
        found += part
    return found[1:-2]


def answer(message: bytes, code: str = "AA", control: str | None = None, more: str = "") -> bytes:
    """A framed acknowledgement of a message."""
    of = message.split(b"\r")[0].split(b"|")[9].decode() if control is None else control
    return f"\x0bMSH|^~\\&|EHR|H|GW|H|20261126||ACK|1|P|2.5.1\rMSA|{code}|{of}\r{more}\x1c\r".encode()
