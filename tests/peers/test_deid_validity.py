"""dciodvfy finds no error in a de-identified object that the object did not have before; dcmdump finds no canary.

dicom3tools and dcmtk know none of our code. Errors are compared without the values and item numbers in them.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT
from transforms.dataset import convert, framing, part10
from transforms.dataset import syntax as syntaxes
from transforms.deidentify.engine import Context, deidentify
from transforms.deidentify.options import OPTIONS
from transforms.deidentify.profile import compile_profile
from transforms.errors import TransformError
from transforms.source import BytesSource

sys.path.insert(0, str(ROOT / "examples"))
import planted as planting
import study

pytestmark = pytest.mark.peers
LARGEST = 600_000
Program = Callable[[str], str]


def errors(dciodvfy: str, content: bytes, folder: Path) -> set[str]:
    path = folder / "judged.dcm"
    path.write_bytes(content)
    done = subprocess.run([dciodvfy, "-new", str(path)], capture_output=True, timeout=60)
    lines = done.stderr.decode("latin-1").splitlines()
    return {re.sub(r"\[\d+\]", "[]", re.sub(r"= <[0-9.]*>", "", line)) for line in lines if line.startswith("Error")}


RESEARCH = (
    "clean-descriptors", "clean-graphics", "clean-structured-content", "retain-modified-dates",
    "retain-patient-characteristics", "retain-safe-private",
)  # fmt: skip
RETAIN = (
    "clean-structured-content", "retain-device-identity", "retain-full-dates", "retain-institution-identity",
    "retain-safe-private", "retain-uids",
)  # fmt: skip
CHOICES: tuple[tuple[str, ...], ...] = ((), RESEARCH, RETAIN, *((option,) for option in OPTIONS))


def before_and_after(content: bytes, options: tuple[str, ...] = ()) -> tuple[bytes, bytes]:
    """The object as it came and as it leaves, both with our file meta."""
    found = part10.split(BytesSource(content), tolerant=True)
    source, uid = BytesSource(content[found.offset :]), found.syntax
    framing.check(source, uid)
    if not syntaxes.lookup(uid).little_endian:
        source, uid = convert.to_explicit_le(source, uid), syntaxes.EXPLICIT_LE  # type: ignore[assignment]
    done = deidentify(source, uid, compile_profile("basic", options), Context(b"k" * 32, "test"))
    original = part10.meta(done.sop_class, "1.2.3", uid) + source.pread(0, source.size)
    return original, part10.meta(done.sop_class, done.sop_instance, uid) + b"".join(done.plan.chunks())


@pytest.mark.slow
@pytest.mark.parametrize("options", CHOICES[:3], ids=["basic", "research", "retain"])
def test_no_new_error_in_any_object_of_the_corpus(
    options: tuple[str, ...], corpus_files: list[Path], program: Program, tmp_path: Path
) -> None:
    dciodvfy = program("dciodvfy")
    judged = 0
    for path in corpus_files:
        if path.stat().st_size > LARGEST:
            continue
        try:
            before, after = before_and_after(path.read_bytes(), options)
        except (TransformError, ValueError):  # held; a retained UID that is none cannot stand in File Meta
            continue
        new = errors(dciodvfy, after, tmp_path) - errors(dciodvfy, before, tmp_path)
        assert not new, f"{path.name}: {new}"
        judged += 1
    assert judged > 100


@pytest.mark.parametrize("name", ["CT_small.dcm", "rtplan.dcm", "waveform_ecg.dcm", "liver_1frame.dcm"])
def test_no_new_error(name: str, corpus_files: list[Path], program: Program, tmp_path: Path) -> None:
    content = next(path for path in corpus_files if path.name == name).read_bytes()
    before, after = before_and_after(content)
    assert errors(program("dciodvfy"), after, tmp_path) <= errors(program("dciodvfy"), before, tmp_path)


@pytest.mark.parametrize("options", CHOICES, ids=lambda each: "+".join(each)[:40] or "basic")
@pytest.mark.parametrize("name", ["ct-0001.dcm", "mr-0001.dcm", "report.dcm", "key-images.dcm", "screen.dcm"])
def test_no_new_error_in_made_objects(name: str, options: tuple[str, ...], program: Program, tmp_path: Path) -> None:
    made = dict(study.study(slices=1, rows=64))[name]
    study.write(made, tmp_path / "made.dcm")
    before, after = before_and_after((tmp_path / "made.dcm").read_bytes(), options)
    assert errors(program("dciodvfy"), after, tmp_path) <= errors(program("dciodvfy"), before, tmp_path)


def test_the_judge_sees_an_object_that_was_broken(corpus_files: list[Path], program: Program, tmp_path: Path) -> None:
    content = next(path for path in corpus_files if path.name == "CT_small.dcm").read_bytes()
    before, after = before_and_after(content)
    modality = after.index(b"\x08\0\x60\0CS\2\0CT")
    broken = after[:modality] + after[modality + 10 :]
    assert errors(program("dciodvfy"), broken, tmp_path) - errors(program("dciodvfy"), before, tmp_path)


@pytest.mark.parametrize("each", planting.planted(3), ids=lambda each: each.name)
def test_dcmdump_shows_no_canary(each: planting.Planted, program: Program, tmp_path: Path) -> None:
    def dump(content: bytes) -> str:
        path = tmp_path / "dumped.dcm"
        path.write_bytes(content)
        done = subprocess.run(
            [program("dcmdump"), "-q", "+L", "+R", "4096", str(path)], capture_output=True, timeout=60
        )
        return done.stdout.decode("latin-1")

    _, after = before_and_after(each.content)
    assert any(word in dump(each.content) for word in each.canaries.values()), "the judge finds nothing even before"
    assert [leak for leak, word in each.canaries.items() if word in dump(after)] == []
    assert all(word in dump(after) for word in each.kept.values())
