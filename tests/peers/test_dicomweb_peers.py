"""DICOMweb between programs that nobody here wrote: dicomweb-client, curl, and Orthanc behind stunnel, both ways.

Orthanc 1.10.1's own TLS crashes, so stunnel speaks it on both of its sides. Each judge is also shown something bad.
"""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
import requests
from dicomweb_client.api import DICOMwebClient

from tests.system.harness import Gateway, Site, free_port, wait_for
from tests.system.senders import ct
from tests.system.web import RULES, ready, session, web_port
from tests.wire.web import RELATED, digest_of, file_of, multipart, uid_of
from transforms.dataset import part10
from transforms.source import BytesSource

pytestmark = pytest.mark.peers

HOLD = RULES.format(port=9).replace("deliver: [archive]", "hold: wait")
OUT = """\
version: 1
state: {{dir: ./state}}
identity: {{certificate: file:certs/gateway.pem, key: file:certs/gateway.key}}
listeners:
  - id: hospital
    dimse: {{ae: GATEWAY, host: 127.0.0.1, port: 0}}
    tls: {{trust: file:certs/ca.pem}}
  - id: web
    stow: {{path: /dicom-web, host: 127.0.0.1, port: 0}}
    tls: {{trust: file:certs/ca.pem}}
destinations:
  orthanc:
    stow: {{url: 'https://localhost:{port}/dicom-web'}}
    tls: {{trust: file:certs/ca.pem}}
    retry: {{for: 1h, backoff: 200ms..1s, attempts: 3}}
routes:
  - id: only
    match: {{SOPInstanceUID: {{exists: true}}}}
    deliver: [orthanc]
  - {{id: rest, otherwise: hold, reason: no-route}}
"""


@pytest.fixture
def holding(site: Site, gateways) -> Gateway:
    site.write(HOLD)
    return ready(gateways(site).start())


def dicom(number: int, study: int = 0) -> pydicom.Dataset:
    """As read from a file: pydicom writes no preamble for what never had one, and that is no DICOM file."""
    return pydicom.dcmread(io.BytesIO(file_of(number, study)))


def rows(gateway: Gateway) -> set[str]:
    return {row["sop_instance"] for row in gateway.status()["rows"]}


def test_dicomweb_client_stores(site: Site, holding: Gateway) -> None:
    with session(site) as http:
        client = DICOMwebClient(f"https://localhost:{web_port(holding)}/dicom-web", session=http)
        told = client.store_instances([dicom(n) for n in range(4)])
        stored = {str(item.ReferencedSOPInstanceUID) for item in told.ReferencedSOPSequence}
        assert stored == {uid_of(n) for n in range(4)} == rows(holding)
        study = str(ct(5, study=5).StudyInstanceUID)
        assert len(client.store_instances([dicom(5, study=5)], study_instance_uid=study).ReferencedSOPSequence) == 1
        with pytest.raises(requests.HTTPError):  # the bad twin: an object of another study
            client.store_instances([dicom(6, study=6)], study_instance_uid=study)
    assert rows(holding) == {uid_of(n) for n in (0, 1, 2, 3, 5)}


def curl(site: Site, gateway: Gateway, path: str, *options: str, who: str = "modality") -> tuple[int, bytes]:
    certs = site.folder / "certs"
    done = subprocess.run(
        ["curl", "-sS", "--max-time", "60", "--noproxy", "*", "--cacert", certs / "ca.pem", "-w", "\n%{http_code}"]
        + (["--cert", certs / f"{who}.pem", "--key", certs / f"{who}.key"] if who else [])
        + [*options, f"https://localhost:{web_port(gateway)}{path}"],
        capture_output=True,
        check=False,
    )
    body, _, status = done.stdout.rpartition(b"\n")
    return int(status or 0), body


