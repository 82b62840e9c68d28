"""Who may store: tokens and certificates that are not let in are told so and audited, and nothing of theirs is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.errors import DestinationDown
from gateway.web.bearer import Tokens
from tests.unit.web.test_bearer import BLOCK, CLAIMS, NOW, OTHER, RSA, public, signed, tokens
from tests.wire.web import Server, file_of, multipart, request, serving, store, talk, uid_of


@pytest.fixture
def server(tmp_path: Path):
    with serving(tmp_path, tokens=tokens()) as made:
        yield made


def bearer(token: str) -> tuple[str, ...]:
    return (f"Authorization: Bearer {token}",)


def test_a_good_token_stores_and_is_named_in_the_trail(server: Server) -> None:
    assert store(server.port, file_of(1), extra=bearer(signed(CLAIMS))).status == 200
    (instance,) = server.writer.instances
    assert instance.origin.subject == "bearer:https://example.org#ct1" == server.writer.opens[0].source.subject


@pytest.mark.parametrize(
    ("extra", "status", "challenge", "alert"),
    [
        ((), 401, 'bearer realm="dicomweb"', ""),
        (bearer("nonsense"), 401, 'error="invalid_token"', "token-malformed"),
        (("Authorization: Basic abc",), 401, 'error="invalid_request"', "token-malformed"),
        (bearer(signed(CLAIMS, OTHER)), 401, 'error="invalid_token"', "token-signature"),
        (bearer(signed(CLAIMS | {"exp": 5})), 401, 'error="invalid_token"', "token-expired"),
        (bearer(signed(CLAIMS | {"scope": "x"})), 403, 'error="insufficient_scope"', "token-scope"),
        (bearer(signed(CLAIMS)) * 2, 401, 'error="invalid_request"', "token-malformed"),
    ],
)
def test_others_are_told_why_and_audited(server: Server, extra, status: int, challenge: str, alert: str) -> None:
    reply = store(server.port, file_of(1), extra=extra)
    assert reply.status == status and "www-authenticate: bearer " in reply.head and challenge in reply.head
    assert server.files() == [] and server.writer.opens == []
    assert [getattr(each, "reason", "") for each in server.writer.notes] == ([alert] if alert else [])


def test_health_asks_for_no_token_and_the_document_does(server: Server) -> None:
    for path in ("/health", "/ready"):
        assert talk(server.port, request(b"", path, method="GET")).status == 200
    assert talk(server.port, request(b"", "/dicom-web", method="GET")).status == 401
    assert talk(server.port, request(b"", method="OPTIONS")).status == 401


def test_only_the_listed_certificates_may(tmp_path: Path) -> None:
    """Without TLS nobody has a subject; over TLS tests/system and the peers show the good side."""
    with serving(tmp_path) as server:
        server._server._stow = server._server._stow.model_copy(update={"subjects": ("CN=ct1",)})
        reply = store(server.port, file_of(1))
        assert reply.status == 403 and reply.body == b"subject-refused\n"
        assert [getattr(each, "reason", "") for each in server.writer.notes] == ["subject-refused"]


def test_a_refused_body_is_read_past_so_that_the_answer_is_seen(server: Server) -> None:
    reply = talk(server.port, request(multipart(file_of(1, size=300000))))
    assert reply.status == 401 and "connection: close" in reply.head
    assert uid_of(1) not in server.stored()


def test_without_keys_it_is_not_ready_and_says_why(tmp_path: Path) -> None:
    """Nobody who asks to store would be let in; one who asks whether he may is told at once, and so are the others."""
    served = [b""]
    now = [0.0]

    def load() -> bytes:
        if not served[0]:
            raise DestinationDown("connect-failed")
        return served[0]

    judge = Tokens(BLOCK, load, clock=lambda: NOW, monotonic=lambda: now[0])
    with serving(tmp_path, tokens=judge) as server:
        reply = talk(server.port, request(b"", "/ready", method="GET"))
        assert (reply.status, reply.body) == (503, b"keys-unavailable\n") and "retry-after: " in reply.head
        assert talk(server.port, request(b"", "/health", method="GET")).status == 200
        reply = store(server.port, file_of(1), extra=bearer(signed(CLAIMS)))
        assert (reply.status, reply.body) == (503, b"keys-unavailable\n") and "retry-after: " in reply.head
        assert server.writer.notes == [], "no fault of the caller's"
        served[0], now[0] = public(RSA), 61.0
        assert talk(server.port, request(b"", "/ready", method="GET")).status == 200
        assert store(server.port, file_of(1), extra=bearer(signed(CLAIMS))).status == 200
