"""A DICOMweb origin server as a destination: Store requests over HTTPS (PS3.18 10.5), some objects of a study in each.

Rules of this file
* Delivered is what the answer names among the stored (0008,1199), without a warning or with one that the destination
  lists. An answer that cannot be read, or that does not name an object, confirms nothing.
* Where a request of several objects is refused as a whole, each goes again alone: one must not stop the others.
* An object leaves in its own transfer syntax; Implicit VR and big endian, which PS3.18 8.7.3 forbids, are converted.
* No redirect is followed: patients' data goes where the rule file says.
* Bodies stream from the spool. What a status without results means is a table.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from email.utils import parsedate_to_datetime
from time import time
from typing import Literal, NamedTuple, NoReturn
from uuid import uuid4

from gateway.audit.events import Party
from gateway.config.schema import Destination, StowDestination
from gateway.deliver.contract import Answer, Need
from gateway.deliver.dimse import RESULTS
from gateway.deliver.hashed import Hashed
from gateway.dimse.status import meaning
from gateway.errors import DestinationDown
from gateway.model import Result
from gateway.pipeline import Outgoing
from gateway.web import answers, client, media
from gateway.web.client import Client, Url
from gateway.web.oauth import Grant
from transforms.dataset import convert, part10, syntax
from transforms.errors import TransformError
from transforms.source import ByteSource, chunks

_PART = "\r\nContent-Type: application/dicom\r\n\r\n"
# Statuses without results that are about the object; every other says something of the server, or of us.
_OBJECT = {
    400: (Result.HELD, "refused-by-server"),
    409: (Result.HELD, "refused-by-server"),
    413: (Result.HELD, "too-large-for-server"),
    415: (Result.HELD, "media-type-refused"),
    422: (Result.HELD, "refused-by-server"),
    500: (Result.REFUSED, "server-error"),  # perhaps this object makes it fail: tried again, counted
}
_SERVER = {401: "not-authorized", 403: "not-authorized", 404: "no-such-service", 405: "no-such-service"}
_LONGEST = 86400.0  # seconds of a Retry-After that are believed


class _Ready(NamedTuple):
    """One object as it goes into a body."""

    outgoing: Outgoing
    head: bytes  # the file's meta information
    sent: Hashed
    syntax: str


class StowCarrier:
    """One `stow:` destination of gateway.yaml."""

    kind = "out"
    whole: Literal[False] = False

    def __init__(self, destination: Destination, context: ssl.SSLContext | None, grant: Grant | None) -> None:
        assert destination.stow is not None
        self._to: StowDestination = destination.stow
        self._context = context
        self._grant = grant
        self.lanes = self._to.connections
        self.idle = self._to.idle
        self.batch = self._to.batch
        self.batch_bytes = self._to.batch_bytes

    def party(self) -> Party:
        return Party("", Url.of(self._to.url).host)

    def open(self, needs: Sequence[Need]) -> StowSession:
        session = StowSession(self._to, self._context, self._grant)
        session.connect()
        return session


class StowSession:
    """One connection to the server, made again where it was closed between two requests."""

    def __init__(self, to: StowDestination, context: ssl.SSLContext | None, grant: Grant | None) -> None:
        self.association = uuid4().hex
        self.reading: int | None = None  # which object of a request is being read, for whom that fails
        self._to = to
        self._url = Url.of(to.url)
        self._context = context
        self._grant = grant
        self._client: Client | None = None

    def connect(self) -> Client:
        """The connection, a new one where there is none that lives. Raises DestinationDown."""
        if self._client is None or not self._client.ready():
            self._client = Client(self._url, self._context, self._to.timeout)
        return self._client

    def carries(self, need: Need) -> bool:
        return True

    def send(self, outgoing: Outgoing) -> Answer:
        return self.send_all([outgoing])[0]

    def send_all(self, outgoings: Sequence[Outgoing]) -> list[Answer]:
        """Send objects of one study as one request; an answer each. Raises DestinationDown, and what reading raises."""
        found: dict[int, Answer] = {}
        ready: dict[int, _Ready] = {}
        for number, outgoing in enumerate(outgoings):
            try:
                ready[number] = _ready(outgoing)
            except TransformError as error:
                found[number] = Answer(Result.HELD, None, error.reason)
        if ready:
            found |= self._stored(ready)
        return [found[number] for number in range(len(outgoings))]

    def close(self, *, orderly: bool = True) -> None:
        if self._client is not None:
            self._client.close()

    def _stored(self, ready: dict[int, _Ready]) -> dict[int, Answer]:
        answer = self._posted(ready)
        told = answers.read(answer.body) if answer.status in (200, 202, 400, 409) else None
        if told is not None and (told.stored or told.failed):
            return {number: self._judged(each, told) for number, each in ready.items()}
        if answer.status in _OBJECT and len(ready) > 1:
            found: dict[int, Answer] = {}
            for number, each in ready.items():  # which of them it was shows alone
                found |= self._stored({number: each._replace(sent=Hashed(each.sent.source))})
            return found
        if answer.status in _OBJECT:
            result, reason = _OBJECT[answer.status]
        elif 200 <= answer.status < 300:
            result, reason = Result.REFUSED, "not-confirmed"
        else:
            _down(answer)
        return {number: Answer(result, answer.status, reason) for number in ready}

    def _judged(self, each: _Ready, told: answers.Told) -> Answer:
        """What a readable answer says of one object."""
        uid = each.outgoing.identity.sop_instance
        if not each.sent.whole:  # it answered before all of it had gone
            return Answer(Result.REFUSED, None, "not-confirmed")
        if uid in told.stored:
            code = told.stored[uid]
        elif uid in told.failed:
            code = told.failed[uid] or answers.PROCESSING_FAILURE
        else:
            return Answer(Result.REFUSED, None, "not-confirmed")
        try:
            disposition, reason = meaning(code, self._to.warnings if uid in told.stored else ())
        except ValueError:
            return Answer(Result.REFUSED, None, "not-confirmed")
        return Answer(RESULTS[disposition], code, reason, each.sent.sha256(), each.syntax)

    def _posted(self, ready: dict[int, _Ready]) -> client.Answer:
        """One request; a token that is not taken any more is renewed once. Raises DestinationDown."""
        for again in (False, True):
            token = self._grant.token() if self._grant is not None else ""
            boundary = uuid4().hex  # 128 bits of chance: no object holds it
            headers = {
                "Content-Type": f'{media.RELATED}; type="{media.DICOM}"; boundary={boundary}',
                "Accept": media.JSON,
            }
            if token:
                headers["Authorization"] = f"Bearer {token}"
            opening = f"--{boundary}{_PART}".encode()
            closing = f"\r\n--{boundary}--\r\n".encode()
            length = (
                sum(len(opening) + len(each.head) + each.sent.size + 2 for each in ready.values()) - 2 + len(closing)
            )
            body = self._body(ready, opening, closing)
            answer = self.connect().request("POST", f"{self._url.path}/studies", headers, body, length)
            self.reading = None
            if answer.status != 401 or self._grant is None or again:
                return answer
            self._grant.refused(token)
            ready = {number: each._replace(sent=Hashed(each.sent.source)) for number, each in ready.items()}
        raise AssertionError("the second try returns")

    def _body(self, ready: dict[int, _Ready], opening: bytes, closing: bytes) -> Iterator[bytes]:
        lead = b""
        for number, each in ready.items():
            yield lead + opening + each.head
            self.reading = number
            yield from chunks(each.sent)
            self.reading = None
            lead = b"\r\n"
        yield closing


def _ready(outgoing: Outgoing) -> _Ready:
    """An object in a syntax that may go over the web. Raises TransformError."""
    source: ByteSource = outgoing.source
    uid = outgoing.syntax
    known = syntax.lookup(uid)
    if not known.encapsulated and not known.deflated and uid != syntax.EXPLICIT_LE:
        source, uid = convert.to_explicit_le(source, uid), syntax.EXPLICIT_LE
    identity = outgoing.identity
    return _Ready(outgoing, part10.meta(identity.sop_class, identity.sop_instance, uid), Hashed(source), uid)


def _down(answer: client.Answer) -> NoReturn:
    """What says nothing of the objects. Raises DestinationDown."""
    reason = "redirect-refused" if 300 <= answer.status < 400 else _SERVER.get(answer.status, "server-unavailable")
    raise DestinationDown(reason, f"HTTP {answer.status}", retry_after=_seconds(answer.headers.get("retry-after", "")))


def _seconds(text: str) -> float:
    """A Retry-After, as seconds or as a date (RFC 9110 10.2.3); 0 where it is neither."""
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), _LONGEST)
    try:
        return min(max(0.0, parsedate_to_datetime(text).timestamp() - time()), _LONGEST)
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0.0