def test_curl_stores_and_is_refused(site: Site, holding: Gateway, program, tmp_path: Path) -> None:
    program("curl")
    (tmp_path / "body").write_bytes(multipart(file_of(1), file_of(2, size=2 << 20)))  # long: curl asks first (Expect)
    body = f"@{tmp_path / 'body'}"
    posted = ("-X", "POST", "-H", f"Content-Type: {RELATED}", "--data-binary", body)
    status, answer = curl(site, holding, "/dicom-web/studies", *posted)
    assert status == 200 and len(json.loads(answer)["00081199"]["Value"]) == 2
    assert rows(holding) == {uid_of(1), uid_of(2)}
    status, answer = curl(site, holding, "/dicom-web/studies", *posted, "-H", "Transfer-Encoding: chunked")
    assert status == 200
    for options, expected in (
        (("-H", "Content-Encoding: gzip"), 415),
        (("-H", "Accept: image/png"), 406),
        (("-H", f"Content-Type: {RELATED}x"), 400),
    ):
        assert curl(site, holding, "/dicom-web/studies", *posted[:2], *options, *posted[2:])[0] in (expected, 400)
    assert curl(site, holding, "/dicom-web/studies", *posted, who="")[0] == 0, "no certificate, no answer"
    assert curl(site, holding, "/health") == (200, b"ok\n")
    assert rows(holding) == {uid_of(1), uid_of(2)}


