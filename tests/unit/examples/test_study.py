"""The made study: valid, the same bytes from the same seed, and full of the patient's identity."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
import study

SMALL = {"slices": 2, "rows": 32}


def content(data: pydicom.Dataset) -> bytes:
    """The object as a Part 10 file."""
    file = io.BytesIO()
    data.save_as(file, enforce_file_format=True)
    return file.getvalue()


def made(**options: int) -> dict[str, bytes]:
    """The study as files."""
    return {name: content(data) for name, data in study.study(**{**SMALL, **options})}


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert made(seed=1) == made(seed=1)
    assert not set(made(seed=1).values()) & set(made(seed=2).values())


def test_it_holds_each_kind_of_object() -> None:
    objects = {name: pydicom.dcmread(io.BytesIO(data)) for name, data in made().items()}
    assert {o.Modality for o in objects.values()} == {"CT", "MR", "US", "SR", "KO"}
    assert len({o.StudyInstanceUID for o in objects.values()}) == 1
    assert len({o.SOPInstanceUID for o in objects.values()}) == len(objects) == 6
    assert objects["mr-0001.dcm"].file_meta.TransferSyntaxUID.is_implicit_VR
    assert objects["screen.dcm"].BurnedInAnnotation == "YES"
    referenced = objects["report.dcm"].ContentSequence[-1].ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    assert referenced == objects["ct-0001.dcm"].SOPInstanceUID


def test_a_slice_is_as_full_as_a_real_one() -> None:
    slice_ = study.ct(7, 1)
    content_size = len(content(slice_))
    assert 500_000 < content_size < 560_000
    assert sum(1 for _ in slice_.iterall()) > 170
    assert any(element.tag.is_private and element.VR == "SQ" for element in slice_)


@pytest.mark.parametrize("word", study.IDENTITIES)
def test_every_identity_stands_somewhere(word: str) -> None:
    assert any(word.encode() in data for data in made().values())


def test_the_multiframe_screen_is_as_long_as_asked() -> None:
    one, five = study.screen(1), study.screen(1, frames=5)
    assert len(five.PixelData) == 5 * len(one.PixelData)
    assert five.SOPClassUID == study.TRUE_COLOR_CAPTURE


def test_the_name_is_drawn_into_the_pixels() -> None:
    picture = study.screen(1).pixel_array.astype(int)
    yellow = picture[..., 0] - picture[..., 2] > 60  # the noise is grey
    assert 100 < yellow.sum() < 5000
    assert yellow[:30].sum() == yellow.sum()


def test_the_command_writes_what_it_says(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, study.__file__, tmp_path / "out", "--slices", "2", "--rows", "16"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert len(list((tmp_path / "out").glob("*.dcm"))) == 6
    assert done.stdout.startswith("6 objects")


@pytest.mark.parametrize("option", [("--slices", "0"), ("--rows", "1"), ("--frames", "0")])
def test_the_command_refuses_nonsense(tmp_path: Path, option: tuple[str, str]) -> None:
    done = subprocess.run([sys.executable, study.__file__, tmp_path / "out", *option], check=False, capture_output=True)
    assert done.returncode == 2
    assert not (tmp_path / "out").exists()


@pytest.mark.peers
@pytest.mark.parametrize("frames", [1, 3])
def test_dciodvfy_finds_no_error(tmp_path: Path, program: Callable[[str], str], frames: int) -> None:
    for name, data in study.study(slices=2, rows=32, frames=frames):
        file = tmp_path / name
        study.write(data, file)
        assert errors(program("dciodvfy"), file) == [], name


@pytest.mark.peers
def test_dciodvfy_judges(tmp_path: Path, program: Callable[[str], str]) -> None:
    """The known-bad twin."""
    bad = study.ct(1, 1, rows=16)
    del bad.FrameOfReferenceUID
    study.write(bad, tmp_path / "bad.dcm")
    assert errors(program("dciodvfy"), tmp_path / "bad.dcm")


def errors(dciodvfy: str, file: Path) -> list[str]:
    """What it calls an error."""
    done = subprocess.run([dciodvfy, "-new", file], capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).splitlines()
    assert lines, "dciodvfy said nothing"
    return [line for line in lines if line.startswith("Error")]
