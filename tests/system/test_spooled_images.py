"""Images and reports through a whole gateway: what is in the spool is drawn, or tells its geometry, where it may."""

from __future__ import annotations

from base64 import b64decode
from io import BytesIO
from pathlib import Path
from typing import Any

import study
from lxml import etree
from PIL import Image
from pydicom import Dataset

from tests.system.harness import Gateway, Site, wait_for
from tests.unit.aim.part21 import SAMPLE
from transforms.aim.model.annotation import ImageAnnotationCollection
from transforms.aim.model.images import DicomImageReferenceEntity
from transforms.aim.options import Options
from transforms.aim.read import read
from transforms.aim.to_sr import to_sr
from transforms.cda.pictures import picture
from transforms.source import BytesSource
from transforms.sr.write import write_file

V3 = {"v3": "urn:hl7-org:v3"}
RULES = """\
version: 1
state: {{dir: ./state{keep}}}
identity: {{certificate: file:certs/gateway.pem, key: file:certs/gateway.key}}
workers: {{count: 1}}
listeners:
  - id: hospital
    dimse: {{ae: GATEWAY, host: 127.0.0.1, port: 0}}
    tls: {{trust: file:certs/ca.pem}}
destinations:
  kept: {{folder: {{dir: ./kept}}}}
  ehr: {{folder: {{dir: ./ehr, layout: flat}}}}
  second: {{folder: {{dir: ./second, layout: flat}}}}
  research: {{folder: {{dir: ./research, layout: flat}}}}
  aim: {{folder: {{dir: ./aim, layout: flat}}}}
  sr: {{folder: {{dir: ./sr, layout: flat}}}}
deidentify:
  trial: {{profile: basic, options: [clean-structured-content], key: file:trial.key}}
reports:
  pictured: {{images: [hospital]}}
routes:
  - id: trial
    match: {{SeriesDescription: TRIAL}}
    steps: [{{deidentify: trial}}, {{cda: pictured}}]
    deliver: research
  - {{id: reports, match: {{Modality: KO}}{group}, steps: [{{cda: pictured}}], deliver: [ehr, second]}}
  - id: annotations
    match: {{Modality: SR}}
    mode: all
    steps: [{{aim: {{images: [hospital]}}}}]
    deliver: aim
  - {{id: images, match: {{Modality: {{in: [CT, PT]}}}}, deliver: kept}}
  - {{id: rest, otherwise: hold, reason: no-route}}
"""


def rules(keep: str = ", keep_spooled: 1h", group: str = "") -> str:
    return RULES.format(keep=keep, group=group)


