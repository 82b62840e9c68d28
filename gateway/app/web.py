"""One web process: the HTTP listeners, on one event loop; sockets come from the supervisor.

    python -m gateway.app.web --rules HASH --state DIR --name NAME --control FD

Rules of this file
* It opens no listening socket, holds no database handle and takes no jobs: it receives.
* A connection's handshake has a deadline, and a place at the supervisor's door, as an association's has.
* Bodies are read and made durable on threads; the event loop waits for no disk and no other process.
* Drain: idle connections are closed, requests under way are answered, then it exits 0.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

from uvicorn.config import Config as ServerConfig
from uvicorn.server import ServerState

from gateway.app import control
from gateway.app.control import Frame, Word
from gateway.app.start import Start, run
from gateway.audit.events import PeerRefused
from gateway.config.schema import Listener, StowListener
from gateway.errors import RefusePeer
from gateway.logs import fields
from gateway.receive.admission import tls_refusal
from gateway.receive.stow import Here
from gateway.receive.stow_http import StowServer
from gateway.rulebook import compile_ruleset
from gateway.security.tls import server_context
from gateway.store.spool import Spool
from gateway.web.bearer import tokens_of
from gateway.web.connection import Connection, server_config
from gateway.writer.client import WriterClient

log = logging.getLogger("web")

DRAIN_TIME = 30.0  # seconds that requests get to end in
READERS = 32  # threads that parse bodies and write to the spool
COMMITS = 64  # threads that wait for the writer
_ANSWER_TIME = 10.0  # of the supervisor, whether there is room
_SHUTDOWN_TIME = 5.0  # of a TLS close_notify
_FRAMES = 64


@dataclass(slots=True)
class _Site:
    """One listener, ready to serve."""

    listener: Listener
    stow: StowListener
    context: ssl.SSLContext | None
    config: ServerConfig
    state: ServerState = field(default_factory=ServerState)


class Web:
    """Everything one web process has."""

    def __init__(self, start: Start) -> None:
        config, state = start.config, start.config.state.dir
        self._control = start.control
        self._draining = False
        self._drained = asyncio.Event()
        self._arrivals: dict[int, asyncio.Task[None]] = {}
        self._connections: dict[int, Connection] = {}
        self._questions: dict[int, asyncio.Future[bool]] = {}
        self._writer = WriterClient(state / "run" / "writer.sock", start.name, None)
        self._ruleset = compile_ruleset(config, start.digest)
        self._spool = Spool(state / "spool", reserve=config.state.reserve)
        readers = ThreadPoolExecutor(READERS, "reader")
        commits = ThreadPoolExecutor(COMMITS, "commit")
        self._sites: dict[str, _Site] = {}
        for each in config.listeners:
            if each.stow is None:
                continue
            here = Here(each, self._ruleset, self._spool, self._writer, commits, time.time)
            tokens = tokens_of(each.stow.bearer) if each.stow.bearer else None
            if tokens is not None:
                tokens.ready(0)  # its keys are on their way when the first caller comes
            server = StowServer(here, readers, self._admitted, tokens, lambda: self._draining)
            context = server_context(each.tls, each.tls.identity or config.identity) if each.tls else None
            served = server_config(server.app, each.stow.limits.head, each.stow.limits.idle)
            self._sites[each.id] = _Site(each, each.stow, context, served)

    async def serve(self) -> None:
        """Serve until drained."""
        self._writer.connect()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._drain)
        loop.add_signal_handler(signal.SIGINT, lambda: None)  # the supervisor gets it too, and tells us
        loop.add_reader(self._control, self._hear)
        self._tell(Word.READY)
        log.info(fields("web-ready", rules=self._ruleset.digest[:12]))
        await self._drained.wait()
        log.info("draining")
        deadline = loop.time() + DRAIN_TIME
        for connection in list(self._connections.values()):
            connection.shutdown()
        if self._arrivals:
            await asyncio.wait(list(self._arrivals.values()), timeout=DRAIN_TIME)
        for connection in list(self._connections.values()):
            connection.transport.abort()
        await asyncio.to_thread(self._writer.close, max(0.1, deadline - loop.time()))
        log.info("drained")

    def _hear(self) -> None:
        """Frames of the supervisor."""
        for frame, descriptor in control.frames(self._control, _FRAMES):
            if frame is None or frame.word is Word.DRAIN:
                self._drain()
                if frame is None:
                    asyncio.get_running_loop().remove_reader(self._control)
            elif frame.word is Word.TAKE and descriptor is None:
                log.error("out-of-descriptors")
                self._tell(Word.CLOSED, frame.connection)
            elif frame.word is Word.TAKE and descriptor is not None:
                self._take(frame, socket.socket(fileno=descriptor))
            elif frame.word in (Word.GRANTED, Word.REFUSED):
                question = self._questions.get(frame.connection)
                if question is not None and not question.done():
                    question.set_result(frame.word is Word.GRANTED)
            elif frame.word is Word.LET_GO:
                self._let_go(frame.connection)

    def _take(self, frame: Frame, sock: socket.socket) -> None:
        site = self._sites.get(frame.listener)
        if site is None or self._draining:  # a reload took it away meanwhile
            sock.close()
            self._tell(Word.CLOSED, frame.connection)
            return
        sock.setblocking(False)
        arrival = self._arrive(frame, site, sock)
        self._arrivals[frame.connection] = asyncio.get_running_loop().create_task(arrival)

    async def _arrive(self, frame: Frame, site: _Site, sock: socket.socket) -> None:
        """One connection, from its handshake to its end."""
        number, seconds = frame.connection, site.stow.limits.head_time

        def protocol() -> Connection:
            return Connection(site.config, site.state, number=number, address=frame.address, head_time=seconds)

        tls: dict[str, float] = {}
        if site.context is not None:
            tls = {"ssl_handshake_timeout": seconds, "ssl_shutdown_timeout": _SHUTDOWN_TIME}
        try:
            loop = asyncio.get_running_loop()
            _, connection = await loop.connect_accepted_socket(protocol, sock, ssl=site.context, **tls)
            self._connections[number] = connection
            if connection.verified:
                self._tell(Word.AUTHENTICATED, number)
            if self._draining:
                connection.shutdown()
            await connection.gone.wait()
        except ssl.SSLError as error:
            self._refused(frame, tls_refusal(error))
        except OSError as error:  # with the deadline of the handshake
            self._refused(frame, RefusePeer("connection-lost", type(error).__name__))
        finally:
            self._connections.pop(number, None)
            self._arrivals.pop(number, None)
            sock.close()
            self._tell(Word.CLOSED, number)

    def _let_go(self, number: int) -> None:
        """Others need its place: a handshake under way ends, and so does who has asked for nothing yet."""
        connection = self._connections.get(number)
        if connection is not None:
            connection.hurry()
        elif number in self._arrivals:
            self._arrivals[number].cancel()

    def _refused(self, frame: Frame, error: RefusePeer) -> None:
        log.info(fields("refused", reason=error.reason, listener=frame.listener, address=frame.address))
        if error.security:
            self._writer.note(
                PeerRefused(when=time.time(), listener=frame.listener, address=frame.address, reason=error.reason)
            )

    async def _admitted(self, connection: Connection) -> bool:
        """Ask the supervisor whether there is room for one more caller. No answer is none."""
        question: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._questions[connection.number] = question
        self._tell(Word.ASKS, connection.number)
        try:
            async with asyncio.timeout(_ANSWER_TIME):
                return await question
        except TimeoutError:
            return False
        finally:
            self._questions.pop(connection.number, None)

    def _tell(self, word: Word, number: int = 0) -> None:
        with suppress(OSError):  # where the supervisor is gone its end of file says so
            control.send(self._control, Frame(word, number))

    def _drain(self) -> None:
        self._draining = True
        self._drained.set()


def main() -> int:
    """Entry point of the process."""

    async def serve(start: Start) -> None:
        await Web(start).serve()

    return run("web", lambda start: asyncio.run(serve(start)))


if __name__ == "__main__":
    raise SystemExit(main())
