"""The map service against a real HTTPS server with every fault: what waits, what holds, what is never followed."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import ConfigRefused, GatewayError, HoldObject, WaitObject
from gateway.patients import service as service_module
from tests.unit.deidentify.building import encode, image
from tests.unit.patients.patients_stage import Clock, ask, block, patients
from tests.unit.security.pki import DAY, Issued, Pki
from transforms.dataset.syntax import EXPLICIT_LE
from transforms.source import BytesSource

Answer = Callable[[ssl.SSLSocket, bytes, dict[str, Any]], None]


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def server(pki: Pki) -> Issued:
    return pki.issue("server", pki.ca)


def reply(status: str, body: bytes, *headers: str, length: int | None = None) -> Answer:
    """A whole answer."""
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body) if length is None else length}", "", ""]
    return lambda sock, _head, _question: sock.sendall("\r\n".join(lines).encode() + body)


def given(text: object) -> Answer:
    return reply("200 OK", json.dumps({"pseudonym": text}).encode(), "Content-Type: application/json; charset=utf-8")


def mapped(sock: ssl.SSLSocket, head: bytes, question: dict[str, Any]) -> None:
    """The service as it should be."""
    known = {"MRN1": "T42-0001", "MRN2": "T42-0002"}
    found = known.get(question["patient_id"])
    (given(found) if found else reply("404 Not Found", b""))(sock, head, question)


class Service:
    """A server that answers as it is told, one connection after another, and remembers what it was asked."""

    def __init__(self, who: Issued, clients: Path | None, answer: Answer) -> None:
        self.answer = answer
        self.heads: list[bytes] = []
        self.asked: list[dict[str, Any]] = []
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(who.pair.certificate, who.pair.key)
        if clients is not None:
            self._context.load_verify_locations(clients)
            self._context.verify_mode = ssl.CERT_REQUIRED
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._listening.accept()
            except OSError:
                return
            plain.settimeout(10)
            try:
                with self._context.wrap_socket(plain, server_side=True) as sock:
                    head, body = b"", b""
                    while b"\r\n\r\n" not in head:
                        head += sock.recv(1)
                    size = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
                    while len(body) < size:
                        body += sock.recv(4096)
                    self.heads.append(head)
                    self.asked.append(json.loads(body))
                    self.answer(sock, head, self.asked[-1])
            except OSError:
                pass

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(15)


@contextmanager
def serving(who: Issued, answer: Answer = mapped, clients: Path | None = None) -> Iterator[Service]:
    found = Service(who, clients, answer)
    try:
        yield found
    finally:
        found.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No rest after a failure, where a test does not ask for it."""
    monkeypatch.setattr(service_module, "_PAUSE", 0.0)


def by_service(port: int, pki: Pki, host: str = "localhost", **more: Any) -> dict[str, Any]:
    tls = {"trust": str(pki.ca_file), **more.pop("tls", {})}
    return {"by": "service", "url": f"https://{host}:{port}/map/trial42", "tls": tls, "timeout": "5s", **more}


def outcome(state: Path, wanted: dict[str, Any], patient_id: str = "MRN1") -> tuple[str, str]:
    """(kind, reason or pseudonym) of one object."""
    try:
        return "given", ask(patients(state, block(wanted)), patient_id)
    except HoldObject as error:
        assert patient_id not in str(error)
        return "held", error.reason
    except WaitObject as error:
        assert patient_id not in str(error)
        return "waits", error.reason


