"""The lists of signed attributes are what the generator makes of the standard's facts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import profiles.signatures as signatures
from profiles.signatures.generate import HERE, attributes


def test_the_generator_gives_what_is_committed(shared: Path) -> None:
    made = attributes(shared / "standard")
    ruff = [sys.executable, "-m", "ruff", "format", "-", "--stdin-filename", "attributes.py"]
    formatted = subprocess.run(ruff, input=made, capture_output=True, text=True, check=True, cwd=HERE.parents[1]).stdout
    assert formatted == (HERE / "attributes.py").read_text()


def test_repeating_groups_and_single_tags() -> None:
    assert signatures.signs("creator", 0x60023000)  # OverlayData of the second overlay
    assert signatures.signs("creator", 0x50083000)  # CurveData
    assert not signatures.signs("creator", 0x60033000)  # a private group
    assert not signatures.signs("creator", 0x60403000)  # no overlay has this group
    assert signatures.signs("creator", 0x7FE00010)
    assert not signatures.signs("creator", 0x00100010)
    assert not signatures.signs("base", 0x00080018)
    assert signatures.signs("sr", 0x0040A730)
    assert not signatures.signs("sr", 0x00080018)
    assert signatures.signs("sr-verification", 0x00080018)
