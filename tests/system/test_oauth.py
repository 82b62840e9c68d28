"""OAuth2, both ways, through whole gateways: a listener whose keys come from a key server, a destination with a grant.

One server over TLS is both the key server (a JWK set) and the token server (client credentials).
"""

from __future__ import annotations

import base64
import json
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import requests
from joserfc import jwk, jwt

from tests.system.harness import Gateway, Site, wait_for
from tests.system.senders import Sender, ct
from tests.system.web import web_port
from tests.wire.web import RELATED, file_of, multipart, uid_of

FIRST = jwk.RSAKey.generate_key(2048, {"kid": "first"})
SECOND = jwk.RSAKey.generate_key(2048, {"kid": "second"})
SECRET = "5ecret-of-a-test+%"
ISSUER = "https://example.org/idp"
RECEIVER = """\
version: 1
state: {{dir: ./state}}
identity: {{certificate: file:certs/gateway.pem, key: file:certs/gateway.key}}
workers: {{count: 1}}
listeners:
  - id: hospital
    dimse: {{ae: GATEWAY, host: 127.0.0.1, port: 0}}
    tls: {{trust: file:certs/ca.pem}}
  - id: web
    stow:
      path: /dicom-web
      host: 127.0.0.1
      port: 0
      bearer:
        issuer: '{issuer}'
        audience: stow
        scope: dicom.store
        keys_url: 'https://localhost:{port}/keys'
        tls: {{trust: file:certs/ca.pem}}
        leeway: 0s
    tls: {{client_cert: optional}}
routes:
  - {{id: rest, otherwise: hold, reason: no-route}}
"""
SENDER = """\
version: 1
state: {{dir: ./state}}
identity: {{certificate: file:certs/gateway.pem, key: file:certs/gateway.key}}
workers: {{count: 1}}
listeners:
  - id: hospital
    dimse: {{ae: GATEWAY, host: 127.0.0.1, port: 0}}
    tls: {{trust: file:certs/ca.pem}}
destinations:
  cloud:
    stow:
      url: 'https://localhost:{web}/dicom-web'
      oauth:
        token_url: 'https://localhost:{port}/token'
        client_id: gateway
        client_secret: env:CLOUD_SECRET
        scope: dicom.store
        tls: {{trust: file:../receiver/certs/ca.pem}}
    tls: {{trust: file:../receiver/certs/ca.pem}}
    retry: {{for: 1h, backoff: 200ms..1s}}
routes:
  - id: only
    match: {{SOPInstanceUID: {{exists: true}}}}
    deliver: [cloud]
  - {{id: rest, otherwise: hold, reason: no-route}}
"""


class Authority(ThreadingHTTPServer):
    """Keys and tokens over TLS; remembers who asked for what, and every token."""

    def __init__(self, site: Site) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(site.folder / "certs" / "archive.pem", site.folder / "certs" / "archive.key")
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.port: int = self.server_address[1]
        self.keys = [FIRST]
        self.away = False
        self.life = 3600
        self.asked: list[str] = []
        self.tokens: list[str] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def token(self, key: Any = FIRST, **change: Any) -> str:
        """Signed by a key, good unless it is changed."""
        claims = {
            "iss": ISSUER,
            "aud": "stow",
            "sub": "gateway",
            "exp": int(time.time()) + 3600,
            "scope": "dicom.store",
        }
        made: str = jwt.encode({"alg": "RS256", "kid": key.kid}, claims | change, key, algorithms=["RS256"])
        self.tokens.append(made)
        return made


class _Handler(BaseHTTPRequestHandler):
    server: Authority

    def do_GET(self) -> None:
        self.server.asked.append("keys")
        self._say({"keys": [key.as_dict(private=False) for key in self.server.keys]})

    def do_POST(self) -> None:
        self.server.asked.append("token")
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        basic = base64.b64decode(self.headers["Authorization"].removeprefix("Basic ")).decode()
        if basic != "gateway:5ecret-of-a-test%2B%25" or form["grant_type"] != ["client_credentials"]:
            self.send_error(401)
            return
        self._say(
            {
                "access_token": self.server.token(scope=form["scope"][0], jti=len(self.server.tokens)),
                "token_type": "Bearer",
                "expires_in": self.server.life,
            }
        )

    def _say(self, what: object) -> None:
        if self.server.away:
            self.send_error(503)
            return
        body = json.dumps(what).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def receiver(tmp_path: Path) -> Site:
    (tmp_path / "receiver").mkdir()
    return Site(tmp_path / "receiver")


@pytest.fixture
def authority(receiver: Site) -> Iterator[Authority]:
    made = Authority(receiver)
    yield made
    made.shutdown()
    made.server_close()


def started(receiver: Site, authority: Authority, gateways) -> Gateway:
    receiver.write(RECEIVER.format(issuer=ISSUER, port=authority.port))
    gateway: Gateway = gateways(receiver).start()
    wait_for(lambda: web_port(gateway))
    return gateway


