"""Encrypted attributes in rule files: `check` refuses who may not receive, the step seals, the egress check sees it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from officers import OBJECT, Officers, elements
from typer.testing import CliRunner

from gateway.cli.main import command_line
from gateway.config.load import load
from gateway.config.schema import Step
from gateway.egress import Egress
from gateway.errors import GatewayError, HoldObject
from gateway.model import Identity
from gateway.rulebook import compile_ruleset
from gateway.security import reidentification
from gateway.security.cms.recipients import Holder
from gateway.steps.contract import Around, Passing
from gateway.steps.table import run
from tests.unit.security.pki import DAY, NOW
from transforms.dataset.syntax import EXPLICIT_LE
from transforms.source import BytesSource

RULES = """version: 1
state: {{dir: ./state}}
listeners:
  - {{id: hospital, dimse: {{ae: GATEWAY, host: 127.0.0.1, port: 27699}}, unsafe_plaintext: a test}}
destinations:
  landing: {{folder: {{dir: ./landing}}}}
deidentify:
  trial42:
    key: file:trial42.key
    encrypted_attributes: {{recipients: [{recipients}]}}
routes:
  - {{id: research, match: {{Modality: OT}}, steps: [{{deidentify: trial42}}], deliver: landing}}
  - {{id: rest, otherwise: hold, reason: no-route}}
"""


def rules(folder: Path, *recipients: Path) -> Path:
    key = folder / "trial42.key"
    key.write_bytes(bytes(range(32)))
    key.chmod(0o600)
    file = folder / "gateway.yaml"
    file.write_text(RULES.format(recipients=", ".join(f"file:{each}" for each in recipients)))
    return file


def checked(file: Path) -> tuple[int, str]:
    done = CliRunner().invoke(command_line("check"), ["check", str(file)])
    return done.exit_code, " ".join(done.output.split())


def test_check_refuses_who_may_not_receive(officers: Officers, tmp_path: Path) -> None:
    expired = officers.issue(
        "expired", officers.ca, kind="rsa2048", eku=("email",), begin=-2 * DAY, end=-timedelta(hours=1)
    )
    signs = officers.issue("signs", officers.ca, kind="rsa2048", eku=("email",), usage=("digital_signature",))
    good = officers.first.pair.certificate
    assert checked(rules(tmp_path, good))[0] == 0
    for party, why in ((expired, "expired on"), (signs, "keyEncipherment")):
        status, text = checked(rules(tmp_path, good, party.pair.certificate))
        assert status == 1
        assert "gateway.yaml:10:" in text
        assert why in text
        with pytest.raises(GatewayError, match="recipient-unusable"):
            compile_ruleset(load(tmp_path / "gateway.yaml"), "x")
    assert "no such file" in checked(rules(tmp_path, tmp_path / "missing.pem"))[1]
    assert checked(rules(tmp_path))[0] == 1  # nobody


def test_the_step_seals_for_the_recipients(officers: Officers, tmp_path: Path) -> None:
    file = rules(tmp_path, officers.first.pair.certificate, officers.second.pair.certificate)
    passed = passing(file)
    assert passed.done[-1] == "encrypted-attributes:10:without:0"
    for officer in (officers.first, officers.second):
        found = reidentification.reidentified(passed.source, passed.syntax, Holder(officer.key, officer.certificate))
        assert elements(found.source, found.syntax)[0x00100020].endswith(b"MRN-4711")


def test_a_recipient_that_has_ended_since_holds_the_object(
    officers: Officers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Later:
        @staticmethod
        def now(_: object) -> object:
            return NOW + 30 * DAY

    file = rules(tmp_path, officers.first.pair.certificate)
    ruleset = compile_ruleset(load(file), "x")
    monkeypatch.setattr(reidentification, "datetime", Later)
    with pytest.raises(HoldObject, match="recipient-unusable"):
        passing(file, ruleset)


def test_a_certificate_without_identifier_that_names_the_patient_is_seen(officers: Officers, tmp_path: Path) -> None:
    """Only to show that the egress check looks at what is put in: here the issuer is called like the patient."""
    named = officers.issue("Sensitive^Canary", None, kind="rsa2048", ca=True)
    bad = officers.issue("bad", named, kind="rsa2048", eku=("email",), usage=("key_encipherment",))
    with pytest.raises(HoldObject, match="egress-hit"):
        passing(rules(tmp_path, bad.pair.certificate))


def passing(file: Path, ruleset: object = None) -> Passing:
    """The object after the step of the rule file."""
    ready = ruleset or compile_ruleset(load(file), "x")
    around = Around(ready, Egress(), lambda chunks: BytesSource(b"".join(chunks)))  # type: ignore[arg-type]
    identity = Identity("1.2.840.10008.5.1.4.1.1.7", "1.2.3.4.5", study="1.2.3.6", series="1.2.3.7")
    return run(Passing(BytesSource(OBJECT), EXPLICIT_LE, identity), Step(deidentify="trial42"), around)
