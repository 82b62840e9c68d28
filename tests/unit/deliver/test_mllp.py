"""MLLP: only AA for our control id is delivered; whatever else a receiver does has a name and an end."""

from __future__ import annotations

import socket
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from gateway.config.kinds import Kind
from gateway.config.schema import Destination, KeyPair, MllpDestination, Tls
from gateway.deliver.mllp import MllpCarrier
from gateway.errors import DestinationDown
from gateway.model import Decision, Identity, Instance, Job, Origin, Result, Stored, Verdict
from gateway.pipeline import Outgoing
from gateway.security.tls import client_context
from tests.system.harness import Site, free_port
from tests.system.receivers import Receiver, Scripted, answer, received
from tests.unit.hl7v2.documents import cda
from transforms.conversion import Given
from transforms.hl7 import mdm
from transforms.source import BytesSource

IDENTITY = Identity("1.2.840.10008.5.1.4.1.1.88.11", "1.2.3.9", "1.2.3.4")


def outgoing(body: str = "No finding.", data: bytes | None = None) -> Outgoing:
    """A message as a route would give it."""
    message = data if data is not None else mdm.convert(cda(body=body), Given(datetime.now(UTC))).data
    instance = Instance(IDENTITY, Origin("l", "a", ""), Stored("t", 0, 0, ""), "", 0.0, Decision(Verdict.DELIVER, "r"))
    return Outgoing(Job(1, 1, instance, "ehr", 0), BytesSource(message), "", IDENTITY, kind=Kind.HL7V2)


def carrier(port: int, timeout: str = "2s", **more: object) -> MllpCarrier:
    block = MllpDestination.model_validate({"host": "127.0.0.1", "port": port, "timeout": timeout, **more})
    return MllpCarrier(Destination(mllp=block, unsafe_plaintext="a test"), None)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def test_a_message_is_delivered_by_an_outside_receiver(receiver: Receiver) -> None:
    session = carrier(receiver.port).open([])
    assert [session.send(outgoing(body)).result for body in ("One.", "Two.")] == [Result.DELIVERED] * 2
    session.close()
    documents = [b64decode(str(each.segment("OBX")(5)[0][4])) for each in receiver.parsed()]
    assert documents == [cda(body="One."), cda(body="Two.")]
    assert receiver.connections == 1


def test_it_is_delivered_over_tls(site: Site) -> None:
    receiver = Receiver(site.context(server=True, who="archive"))
    certs = site.folder / "certs"
    pair = KeyPair(certificate=certs / "gateway.pem", key=certs / "gateway.key")
    block = MllpDestination(host="127.0.0.1", port=receiver.port, timeout="5s")
    tls = Tls(trust=certs / "ca.pem")
    made = MllpCarrier(Destination(mllp=block, tls=tls), client_context(tls, pair))
    session = made.open([])
    assert [session.send(outgoing(body)).result for body in ("One.", "Two.")] == [Result.DELIVERED] * 2
    session.close()
    assert (len(receiver.messages), receiver.connections) == (2, 1), "tickets of TLS 1.3 are no end of the connection"
    receiver.close()
    with pytest.raises(DestinationDown):
        made.open([])


@pytest.mark.parametrize(
    ("code", "error", "result", "reason"),
    [
        ("AA", "", Result.DELIVERED, ""),
        ("AE", "", Result.REFUSED, "hl7-error"),
        ("AE", "ERR|||207^Internal^HL70357|E\r", Result.REFUSED, "hl7-not-now"),
        ("AE", "ERR|||101^Required field missing^HL70357|E\r", Result.HELD, "hl7-rejected"),
        ("AR", "", Result.HELD, "hl7-rejected"),
        ("AR", "ERR|||206^Locked^HL70357|E\r", Result.REFUSED, "hl7-not-now"),
        ("AR", "ERR|||999^Ours|E\r", Result.HELD, "hl7-rejected"),
        ("CA", "", Result.HELD, "hl7-commit-only"),
        ("CE", "", Result.REFUSED, "hl7-error"),
        ("CR", "", Result.HELD, "hl7-rejected"),
        ("AA", "ERR|||101^Odd|E\r", Result.DELIVERED, ""),
    ],
)
def test_each_code_has_its_consequence(code: str, error: str, result: Result, reason: str) -> None:
    server = Scripted(lambda sock: sock.sendall(answer(received(sock), code, more=error)))
    said = carrier(server.port).open([]).send(outgoing())
    assert (said.result, said.reason) == (result, reason)
    server.close()


