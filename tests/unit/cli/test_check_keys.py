"""`check` refuses every private key of a rule file that others may read, and says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.cli.check import outside
from gateway.config.load import examine_bytes
from tests.unit.security.pki import Pki

FILE = """\
version: 1
state: {dir: ./state}
listeners:
  - id: hospital
    dimse: {ae: GATEWAY, port: 2762}
    tls: {trust: ca.pem, identity: {certificate: tls.pem, key: tls.key}}
  - {id: discs, media: {dir: ./in, identity: {certificate: reader.pem, key: reader.key}}}
destinations:
  discs:
    media: {dir: ./out, profile: STD-GEN-SEC-CD, recipients: reader.pem, sign: {certificate: disc.pem, key: disc.key}}
  mail:
    mail: {host: localhost, port: 25, from: a@x.example, to: b@y.example, recipients: reader.pem,
           sign: {certificate: mail.pem, key: mail.key}}
    unsafe_plaintext: a test
manifest: {dir: ./manifests, sign: {certificate: manifest.pem, key: manifest.key}}
routes:
  - {id: one, match: {Modality: CT}, group: {by: study},
     steps: [{sign: {certificate: object.pem, key: object.key, profile: base}}], deliver: [discs, mail]}
  - {id: rest, otherwise: hold}
"""
KEYS = ["tls", "reader", "disc", "mail", "manifest", "object"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("keys")
    pki = Pki(made)
    pki.issue("tls", pki.ca)
    pki.issue("reader", pki.ca, kind="rsa2048", eku=("email",), usage=("key_encipherment",))
    for name in KEYS[2:]:
        pki.issue(name, pki.ca, kind="rsa2048", eku=("email",), usage=("digital_signature",))
    return made


def errors(folder: Path) -> list[str]:
    config, found = examine_bytes(FILE.encode(), "gateway.yaml", folder)
    assert config is not None, [str(each) for each in found]
    return [str(each) for each in [*found, *outside(config)] if each.severity == "error"]


def test_keys_that_are_their_owner_s_alone_are_taken(folder: Path) -> None:
    assert errors(folder) == []


@pytest.mark.parametrize("name", KEYS)
def test_each_key_that_others_may_read_is_refused(folder: Path, name: str) -> None:
    key = folder / f"{name}.key"
    key.chmod(0o644)
    try:
        found = errors(folder)
    finally:
        key.chmod(0o600)
    assert len(found) == 1 and f"{name}.key: mode 0644 lets others read the key: chmod 600 it" in found[0]
