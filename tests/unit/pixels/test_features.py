"""A program of the site's takes faces out: what it gets, what is taken from it, and what is not."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from gateway.config.schema import Plugin
from gateway.errors import HoldObject
from gateway.pixels.features import featureless
from tests.unit.pixels.building import NAME, anatomy, data_set, opened
from transforms.dataset.framing import check
from transforms.dataset.syntax import EXPLICIT_LE
from transforms.pixels import forms
from transforms.source import ByteSource, BytesSource

PICTURE = anatomy(40, 50)
READ = "import pathlib; data = bytearray(pathlib.Path('in/0001.dcm').read_bytes()); "
WRITE = "pathlib.Path('out/0001.dcm').write_bytes(data)"
DARK = READ + "data[-2000:-1000] = bytes(1000); " + WRITE


def scratch(data: Iterable[bytes]) -> BytesSource:
    return BytesSource(b"".join(data))


def ran(code: str, folder: Path, made: tuple[ByteSource, str] | None = None) -> ByteSource | None:
    plugin = Plugin(command=(sys.executable, "-I", "-c", code), timeout=20.0, memory=2 << 30)  # type: ignore[arg-type]
    return featureless(*(made or data_set(PICTURE)), plugin, folder / "hosted", scratch)


@pytest.mark.parametrize("uid", [EXPLICIT_LE, forms.RLE, forms.LS])
def test_its_pixels_are_taken(uid: str, tmp_path: Path) -> None:
    source, _ = data_set(PICTURE, uid)
    done = ran(DARK, tmp_path, (source, uid))
    assert done is not None
    index, _, (now,) = opened(done, EXPLICIT_LE)
    wanted = PICTURE.flatten()
    wanted[:1000] = 0
    assert np.array_equal(now.flatten(), wanted)
    first = check(source, uid)
    for tag in first.entries.keys() - {0x7FE00010}:
        assert first.value_bytes(source, tag) == index.value_bytes(done, tag)
    assert not list((tmp_path / "hosted").iterdir()), "nothing is left behind"


def test_it_gets_no_name(tmp_path: Path) -> None:
    told = tmp_path / "told"
    ran(f"{READ} pathlib.Path({str(told)!r}).write_bytes(data); {WRITE}", tmp_path)
    assert (
        b"DOE" not in told.read_bytes() and b"4711" not in told.read_bytes() and NAME.encode() not in told.read_bytes()
    )
    assert PICTURE.tobytes() in told.read_bytes()


def test_what_else_it_writes_is_ignored(tmp_path: Path) -> None:
    code = READ + "data = data.replace(b'ORIGINAL', b'DOE^JANE'); " + WRITE
    done = ran(code, tmp_path)
    assert done is not None and b"ORIGINAL" in done.pread(0, done.size)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("pass", "plugin-answer"),
        (READ + "pathlib.Path('out/0002.dcm').write_bytes(data)", "plugin-answer"),
        (READ + "data = data[:-2]; " + WRITE, "plugin-answer"),
        (READ + "data = b'no object'; " + WRITE, "plugin-answer"),
        (READ + "data += bytes(2 << 20); " + WRITE, "plugin-answer"),
        (READ + "pathlib.Path('out/0001.dcm').symlink_to('../in/0001.dcm')", "plugin-answer"),
        (READ + WRITE + "; pathlib.Path('out/more').mkdir()", "plugin-answer"),
        ("raise SystemExit(3)", "hosted-failed"),
    ],
)
def test_other_answers_are_held(code: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(HoldObject) as told:
        ran(code, tmp_path)
    assert told.value.reason == reason


def test_objects_without_pixels_pass(tmp_path: Path) -> None:
    source, uid = data_set(PICTURE)
    bare = BytesSource(source.pread(0, check(source, uid).entries[0x7FE00010][1]))
    assert ran("raise SystemExit(3)", tmp_path, (bare, uid)) is None
