"""A server that takes documents by HTTP POST, such as ePAD's: AIM and CDA, one request each.

Rules of this file
* Delivered is an answer of class 2xx to the whole request, and nothing else. What other statuses mean is a table.
* No redirect is followed: patients' data goes where the rule file says. No text of an answer is kept.
* The request is the document itself, or a form with it as a file (`form: file`) under a name that says nothing.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from typing import Final, Literal
from uuid import uuid4

from gateway.audit.events import Party
from gateway.config.annotations import HttpDestination
from gateway.config.kinds import Kind
from gateway.config.schema import Destination
from gateway.config.secrets import resolve
from gateway.deliver.contract import Answer, Need
from gateway.deliver.hashed import Hashed
from gateway.errors import DestinationDown, GatewayError
from gateway.model import Result
from gateway.pipeline import Outgoing
from gateway.web.client import Client, Url
from transforms.source import chunks

TYPES: Final = {Kind.AIM: "application/xml", Kind.CDA: "application/hl7-cda+xml"}
# Statuses that are about the document; every other says something of the server, or of us.
_OBJECT: Final = {
    400: (Result.HELD, "refused-by-server"),
    409: (Result.HELD, "refused-by-server"),
    413: (Result.HELD, "too-large-for-server"),
    415: (Result.HELD, "media-type-refused"),
    422: (Result.HELD, "refused-by-server"),
    500: (Result.REFUSED, "server-error"),  # perhaps this document makes it fail: tried again, counted
}
_SERVER: Final = {401: "not-authorized", 403: "not-authorized", 404: "no-such-service", 405: "no-such-service"}


class HttpCarrier:
    """One `http:` destination of gateway.yaml."""

    kind = "out"
    whole: Literal[False] = False

    def __init__(self, destination: Destination, context: ssl.SSLContext | None) -> None:
        assert destination.http is not None
        self._to = destination.http
        self._context = context
        self.lanes = self._to.connections
        self.idle = self._to.idle

    def party(self) -> Party:
        return Party("", Url.of(self._to.url).host)

    def open(self, needs: Sequence[Need]) -> HttpSession:
        session = HttpSession(self._to, self._context)
        session.connect()
        return session


class HttpSession:
    """One connection to the server, made again where it was closed between two requests."""

    def __init__(self, to: HttpDestination, context: ssl.SSLContext | None) -> None:
        self.association = uuid4().hex
        self._to = to
        self._url = Url.of(to.url)
        self._context = context
        self._client: Client | None = None

    def connect(self) -> Client:
        """The connection, a new one where there is none that lives. Raises DestinationDown."""
        if self._client is None or not self._client.ready():
            self._client = Client(self._url, self._context, self._to.timeout)
        return self._client

    def carries(self, need: Need) -> bool:
        return True

    def send(self, outgoing: Outgoing) -> Answer:
        sent = Hashed(outgoing.source)
        kind = TYPES[outgoing.kind]
        opening, closing = b"", b""
        if self._to.form:
            boundary = uuid4().hex
            place = f'form-data; name="{self._to.form}"; filename="{uuid4().hex}.xml"'
            opening = f"--{boundary}\r\nContent-Disposition: {place}\r\nContent-Type: {kind}\r\n\r\n".encode()
            closing = f"\r\n--{boundary}--\r\n".encode()
            kind = f"multipart/form-data; boundary={boundary}"
        headers = {"Content-Type": kind, "Accept": "*/*"}
        if self._to.authorization is not None:
            headers["Authorization"] = _credential(self._to.authorization)
        answer = self.connect().request(
            "POST", self._url.path, headers, _body(opening, sent, closing), len(opening) + sent.size + len(closing)
        )
        if 200 <= answer.status < 300:
            if not sent.whole:  # it answered before all of it had gone
                return Answer(Result.REFUSED, answer.status, "not-confirmed")
            return Answer(Result.DELIVERED, answer.status, "", sent.sha256())
        if answer.status in _OBJECT:
            result, reason = _OBJECT[answer.status]
            return Answer(result, answer.status, reason)
        redirected = 300 <= answer.status < 400
        reason = "redirect-refused" if redirected else _SERVER.get(answer.status, "server-unavailable")
        raise DestinationDown(reason, f"HTTP {answer.status}")

    def close(self, *, orderly: bool = True) -> None:
        if self._client is not None:
            self._client.close()


def _credential(ref: str) -> str:
    """What Authorization says. Raises DestinationDown where it cannot be read: that is no fault of the object."""
    try:
        return resolve(ref, least=1).decode("latin-1").strip()
    except GatewayError as error:
        raise DestinationDown(error.reason, error.detail) from None


def _body(opening: bytes, sent: Hashed, closing: bytes) -> Iterator[bytes]:
    yield opening
    yield from chunks(sent)
    yield closing
