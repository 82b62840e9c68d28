"""Storage commitment with Orthanc over mutual TLS, in both roles; what it does not have, it does not commit to.

dcmtk 3.6.7 has no program for storage commitment; pynetdicom is the other peer (tests/system/test_commitment.py).
"""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.system.harness import Gateway, Site, free_port, wait_for
from tests.system.senders import CT, Sender, ct
from tests.system.test_commitment import CONFIRM, RULES, spooled

pytestmark = pytest.mark.peers


class Orthanc:
    """One Orthanc, by its REST interface."""

    def __init__(self, http_port: int) -> None:
        self._at = f"http://127.0.0.1:{http_port}"

    def rest(self, path: str, body: bytes | None = None, method: str | None = None) -> object:
        request = urllib.request.Request(self._at + path, body, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def up(self) -> bool:
        try:
            return bool(self.rest("/system"))
        except OSError:
            return False

    def instances(self) -> list[str]:
        found = self.rest("/instances")
        assert isinstance(found, list)
        return found


@contextmanager
def orthanc(site: Site, folder: Path, dicom_port: int, gateway_port: int) -> Iterator[Orthanc]:
    certs = site.folder / "certs"
    http_port = free_port()
    settings = {
        "StorageDirectory": str(folder / "orthanc"),
        "DicomAet": "ARCHIVE",
        "DicomPort": dicom_port,
        "HttpPort": http_port,
        "RemoteAccessAllowed": False,
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(certs / "archive.pem"),
        "DicomTlsPrivateKey": str(certs / "archive.key"),
        "DicomTlsTrustedCertificates": str(certs / "ca.pem"),
        "DicomModalities": {
            "gw": {
                "AET": "GATEWAY",
                "Host": "127.0.0.1",
                "Port": gateway_port,
                "UseDicomTls": True,
                "AllowStorageCommitment": True,
            }
        },
        "Plugins": [],
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    server = subprocess.Popen(
        ["/usr/sbin/Orthanc", str(folder / "orthanc.json")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        found = Orthanc(http_port)
        wait_for(found.up, 30)
        yield found
    finally:
        server.terminate()
        server.wait(30)


def started(site: Site, gateways, dicom_port: int) -> Gateway:
    peer = f"{{}}\n  ARCHIVE: {{host: 127.0.0.1, port: {dicom_port}}}"
    site.write(RULES.format(port=dicom_port, peer=peer, confirm=CONFIRM, commit="after-commitment"))
    gateway: Gateway = gateways(site).start()
    return gateway


def test_orthanc_commits_to_what_it_has_and_is_sent_again_what_it_lost(
    site: Site, gateways, program, tmp_path: Path
) -> None:
    program("Orthanc")
    dicom_port = free_port()
    gateway = started(site, gateways, dicom_port)
    with orthanc(site, tmp_path, dicom_port, gateway.port) as archive:
        assert Sender(site, gateway, "CT1").send([ct(n) for n in range(4)]) == []
        wait_for(lambda: len(archive.instances()) == 4)
        lost = archive.instances()[0]
        archive.rest(f"/instances/{lost}", method="DELETE")  # between its success and our question
        rows = gateway.settled(60)
        assert {row["state"] for row in rows} == {"delivered"}, rows
        assert len(archive.instances()) == 4 and sum(row["attempts"] for row in rows) == 1
        wait_for(lambda: spooled(site) == 0)


def test_orthanc_asks_and_is_told_what_every_destination_keeps(site: Site, gateways, program, tmp_path: Path) -> None:
    program("Orthanc")
    dicom_port = free_port()
    gateway = started(site, gateways, dicom_port)
    with orthanc(site, tmp_path, dicom_port, gateway.port) as asking:
        objects = [ct(n) for n in range(3)]
        assert Sender(site, gateway, "CT1").send(objects) == []
        gateway.settled(60)
        uids = [str(each.SOPInstanceUID) for each in objects]
        pairs = [[CT, uid] for uid in [*uids, "2.25.404"]]
        asked = asking.rest("/modalities/gw/storage-commitment", json.dumps({"DicomInstances": pairs}).encode())
        assert isinstance(asked, dict)

        def told() -> object:
            found = asking.rest(f"/storage-commitment/{asked['ID']}")
            return found if isinstance(found, dict) and found["Status"] != "Pending" else None

        found = wait_for(told, 60)
        assert found["Status"] == "Failure" and found["RemoteAET"] == "GATEWAY"
        assert sorted(each["SOPInstanceUID"] for each in found["Success"]) == sorted(uids)
        assert [(each["SOPInstanceUID"], each["FailureReason"]) for each in found["Failures"]] == [("2.25.404", 0x0112)]
