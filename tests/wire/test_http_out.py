"""`http:` destinations: what each status means, forms, credentials, redirects."""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes

import pytest

from gateway.config.annotations import HttpDestination
from gateway.config.kinds import Kind
from gateway.config.schema import Destination
from gateway.deliver.http import HttpCarrier, HttpSession
from gateway.errors import DestinationDown
from gateway.model import Decision, Identity, Instance, Job, Origin, Result, Stored, Verdict
from gateway.pipeline import Outgoing
from tests.system.takers import Taker
from transforms.source import BytesSource

DOCUMENT = b"<ImageAnnotationCollection/>"


@pytest.fixture
def taker() -> Iterator[Taker]:
    made = Taker()
    yield made
    made.close()


def session(taker: Taker, **more: object) -> HttpSession:
    block = HttpDestination(url=f"http://127.0.0.1:{taker.port}/api/aims", timeout="2s", **more)  # type: ignore[arg-type]
    return HttpCarrier(Destination(http=block, unsafe_plaintext="a test"), None).open([])


def outgoing(kind: Kind = Kind.AIM) -> Outgoing:
    identity = Identity("1.2", "1.2.3", "1.2.4")
    stored = Stored("token", 0, len(DOCUMENT), "")
    origin = Origin("hospital", "a", "127.0.0.1")
    instance = Instance(identity, origin, stored, "", 0.0, Decision(Verdict.DELIVER, "r"))
    return Outgoing(Job(1, 1, instance, "epad", 0), BytesSource(DOCUMENT), "", identity, kind=kind)


@pytest.mark.parametrize(
    ("status", "result", "reason"),
    [
        (200, Result.DELIVERED, ""),
        (201, Result.DELIVERED, ""),
        (204, Result.DELIVERED, ""),
        (400, Result.HELD, "refused-by-server"),
        (409, Result.HELD, "refused-by-server"),
        (413, Result.HELD, "too-large-for-server"),
        (415, Result.HELD, "media-type-refused"),
        (422, Result.HELD, "refused-by-server"),
        (500, Result.REFUSED, "server-error"),
    ],
)
def test_a_status_that_is_about_the_document(taker: Taker, status: int, result: Result, reason: str) -> None:
    taker.status = status
    answer = session(taker).send(outgoing())
    assert (answer.result, answer.reason, answer.status) == (result, reason, status)
    assert taker.bodies == ([DOCUMENT] if result is Result.DELIVERED else [])


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (301, "redirect-refused"),
        (307, "redirect-refused"),
        (401, "not-authorized"),
        (403, "not-authorized"),
        (404, "no-such-service"),
        (429, "server-unavailable"),
        (502, "server-unavailable"),
        (503, "server-unavailable"),
    ],
)
def test_a_status_that_is_about_the_server(taker: Taker, status: int, reason: str) -> None:
    taker.status = status
    with pytest.raises(DestinationDown) as caught:
        session(taker).send(outgoing())
    assert caught.value.reason == reason
    assert len(taker.paths) == 1  # nothing followed it elsewhere


def test_the_document_goes_as_it_is(taker: Taker) -> None:
    session(taker).send(outgoing())
    session(taker).send(outgoing(Kind.CDA))
    assert taker.paths == ["/api/aims"] * 2
    assert [each["Content-Type"] for each in taker.headers] == ["application/xml", "application/hl7-cda+xml"]


def test_a_form_has_it_as_a_file_whose_name_says_nothing(taker: Taker) -> None:
    made = session(taker, form="file")
    assert made.send(outgoing()).result is Result.DELIVERED
    head = f"Content-Type: {taker.headers[0]['Content-Type']}\r\n\r\n".encode()
    (part,) = message_from_bytes(head + taker.bodies[0]).get_payload()  # type: ignore[misc]
    assert part.get_payload(decode=True) == DOCUMENT  # type: ignore[union-attr]
    assert part.get_param("name", header="content-disposition") == "file"  # type: ignore[union-attr]
    name = part.get_filename() or ""  # type: ignore[union-attr]
    assert len(name) == 36 and "1.2.3" not in name


def test_the_credential_goes_along(taker: Taker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EPAD_AUTHORIZATION", "Basic " + "Zm9vOmJhcg" * 4)
    session(taker, authorization="env:EPAD_AUTHORIZATION").send(outgoing())
    assert taker.headers[0]["Authorization"].startswith("Basic Zm9v")