class Orthanc:
    """Orthanc with its DICOMweb plugin, and stunnel on both of its sides."""

    def __init__(self, site: Site, folder: Path, gateway_port: int | None = None) -> None:
        certs = site.folder / "certs"
        self.http, self.https, self.out = free_port(), free_port(), free_port()
        settings = {
            "StorageDirectory": str(folder / "orthanc"),
            "DicomServerEnabled": False,
            "HttpPort": self.http,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "OverwriteInstances": False,
            "Plugins": ["/usr/share/orthanc/plugins/libOrthancDicomWeb.so"],
            "DicomWeb": {
                "Enable": True,
                "Root": "/dicom-web/",
                "Servers": {"gateway": {"Url": f"http://127.0.0.1:{self.out}/dicom-web/", "HasDelete": False}},
            },
        }
        (folder / "orthanc.json").write_text(json.dumps(settings))
        lines = ["foreground = yes", "pid =", "debug = warning"]
        lines += ["[in]", f"accept = 127.0.0.1:{self.https}", f"connect = 127.0.0.1:{self.http}"]
        lines += [f"cert = {certs / 'archive.pem'}", f"key = {certs / 'archive.key'}"]
        lines += [f"CAfile = {certs / 'ca.pem'}", "verifyChain = yes", "requireCert = yes"]
        if gateway_port is not None:
            lines += ["[out]", "client = yes", f"accept = 127.0.0.1:{self.out}", f"connect = 127.0.0.1:{gateway_port}"]
            lines += [f"cert = {certs / 'modality.pem'}", f"key = {certs / 'modality.key'}"]
            lines += [f"CAfile = {certs / 'ca.pem'}", "verifyChain = yes"]
        (folder / "stunnel.conf").write_text("\n".join([*lines, ""]))
        quiet = subprocess.DEVNULL
        self._running = [
            subprocess.Popen(["/usr/sbin/Orthanc", folder / "orthanc.json"], stdout=quiet, stderr=quiet),
            subprocess.Popen(["stunnel4", folder / "stunnel.conf"], stdout=quiet, stderr=quiet),
        ]
        wait_for(self._up, 60)

    def _up(self) -> bool:
        try:
            return bool(self.rest("/system"))
        except OSError:
            return False

    def rest(self, path: str, body: bytes | None = None) -> object:
        """Orthanc's own interface."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}{path}", body, 60) as answer:
            return json.load(answer)

    def data_sets(self) -> dict[str, str]:
        """SOP Instance UID -> SHA-256 of the data set of each file it has."""
        found = {}
        for each in self.rest("/instances"):  # type: ignore[attr-defined]
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http}/instances/{each}/file", timeout=60) as answer:
                data = answer.read()
            said = part10.split(BytesSource(data))
            found[said.sop_instance] = hashlib.sha256(data[said.offset :]).hexdigest()
        return found

    def close(self) -> None:
        for process in self._running:
            process.terminate()
            process.wait(30)


@pytest.fixture
def orthancs(site: Site, tmp_path: Path, program) -> Iterator[object]:
    program("Orthanc")
    program("stunnel4")
    made: list[Orthanc] = []

    def make(gateway_port: int | None = None) -> Orthanc:
        made.append(Orthanc(site, tmp_path, gateway_port))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_orthanc_as_client(site: Site, holding: Gateway, orthancs) -> None:
    """Orthanc sends with its `/dicom-web/servers/NAME/stow`; what arrives is what it had, byte for byte."""
    orthanc: Orthanc = orthancs(web_port(holding))
    for n in range(4):
        orthanc.rest("/instances", file_of(n))
    resources = json.dumps({"Resources": orthanc.rest("/instances"), "Synchronous": True}).encode()
    orthanc.rest("/dicom-web/servers/gateway/stow", resources)
    assert rows(holding) == {uid_of(n) for n in range(4)}
    spooled = {hashlib.sha256(_data_set(p)).hexdigest() for p in (site.folder / "state/spool/objects").iterdir()}
    assert spooled == {digest_of(n) for n in range(4)}
    assert holding.stop() == 0
    with pytest.raises(urllib.error.HTTPError):  # the bad twin: Orthanc notices that nobody stored
        orthanc.rest("/dicom-web/servers/gateway/stow", resources)


def _data_set(path: Path) -> bytes:
    data = path.read_bytes()
    return data[part10.split(BytesSource(data)).offset :]


def test_orthanc_as_server(site: Site, gateways, orthancs) -> None:
    """What we send Orthanc has, byte for byte; what it refuses is not called delivered."""
    orthanc: Orthanc = orthancs()
    site.write(OUT.format(port=orthanc.https))
    gateway = ready(gateways(site).start())
    with session(site) as http:
        body = multipart(*(file_of(n, study=n % 2) for n in range(6)))
        url = f"https://localhost:{web_port(gateway)}/dicom-web/studies"
        assert http.post(url, data=body, headers={"Content-Type": RELATED}, timeout=60).status_code == 200
    told = gateway.settled(60)
    assert {row["state"] for row in told} == {"delivered"} and len(told) == 6
    assert orthanc.data_sets() == {uid_of(n): digest_of(n, study=n % 2) for n in range(6)}


def test_a_server_that_drops_and_comes_back(site: Site, gateways, orthancs) -> None:
    """Orthanc is away, then there: nothing is lost, nothing counted against an object."""
    orthanc: Orthanc = orthancs()
    site.write(OUT.format(port=orthanc.https))
    orthanc._running[1].terminate()
    orthanc._running[1].wait(30)
    gateway = ready(gateways(site).start())
    with session(site) as http:
        url = f"https://localhost:{web_port(gateway)}/dicom-web/studies"
        assert http.post(url, data=multipart(file_of(1)), headers={"Content-Type": RELATED}).status_code == 200
    time.sleep(1.5)
    (row,) = gateway.status()["rows"]
    assert row["state"] in ("waiting", "sending") and row["attempts"] == 0
    orthanc._running[1] = subprocess.Popen(
        ["stunnel4", site.folder / "stunnel.conf"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    assert [each["state"] for each in gateway.settled(60)] == ["delivered"]
    assert orthanc.data_sets() == {uid_of(1): digest_of(1)}


def test_pydicom_reads_what_was_spooled(site: Site, holding: Gateway) -> None:
    """A spooled file is a Part 10 file that others open."""
    with session(site) as http:
        url = f"https://localhost:{web_port(holding)}/dicom-web/studies"
        http.post(url, data=multipart(file_of(1)), headers={"Content-Type": RELATED})
    (path,) = (site.folder / "state/spool/objects").iterdir()
    assert pydicom.dcmread(path).SOPInstanceUID == uid_of(1)