def send(gateway: Gateway, site: Site, folder: Path, *objects: Dataset | bytes) -> None:
    folder.mkdir()
    for number, each in enumerate(objects):
        if isinstance(each, bytes):
            (folder / f"{number}.dcm").write_bytes(each)
        else:
            each.save_as(folder / f"{number}.dcm", enforce_file_format=True)
    certs = site.folder / "certs"
    done = gateway.command(
        "send", f"127.0.0.1:{gateway.port}", "--called", "GATEWAY", "--calling", "CT1",
        "--cert", str(certs / "modality.pem"), "--key", str(certs / "modality.key"), "--ca", str(certs / "ca.pem"),
        str(folder),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def images() -> list[Dataset]:
    return [study.ct(60, number, 64) for number in (1, 2)]


def delivered(gateway: Gateway) -> None:
    assert {(row["state"], row["reason"]) for row in gateway.settled()} == {("delivered", "")}


def documents(site: Site, name: str = "ehr") -> list[bytes]:
    return [path.read_bytes() for path in sorted((site.folder / name).glob("*")) if path.is_file()]


def pictures(data: bytes) -> list[bytes]:
    found = etree.fromstring(data).iterfind(".//v3:observationMedia/v3:value", V3)
    return [b64decode(each.text or "") for each in found]


def expected(data: Dataset) -> bytes:
    out = BytesIO()
    data.save_as(out, enforce_file_format=True)
    return picture(BytesSource(out.getvalue())).data


def annotation() -> tuple[bytes, list[Dataset]]:
    """The sample of PS3.21 with its images, which say what plane they lie in; the SR of it does not."""
    made = to_sr(SAMPLE, Options(), lambda _: None)
    found = []
    for number, evidence in enumerate(made.general.current_evidence, 1):
        image = study.ct(60, number, 32)
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = evidence.reference.sop_instance
        image.StudyInstanceUID, image.SeriesInstanceUID = evidence.study, evidence.series
        image.PatientID, image.PatientName = made.patient.id.value, made.patient.name
        found.append(image)
    return write_file(made), found


def planes(data: bytes) -> list[Any]:
    collection = read(data)
    assert isinstance(collection, ImageAnnotationCollection)
    return [
        image.image_plane
        for each in collection.image_annotations
        for reference in each.image_reference_entity_collection
        if isinstance(reference, DicomImageReferenceEntity)
        for image in reference.image_study.image_series.image_collection
    ]


def test_what_is_in_the_spool_is_drawn_and_tells_its_plane(site: Site, gateways, tmp_path: Path) -> None:
    """The images left for the archive before the reports came, and the gateway was killed in between."""
    site.write(rules())
    gateway: Gateway = gateways(site).start()
    shown = images()
    measured, planar = annotation()
    send(gateway, site, tmp_path / "images", *shown, *planar)
    delivered(gateway)
    gateway.kill()
    gateway.start()
    report, trial, stranger = (study.key_object(60, shown, number) for number in (1, 2, 3))
    trial.SeriesDescription = "TRIAL"
    stranger.PatientID = "SOMEBODY-ELSE"
    stranger.StudyInstanceUID += ".1"
    stranger.SeriesInstanceUID += ".1"
    send(gateway, site, tmp_path / "reports", report, trial, stranger, measured)
    delivered(gateway)

    first, other = sorted(documents(site), key=lambda each: -len(pictures(each)))
    assert pictures(first) == [expected(each) for each in shown]
    assert Image.open(BytesIO(pictures(first)[0])).size == (64, 64)
    refers = {each.get("referencedObject") for each in etree.fromstring(first).iterfind(".//v3:renderMultiMedia", V3)}
    assert refers == {each.get("ID") for each in etree.fromstring(first).iterfind(".//v3:observationMedia", V3)}
    assert pictures(other) == []  # another patient's report does not see them
    assert sorted(documents(site, "second")) == sorted([first, other])  # another run of the same steps

    (cleaned,) = documents(site, "research")  # a de-identified report shows no image as it was received
    assert pictures(cleaned) == []
    assert shown[0].SOPInstanceUID.encode() not in cleaned

    (aim,) = documents(site, "aim")
    (plane,) = planes(aim)
    assert float(plane.vertical_pixel_spacing) == float(planar[0].PixelSpacing[0])
    assert read(aim).unique_identifier != SAMPLE.unique_identifier  # it says more than the report did


def test_what_has_left_the_spool_is_not_at_hand(site: Site, gateways, tmp_path: Path) -> None:
    site.write(rules(keep=""))
    gateway: Gateway = gateways(site).start()
    shown = images()
    send(gateway, site, tmp_path / "images", *shown)
    delivered(gateway)
    wait_for(lambda: not list((site.folder / "state/spool/objects").iterdir()))
    send(gateway, site, tmp_path / "report", study.key_object(60, shown))
    delivered(gateway)
    (document,) = documents(site)
    assert pictures(document) == []


def test_a_report_that_waits_for_its_study_has_the_images_that_come_after_it(
    site: Site, gateways, tmp_path: Path
) -> None:
    site.write(rules(group=", group: {by: study, quiet: 3s, max_wait: 5m}"))
    gateway: Gateway = gateways(site).start()
    shown = images()
    send(gateway, site, tmp_path / "study", study.key_object(60, shown), *shown)
    delivered(gateway)
    (document,) = documents(site)
    assert pictures(document) == [expected(each) for each in shown]
