"""`audit verify` and `audit show`: exit codes, places, and what is masked."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from strategies import EVENTS
from typer.testing import CliRunner

from gateway.audit import events
from gateway.audit.chain import GENESIS, Record, seal, stamp
from gateway.audit.events import Party, StudyFacts
from gateway.audit.messages import AuditSource, build
from gateway.audit.trail import Trail, files
from gateway.cli import audit
from gateway.errors import StorageFailed

US = AuditSource("GATEWAY-1", "gw.example")
CT = Party("CT1", "192.0.2.9", "CN=ct1")
STUDY = StudyFacts("1.2.3", "CANARY-17", {"1.2.840.10008.5.1.4.1.1.2": 3})
PSEUDONYMOUS = StudyFacts("2.25.7", "CANARY-17", {"1.2.840.10008.5.1.4.1.1.2": 3}, anonymized=True)
HAPPENED = [
    events.ApplicationStarted(when=0.0, aes=("GATEWAY",), rules_hash="ab"),
    events.Transferred(when=0.0, source=CT, destination=Party("GATEWAY", ""), study=STUDY, inbound=True, failed=1),
    events.Transferred(when=0.0, source=CT, destination=CT, study=PSEUDONYMOUS, inbound=False),
    events.PeerRefused(when=0.0, listener="h", address="192.0.2.66", reason="not-tls", calling_ae="E\x1b[2J"),
]


@pytest.fixture
def trail(tmp_path) -> Path:
    kept = Trail(tmp_path / "audit", clock=lambda: 0.0)
    kept.append([(number, build(event, US)) for number, event in enumerate(HAPPENED, 1)])
    kept.close()
    return tmp_path / "audit"


@pytest.fixture
def ledger(trail, monkeypatch):
    """A configuration whose ledger says what `said` holds."""
    lines = files(trail)[-1].read_bytes().splitlines()
    said = SimpleNamespace(head=(len(lines), lines[-1][-66:-2].decode()), error=None)

    @contextmanager
    def read_only(_state):
        if said.error:
            raise said.error
        yield SimpleNamespace(audit_head=lambda: said.head)

    monkeypatch.setattr(audit, "loaded", lambda _file: SimpleNamespace(state=SimpleNamespace(dir=trail.parent)))
    monkeypatch.setattr(audit, "read_only", read_only)
    return said


def run(*arguments: object):
    return CliRunner().invoke(audit.app, [str(each) for each in arguments])


def test_an_intact_trail_is_said_to_be_so(ledger) -> None:
    done = run("verify")
    assert done.exit_code == 0 and "intact: 4 records; the ledger saw it up to record 4" in done.stderr


def test_without_the_ledger_the_end_is_not_claimed(trail) -> None:
    done = run("verify", "--dir", trail)
    assert done.exit_code == 0 and "its end is not proved" in done.stderr
    assert run("verify", "--dir", trail / "none").exit_code == 2


def test_each_fault_is_told_with_its_place(trail, ledger) -> None:
    (file,) = files(trail)
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(lines[0] + lines[1].replace(b"CANARY-17", b"CANARY-18") + lines[2])
    done = run("verify")
    assert done.exit_code == 1
    assert f"{file}:2: changed:" in done.stdout and f"{file}:3: cut:" in done.stdout
    assert "CANARY" not in done.output


def test_a_ledger_that_cannot_be_read_is_not_an_intact_trail(ledger) -> None:
    ledger.error = StorageFailed("ledger-missing", "no ledger")
    assert run("verify").exit_code == 2


def test_patients_are_masked_unless_asked_for(trail) -> None:
    masked, shown = run("show", "--dir", trail), run("show", "--dir", trail, "--identities")
    assert masked.exit_code == shown.exit_code == 0
    assert "CANARY" not in masked.stdout and "patient=***" in masked.stdout
    assert shown.stdout.count("patient=CANARY-17") == 1
    assert "study=2.25.7 instances=3 anonymized" in masked.stdout


def test_an_event_is_one_line_of_plain_text(trail) -> None:
    lines = run("show", "--dir", trail).stdout.splitlines()
    assert len(lines) == 4
    assert lines[3] == (
        "4 1970-01-01T00:00:00.000000Z Security Alert (Node Authentication) outcome=4 "
        'reason="not-tls" participant=[dicom-gateway, gw.example] '
        "participant=[192.0.2.66, AETITLES=E\\u{1B}[2J]"
    )
    assert "source=[192.0.2.9, AETITLES=CT1, CN=ct1]" in lines[1] and "destination=[dicom-gateway" in lines[1]


def test_last_counts_from_the_end_and_a_broken_line_is_shown_as_one(trail) -> None:
    (file,) = files(trail)
    file.write_bytes(file.read_bytes() + b"\x1b[2J\n")
    lines = run("show", "--dir", trail, "-n", "2").stdout.splitlines()
    assert lines[0].startswith("4 ") and lines[1] == f"{file}:5: no record"


@settings(deadline=None)
@given(EVENTS)
def test_no_event_can_drive_the_terminal(event) -> None:
    line = audit.told(record(build(event, US).decode()))
    assert "\x1b" not in line and "\n" not in line and "\u202e" not in line and "\x00" not in line


@pytest.mark.parametrize(
    "message",
    [
        "",
        "no xml \x1b",
        "<AuditMessage/>",
        "<x>\x1b</x>",
        "<AuditMessage><ParticipantObjectIdentification/></AuditMessage>",
        '<AuditMessage><ActiveParticipant UserID="&#x202e;"/></AuditMessage>',
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><AuditMessage>&x;</AuditMessage>',
    ],
)
def test_a_message_of_somebody_else_cannot_either(message: str) -> None:
    line = audit.told(record(message))
    assert line.isprintable()


def record(message: str) -> Record:
    at = stamp(0.0)
    return Record(1, at, GENESIS, message, seal(1, at, GENESIS, message)[1])
