"""`check` of a `mail:` destination: what stands in the file, and what the files say that it names."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.cli.check import outside
from gateway.config.load import examine_bytes
from tests.unit.security.pki import DAY, Pki

FILE = """\
version: 1
state: {{dir: ./state}}
listeners: [{{id: a, dimse: {{ae: GATEWAY, port: 2762}}, unsafe_plaintext: a test}}]
destinations:
  reader:
    mail: {{host: smtp.example, port: 465, from: a@x.example, to: {to}, recipients: {recipient}.pem,
           sign: {{certificate: {signer}.pem, key: {signer}.key}}{more}}}
    {security}
routes:
  - {{id: one, match: {{Modality: CT}}, {group}deliver: reader}}
  - {{id: rest, otherwise: hold}}
"""
GIVEN = {"to": "b@y.example", "recipient": "reader", "signer": "signer", "more": "", "group": "group: {by: study}, ",
         "security": "tls: {trust: ca.pem, identity: {certificate: client.pem, key: client.key}}"}  # fmt: skip
PLAIN = "unsafe_plaintext: a relay on this machine"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("mail")
    pki = Pki(made)
    cipher, sign = ("key_encipherment",), ("digital_signature",)
    pki.issue("client", pki.ca)
    pki.issue("reader", pki.ca, kind="rsa2048", eku=("email",), usage=cipher)
    pki.issue("signer", pki.ca, kind="rsa2048", eku=("email",), usage=sign)
    pki.issue("expired", pki.ca, kind="rsa2048", eku=("email",), usage=cipher, end=-DAY / 2)
    pki.issue("expired-signer", pki.ca, kind="rsa2048", eku=("email",), usage=sign, end=-DAY / 2)
    pki.issue("signs-only", pki.ca, kind="rsa2048", eku=("email",), usage=sign)
    pki.issue("server", pki.ca, kind="rsa2048", eku=("server",), usage=cipher)
    (made / "open.key").write_text("a word")
    (made / "open.key").chmod(0o644)
    return made


def errors(folder: Path, **more: str) -> list[str]:
    config, found = examine_bytes(FILE.format(**{**GIVEN, **more}).encode(), "gateway.yaml", folder)
    if config is not None:
        found = [*found, *outside(config)]
    return [str(each) for each in found if each.severity == "error"]


@pytest.mark.parametrize(
    "more", [{}, {"more": ", starttls: true"}, {"security": PLAIN}, {"to": "[b@y.example, c@y.example]"}]
)
def test_what_is_right_is_taken(folder: Path, more: dict[str, str]) -> None:
    assert errors(folder, **more) == []


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"recipient": "expired"}, "expired"),
        ({"recipient": "signs-only"}, "keyEncipherment"),
        ({"recipient": "server"}, "emailProtection"),
        ({"recipient": "none"}, "none.pem"),
        ({"signer": "none"}, "none.key"),
        ({"signer": "expired-signer"}, "expired"),
        ({"signer": "reader"}, "digitalSignature"),
        ({"to": "[]"}, "nobody would get it"),
        ({"to": "'Erika Mustermann <b@y.example>'"}, "without a name"),
        ({"to": '"b@y.example\\r\\nBcc: c@y.example"'}, "without a name"),
        ({"more": ", size: 1MiB"}, "4194304"),
        ({"more": ", profile: STD-GEN-SEC-CD"}, "is not one of STD-GEN-SEC-ZIP-MAIL"),
        ({"more": ", login: {user: u, password: a-word}"}, "a secret is named"),
        ({"more": ", login: {user: u, password: env:NOT_THERE_AT_ALL}"}, "NOT_THERE_AT_ALL"),
        ({"more": ", login: {user: u, password: file:open.key}"}, "chmod 600"),
        ({"more": ", login: {user: u, password: env:WORD}", "security": PLAIN}, "in plaintext"),
        ({"more": ", starttls: true", "security": PLAIN}, "STARTTLS begins TLS"),
        ({"security": "retry: {for: 1d}"}, "exactly one of `tls`"),
        ({"group": ""}, "takes whole groups"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(folder: Path, more: dict[str, str], told: str) -> None:
    found = errors(folder, **more)
    assert any(told in each and "gateway.yaml:" in each for each in found), found
