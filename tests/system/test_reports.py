"""Reports through a whole gateway: SR in over TLS; CDA out as MDM over MLLP and TLS, and as an object to an archive."""

from __future__ import annotations

import socket
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path

import pytest
import study
from lxml import etree
from pydicom import Dataset, dcmread

from tests.system.harness import Gateway, Site
from tests.system.receivers import Receiver, Scripted, answer, received
from transforms.encapsulate import ENCAPSULATED_CDA

V3 = {"v3": "urn:hl7-org:v3"}
RULES = """\
version: 1
state: {{dir: ./state}}
identity: {{certificate: file:certs/gateway.pem, key: file:certs/gateway.key}}
workers: {{count: 1}}
listeners:
  - id: hospital
    dimse: {{ae: GATEWAY, host: 127.0.0.1, port: 0}}
    tls: {{trust: file:certs/ca.pem}}
destinations:
  ehr:
    mllp: {{host: 127.0.0.1, port: {mllp}, timeout: 5s}}
    tls: {{trust: file:certs/ca.pem}}
    retry: {{for: 1h, backoff: 200ms..1s, attempts: 2}}
  archive:
    dimse: {{host: 127.0.0.1, port: {dimse}, ae: ARCHIVE}}
    tls: {{trust: file:certs/ca.pem}}
    retry: {{for: 1h, backoff: 200ms..1s}}
deidentify:
  trial: {{profile: basic, options: [clean-structured-content], key: file:trial.key}}
reports:
  radiology: {{id_root: 1.2.826.0.1.3680043.8.498.1}}
routes:
  - id: trial
    match: {{StudyDescription: TRIAL}}
    steps: [{{deidentify: trial}}, {{cda: radiology}}, {{mdm: {{receiving_application: EHR}}}}]
    deliver: ehr
  - id: verified
    match: {{VerificationFlag: VERIFIED}}
    steps: [{{cda: radiology}}, {{mdm: {{receiving_application: EHR}}}}]
    deliver: ehr
  - id: unverified
    match: {{VerificationFlag: UNVERIFIED}}
    steps: [{{cda: radiology}}, {{encapsulate: cda}}]
    deliver: archive
  - {{id: rest, otherwise: hold, reason: no-route}}
"""
SECRETS = ("Mustermann", "Erika", study.PATIENT["PatientID"], "Befund", "19640812", "1964-08-12")


def report(number: int = 1, *, verified: bool = True, description: str = "") -> Dataset:
    """A report of its own study."""
    made = study.report(40 + number, [study.reference_only(study.ct(40 + number, 1, 16))], number)
    if not verified:
        made.VerificationFlag = "UNVERIFIED"
        del made.VerifyingObserverSequence
    if description:
        made.StudyDescription = description
    return made


def send(gateway: Gateway, site: Site, folder: Path, *reports: Dataset) -> None:
    folder.mkdir()
    for number, each in enumerate(reports):
        each.save_as(folder / f"{number}.dcm", enforce_file_format=True)
    certs = site.folder / "certs"
    done = gateway.command(
        "send", f"127.0.0.1:{gateway.port}", "--called", "GATEWAY", "--calling", "CT1",
        "--cert", str(certs / "modality.pem"), "--key", str(certs / "modality.key"), "--ca", str(certs / "ca.pem"),
        str(folder),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def receiver(site: Site) -> Iterator[Receiver]:
    made = Receiver(site.context(server=True, who="archive"))
    yield made
    made.close()


def document(message: object) -> bytes:
    """The CDA in a message, as python-hl7 reads it."""
    (value,) = message.segment("OBX")(5)  # type: ignore[attr-defined]
    return b64decode(str(value[4]))


def test_reports_reach_the_ehr_and_the_archive(site: Site, sinks, gateways, receiver: Receiver, tmp_path: Path) -> None:
    sink = sinks(site)
    site.write(RULES.format(mllp=receiver.port, dimse=sink.port))
    gateway: Gateway = gateways(site).start()
    send(gateway, site, tmp_path / "sent", report(1), report(2, verified=False))
    assert [row["state"] for row in gateway.settled()] == ["delivered"] * 2
    (message,) = receiver.parsed()
    assert str(message.segment("MSH")(9)) == "MDM^T02^MDM_T02"
    root = etree.fromstring(document(message))
    assert root.tag == "{urn:hl7-org:v3}ClinicalDocument"
    assert root.find("v3:legalAuthenticator", V3) is not None
    assert any("Mustermann" in (each.text or "") for each in root.iterfind(".//v3:family", V3))
    (uid,) = sink.datasets
    (tmp_path / "out.dcm").write_bytes(sink.datasets[uid])
    found = dcmread(tmp_path / "out.dcm", force=True)
    assert found.SOPClassUID == ENCAPSULATED_CDA
    inner = etree.fromstring(bytes(found.EncapsulatedDocument).rstrip(b"\0"))
    assert inner.find("v3:legalAuthenticator", V3) is None


def test_a_de_identified_report_has_no_identity(
    site: Site, sinks, gateways, receiver: Receiver, tmp_path: Path
) -> None:
    site.write(RULES.format(mllp=receiver.port, dimse=sinks(site).port))
    gateway: Gateway = gateways(site).start()
    send(gateway, site, tmp_path / "sent", report(3, description="TRIAL"))
    assert [(row["state"], row["reason"]) for row in gateway.settled()] == [("delivered", "")]
    (message,) = receiver.parsed()
    told = str(message) + document(message).decode()
    assert [secret for secret in SECRETS if secret in told] == []


def test_only_aa_is_delivered(site: Site, sinks, gateways, tmp_path: Path) -> None:
    """A receiver that says AE twice gets no third try; one that then says AA would have got it."""

    def says(code: str) -> object:
        def part(sock: socket.socket) -> None:
            sock.sendall(answer(received(sock), code))
            received(sock)

        return part

    server = Scripted(says("AE"), says("AE"), context=site.context(server=True, who="archive"))  # type: ignore[arg-type]
    site.write(RULES.format(mllp=server.port, dimse=sinks(site).port))
    gateway: Gateway = gateways(site).start()
    send(gateway, site, tmp_path / "sent", report(4))
    (row,) = gateway.settled()
    assert (row["state"], row["reason"]) == ("held", "hl7-error")
    server.close()


def test_one_report_reaches_the_ehr_as_a_message_and_the_archive_as_an_object(
    site: Site, sinks, gateways, receiver: Receiver, tmp_path: Path
) -> None:
    """The form is the destination's; the document in it is one."""
    sink = sinks(site)
    rules = RULES.format(mllp=receiver.port, dimse=sink.port)
    rules = rules.replace("    mllp:", "    mdm: {receiving_application: EHR}\n    mllp:", 1)
    rules = rules.replace("    dimse: {host", "    encapsulate: cda\n    dimse: {host", 1)
    both = "steps: [{cda: radiology}]\n    deliver: [ehr, archive]"
    old = "steps: [{cda: radiology}, {mdm: {receiving_application: EHR}}]\n    deliver: ehr"
    assert old in rules
    site.write(rules.replace(old, both))
    gateway: Gateway = gateways(site).start()
    send(gateway, site, tmp_path / "sent", report(5))
    assert [(row["state"], row["reason"]) for row in gateway.settled()] == [("delivered", "")] * 2
    (message,) = receiver.parsed()
    (data,) = sink.datasets.values()
    (tmp_path / "out.dcm").write_bytes(data)
    found = dcmread(tmp_path / "out.dcm", force=True)
    assert found.SOPClassUID == ENCAPSULATED_CDA
    assert bytes(found.EncapsulatedDocument).rstrip(b"\0") == document(message)