def test_a_question_and_its_answer(tmp_path: Path, pki: Pki, server: Issued, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAP_TOKEN", "invented-token-of-the-tests")
    with serving(server) as service:
        found = patients(tmp_path, block(by_service(service.port, pki, token="env:MAP_TOKEN")))
        assert ask(found, " MRN1") == ask(found, "MRN1 ") == "T42-0001"
        assert ask(found, "MRN2", "NORTH") == "T42-0002"
    assert service.asked == [
        {"project": "trial42", "patient_id": "MRN1"},
        {"project": "trial42", "patient_id": "MRN2", "issuer": "NORTH"},
    ]
    assert service.heads[0].startswith(b"POST /map/trial42 HTTP/1.1\r\n") and b"MRN1" not in service.heads[0]
    assert b"\r\nAuthorization: Bearer invented-token-of-the-tests\r\n" in service.heads[0]
    assert f"\r\nHost: localhost:{service.port}\r\n".encode() in service.heads[0]


def drip(sock: ssl.SSLSocket, _head: bytes, _question: dict[str, Any]) -> None:
    """A byte at a time, each well within any time between two reads, for longer than the whole may take."""
    for byte in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1000:
        sock.sendall(bytes([byte]))
        time.sleep(0.05)


def silent(sock: ssl.SSLSocket, _head: bytes, _question: dict[str, Any]) -> None:
    sock.recv(1)


def endless(sock: ssl.SSLSocket, _head: bytes, _question: dict[str, Any]) -> None:
    """More than any limit, in headers; a client that does not stop would read for ever."""
    sock.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        sock.sendall(b"X: " + b"y" * 1000 + b"\r\n")


JSON = "Content-Type: application/json"
CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
GOOD = b'{"pseudonym": "T42-0001"}'


def raw(data: bytes) -> Answer:
    return lambda sock, _head, _question: sock.sendall(data)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (raw(CHUNKED + b"%x\r\n%s\r\n0\r\n\r\n" % (len(GOOD), GOOD)), ("given", "T42-0001")),
        (raw(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + GOOD),
         ("given", "T42-0001")),
        (reply("404 Not Found", b"{}"), ("held", "patient-unmapped")),
        (reply("409 Conflict", b""), ("held", "patient-ambiguous")),
        (reply("400 Bad Request", b"MRN1"), ("held", "patient-service-refuses-patient")),
        (reply("422 No", b""), ("held", "patient-service-refuses-patient")),
        (reply("401 Unauthorized", b""), ("waits", "patient-service-refuses-us")),
        (reply("403 Forbidden", b""), ("waits", "patient-service-refuses-us")),
        (reply("429 Too Many", b""), ("waits", "patient-service-refuses-us")),
        (reply("500 Oops", GOOD, JSON), ("waits", "patient-service-failing")),
        (reply("503 Later", b""), ("waits", "patient-service-failing")),
        (reply("204 Nothing", b""), ("waits", "patient-service-failing")),
        (reply("302 Found", b"", "Location: https://localhost:1/elsewhere"), ("waits", "patient-service-redirects")),
        (reply("200 OK", b"not json", JSON), ("held", "patient-answer-malformed")),
        (reply("200 OK", GOOD, "Content-Type: text/html"), ("held", "patient-answer-malformed")),
        (reply("200 OK", GOOD), ("held", "patient-answer-malformed")),
        (reply("200 OK", b'{"pseudonym": "A", "pseudonym": "B"}', JSON), ("held", "patient-answer-malformed")),
        (reply("200 OK", b'{"pseudonym": "A", "name": "B"}', JSON), ("held", "patient-answer-malformed")),
        (reply("200 OK", b'[["pseudonym", "A"]]', JSON), ("held", "patient-answer-malformed")),
        (reply("200 OK", b"[" * 50_000, JSON), ("held", "patient-answer-malformed")),
        (given(None), ("held", "patient-answer-malformed")),
        (given(4711), ("held", "patient-answer-malformed")),
        (given(""), ("held", "pseudonym-invalid")),
        (given("P" * 65), ("held", "pseudonym-invalid")),
        (given("A\\B"), ("held", "pseudonym-invalid")),
        (given("mrn1"), ("held", "pseudonym-is-identifier")),
        (reply("200 OK", b"x" * 2000, JSON), ("held", "patient-answer-too-large")),
        (reply("200 OK", b"", JSON, length=1 << 40), ("waits", "patient-service-unavailable")),
        (endless, ("held", "patient-answer-too-large")),
        (reply("200 OK", GOOD, JSON, length=len(GOOD) + 1), ("waits", "patient-service-unavailable")),
        (raw(CHUNKED + b"%x\r\n%s" % (len(GOOD), GOOD)), ("waits", "patient-service-unavailable")),
        (raw(b""), ("waits", "patient-service-unavailable")),
        (raw(b"\x15\x03\x01 SSH-2.0\r\n\r\n"), ("waits", "patient-service-unavailable")),
        (silent, ("waits", "patient-service-timeout")),
        (drip, ("waits", "patient-service-timeout")),
    ],
)  # fmt: skip
def test_every_answer(answer: Answer, expected: tuple[str, str], tmp_path: Path, pki: Pki, server: Issued) -> None:
    limits = {"max_answer": "1KiB"} if expected[1] == "patient-answer-too-large" else {}
    limits |= {"timeout": "700ms"} if expected[1] == "patient-service-timeout" else {}
    with serving(server, answer) as service:
        assert outcome(tmp_path, by_service(service.port, pki, **limits)) == expected
    assert len(service.asked) == 1  # a redirect was not followed, nothing was asked twice


def test_nothing_that_went_wrong_is_remembered(tmp_path: Path, pki: Pki, server: Issued) -> None:
    with serving(server, given("A\\B")) as service:
        wanted = by_service(service.port, pki)
        for answer, expected in (
            (given("A\\B"), ("held", "pseudonym-invalid")),
            (reply("500 Oops", b""), ("waits", "patient-service-failing")),
            (mapped, ("given", "T42-0001")),
        ):
            service.answer = answer
            assert outcome(tmp_path, wanted) == expected


