"""A whole gateway with a map service: down, it waits; back, it delivers; what the service does not know is held."""

from __future__ import annotations

import signal
import stat
from pathlib import Path

import pydicom
import pytest

from tests.system.harness import Gateway, Site, wait_for
from tests.system.senders import Sender, ct
from tests.unit.patients.patients_stage import officer
from tests.unit.patients.test_patients_escrow import opened
from tests.unit.patients.test_patients_service import given, mapped, reply, serving
from tests.unit.security.pki import Pki

RULES = """\
version: 1
state: {{dir: ./state}}
identity: {{certificate: certs/gateway.pem, key: certs/gateway.key}}
workers: {{count: 2}}
listeners:
  - {{id: hospital, dimse: {{ae: GATEWAY, host: 127.0.0.1, port: 0}}, tls: {{trust: certs/ca.pem}}}}
destinations:
  landing: {{folder: {{dir: ./landing}}, retry: {{for: 1h, backoff: 200ms..500ms, attempts: 2}}}}
deidentify:
  trial:
    key: file:trial.key
    project: trial42
    patients: {patients}
    escrow: {{to: officer.pem, file: escrow.p7}}
routes:
  - {{id: plain, match: {{InstanceNumber: {{gt: 99}}}}, deliver: landing}}
  - {{id: only, match: {{Modality: CT}}, steps: [{{deidentify: trial}}], deliver: landing}}
  - {{id: rest, otherwise: hold, reason: no-route}}
"""


def states(gateway: Gateway) -> list[tuple[str, str]]:
    return sorted((row["state"], row["reason"] or "") for row in gateway.status()["rows"])


def test_service_down_back_and_restarted(site: Site, gateways: object, tmp_path: Path) -> None:
    folder = tmp_path / "pki"
    folder.mkdir()
    pki, who = Pki(folder), officer(site.folder)
    server = pki.issue("server", pki.ca)
    with serving(server, reply("503 Later", b"")) as service:
        url = f"https://localhost:{service.port}/map"
        block = f"{{by: service, url: '{url}', tls: {{trust: {pki.ca_file}}}, timeout: 5s}}"
        site.write(RULES.format(patients=block))
        gateway: Gateway = gateways(site).start()  # type: ignore[operator]
        first, second, strange, plain = ct(1, study=1), ct(2, study=1), ct(3, study=3), ct(100, study=9)
        first.PatientID = second.PatientID = "MRN1"
        assert Sender(site, gateway).send([first, second, strange, plain]) == []
        down = ("waiting", "patient-service-failing")
        wait_for(lambda: states(gateway) == [("delivered", ""), down, down, down])  # the destination itself is not down
        service.answer = mapped
        rows = [("delivered", ""), ("delivered", ""), ("delivered", ""), ("held", "patient-unmapped")]
        wait_for(lambda: states(gateway) == rows)
        gateway.kill()
        asked = len(service.asked)
        service.answer = given("T42-9999")  # it changes its mind, and nobody asks
        gateway.start()
        third = ct(4, study=1)
        third.PatientID = "MRN1"
        assert Sender(site, gateway).send([third]) == []
        wait_for(lambda: states(gateway) == [("delivered", ""), *rows])
        assert len(service.asked) == asked
        assert gateway.stop() == 0
    found = [pydicom.dcmread(path) for path in (site.folder / "landing").rglob("*.dcm")]
    assert sorted(str(each.PatientID) for each in found) == ["MRN00009", "T42-0001", "T42-0001", "T42-0001"]
    rows_, closed = opened((site.folder / "escrow.p7").read_bytes(), who)
    assert [row[1:] for row in rows_] == [("MRN1", "trial42", "T42-0001")] and closed == 0
    log = gateway.log.read_bytes()
    assert b"MRN" not in log and b"T42-" not in log and b"patient-service-failing" in log
    assert stat.S_IMODE((site.folder / "state" / "patients.sqlite").stat().st_mode) == 0o600


def test_a_map_that_is_wrong_stops_the_start_and_a_reload_changes_nothing(site: Site, gateways: object) -> None:
    officer(site.folder)
    table = site.folder / "map.csv"
    table.write_text("patient_id,pseudonym\nMRN00001,T42-0001\nMRN00002,T42-0001\n")
    site.write(RULES.format(patients="{by: csv, map: map.csv}"))
    refused = gateways(site)  # type: ignore[operator]
    with pytest.raises(AssertionError, match=r"map\.csv:3:1: the pseudonym of line 2"):
        refused.start()
    table.write_text("patient_id,pseudonym\nMRN00001,T42-0001\n")
    gateway: Gateway = gateways(site).start()  # type: ignore[operator]
    assert Sender(site, gateway).send([ct(1, study=1), ct(2, study=2)]) == []
    wait_for(lambda: states(gateway) == [("delivered", ""), ("held", "patient-unmapped")])
    table.write_text("patient_id,pseudonym\nMRN00001,T42-0001\nMRN00002,T42-0002\n")
    ready = gateway.log.read_bytes().count(b"worker-ready")
    assert gateway.process is not None
    gateway.process.send_signal(signal.SIGHUP)
    wait_for(lambda: gateway.log.read_bytes().count(b"worker-ready") >= ready + 2)
    held = next(row for row in gateway.status()["rows"] if row["state"] == "held")
    number = str(held["instance"])
    done = gateway.command("held", "release", number, "--config", "gateway.yaml")
    assert done.returncode == 0, done.stderr
    wait_for(lambda: states(gateway) == [("delivered", ""), ("delivered", "")])
    assert gateway.stop() == 0
    made = {str(pydicom.dcmread(path).PatientID) for path in (site.folder / "landing").rglob("*.dcm")}
    assert made == {"T42-0001", "T42-0002"}
