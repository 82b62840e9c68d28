"""Outside judges of what is neither header nor pixels: dcmdump, grep and strings find no canary in what leaves.

Each judge finds it in the known-bad twin, the object before. dciodvfy finds no new error.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.peers.test_deid_validity import Program, errors
from tests.unit.deidentify.building import CT, run
from tests.unit.documents import planting
from tests.unit.documents.planting import CANARY, ECG, PDF, object_with
from transforms.dataset import part10
from transforms.dataset.syntax import EXPLICIT_LE

pytestmark = pytest.mark.peers


def found(path: Path, program: Program) -> dict[str, bool]:
    """Which judge sees the canary."""
    word = CANARY.decode()
    dumped = subprocess.run([program("dcmdump"), "+L", "-q", str(path)], capture_output=True, timeout=60).stdout
    hexed = "\\".join(f"{byte:02x}" for byte in CANARY).encode()
    wide = subprocess.run(["strings", "-el", str(path)], capture_output=True, timeout=60).stdout
    wide += subprocess.run(["strings", "-eb", str(path)], capture_output=True, timeout=60).stdout
    grep = subprocess.run(["grep", "-a", "-i", "-c", word, str(path)], capture_output=True, timeout=60).returncode == 0
    return {"dcmdump": CANARY in dumped or hexed in dumped, "strings": CANARY in wide, "grep": grep}


@pytest.mark.parametrize("depth", [0, 2])
@pytest.mark.parametrize("what", ["places", "waveform"])
def test_no_judge_finds_a_canary(what: str, depth: int, program: Program, tmp_path: Path) -> None:
    sop_class = {"places": PDF, "waveform": ECG}[what]
    before = object_with(getattr(planting, what)(), True, depth=depth, sop_class=sop_class)
    done = run(before)
    twin, after = tmp_path / "twin.dcm", tmp_path / "after.dcm"
    twin.write_bytes(part10.meta(sop_class, "1.2.3.4", EXPLICIT_LE) + before)
    after.write_bytes(part10.meta(sop_class, done.sop_instance, EXPLICIT_LE) + b"".join(done.plan.chunks()))
    seen = found(twin, program)
    assert seen["dcmdump"] and seen["grep"] and (seen["strings"] or what == "waveform"), "the judges see it before"
    assert not any(found(after, program).values())
    assert not errors(program("dciodvfy"), after.read_bytes(), tmp_path) - errors(
        program("dciodvfy"), twin.read_bytes(), tmp_path
    )


def test_an_image_with_a_profile_stays_valid(program: Program, tmp_path: Path) -> None:
    before = part10.meta(CT, "1.2.3.4", EXPLICIT_LE) + object_with({0x00282000: ("OB", planting.profile())}, True)
    done = run(object_with({0x00282000: ("OB", planting.profile())}, True))
    after = part10.meta(CT, done.sop_instance, EXPLICIT_LE) + b"".join(done.plan.chunks())
    judge = program("dciodvfy")
    assert not errors(judge, after, tmp_path) - errors(judge, before, tmp_path)
