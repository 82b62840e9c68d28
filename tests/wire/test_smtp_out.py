"""Servers that speak no SMTP, lie, drip or never end: one connection is lost, nothing else, and no secret with it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.config.mail import MailDestination
from gateway.config.schema import Tls
from gateway.errors import DestinationDown
from gateway.mail.smtp import Refused, Submission, Unconfirmed
from gateway.security.tls import client_context
from tests.unit.security.pki import Pki

HELLO = b"250-here\r\n250-SIZE 1000000\r\n250 8BITMIME\r\n"
TLS_HELLO = b"250-here\r\n250 STARTTLS\r\n"


class Script:
    """One connection: a greeting, then an answer for each command line; the last one again and again."""

    def __init__(self, *answers: bytes | Callable[[socket.socket], None]) -> None:
        self.heard = b""
        self._answers = list(answers)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._socket.accept()
        with connection:
            connection.settimeout(10)
            for answer in self._answers:
                try:
                    if callable(answer):
                        answer(connection)
                        return
                    connection.sendall(answer)
                    self.heard += connection.recv(1 << 16)
                except OSError:
                    return

    def __enter__(self) -> Script:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._thread.join(10)


def block(port: int, **more: object) -> MailDestination:
    return MailDestination.model_validate(
        {
            "host": "127.0.0.1", "port": port, "timeout": "1s", "from": "a@x.example", "to": "b@y.example",
            "recipients": "none.pem", "sign": {"certificate": "none.pem", "key": "none.key"}, **more,
        }
    )  # fmt: skip


def refused(script: Script, **more: object) -> DestinationDown:
    with pytest.raises(DestinationDown) as caught:
        Submission(block(script.port, **more), None)
    return caught.value


def drip(connection: socket.socket) -> None:
    """An answer that never ends, one byte a time: each read is quick, the whole is not."""
    end = time.monotonic() + 8
    while time.monotonic() < end:
        connection.sendall(b"2")
        time.sleep(0.05)


def forever(connection: socket.socket) -> None:
    for _ in range(200_000):
        connection.sendall(b"250-and more of it, and more of it, and more\r\n" * 50)


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ((b"SSH-2.0-OpenSSH_9.6\r\n",), "mail-answer-malformed"),
        ((b"HTTP/1.1 400 Bad Request\r\n\r\n",), "mail-answer-malformed"),
        ((b"554 go away\r\n",), "mail-unavailable"),
        ((b"421 later\r\n",), "mail-unavailable"),
        ((b"220 hello\r\n", b"500 what\r\n"), "mail-unavailable"),
        ((b"220 hello\r\n", drip), "answer-timeout"),
        ((drip,), "answer-timeout"),
        ((b"220 hello\r\n", forever), "mail-answer-malformed"),
        ((b"2" * 100_000,), "mail-answer-malformed"),
        ((lambda connection: None,), "connection-lost"),
    ],
)
def test_what_is_no_server_of_mail_is_down(answers: tuple[bytes, ...], reason: str) -> None:
    with Script(*answers) as script:
        began = time.monotonic()
        assert refused(script).reason == reason
        assert time.monotonic() - began < 7


def message(folder: Path) -> Path:
    path = folder / "m.eml"
    path.write_bytes(b"Subject: DICOM-ZIP\r\n\r\nAAAA\r\n")
    return path


@pytest.mark.parametrize(
    ("last", "found"),
    [
        ((b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", b"250 taken\r\n"), None),
        ((b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", b"251 maybe\r\n"), "mail-unavailable"),
        ((b"250 ok\r\n", b"250 ok\r\n", b"250 already\r\n"), "mail-unavailable"),
        ((b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", b"554 no\r\n"), Refused(554, "mail-refused")),
        ((b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", lambda connection: None), Unconfirmed),
        ((b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", drip), Unconfirmed),
        ((b"250 ok\r\n", b"450 later\r\n", b"250 reset\r\n"), Refused(450, "mail-not-now")),
        ((b"250 ok\r\n", b"550 nobody\r\n", lambda connection: None), Refused(550, "mail-recipient-refused")),
    ],
)
def test_only_250_is_taken(tmp_path: Path, last: tuple[bytes, ...], found: object) -> None:
    with Script(b"220 hello\r\n", HELLO, *last) as script:
        server = Submission(block(script.port), None)
        if isinstance(found, str) or found is Unconfirmed:
            with pytest.raises(DestinationDown) as caught:
                server.send(message(tmp_path))
            assert type(caught.value) is Unconfirmed if found is Unconfirmed else caught.value.reason == found
        else:
            assert server.send(message(tmp_path)) == found
        server.close()


def test_what_comes_before_tls_is_not_taken_for_what_comes_in_it(tmp_path: Path) -> None:
    pki = Pki(tmp_path)
    context = client_context(Tls(trust=pki.ca_file), None, anonymous=True)
    injected = b"220 go\r\n250-here\r\n250 AUTH PLAIN\r\n"
    with Script(b"220 hello\r\n", TLS_HELLO, injected) as script:
        with pytest.raises(DestinationDown, match="mail-answer-malformed"):
            Submission(block(script.port, starttls=True), context)
        assert b"AUTH" not in script.heard


@pytest.mark.parametrize("answer", [HELLO, b"250 here\r\n"])
def test_a_server_without_starttls_hears_its_name_and_no_more(
    tmp_path: Path, answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORD", "the password")
    context = client_context(Tls(trust=Pki(tmp_path).ca_file), None, anonymous=True)
    login = {"user": "u", "password": "env:WORD"}
    down = pytest.raises(DestinationDown, match="mail-no-starttls")
    with Script(b"220 hello\r\n", answer, b"250 ok\r\n") as script, down:
        Submission(block(script.port, starttls=True, login=login), context)
    assert script.heard.strip() == b"ehlo x.example"


def test_a_password_that_cannot_be_said_is_told_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORD", "Schl\u00fcssel")
    with Script(b"220 hello\r\n", b"250-here\r\n250 AUTH PLAIN\r\n") as script:
        found = refused(script, login={"user": "u", "password": "env:WORD"})
    assert found.reason == "mail-login" and "ASCII" in found.detail and "Schl" not in found.detail


def test_no_known_login_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORD", "the password")
    login = {"login": {"user": "u", "password": "env:WORD"}}
    for hello in (HELLO, b"250-here\r\n250 AUTH GSSAPI\r\n"):
        with Script(b"220 hello\r\n", hello) as script:
            assert refused(script, **login).reason == "mail-login"
