"""Decisions by number: where no gateway serves, the command says so and does nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

RULES = """\
version: 1
state: {dir: ./state}
listeners:
  - {id: inbox, folder: {dir: ./inbox}}
routes:
  - {id: rest, otherwise: hold}
"""


@pytest.mark.parametrize("words", [("held", "discard"), ("groups", "close")])
def test_without_a_serving_gateway(tmp_path: Path, words: tuple[str, str]) -> None:
    (tmp_path / "gateway.yaml").write_text(RULES)
    command = [str(Path(sys.executable).with_name("dicom-gateway")), *words, "1", "--reason", "test"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "not-serving" in done.stderr and "Traceback" not in done.stderr
