"""A command at a terminal quotes no value: not what a library warns of, and not what it breaks off at."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from tests.system.harness import COMMAND, free_port
from tests.system.senders import ct

CANARY = b"CANARY^MUSTERMANN-7731 "


def image(path: Path, *broken: int, meta: bool = False) -> Path:
    """An image in which these attributes hold a name, or the SOP instance of its file meta does."""
    data = ct(1)
    data.save_as(path, enforce_file_format=True)
    data = dcmread(path)
    raw = path.read_bytes()
    for tag in broken:
        vr = {0x00280030: "DS", 0x00280008: "IS", 0x00180050: "DS", 0x00080018: "UI"}[tag]
        data._dict[Tag(tag)] = RawDataElement(Tag(tag), vr, len(CANARY), CANARY, 0, False, True)
    if broken:
        data.save_as(path)
    if meta:
        uid = str(data.SOPInstanceUID).encode()
        padded = uid + b"\0" * (len(uid) & 1)
        path.write_bytes(raw.replace(padded, CANARY.ljust(len(padded))[: len(padded)], 1))
    return path


def said(*arguments: object) -> tuple[int, str]:
    """(exit status, all that stands on the terminal)."""
    done = subprocess.run([COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_send_says_what_is_wrong_in_its_own_words(tmp_path: Path) -> None:
    image(tmp_path / "a.dcm", meta=True)
    assert CANARY[:10] in (tmp_path / "a.dcm").read_bytes()[:400]
    image(tmp_path / "b.dcm")
    peer = f"127.0.0.1:{free_port()}"
    status, text = said("send", peer, tmp_path, "--called", "ARCHIVE", "--plaintext")
    assert status == 3 and "file meta is incomplete" in text and "connect-failed" in text
    assert "CANARY" not in text


@pytest.mark.parametrize("tag", [0x00280030, 0x00280008, 0x00180050, 0x00080018])
def test_render_says_what_is_wrong_in_its_own_words(tmp_path: Path, tag: int) -> None:
    picture = tmp_path / "out.png"
    annotations = tmp_path / "none.xml"
    annotations.write_text("<nothing/>")
    status, text = said("render", annotations, "--image", image(tmp_path / "a.dcm", tag), "--out", picture)
    assert status in (1, 3) and text.strip() and not picture.exists()
    assert "CANARY" not in text and "Traceback" not in text


@pytest.mark.parametrize("line", ["plain", "for Typer"])
def test_deid_says_what_breaks_it_in_its_own_words(tmp_path: Path, line: str) -> None:
    """A plain line is carried out before anything that logs is imported."""
    (tmp_path / "key").write_bytes(bytes(range(32)))
    (tmp_path / "key").chmod(0o600)
    code = """
import sys, warnings
from gateway.cli import deid, main
def broken(*_):
    warnings.warn("CANARY")
    warnings.warn("CANARY")
    raise ValueError("CANARY")
deid.deidentify_files = broken
if sys.argv.pop(1) == "for Typer":
    from gateway.cli import deid_command
    deid_command.deidentify_files = broken
    sys.argv.append("--processes=1")
sys.argv[1:1] = ["deid", "--key"]
main.run()
"""
    arguments = [line, str(tmp_path / "key"), "--out", str(tmp_path / "out"), str(tmp_path)]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "CANARY" not in done.stdout + done.stderr
    lines = done.stderr.splitlines()
    assert "library-warning kind=UserWarning" in lines[0] and lines[-1].startswith(
        "internal-error error=ValueError at="
    )


def test_warnings_and_faults_are_told_by_their_place_alone() -> None:
    code = """
import logging, warnings
from gateway import logs
logs.terminal()
for _ in range(3):
    warnings.warn("Invalid value: CANARY")
logging.getLogger("pydicom").warning("CANARY")
logging.getLogger("elsewhere").error("CANARY")
raise ValueError("CANARY")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "CANARY" not in done.stdout + done.stderr
    lines = done.stderr.splitlines()
    assert sum("library-warning kind=UserWarning" in line for line in lines) == 1
    assert lines[-1].startswith("internal-error error=ValueError at=")