def store(gateway: Gateway, token: str | None, number: int = 1) -> requests.Response:
    """One Store request, without a certificate."""
    headers = {"Content-Type": RELATED} | ({"Authorization": f"Bearer {token}"} if token else {})
    return requests.post(
        f"https://localhost:{web_port(gateway)}/dicom-web/studies",
        data=multipart(file_of(number)),
        headers=headers,
        verify=str(gateway.site.folder / "certs" / "ca.pem"),
        timeout=30,
    )


def nothing_of(folder: Path, secrets: list[str]) -> None:
    """No file of a gateway holds a token, or the secret that buys one. Of a token its signature counts."""
    wanted = [each.rpartition(".")[2].encode() for each in secrets]
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert any(path.suffix == ".jsonl" for path in files), "the audit trail is looked into"
    for path in files:
        data = path.read_bytes()
        assert not [each for each in wanted if each in data], path.name


def test_only_a_good_token_lets_in_and_its_subject_is_audited(receiver: Site, authority: Authority, gateways) -> None:
    gateway = started(receiver, authority, gateways)
    refused = [
        (None, 401, "token-missing"),
        (authority.token(exp=int(time.time()) - 60), 401, "token-expired"),
        (authority.token(aud="qido"), 401, "token-audience"),
        (authority.token(iss="https://example.org/other"), 401, "token-issuer"),
        (authority.token(scope="dicom.read"), 403, "token-scope"),
        (authority.token(SECOND), 401, "token-signature"),
    ]
    for token, status, reason in refused:
        answer = store(gateway, token)
        assert (answer.status_code, answer.text.strip()) == (status, reason)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    assert gateway.status()["rows"] == []
    assert store(gateway, authority.token()).status_code == 200
    assert [row["sop_instance"] for row in gateway.status()["rows"]] == [uid_of(1)]
    assert 1 <= authority.asked.count("keys") <= 2, "once a web process, however many unknown keys are named"
    authority.away = True
    assert store(gateway, authority.token(), 2).status_code == 200, "the keys are known"
    assert gateway.stop() == 0
    shown = gateway.command("audit", "show").stdout.decode()
    assert f"bearer:{ISSUER}#gateway" in shown and "token-expired" in shown
    nothing_of(receiver.folder, authority.tokens)


def test_without_its_key_server_nobody_is_let_in(receiver: Site, authority: Authority, gateways) -> None:
    authority.away = True
    gateway = started(receiver, authority, gateways)
    answer = store(gateway, authority.token())
    assert (answer.status_code, answer.text.strip()) == (503, "keys-unavailable")
    assert gateway.status()["rows"] == [] and gateway.stop() == 0


@pytest.mark.slow
def test_a_rotated_key_is_fetched(receiver: Site, authority: Authority, gateways) -> None:
    """After the minute in which nobody can make us ask the server again."""
    gateway = started(receiver, authority, gateways)
    assert store(gateway, authority.token()).status_code == 200
    authority.keys = [SECOND]
    assert store(gateway, authority.token(SECOND), 2).text.strip() == "token-signature"
    wait_for(lambda: store(gateway, authority.token(SECOND), 2).status_code == 200, 90, 2.0)
    answer = store(gateway, authority.token(), 3)
    assert (answer.status_code, answer.text.strip()) == (401, "token-signature"), "the old one is gone"


def test_a_destination_buys_a_token_keeps_it_and_renews_it(
    site: Site, receiver: Site, authority: Authority, gateways, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From C-STORE through one gateway into another that asks for a token."""
    taking = started(receiver, authority, gateways)
    monkeypatch.setenv("CLOUD_SECRET", SECRET)
    text = SENDER.format(web=web_port(taking), port=authority.port)
    site.write(text.replace("../receiver", str(receiver.folder)))
    sending: Gateway = gateways(site).start()
    sender = Sender(site, sending, "CT1")
    for n in range(3):
        assert sender.send([ct(n)]) == []
        assert {row["state"] for row in sending.settled(40)} == {"delivered"}
    assert authority.asked.count("token") == 1, "the token is kept"
    assert sending.stop() == 0
    authority.life = 4  # renewed after two
    sending.start()
    for n in (3, 4):
        time.sleep(2.5)
        assert sender.send([ct(n)]) == []
        assert {row["state"] for row in sending.settled(40)} == {"delivered"}
    assert authority.asked.count("token") == 3, "renewed before it ends, once for each"
    assert {row["sop_instance"] for row in taking.status()["rows"]} == {uid_of(n) for n in range(5)}
    authority.away = True
    time.sleep(2.5)
    assert sender.send([ct(5)]) == []
    wait_for(lambda: "token-refused-us" in {row["reason"] for row in sending.status()["rows"]}, 20)
    authority.away = False
    assert {row["state"] for row in sending.settled(40)} == {"delivered"}
    assert sending.stop() == 0 and taking.stop() == 0
    for folder in (site.folder, receiver.folder):
        nothing_of(folder, [*authority.tokens, SECRET])