def sends(data: bytes) -> Callable[[socket.socket], None]:
    def part(sock: socket.socket) -> None:
        received(sock)
        sock.sendall(data)
        time.sleep(0.3)

    return part


def drips(sock: socket.socket) -> None:
    received(sock)
    for _ in range(100):
        sock.sendall(b"\x0bMSH|"[:1] if _ == 0 else b"M")
        time.sleep(0.05)


HOSTILE: dict[str, tuple[str, Callable[[socket.socket], None]]] = {
    "another control id": ("hl7-answer-of-another", lambda sock: sock.sendall(answer(received(sock), control="x"))),
    "no control id": ("hl7-answer-of-another", lambda sock: sock.sendall(answer(received(sock), control=""))),
    "silence": ("answer-timeout", lambda sock: (received(sock), time.sleep(3))),  # type: ignore[dict-item, return-value]
    "dripping": ("answer-timeout", drips),
    "hangs up": ("connection-lost", lambda sock: received(sock) and None),
    "hangs up at once": ("connection-lost", lambda sock: None),
    "half an answer": ("connection-lost", sends(b"\x0bMSH|^~\\&|")),
    "no block": ("hl7-answer-malformed", sends(b"HTTP/1.1 400 Bad Request\r\n\r\n")),
    "no MSA": ("hl7-answer-malformed", sends(b"\x0bMSH|^~\\&|a\r\x1c\r")),
    "an empty block": ("hl7-answer-malformed", sends(b"\x0b\x1c\r")),
    "two answers": ("hl7-answer-malformed", lambda sock: sock.sendall(2 * answer(received(sock)))),
    "no end": ("hl7-answer-malformed", sends(b"\x0b" + b"M" * (1 << 20))),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_answer_says_nothing_of_the_message(name: str) -> None:
    reason, part = HOSTILE[name]
    server = Scripted(part, part)
    began = time.monotonic()
    with pytest.raises(DestinationDown) as caught:
        carrier(server.port, "1s").open([]).send(outgoing())
    assert caught.value.reason == reason
    assert time.monotonic() - began < 3
    assert "Müller" not in str(caught.value)
    server.close()


def test_a_receiver_that_hangs_up_between_messages_is_called_again() -> None:
    once = [lambda sock: sock.sendall(answer(received(sock)))] * 2
    server = Scripted(*once)
    session = carrier(server.port).open([])
    assert session.send(outgoing("One.")).result is Result.DELIVERED
    time.sleep(0.2)
    assert session.send(outgoing("Two.")).result is Result.DELIVERED
    assert server.connections == 2
    server.close()


def test_a_late_answer_is_not_taken_for_the_next_one() -> None:
    """A receiver answers the first message twice: the second answer must not confirm the second message."""

    def twice(sock: socket.socket) -> None:
        message = received(sock)
        sock.sendall(answer(message))
        time.sleep(0.2)
        sock.sendall(answer(message))
        time.sleep(1)

    server = Scripted(twice, lambda sock: sock.sendall(answer(received(sock), "AR")))
    session = carrier(server.port).open([])
    assert session.send(outgoing("One.")).result is Result.DELIVERED
    time.sleep(0.4)
    assert session.send(outgoing("Two.")).result is Result.HELD
    server.close()


@pytest.mark.parametrize("data", [b"PID|1\r", b"MSH|^~\\&|a\r", outgoing().source.pread(0, 1 << 20) + b"\x1c\rMSH|"])
def test_what_would_break_the_frame_is_held(data: bytes, receiver: Receiver) -> None:
    said = carrier(receiver.port).open([]).send(outgoing(data=data))
    assert (said.result, said.reason) == (Result.HELD, "hl7-unframeable")
    assert receiver.messages == []


def test_out_of_reach_is_down() -> None:
    with pytest.raises(DestinationDown, match="connect-failed"):
        carrier(free_port()).open([])
