"""A STOW listener in this process: the real server over a real socket, its writer a list. And a raw HTTP client."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from uvicorn.server import ServerState

from gateway.audit.events import AnyEvent
from gateway.config.load import examine_bytes, rules_hash
from gateway.errors import StorageFailed
from gateway.model import Instance
from gateway.receive.stow import Here
from gateway.receive.stow_http import StowServer
from gateway.rulebook import compile_ruleset
from gateway.store.spool import Spool
from gateway.web.bearer import Tokens
from gateway.web.connection import Connection, server_config
from gateway.writer.messages import Closed, Committed, Opened
from tests.system.senders import ct, encoded
from transforms.dataset import part10

RULES = """\
version: 1
state: {{dir: ./state, reserve: 0B}}
listeners:
  - id: web
    stow: {{path: /dicom-web, host: 127.0.0.1, port: 0, {more}}}
    unsafe_plaintext: a test
routes:
  - {{id: rest, otherwise: hold, reason: no-route}}
"""


class FakeWriter:
    """Commits at once, into a list; `full` makes every commit fail, `gone` says that there is none."""

    def __init__(self) -> None:
        self.instances: list[Instance] = []
        self.notes: list[AnyEvent] = []
        self.opens: list[Opened] = []
        self.closes: list[Closed] = []
        self.full = self.gone = False
        self.delay = 0.0

    def check(self) -> None:
        if self.gone:
            raise StorageFailed("writer-lost")

    def received(self, instance: Instance, refers: object = ()) -> Committed:
        time.sleep(self.delay)
        if self.full:
            raise StorageFailed("disk-full")
        known = [each for each in self.instances if each.identity.sop_instance == instance.identity.sop_instance]
        self.instances.append(instance)
        same = any(each.stored.sha256 == instance.stored.sha256 for each in known)
        return Committed("duplicate" if same else "conflict" if known else "stored", len(self.instances))

    def received_all(self, some: list[tuple[Instance, object]]) -> list[Committed | StorageFailed]:
        answers: list[Committed | StorageFailed] = []
        for instance, refers in some:
            try:
                answers.append(self.received(instance, refers))
            except StorageFailed as error:
                answers.append(error)
        return answers

    def sought(self, sop_instances: object) -> list[Instance]:
        return []

    def note(self, event: AnyEvent) -> None:
        self.notes.append(event)

    def opened(self, message: Opened) -> None:
        self.opens.append(message)

    def closed(self, message: Closed) -> None:
        self.closes.append(message)


class Server:
    """One listener; `more` settings of its `stow:` block."""

    def __init__(self, folder: Path, more: str = "", tokens: Tokens | None = None) -> None:
        text = RULES.format(more=more or "subjects: []").replace(", subjects: []", "")
        config, problems = examine_bytes(text.encode(), "gateway.yaml", folder)
        assert config is not None, [str(p) for p in problems]
        self.spool = Spool(folder / "state" / "spool", reserve=0)
        self.writer = FakeWriter()
        self.admits = True
        self.ponders = 0.0  # seconds until it admits
        ruleset = compile_ruleset(config, rules_hash(config))
        commits, readers = ThreadPoolExecutor(8), ThreadPoolExecutor(8)
        here = Here(config.listeners[0], ruleset, self.spool, self.writer, commits, time.time)  # type: ignore[arg-type]
        self._stow = here.listener.stow
        self._server = StowServer(here, readers, self._admitted, tokens, lambda: False)
        self._pools = (commits, readers)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    async def _admitted(self, connection: Connection) -> bool:
        await asyncio.sleep(self.ponders)
        return self.admits

    def _run(self) -> None:
        assert self._stow is not None
        limits = self._stow.limits
        served = server_config(self._server.app, limits.head, limits.idle)
        state = ServerState()

        def protocol() -> Connection:
            return Connection(served, state, number=1, address="127.0.0.1", head_time=limits.head_time)

        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._loop.create_server(protocol, sock=self._socket))
        self._loop.run_forever()

    def close(self) -> None:
        """Stop it."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._socket.close()
        for pool in self._pools:
            pool.shutdown(cancel_futures=True)

    def files(self) -> list[str]:
        """Everything that lies in the spool, whole or not."""
        return [str(p.relative_to(self.spool.folder)) for p in self.spool.folder.rglob("*") if p.is_file()]

    def stored(self) -> dict[str, str]:
        """SOP Instance UID -> SHA-256 of what was committed."""
        return {each.identity.sop_instance: each.stored.sha256 for each in self.writer.instances}


