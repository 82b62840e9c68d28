"""`check` reads what DICOMweb blocks name: key sets, secrets, anchors; each problem at its line, no secret shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from joserfc.jwk import KeySet

from gateway.cli.check_web import problems
from gateway.config.load import examine
from tests.unit.web.test_bearer import RSA

RULES = """\
version: 1
state: {dir: ./state}
identity: {certificate: a.pem, key: a.key}
listeners:
  - id: web
    stow: {port: 8443, bearer: {issuer: i, audience: a, keys: keys.json}}
    tls: {client_cert: optional}
destinations:
  cloud:
    stow:
      url: https://example.org/dicom-web
      oauth: {token_url: https://example.org/token, client_id: x, client_secret: env:STOW_TEST, tls: {trust: ca.pem}}
    tls: {trust: ca.pem}
routes:
  - {id: all, match: {Modality: CT}, deliver: cloud}
  - {id: rest, otherwise: hold, reason: none}
"""


def told(folder: Path) -> list[str]:
    (folder / "gateway.yaml").write_text(RULES)
    config, _ = examine(folder / "gateway.yaml")
    assert config is not None
    return [str(each).split("gateway.yaml", 1)[1] for each in problems(config)]


def test_what_is_missing_is_told_at_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STOW_TEST", raising=False)
    found = told(tmp_path)
    assert [each[:4] for each in found] == [":6:6", ":12:", ":12:"]
    assert "keys-unavailable" in found[0] and "ca.pem" in found[1] and "STOW_TEST" in found[2]
    (tmp_path / "keys.json").write_text('{"keys": []}')
    assert "keys-malformed" in told(tmp_path)[0]


def test_what_is_there_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOW_TEST", "a secret of the tests")
    (tmp_path / "keys.json").write_text(json.dumps(KeySet([RSA]).as_dict(private=False)))
    found = told(tmp_path)
    assert len(found) == 1 and "ca.pem" in found[0] and "a secret" not in found[0]
