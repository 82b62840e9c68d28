"""What the rule file says of pixels: refused where this machine cannot do it, or where it would do nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import pixels
from gateway.config.load import examine_bytes

RULES = """version: 1
state: {{dir: ./state}}
listeners: [{{id: h, dimse: {{ae: GATEWAY, port: 0}}, unsafe_plaintext: a test}}]
destinations: {{out: {{folder: {{dir: ./out}}}}}}
deidentify:
  one: {{key: env:KEY, {block}}}
routes:
  - {{id: a, match: {{Modality: US}}, steps: [{{deidentify: one}}{steps}], deliver: out}}
  - {{id: rest, otherwise: hold}}
"""


def problems(block: str, steps: str = "") -> list[str]:
    _, found = examine_bytes(RULES.format(block=block, steps=steps).encode(), "g.yaml", Path())
    return [str(each) for each in found if each.severity == "error"]


def test_without_the_detector_a_route_that_needs_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert problems("options: [clean-pixel-data]") == []
    monkeypatch.setattr(pixels, "detector", lambda: False)
    (told,) = problems("options: [clean-pixel-data]")
    assert told.startswith("g.yaml:6:") and "the extra `ocr`" in told
    assert problems("options: [clean-pixel-data], pixels: {text: none, devices: d.yaml}") == []


@pytest.mark.parametrize("block", [
    "pixels: {text: none}", "visual_features: {command: [x]}", "options: [clean-recognizable-visual-features]",
    "options: [clean-pixel-data], pixels: {frames: 0}", "options: [clean-pixel-data], pixels: {text: maybe}",
    "options: [clean-recognizable-visual-features], visual_features: {command: []}",
])  # fmt: skip
def test_what_does_nothing_or_cannot_be(block: str) -> None:
    assert len(problems(block)) == 1


def test_steps_of_transcoding() -> None:
    assert problems("options: []", ", {transcode: jpeg-ls}") == []
    assert len(problems("options: []", ", {transcode: jpeg}")) == 1
