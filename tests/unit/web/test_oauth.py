"""Client credentials: a token is kept until shortly before its end, renewed where it is not taken, and never told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest

from gateway.config.schema import OAuth
from gateway.errors import DestinationDown
from gateway.web import oauth
from gateway.web.client import Url
from gateway.web.oauth import Grant

SECRET = "a-secret-of-the-tests"


class TokenServer(HTTPServer):
    """Answers with what a test puts into `answer`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[dict[str, list[str]], str]] = []
        self.answer: tuple[int, bytes] = 200, b""
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((parse_qs(body.decode()), self.headers["Authorization"]))  # type: ignore[attr-defined]
        status, answer = self.server.answer  # type: ignore[attr-defined]
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def server() -> Iterator[TokenServer]:
    made = TokenServer()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def grant(server: TokenServer, monkeypatch: pytest.MonkeyPatch) -> tuple[Grant, list[float]]:
    monkeypatch.setenv("STOW_SECRET", SECRET)
    block = OAuth.model_validate(
        {
            "token_url": "https://example.org/token",
            "tls": {"trust": "ca.pem"},
            "client_id": "gate:way",
            "client_secret": "env:STOW_SECRET",
            "scope": ["dicom.store", "x"],
        }
    )
    here = Url("http", "127.0.0.1", server.server_port, "/token")
    monkeypatch.setattr(oauth.Url, "of", staticmethod(lambda text: here))
    now = [1000.0]
    return Grant(block, None, 2.0, lambda: now[0]), now


def told(token: str, **more: Any) -> tuple[int, bytes]:
    return 200, json.dumps({"access_token": token, "token_type": "Bearer", **more}).encode()


def test_a_token_is_kept_and_renewed_before_its_end(server: TokenServer, grant: tuple[Grant, list[float]]) -> None:
    granted, now = grant
    server.answer = told("one", expires_in=600)
    assert [granted.token() for _ in range(5)] == ["one"] * 5 and len(server.asked) == 1
    form, authorization = server.asked[0]
    assert form == {"grant_type": ["client_credentials"], "scope": ["dicom.store x"]}
    assert authorization.startswith("Basic ")
    server.answer = told("two", expires_in=600)
    now[0] += 569
    assert granted.token() == "one"
    now[0] += 2
    assert granted.token() == "two"
    granted.refused("one")
    assert granted.token() == "two" and len(server.asked) == 2, "an old one that is refused changes nothing"
    granted.refused("two")
    server.answer = told("three")
    assert granted.token() == "three"


@pytest.mark.parametrize(
    "answer",
    [
        (500, b""),
        (302, b""),
        (401, b'{"error": "invalid_client"}'),
        (200, b"token"),
        (200, b"{}"),
        told("two words"),
        told("a\r\nX: y"),
        told(""),
        told("x" * 9000),
        told("one", expires_in="soon"),
        told("one", expires_in=-1),
        told("one", expires_in=True),
        (200, json.dumps({"access_token": "one", "token_type": "mac"}).encode()),
        (200, b"x" * 100000),
    ],
)
def test_what_is_no_grant_is_a_destination_that_is_down(server: TokenServer, grant, answer: tuple[int, bytes]) -> None:
    server.answer = answer
    with pytest.raises(DestinationDown) as caught:
        grant[0].token()
    assert SECRET not in str(caught.value) and "two words" not in str(caught.value)


def test_a_secret_that_is_gone_keeps_the_destination_and_no_object_waiting(
    grant: tuple[Grant, list[float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STOW_SECRET")
    with pytest.raises(DestinationDown, match="secret-missing"):
        grant[0].token()
