"""A receiver of HL7 v2 as a destination: MLLP over TLS, original acknowledgement mode (HL7 2.5.1 2.9, MLLP release 1).

Rules of this file
* Delivered is AA for the control id that was sent, and nothing else. What other codes mean stands in the tables.
* One message at a time; its answer is read to its end under one deadline and one limit. What is no answer to it says
  nothing about the object: the connection is given up, and the message goes out again.
* Many receivers hang up after each message: a connection that has ended while it lay idle is opened anew, once.
* No text of an answer is kept or told: it may hold a patient.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Sequence
from typing import Final, Literal
from uuid import uuid4

from gateway.audit.events import Party
from gateway.config.schema import Destination, MllpDestination
from gateway.deliver.contract import Answer, Need
from gateway.deliver.hashed import Hashed
from gateway.dimse.dial import dial, tls_down
from gateway.errors import DestinationDown
from gateway.model import Result
from gateway.pipeline import Outgoing
from transforms.errors import TransformError
from transforms.hl7 import ack
from transforms.hl7.ack import Acknowledgement
from transforms.source import chunks

START: Final = b"\x0b"
END: Final = b"\x1c\r"

# Acknowledgement code (HL70008) -> what becomes of the object, and why
ANSWERS: Final = {
    "AA": (Result.DELIVERED, ""),
    "AE": (Result.REFUSED, "hl7-error"),  # tried again, counted: it does not say what is wrong
    "AR": (Result.HELD, "hl7-rejected"),
    "CA": (Result.HELD, "hl7-commit-only"),  # enhanced mode: taken, but nobody says that it was understood
    "CE": (Result.REFUSED, "hl7-error"),
    "CR": (Result.HELD, "hl7-rejected"),
}
# An error condition (HL70357) says more than AE, AR, CE or CR do
CONDITIONS: Final = {
    "206": (Result.REFUSED, "hl7-not-now"),  # application record locked
    "207": (Result.REFUSED, "hl7-not-now"),  # application internal error
    **dict.fromkeys(
        ("100", "101", "102", "103", "200", "201", "202", "203", "204", "205"), (Result.HELD, "hl7-rejected")
    ),
}


class MllpCarrier:
    """One `mllp:` destination of gateway.yaml."""

    kind = "out"
    whole: Literal[False] = False

    def __init__(self, destination: Destination, context: ssl.SSLContext | None) -> None:
        assert destination.mllp is not None
        self._to = destination.mllp
        self._context = context
        self.lanes = self._to.connections
        self.idle = self._to.idle

    def party(self) -> Party:
        return Party("", self._to.host)

    def open(self, needs: Sequence[Need]) -> MllpSession:
        return MllpSession(self._to, self._dial)

    def _dial(self) -> socket.socket:
        return dial((self._to.host, self._to.port), self._context, None, self._to.timeout)


class MllpSession:
    """One connection to the receiver, opened anew where the receiver ends it between two messages."""

    def __init__(self, to: MllpDestination, connect: Callable[[], socket.socket]) -> None:
        self.association = uuid4().hex
        self._to = to
        self._connect = connect
        self._sock = connect()

    def carries(self, need: Need) -> bool:
        return True

    def send(self, outgoing: Outgoing) -> Answer:
        sent = Hashed(outgoing.source)
        message = b"".join(chunks(sent))
        control = control_id(message)
        if not control or START in message or END[:1] in message:
            return Answer(Result.HELD, None, "hl7-unframeable")
        if self._ended():
            self._sock.close()
            self._sock = self._connect()
        deadline = time.monotonic() + self._to.timeout
        try:
            self._sock.settimeout(self._to.timeout)
            self._sock.sendall(START + message + END)
            answer = acknowledgement(self._answer(deadline), control)
        except TimeoutError as error:
            raise DestinationDown("answer-timeout") from error
        except ssl.SSLError as error:
            raise tls_down(error) from error
        except OSError as error:
            raise DestinationDown("connection-lost", error.strerror or type(error).__name__) from error
        result, reason = ANSWERS[answer.code]
        if result is not Result.DELIVERED:
            result, reason = CONDITIONS.get(answer.condition, (result, reason))
        return Answer(result, None, reason, sent.sha256())

    def close(self, *, orderly: bool = True) -> None:
        self._sock.close()

    def _ended(self) -> bool:
        """Nothing is owed to us between two messages: what can be read is the end, or not to be trusted."""
        self._sock.setblocking(False)
        try:
            self._sock.recv(1)  # tickets of TLS 1.3 are taken by it, and are nothing to read
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        except OSError:
            return True
        return True

    def _answer(self, deadline: float) -> bytes:
        """One block, without its frame. Raises DestinationDown, OSError."""
        found = bytearray()
        while not found.endswith(END):
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._sock.settimeout(left)
            part = self._sock.recv(1 << 14)
            if not part:
                raise DestinationDown("connection-lost", "the receiver hung up before its answer")
            found += part
            if not found.startswith(START):
                raise DestinationDown("hl7-answer-malformed", "the answer is in no MLLP block")
            if len(found) > self._to.max_answer:
                raise DestinationDown("hl7-answer-malformed", f"the answer is longer than {self._to.max_answer} bytes")
        block = bytes(found[len(START) : -len(END)])
        if START in block or END[:1] in block:
            raise DestinationDown("hl7-answer-malformed", "more than one answer came")
        return block


def control_id(message: bytes) -> str:
    """MSH-10 of a message of ours; "" where there is none."""
    fields = message.split(b"\r", 1)[0].split(b"|")
    return fields[9].decode("ascii", "replace") if fields[0] == b"MSH" and len(fields) > 9 else ""


def acknowledgement(block: bytes, control: str) -> Acknowledgement:
    """The answer to the message of this control id. Raises DestinationDown for anything else."""
    try:
        found = ack.of(block)
    except TransformError as error:
        raise DestinationDown("hl7-answer-malformed", error.detail) from error
    if found.control != control:
        raise DestinationDown("hl7-answer-of-another", "the answer is to another message")
    return found
