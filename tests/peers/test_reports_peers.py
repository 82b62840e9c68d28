"""A report through the gateway to programs that nobody here wrote: the CDA as an object in Orthanc, over mutual TLS."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import dcmread

from tests.system.harness import Gateway, Site, free_port, wait_for
from tests.system.test_reports import RULES, report, send
from transforms.encapsulate import ENCAPSULATED_CDA

pytestmark = pytest.mark.peers


def test_a_report_reaches_orthanc(site: Site, gateways, program: Callable[[str], str], tmp_path: Path) -> None:
    program("Orthanc")
    dicom_port, http_port = free_port(), free_port()
    certs = site.folder / "certs"
    settings = {
        "StorageDirectory": str(tmp_path / "orthanc"),
        "DicomAet": "ARCHIVE",
        "DicomPort": dicom_port,
        "HttpPort": http_port,
        "RemoteAccessAllowed": False,
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(certs / "archive.pem"),
        "DicomTlsPrivateKey": str(certs / "archive.key"),
        "DicomTlsTrustedCertificates": str(certs / "ca.pem"),
        "Plugins": [],
    }
    (tmp_path / "orthanc.json").write_text(json.dumps(settings))
    server = subprocess.Popen(
        [program("Orthanc"), str(tmp_path / "orthanc.json")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )

    def rest(path: str) -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{http_port}{path}", timeout=60) as answer:
            found: bytes = answer.read()
            return found

    def up() -> bool:
        try:
            return bool(rest("/system"))
        except OSError:
            return False

    try:
        wait_for(up, 30)
        site.write(RULES.format(mllp=free_port(), dimse=dicom_port))
        gateway: Gateway = gateways(site).start()
        send(gateway, site, tmp_path / "sent", report(5, verified=False))
        assert [(row["state"], row["reason"]) for row in gateway.settled()] == [("delivered", "")]
        (instance,) = json.loads(rest("/instances"))
        (tmp_path / "stored.dcm").write_bytes(rest(f"/instances/{instance}/file"))
    finally:
        server.terminate()
        server.wait(30)
    stored = dcmread(tmp_path / "stored.dcm")
    assert stored.SOPClassUID == ENCAPSULATED_CDA
    assert b"<ClinicalDocument" in stored.EncapsulatedDocument
    said = subprocess.run(
        [program("dciodvfy"), "-new", tmp_path / "stored.dcm"], capture_output=True, text=True, check=False
    )
    assert "Error" not in said.stderr, said.stderr