def test_wrong_certificates(tmp_path: Path, pki: Pki, server: Issued) -> None:
    """No setting makes us speak to a server that is not the one we mean."""
    ended = pki.issue("ended", pki.ca, end=-DAY / 2)
    strange = pki.issue("strange", pki.other)
    elsewhere = pki.issue("elsewhere", pki.ca, hosts=("elsewhere.example",))
    caller = pki.issue("caller", pki.ca, eku=("client",))
    for who in (ended, strange, elsewhere, caller):
        with serving(who) as service:
            wanted = by_service(service.port, pki)
            assert outcome(tmp_path, wanted) == ("waits", "patient-service-certificate"), who.name
        assert service.asked == []
    revoked = {"crl": str(pki.crl("revoked", server))}
    with serving(server) as service:
        assert outcome(tmp_path, by_service(service.port, pki, tls=revoked))[1] == "patient-service-certificate"
        assert service.asked == []


def test_mutual_tls_where_it_is_asked_for(tmp_path: Path, pki: Pki, server: Issued) -> None:
    us = pki.issue("gateway", pki.ca, eku=("client",))
    identity = {"certificate": str(us.pair.certificate), "key": str(us.pair.key)}
    with serving(server, clients=pki.ca_file) as service:
        assert outcome(tmp_path, by_service(service.port, pki))[0] == "waits"
        assert service.asked == []
        assert outcome(tmp_path, by_service(service.port, pki, tls={"identity": identity})) == ("given", "T42-0001")


def test_nobody_there(tmp_path: Path, pki: Pki) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert outcome(tmp_path, by_service(port, pki)) == ("waits", "patient-service-unavailable")


def test_a_failing_service_is_left_alone_for_a_while(
    tmp_path: Path, pki: Pki, server: Issued, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_module, "_PAUSE", 3600.0)
    with serving(server, reply("500 Oops", b"")) as service:
        found = patients(tmp_path, block(by_service(service.port, pki)))
        for _ in range(5):
            with pytest.raises(WaitObject, match="patient-service-failing"):
                ask(found, "MRN1")
        assert len(service.asked) == 1
        service.answer = mapped
        monkeypatch.setattr(service_module, "_PAUSE", 0.0)
        assert ask(found, "MRN1") == "T42-0001"


def test_an_answer_outlives_the_service_and_a_change_of_its_mind(tmp_path: Path, pki: Pki, server: Issued) -> None:
    clock = Clock()
    with serving(server) as service:
        wanted = block(by_service(service.port, pki, recheck="1h"))
        assert ask(patients(tmp_path, wanted, clock), "MRN1") == "T42-0001"
        service.answer = given("T42-0009")
        for _ in range(2):  # a re-send, after a restart too, gets what was given
            again = patients(tmp_path, wanted, clock)
            assert ask(again, "MRN1") == ask(again, "MRN1") == "T42-0001"
        assert len(service.asked) == 1
        clock.now += 3601
        for found in (again, patients(tmp_path, wanted, clock)):
            with pytest.raises(HoldObject, match="patient-map-changed"):
                ask(found, "MRN1")
        service.answer = reply("500 Oops", b"")
        assert ask(again, "MRN1") == "T42-0001"  # it said nothing else
        service.answer = given("T42-0001")
        clock.now += 61
        assert ask(again, "MRN1") == "T42-0001"
        service.answer = given("T42-0001")
        with pytest.raises(HoldObject, match="pseudonym-taken"):
            ask(again, "MRN2")
    clock.now += 7200
    assert ask(patients(tmp_path, wanted, clock), "MRN1") == "T42-0001"
    with pytest.raises(WaitObject):
        ask(patients(tmp_path, wanted, clock), "MRN3")


def test_an_identifier_under_code_extensions_is_not_asked_for(tmp_path: Path, pki: Pki, server: Issued) -> None:
    data = image({0x00080005: ("CS", b"\\ISO 2022 IR 87"), 0x00100020: ("LO", b"\x1b$B;3ED\x1b(B1")})
    with serving(server) as service:
        found = patients(tmp_path, block(by_service(service.port, pki)))
        with pytest.raises(HoldObject, match="charset-undecodable"):
            found.pseudonym(BytesSource(encode(data, True)), EXPLICIT_LE)
        assert service.asked == []


def test_what_cannot_be_set_up_is_refused(tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAP_TOKEN", "hunter2 hunter2\r\nX: y")
    with pytest.raises(GatewayError, match="token-invalid") as caught:
        patients(tmp_path, block(by_service(1, pki, token="env:MAP_TOKEN")))
    assert "hunter2" not in str(caught.value)
    with pytest.raises(ConfigRefused):
        patients(tmp_path, block(by_service(1, pki, tls={"trust": str(tmp_path / "gone.pem")})))
