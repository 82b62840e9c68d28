"""The whole gateway between peers that nobody here wrote, over mutual TLS: dcmtk, Orthanc, pynetdicom.

Pass-through is hash-identical over the data set, for each SOP class and transfer syntax of the corpus and of pydicom's
own files; what the gateway refuses is what its strict framing refuses.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from tests.system.harness import RULES, Gateway, Sink, Site, free_port, wait_for
from tests.system.senders import ct
from transforms.dataset import framing, part10, syntax, values
from transforms.errors import TransformError
from transforms.source import BytesSource

pytestmark = pytest.mark.peers

DCMTK = Path("/usr/bin")  # by full path: a virtualenv with pynetdicom has programs of the same names


@pytest.fixture
def passing(site: Site, sinks, gateways):
    """A pass-through gateway before a pynetdicom sink."""
    sink: Sink = sinks(site)
    text = RULES.format(port=sink.port, sink_security="tls: {trust: file:certs/ca.pem}", steps="")
    text = text.replace("port: 0}", "port: 0, accept: any}")
    # Sample files of many origins share studies: patients that differ within one are no mistake here
    site.write(text.replace("  - id: hospital\n", "  - id: hospital\n    on_conflict: deliver\n"))
    return site, gateways(site).start(), sink


def tls_options(site: Site, who: str = "modality") -> list[str]:
    certs = site.folder / "certs"
    return ["+tls", str(certs / f"{who}.key"), str(certs / f"{who}.pem"), "+cf", str(certs / "ca.pem")]


def write(folder: Path, count: int) -> list[Path]:
    folder.mkdir()
    paths = []
    for number in range(count):
        path = folder / f"{number}.dcm"
        ct(number).save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def data_set_hash(path: Path) -> str:
    data = path.read_bytes()
    return hashlib.sha256(data[part10.split(BytesSource(data)).offset :]).hexdigest()


def test_echoscu_and_storescu_in_storescp_out(site: Site, gateways, program, tmp_path: Path) -> None:
    program("storescu"), program("storescp"), program("echoscu")
    port = free_port()
    received = tmp_path / "received"
    received.mkdir()
    server = subprocess.Popen(
        [DCMTK / "storescp", *tls_options(site, "archive"), "+B", "-od", str(received), str(port)],
        env={**os.environ, "TCP_NODELAY": "1"},
    )
    try:
        site.write(RULES.format(port=port, sink_security="tls: {trust: file:certs/ca.pem}", steps=""))
        gateway: Gateway = gateways(site).start()
        paths = write(tmp_path / "sent", 10)
        address = ["-aec", "GATEWAY", "127.0.0.1", str(gateway.port)]
        subprocess.run([DCMTK / "echoscu", *tls_options(site), *address], check=True, timeout=30)
        subprocess.run([DCMTK / "storescu", *tls_options(site), *address, *map(str, paths)], check=True, timeout=60)
        assert {row["state"] for row in gateway.settled()} == {"delivered"}
        files = [f for f in received.iterdir() if f.is_file()]
        assert sorted(map(data_set_hash, files)) == sorted(map(data_set_hash, paths))
        # known-bad twins: a stranger's certificate, and no TLS at all
        stranger = [*tls_options(site, "stranger")]
        refused = subprocess.run([DCMTK / "echoscu", *stranger, *address], capture_output=True, timeout=30, check=False)
        assert refused.returncode != 0
        plain = subprocess.run([DCMTK / "echoscu", "-to", "5", *address], capture_output=True, timeout=60, check=False)
        assert plain.returncode != 0
    finally:
        server.kill()
        server.wait()


def test_every_readable_object_passes_identically(passing, corpus_files: list[Path], tmp_path: Path) -> None:
    site, gateway, sink = passing
    expected: dict[str, str] = {}
    good: list[Path] = []
    refused = 0
    for path in corpus_files:
        data = path.read_bytes()
        try:
            found = part10.split(BytesSource(data))
            body = BytesSource(data[found.offset :])
            index = framing.check(body, found.syntax)
        except TransformError:
            refused += 1
            continue
        identity = values.identity(body, index)
        uid = identity.get("SOPInstanceUID", "")
        known = syntax.lookup(found.syntax)
        announced = (found.sop_class, found.sop_instance)  # what is sent in the command; another data set is refused
        if announced != (identity.get("SOPClassUID"), uid) or uid in expected or not known.storable:
            continue
        sent = data[found.offset :]
        sent += b"\0" * (len(sent) % 2)  # an odd deflated stream gets its padding on the wire (PS3.5 A.5)
        expected[uid] = hashlib.sha256(sent).hexdigest()
        good.append(path)
    assert len(good) > 50
    lines = tmp_path / "files"
    lines.mkdir()
    for number, path in enumerate(good):
        (lines / f"{number}.dcm").symlink_to(path)
    certs = site.folder / "certs"
    done = gateway.command(
        "send", f"127.0.0.1:{gateway.port}", "--called", "GATEWAY", "--calling", "CT1",
        "--cert", str(certs / "modality.pem"), "--key", str(certs / "modality.key"), "--ca", str(certs / "ca.pem"),
        str(lines),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    rows = gateway.settled(120)
    states = {row["sop_instance"]: (row["state"], row["reason"]) for row in rows}
    delivered = {uid for uid, (state, _) in states.items() if state == "delivered"}
    for uid, digest in expected.items():
        assert uid in states, "an acknowledged object is not in the ledger"
        if uid in delivered:
            assert set(sink.received[uid]) == {digest}, "altered"
        else:
            assert states[uid] == ("held", "no-presentation-context"), states[uid]
    assert len(delivered) > 0.9 * len(expected)


def test_orthanc_in_and_out(site: Site, gateways, program, tmp_path: Path) -> None:
    program("Orthanc")
    dicom_port, http_port = free_port(), free_port()
    certs = site.folder / "certs"
    gateway_file = RULES.format(port=dicom_port, sink_security="tls: {trust: file:certs/ca.pem}", steps="")
    site.write(gateway_file)
    gateway: Gateway = gateways(site).start()
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
        "DicomModalities": {"gw": {"AET": "GATEWAY", "Host": "127.0.0.1", "Port": gateway.port, "UseDicomTls": True}},
        "Plugins": [],
    }
    (tmp_path / "orthanc.json").write_text(json.dumps(settings))
    server = subprocess.Popen(
        ["/usr/sbin/Orthanc", str(tmp_path / "orthanc.json")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )

    def rest(path: str, body: bytes | None = None) -> object:
        with urllib.request.urlopen(f"http://127.0.0.1:{http_port}{path}", body, 60) as answer:
            return json.load(answer)

    def up() -> bool:
        try:
            return bool(rest("/system"))
        except OSError:
            return False

    try:
        wait_for(up, 30)
        paths = write(tmp_path / "sent", 5)
        for path in paths:
            rest("/instances", path.read_bytes())
        # out of Orthanc into the gateway, and from there back into Orthanc: duplicates there, identical here
        ids = rest("/instances")
        assert isinstance(ids, list) and len(ids) == 5
        rest("/modalities/gw/store", json.dumps({"Resources": ids, "Synchronous": True}).encode())
        rows = gateway.settled()
        assert len(rows) == 5 and {row["state"] for row in rows} == {"delivered"}
        for each in ids:
            urllib.request.urlopen(
                urllib.request.Request(f"http://127.0.0.1:{http_port}/instances/{each}", method="DELETE"), timeout=30
            )
        assert rest("/instances") == []
        fresh = write(tmp_path / "again", 3)
        certs_options = tls_options(site)
        subprocess.run(
            [DCMTK / "storescu", *certs_options, "-aec", "GATEWAY", "127.0.0.1", str(gateway.port), *map(str, fresh)],
            check=True,
            timeout=60,
        )
        time.sleep(1)
        # the same UIDs and bytes came before: success, once, and nothing is sent again
        assert len(gateway.settled()) == 5 and rest("/instances") == []
    finally:
        server.terminate()
        server.wait(30)