@contextmanager
def serving(folder: Path, more: str = "", tokens: Tokens | None = None) -> Iterator[Server]:
    """A server for the length of a test."""
    server = Server(folder, more, tokens)
    try:
        yield server
    finally:
        server.close()


class Reply:
    """One HTTP answer."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        head, _, self.body = raw.partition(b"\r\n\r\n")
        found = re.match(rb"HTTP/1\.1 (\d{3})", head)
        self.status = int(found[1]) if found else 0
        self.head = head.decode("latin-1").lower()

    def json(self) -> Any:
        return json.loads(self.body)

    def failures(self) -> list[int]:
        """Failure reasons, of instances and of what was none."""
        told = self.json()
        items = told.get("00081198", {}).get("Value", []) + told.get("0008119A", {}).get("Value", [])
        return [each["00081197"]["Value"][0] for each in items]

    def referenced(self) -> set[str]:
        """SOP Instance UIDs that are stored."""
        return {each["00081155"]["Value"][0] for each in self.json().get("00081199", {}).get("Value", [])}


def file_of(number: int = 1, study: int = 0, size: int = 2048) -> bytes:
    """A DICOM file with an invented identity."""
    data = ct(number, study, size)
    return part10.meta(data.SOPClassUID, data.SOPInstanceUID, data.file_meta.TransferSyntaxUID) + encoded(data)


def uid_of(number: int) -> str:
    """Its SOP Instance UID."""
    return str(ct(number).SOPInstanceUID)


def digest_of(number: int, study: int = 0, size: int = 2048) -> str:
    """SHA-256 of its data set."""
    return hashlib.sha256(encoded(ct(number, study, size))).hexdigest()


def multipart(
    *files: bytes, boundary: bytes = b"frontier", head: bytes = b"Content-Type: application/dicom\r\n"
) -> bytes:
    """A body of one part a file."""
    parts = b"".join(b"--" + boundary + b"\r\n" + head + b"\r\n" + each + b"\r\n" for each in files)
    return parts + b"--" + boundary + b"--\r\n"


RELATED = 'multipart/related; type="application/dicom"; boundary=frontier'


def request(
    body: bytes,
    path: str = "/dicom-web/studies",
    kind: str = RELATED,
    *,
    length: int | None = None,
    extra: tuple[str, ...] = (),
    method: str = "POST",
) -> bytes:
    """The bytes of one request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: gateway", f"Content-Type: {kind}", *extra]
    lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def talk(port: int, data: bytes, *, half_close: bool = False, seconds: float = 10.0) -> Reply:
    """Send bytes as they are and read one answer, or what came until the end."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as sock:
        try:
            sock.sendall(data)
            if half_close:
                sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it answered early and closed
        return Reply(read_answer(sock))


def read_answer(sock: socket.socket | ssl.SSLSocket) -> bytes:
    """One whole answer, by its Content-Length."""
    raw = b""
    while True:
        head, gap, body = raw.partition(b"\r\n\r\n")
        found = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        if gap and found and len(body) >= int(found[1]):
            return raw
        try:
            more = sock.recv(65536)
        except OSError:
            return raw
        if not more:
            return raw
        raw += more


def store(port: int, *files: bytes, **options: Any) -> Reply:
    """One Store request with these files."""
    return talk(port, request(multipart(*files), **options))
