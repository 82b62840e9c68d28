"""Burned-in text in a serving gateway: a group is held, decided, and leaves blanked; compressed objects unpacked."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import RLELossless

from tests.system.harness import RULES, Gateway, Sink, Site
from tests.system.senders import Sender, ct, read

US = "1.2.840.10008.5.1.4.1.1.6.1"


def ultrasound(number: int, model: str = "SONO 1") -> Dataset:
    """An ultrasound image whose first rows are a banner."""
    data = ct(number, size=1024)
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = US
    data.Modality, data.Manufacturer, data.ManufacturerModelName = "US", "ACME", model
    data.Rows, data.Columns, data.BitsAllocated, data.BitsStored, data.HighBit = 32, 48, 8, 8, 7
    data.PixelData = np.full((32, 48), 100 + number, np.uint8).tobytes()
    return data


def test_one_decision_releases_a_group(site: Site, gateways) -> None:
    text = RULES.format(port=1, sink_security="tls: {trust: file:certs/ca.pem}", steps="steps: [{deidentify: trial}]")
    text = text.replace(
        "key: file:trial.key}",
        "key: file:trial.key, options: [clean-pixel-data], pixels: {devices: devices.yaml, text: none}}",
    )
    head, tail = text.split("destinations:\n")
    site.write(head + "destinations:\n  archive: {folder: {dir: ./out}}\n" + tail[tail.index("deidentify:") :])
    gateway: Gateway = gateways(site).start()
    objects = [ultrasound(n) for n in range(4)] + [ultrasound(9, "SONO 2")]
    assert Sender(site, gateway).send(objects) == []
    assert {row["reason"] for row in gateway.settled()} == {"burned-in-unknown"}
    listed = gateway.command("pixels", "list").stdout.decode().splitlines()
    assert [line.split()[1:5] for line in listed[1:]] in (
        [["4", "ACME", "SONO", "1"], ["1", "ACME", "SONO", "2"]],
        [["1", "ACME", "SONO", "2"], ["4", "ACME", "SONO", "1"]],
    )
    group = next(line.split()[0] for line in listed if " 4 " in line)
    shown = gateway.command("pixels", "show", group).stdout.decode()
    assert "SONO 1" in shown and "Mustermann" not in shown
    picture = Path(next(line.split()[1] for line in shown.splitlines() if line.startswith("picture")))
    assert (site.folder / picture).read_bytes().startswith(b"\x89PNG")
    for wrong in (("--box", "0,0,99,99,1"), ("--box", "60,0,5,5"), ("--box", "0,0,1,1", "--no-text"), ()):
        assert gateway.command("pixels", "decide", group, "--why", "seen", *wrong).returncode == 2
    done = gateway.command("pixels", "decide", group, "--box", "0,0,48,8", "--why", "banner of twenty exams")
    assert done.returncode == 0 and b"4 released" in done.stdout, done.stderr
    rows = gateway.settled()
    assert sorted(row["state"] for row in rows) == ["delivered"] * 4 + ["held"]
    out = [pydicom.dcmread(path) for path in (site.folder / "out").rglob("*.dcm")]
    assert len(out) == 4
    for data in out:
        assert data.pixel_array[:8].max() == 0 and data.pixel_array[8:].min() >= 100
        assert data.BurnedInAnnotation == "NO" and "113101" in {
            c.CodeValue for c in data.DeidentificationMethodCodeSequence
        }
    assert Sender(site, gateway).send([ultrasound(5)]) == []  # the next one of this device needs nobody
    assert sorted(row["state"] for row in gateway.settled()) == ["delivered"] * 5 + ["held"]
    assert b"Mustermann" not in gateway.log.read_bytes()
    assert group not in gateway.command("pixels", "list").stdout.decode()


@pytest.mark.parametrize(
    "steps", ["", "steps: [{deidentify: trial}]", "steps: [{deidentify: trial}, {transcode: jpeg-ls}]"]
)
def test_who_takes_no_compression_gets_none(site: Site, sinks, gateways, steps: str) -> None:
    sink: Sink = sinks(site)
    text = RULES.format(port=sink.port, sink_security="tls: {trust: file:certs/ca.pem}", steps=steps)
    site.write(text.replace("ae: ARCHIVE}", "ae: ARCHIVE, uncompressed_only: true}"))
    gateway: Gateway = gateways(site).start()
    objects = [ct(n) for n in range(2)]
    pixels = {each.InstanceNumber: each.PixelData for each in objects}
    objects[1].compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
    assert Sender(site, gateway).send(objects) == []
    assert {row["state"] for row in gateway.settled()} == {"delivered"}, gateway.settled()
    assert len(sink.datasets) == 2
    for uid, raw in sink.datasets.items():
        assert sink.syntaxes[uid] in ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1")
        data = read(raw, sink.syntaxes[uid])
        assert data.PixelData == pixels[data.InstanceNumber]


PROGRAM = """\
import pathlib, pydicom
images = {each.name: pydicom.dcmread(each) for each in pathlib.Path('in').iterdir()}
for name, image in images.items():
    image.PixelData = bytes([len(images)]) * len(image.PixelData)
    image.save_as(pathlib.Path('out') / name, enforce_file_format=True)
"""


def test_a_program_gets_the_series_that_a_route_waits_for(site: Site, gateways) -> None:
    (site.folder / "program.py").write_text(PROGRAM)
    text = RULES.format(port=1, sink_security="tls: {trust: file:certs/ca.pem}", steps="steps: [{deidentify: trial}]")
    text = text.replace(
        "key: file:trial.key}",
        "key: file:trial.key, options: [clean-recognizable-visual-features], visual_features: {command: "
        f"[{sys.executable}, {site.folder / 'program.py'}], timeout: 60s, memory: 2GiB}}}}",
    )
    head, tail = text.split("destinations:\n")
    two = "destinations:\n  archive: {folder: {dir: ./out}}\n  studies: {folder: {dir: ./studies, layout: group}}\n"
    text = head + two + tail[tail.index("deidentify:") :]
    text = text.replace(
        "deliver: [archive]", "group: {by: series, quiet: 2s, max_wait: 10m}\n    deliver: [archive, studies]"
    )
    site.write(text)
    gateway: Gateway = gateways(site).start()
    assert Sender(site, gateway).send([ct(n) for n in range(3)]) == []
    rows = gateway.settled(60)
    assert [(row["state"], row["reason"]) for row in rows] == [("delivered", "")] * 6
    for folder in ("out", "studies"):
        out = [pydicom.dcmread(path) for path in (site.folder / folder).rglob("*.dcm")]
        assert len(out) == 3
        for data in out:
            assert set(data.PixelData) == {3} and data.RecognizableVisualFeatures == "NO"
            assert "113102" in {each.CodeValue for each in data.DeidentificationMethodCodeSequence}
    assert Sender(site, gateway).send([ct(7)]) == []  # of the same series, too late for the program
    late = [row for row in gateway.settled(60) if row["state"] != "delivered"]
    assert [row["reason"] for row in late] == ["plugin-late"] * 2, late
