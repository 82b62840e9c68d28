"""STOW-RS out: only what a readable answer names is delivered; servers that are slow or lie confirm nothing."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.config.schema import Destination, StowDestination
from gateway.deliver.contract import Answer
from gateway.deliver.stow import StowCarrier, StowSession
from gateway.errors import DestinationDown
from gateway.model import Result
from gateway.pipeline import Outgoing
from gateway.web.answers import Result as Stored
from gateway.web.answers import written
from tests.contracts.test_destinations import NEEDS, outgoing
from tests.wire.web import serving
from transforms.dataset import convert, syntax
from transforms.source import BytesSource, chunks

Script = Callable[[bytes, bytes], bytes | None]  # request head, body -> what to say; None: say nothing


class Scripted:
    """A server that says what a test wants, one connection after another."""

    def __init__(self) -> None:
        self.requests: list[tuple[bytes, bytes]] = []
        self.connections = 0
        self.script: Script = lambda head, body: ok(named(body))
        self.early: bytes | None = None  # said before the body is read
        self.then: Callable[[socket.socket], None] = lambda sock: None
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._talk, args=(sock,), daemon=True).start()

    def _talk(self, sock: socket.socket) -> None:
        with sock:
            try:
                while self._one(sock):
                    pass
            except OSError:
                return

    def _one(self, sock: socket.socket) -> bool:
        raw = b""
        while b"\r\n\r\n" not in raw:
            more = sock.recv(65536)
            if not more:
                return False
            raw += more
        head, _, body = raw.partition(b"\r\n\r\n")
        if self.early is not None:
            sock.sendall(self.early)
            return False
        found = re.search(rb"(?i)content-length: (\d+)", head)
        assert found is not None
        while len(body) < int(found[1]):
            body += sock.recv(65536)
        self.requests.append((head, body))
        said = self.script(head, body)
        if said is None:
            time.sleep(5)
            return False
        sock.sendall(said)
        self.then(sock)
        return b"connection: close" not in said.lower()

    def close(self) -> None:
        self._server.close()


def named(body: bytes) -> list[str]:
    """SOP Instance UIDs of the file meta of each part."""
    return [m.decode() for m in re.findall(rb"\x02\x00\x03\x00UI..([0-9.]+)", body, re.DOTALL)]


def http(status: int, body: bytes = b"", *lines: str) -> bytes:
    head = "\r\n".join([f"HTTP/1.1 {status} Said", *lines, f"Content-Length: {len(body)}", "", ""])
    return head.encode() + body


def ok(stored: list[str], failed: tuple[tuple[str, int], ...] = (), status: int = 200) -> bytes:
    results = [Stored("1.2", uid) for uid in stored] + [Stored("1.2", uid, code) for uid, code in failed]
    return http(status, written(results, "application/dicom+json", understood=True))


@pytest.fixture
def server() -> Iterator[Scripted]:
    made = Scripted()
    yield made
    made.close()


def opened(port: int, **more: Any) -> StowSession:
    block = StowDestination.model_validate({"url": f"http://127.0.0.1:{port}/dicom-web", "timeout": "1s", **more})
    return StowCarrier(Destination(stow=block, unsafe_plaintext="a test"), None, None).open(NEEDS)


def sent(port: int, *numbers: int, **more: Any) -> list[Answer]:
    session = opened(port, **more)
    try:
        return session.send_all([outgoing(n) for n in numbers])
    finally:
        session.close()


def uid(number: int) -> str:
    return outgoing(number).identity.sop_instance


def test_a_request_holds_what_waits_and_each_object_has_its_answer(server: Scripted) -> None:
    server.script = lambda head, body: ok([uid(1), uid(3)], ((uid(2), 0xA700), (uid(4), 0xC000)), 202)
    told = sent(server.port, 1, 2, 3, 4)
    assert [each.result for each in told] == [Result.DELIVERED, Result.REFUSED, Result.DELIVERED, Result.HELD]
    assert [each.status for each in told] == [0, 0xA700, 0, 0xC000]
    assert len(server.requests) == 1 and named(server.requests[0][1]) == [uid(n) for n in (1, 2, 3, 4)]
    assert told[0].sha256 == outgoing(1).job.instance.stored.sha256
    head = server.requests[0][0].decode()
    assert head.startswith("POST /dicom-web/studies HTTP/1.1") and 'type="application/dicom"' in head


def test_a_connection_is_kept_and_made_again_where_it_was_closed(server: Scripted) -> None:
    session = opened(server.port)
    for n in range(3):
        assert session.send(outgoing(n)).result is Result.DELIVERED
    assert server.connections == 1
    server.then = lambda sock: sock.shutdown(socket.SHUT_RDWR)
    assert session.send(outgoing(4)).result is Result.DELIVERED
    time.sleep(0.1)
    server.then = lambda sock: None
    assert session.send(outgoing(5)).result is Result.DELIVERED
    assert server.connections == 2
    session.close()


@pytest.mark.parametrize(
    "said",
    [
        http(200),
        http(200, b"{}"),
        http(200, b"<html>welcome</html>"),
        http(200, b"[" * 100000),
        http(200, b'{"00081199": {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": ["1.2.3"]}}]}}'),
        http(204),
        http(202, b'{"0008119A": {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [272]}}]}}'),
        ok([uid(1), uid(1)]),
    ],
)
def test_an_answer_that_does_not_name_the_object_confirms_nothing(server: Scripted, said: bytes) -> None:
    server.script = lambda head, body: said
    (told,) = sent(server.port, 1)
    assert (told.result, told.reason) == (Result.REFUSED, "not-confirmed")


def test_named_on_both_sides_is_a_failure(server: Scripted) -> None:
    server.script = lambda head, body: ok([uid(1)], ((uid(1), 0xC000),), 202)
    assert sent(server.port, 1)[0].result is Result.HELD


def warned(code: int) -> bytes:
    item = {"00081155": {"vr": "UI", "Value": [uid(1)]}, "00081196": {"vr": "US", "Value": [code]}}
    return http(202, json.dumps({"00081199": {"vr": "SQ", "Value": [item]}}).encode())


def test_a_warning_delivers_where_the_destination_lists_it(server: Scripted) -> None:
    server.script = lambda head, body: warned(0xB000)
    assert sent(server.port, 1)[0].result is Result.DELIVERED
    assert sent(server.port, 1, warnings=[0xB006])[0].result is Result.HELD
    server.script = lambda head, body: warned(0x20000)
    assert sent(server.port, 1)[0].result is Result.REFUSED


@pytest.mark.parametrize(
    ("status", "result", "reason"),
    [
        (400, Result.HELD, "refused-by-server"),
        (409, Result.HELD, "refused-by-server"),
        (413, Result.HELD, "too-large-for-server"),
        (415, Result.HELD, "media-type-refused"),
        (500, Result.REFUSED, "server-error"),
    ],
)
def test_a_status_about_the_object(server: Scripted, status: int, result: Result, reason: str) -> None:
    server.script = lambda head, body: http(status, b"no")
    (told,) = sent(server.port, 1)
    assert (told.result, told.status, told.reason) == (result, status, reason)


@pytest.mark.parametrize(
    ("status", "lines", "reason", "retry"),
    [
        (301, ("Location: http://127.0.0.1:1/",), "redirect-refused", 0),
        (307, ("Location: http://127.0.0.1:1/",), "redirect-refused", 0),
        (401, (), "not-authorized", 0),
        (403, (), "not-authorized", 0),
        (404, (), "no-such-service", 0),
        (429, ("Retry-After: 120",), "server-unavailable", 120),
        (503, ("Retry-After: 17",), "server-unavailable", 17),
        (503, ("Retry-After: soon",), "server-unavailable", 0),
        (503, ("Retry-After: 99999999999999999999",), "server-unavailable", 86400),
        (502, (), "server-unavailable", 0),
        (507, (), "server-unavailable", 0),
    ],
)
def test_a_status_about_the_server(server: Scripted, status: int, lines, reason: str, retry: float) -> None:
    server.script = lambda head, body: http(status, b"", *lines)
    with pytest.raises(DestinationDown) as caught:
        sent(server.port, 1, 2)
    assert (caught.value.reason, caught.value.retry_after) == (reason, retry)
    assert len(server.requests) == 1, "no redirect was followed and nothing was said twice"


def test_one_that_stops_all_is_found_by_sending_each_alone(server: Scripted) -> None:
    server.script = lambda head, body: http(400) if uid(2) in named(body) else ok(named(body))
    told = sent(server.port, 1, 2, 3)
    assert [each.result for each in told] == [Result.DELIVERED, Result.HELD, Result.DELIVERED]
    assert len(server.requests) == 4


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"", "connection-lost"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\nhalf", "answer-malformed"),
        (b"garbage\r\n\r\n", "answer-malformed"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 20000 + b"\r\n", "answer-malformed"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 100, "answer-malformed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n" + b"x" * (6 << 20), "answer-too-long"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "answer-malformed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "answer-malformed"),
    ],
)
def test_answers_that_are_none(server: Scripted, said: bytes, reason: str) -> None:
    server.script = lambda head, body: said
    server.then = lambda sock: sock.shutdown(socket.SHUT_RDWR)
    with pytest.raises(DestinationDown) as caught:
        sent(server.port, 1)
    assert caught.value.reason == reason


def test_silence_ends(server: Scripted) -> None:
    server.script = lambda head, body: None
    began = time.monotonic()
    with pytest.raises(DestinationDown, match="answer-timeout"):
        sent(server.port, 1)
    assert time.monotonic() - began < 3


def test_a_dripped_answer_ends(server: Scripted) -> None:
    def drip(sock: socket.socket) -> None:
        for _ in range(40):
            time.sleep(0.1)
            sock.sendall(b"x")

    server.script = lambda head, body: b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
    server.then = drip
    began = time.monotonic()
    with pytest.raises(DestinationDown, match="answer-timeout"):
        sent(server.port, 1)
    assert time.monotonic() - began < 3


def test_an_early_answer_is_heard_and_confirms_nothing(server: Scripted) -> None:
    big = outgoing(1)
    big = Outgoing(big.job, BytesSource(b"x" * (20 << 20)), big.syntax, big.identity)
    for said, expected in ((http(413), "too-large-for-server"), (ok([uid(1)]), "not-confirmed")):
        server.early = said
        session = opened(server.port)
        try:
            told = session.send(big)
            assert told.result is not Result.DELIVERED and told.reason == expected
        except DestinationDown as error:
            assert error.reason == "connection-lost"  # the reset was faster than the answer
        session.close()


def test_what_the_web_does_not_take_is_converted(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        session = opened(server.port)
        whole = outgoing(1)
        implicit = convert.to_implicit_le(whole.source, syntax.EXPLICIT_LE)
        raw = b"".join(chunks(implicit))
        told = session.send(Outgoing(whole.job, BytesSource(raw), syntax.IMPLICIT_LE, whole.identity))
        assert told.result is Result.DELIVERED and told.syntax == syntax.EXPLICIT_LE
        assert [each.syntax for each in server.writer.instances] == [syntax.EXPLICIT_LE]
        assert told.sha256 == whole.job.instance.stored.sha256 == server.stored()[uid(1)]
        session.close()


def test_an_object_that_cannot_be_read_is_named_to_the_lane(server: Scripted) -> None:
    class Short(BytesSource):
        def pread(self, offset: int, length: int) -> bytes:
            raise OSError(5, "spool")

    whole = outgoing(2)
    session = opened(server.port)
    with pytest.raises(OSError, match="spool"):
        session.send_all(
            [outgoing(1), Outgoing(whole.job, Short(b"x" * 99), whole.syntax, whole.identity), outgoing(3)]
        )
    assert session.reading == 1 and server.requests == []
    session.close()
