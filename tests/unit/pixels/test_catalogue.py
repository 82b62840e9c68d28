"""The catalogue of devices: strict, told by line, and what `pixels decide` adds to it."""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from gateway.errors import GatewayError
from gateway.pixels.catalogue import add, entries
from tests.conftest import ROOT
from transforms.pixels.boxes import Box
from transforms.pixels.devices import matching
from transforms.pixels.risk import Shape

SHAPE = Shape(
    manufacturer="ACME", model="SONO 1", software="1.0", modality="US", sop_class="1.2.840.10008.5.1.4.1.1.6.1",
    image_type="ORIGINAL\\PRIMARY", photometric="RGB", rows=480, columns=640,
)  # fmt: skip


def test_what_is_decided_is_found(tmp_path: Path) -> None:
    site = tmp_path / "devices.yaml"
    known = len(entries(site))
    add(site, "one", asdict(SHAPE), [Box(0, 0, 640, 44)], "looked at: all")
    add(site, "two", asdict(replace(SHAPE, model="", software="it's 2")), [], "no text")
    assert len(entries(site)) == known + 2
    (one,) = matching(entries(site), SHAPE)
    assert one.vouched and one.boxes == (Box(0, 0, 640, 44),) and one.why == "looked at: all"
    for other in ({"rows": 481}, {"software": ""}, {"model": "SONO 12"}, {"image_type": "DERIVED"}, {"modality": "XA"}):
        assert not matching(entries(site), replace(SHAPE, **other))
    assert [each.name for each in matching(entries(site), replace(SHAPE, model="", software="it's 2"))] == ["two"]


def test_stars_stand_for_anything(tmp_path: Path) -> None:
    site = tmp_path / "devices.yaml"
    site.write_text("devices: [{name: a, match: {manufacturer: 'AC*', software: ''}, boxes: [], why: seen}]\n")
    assert matching(entries(site), replace(SHAPE, software=""))
    assert not matching(entries(site), SHAPE)


def test_every_problem_with_its_place(tmp_path: Path) -> None:
    site = tmp_path / "devices.yaml"
    site.write_text(
        "devices:\n"
        "  - name: a\n"
        "    match: {manufacturer: ACME, colour: red}\n"
        "    boxes: [{left: 0, top: 0, width: 0, height: 3}]\n"
        "  - {name: b, match: {rows: 3, columns: 4}, text: none, why: seen}\n"
    )
    with pytest.raises(GatewayError, match="devices-refused") as told:
        entries(site)
    lines = told.value.detail.splitlines()
    assert [int(line.split("devices.yaml:")[1].split(":")[0]) for line in lines] == [3, 4, 2, 5]


@pytest.mark.parametrize("match", [{"manufacturer": "ACME*", "rows": 1, "columns": 1}, {"rows": 1, "columns": 1}])
def test_what_would_vouch_for_too_much_is_not_written(match: dict[str, str | int], tmp_path: Path) -> None:
    site = tmp_path / "devices.yaml"
    with pytest.raises(GatewayError, match="devices-refused"):
        add(site, "x", match, [], "seen")
    assert not site.exists()


def test_a_file_in_another_form_is_left_as_it_is(tmp_path: Path) -> None:
    site = tmp_path / "devices.yaml"
    site.write_text("devices: []\n")
    with pytest.raises(GatewayError, match="devices-refused"):
        add(site, "x", asdict(SHAPE), [], "seen")
    assert site.read_text() == "devices: []\n"


def test_the_documents_example_and_the_examples_file(tmp_path: Path) -> None:
    (shown,) = re.findall(r"```yaml devices\n(.*?)```", (ROOT / "docs" / "pixels.md").read_text(), re.DOTALL)
    site = tmp_path / "devices.yaml"
    site.write_text(shown)
    assert {"sono-1", "sono-2"} <= {each.name for each in entries(site)}
    assert "sono-1" in {each.name for each in entries(ROOT / "examples" / "pixels" / "devices.yaml")}
