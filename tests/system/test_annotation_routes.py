"""Annotations through a whole gateway: AIM files in, SR out by DIMSE; SR in, AIM out to a server like ePAD's."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path

from pydicom import dcmread

from tests.system.harness import Gateway, Site, wait_for
from tests.system.takers import Taker
from tests.system.test_spooled_images import annotation, planes, send
from tests.unit.aim.part21 import SAMPLE
from transforms.aim.model.datatypes import Uid
from transforms.aim.options import Options
from transforms.aim.read import read
from transforms.aim.to_sr import to_sr
from transforms.aim.write import write
from transforms.dataset.syntax import EXPLICIT_LE
from transforms.source import BytesSource
from transforms.sr.read import read as read_sr
from transforms.sr.write import write_file

RULES = """\
version: 1
state: {{dir: ./state, keep_spooled: 1h}}
identity: {{certificate: file:certs/gateway.pem, key: file:certs/gateway.key}}
workers: {{count: 1}}
listeners:
  - id: hospital
    dimse: {{ae: GATEWAY, host: 127.0.0.1, port: 0}}
    tls: {{trust: file:certs/ca.pem}}
  - id: research
    folder: {{dir: ./inbox, quiet: 200ms, poll: 100ms, aim: {{images: [hospital]}}}}
destinations:
  kept: {{folder: {{dir: ./kept}}}}
  archive:
    dimse: {{host: 127.0.0.1, port: {dimse}, ae: ARCHIVE}}
    tls: {{trust: file:certs/ca.pem}}
    retry: {{for: 1h, backoff: 200ms..1s}}
  epad:
    http: {{url: 'https://localhost:{http}/epad/v2/aims', form: file, authorization: file:epad.secret}}
    tls: {{trust: file:certs/ca.pem}}
    retry: {{for: 1h, backoff: 200ms..1s}}
routes:
  - {{id: research, match: {{all: [{{listener: research}}, {{Modality: SR}}]}}, deliver: archive}}
  - {{id: clinic, match: {{Modality: SR}}, steps: [{{aim: {{version: '4.0'}}}}], deliver: epad}}
  - {{id: images, match: {{Modality: CT}}, deliver: kept}}
  - {{id: rest, otherwise: hold, reason: no-route}}
"""


def test_aim_comes_in_as_sr_and_sr_leaves_as_aim(site: Site, sinks, gateways, tmp_path: Path) -> None:
    sink, server = sinks(site), Taker(context=site.context(server=True, who="archive"))  # it wants our certificate
    (site.folder / "inbox").mkdir()
    (site.folder / "epad.secret").write_text("Basic c2VjcmV0")
    (site.folder / "epad.secret").chmod(0o600)
    site.write(RULES.format(dimse=sink.port, http=server.port))
    gateway: Gateway = gateways(site).start()
    _, images = annotation()
    clinical = replace(SAMPLE, unique_identifier=Uid("2.25.4711"))
    send(gateway, site, tmp_path / "sent", *images, write_file(to_sr(clinical, Options(), lambda _: None)))
    gateway.settled()
    (site.folder / "inbox" / "lesion.xml").write_bytes(write(SAMPLE))
    (site.folder / "inbox" / "broken.xml").write_bytes(write(SAMPLE)[:-50])
    wait_for(lambda: sink.datasets and list((site.folder / "inbox/failed").glob("*.reason")), 60)
    assert {(row["state"], row["reason"]) for row in gateway.settled()} == {("delivered", "")}

    (data,) = sink.datasets.values()
    document = read_sr(BytesSource(data), EXPLICIT_LE)
    assert document.patient.id.value == images[0].PatientID
    spacing = str(images[0].PixelSpacing[0]).encode()
    assert spacing in data, "the plane of the image in the spool"
    assert document.sop_instance != SAMPLE.unique_identifier and SAMPLE.unique_identifier.encode() in data
    (losses,) = (site.folder / "inbox/processed").glob("*.losses")
    assert losses.read_text().startswith("aim -> sr")
    (reason,) = (site.folder / "inbox/failed").glob("*.reason")
    assert reason.read_text().strip() == "aim-not-xml"

    (body,), (headers,) = server.bodies, server.headers
    server.close()
    assert headers["Authorization"] == "Basic c2VjcmV0"
    assert headers["Content-Type"].startswith("multipart/form-data; boundary=")
    aim = body[body.index(b"<?xml") : body.rindex(b">", 0, body.rindex(b"--")) + 1]
    collection = read(aim)
    assert collection.aim_version == "AIMv4_0"
    assert planes(aim) == [None]  # this step's rules name no listener
    assert server.paths == ["/epad/v2/aims"]
    assert dcmread(BytesIO(data), force=True).CompletionFlag == "COMPLETE"
