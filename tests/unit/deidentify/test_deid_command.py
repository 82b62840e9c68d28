"""`dicom-gateway deid`, as a user runs it."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import pydicom
import pytest
from typer.testing import CliRunner

from examples import study
from gateway.cli.deid_file import read_profile
from gateway.cli.main import command_line
from gateway.errors import GatewayError
from tests.unit.deidentify.building import CT, Elements, encode, image
from transforms.dataset import part10
from transforms.dataset.syntax import EXPLICIT_LE

NAME = "CANARYNAME"


def file(path: Path, instance: str, **change: bytes) -> Path:
    tags = {"patient": 0x00100020, "sop_class": 0x00080016}
    extra = {tags[name]: ("LO", value) for name, value in change.items()}
    data = encode(image(extra | {0x00080018: ("UI", instance.encode())}), True)
    path.write_bytes(part10.meta(CT, instance, EXPLICIT_LE) + data)
    return path


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "project.key"
    path.write_bytes(bytes(range(40)))
    path.chmod(0o600)
    return path


def deid(key: Path, out: Path, *arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(
        command_line("deid"), ["deid", "--key-file", str(key), "--out", str(out), *map(str, arguments)]
    )
    return done.exit_code, done.output


def test_files_and_folders(tmp_path: Path, key: Path) -> None:
    folder = tmp_path / "in" / f"{NAME}^JANE"
    folder.mkdir(parents=True)
    for number in range(3):
        file(folder / f"{NAME}-{number}.dcm", f"1.2.3.{number}")
    (folder / "readme.txt").write_text("not an object " * 20)
    out, report = tmp_path / "out", tmp_path / "report.json"
    code, told = deid(key, out, "--report", report, tmp_path / "in", file(tmp_path / "four.dcm", "1.2.3.4"))
    assert report.stat().st_mode & 0o777 == 0o600
    assert code == 0 and "4 done" in told and "1 skipped" in told
    found = sorted(out.iterdir())
    assert len(found) == 4 and all(path.name.startswith("2.25.") for path in found)
    for path in found:
        data = pydicom.dcmread(path)
        assert data.SOPInstanceUID == data.file_meta.MediaStorageSOPInstanceUID == path.stem
        assert data.preamble == bytes(128) and data.PatientIdentityRemoved == "YES"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    written = json.loads(report.read_text())
    assert written["outcomes"] == {"done": 4, "skipped": 1}
    assert written["inputs"][0]["methods"] == ["113100"] and written["inputs"][0]["actions"]["U"] == 3
    assert NAME not in report.read_text() + told


def test_large_pixels_pass_unchanged_and_their_tail_does_not(tmp_path: Path, key: Path) -> None:
    """Above the size at which the kernel copies from file to file."""
    pixels = bytes(range(256)) * 4096
    shape: Elements = {0x00280010: ("US", b"\0\4"), 0x00280011: ("US", b"\0\2")}
    data = encode(image(shape | {0x7FE00010: ("OW", pixels + NAME.encode())}), True)
    (tmp_path / "large.dcm").write_bytes(part10.meta(CT, "1.2.3.4", EXPLICIT_LE) + data)
    assert deid(key, tmp_path / "out", tmp_path / "large.dcm")[0] == 0
    made = next((tmp_path / "out").iterdir())
    assert pydicom.dcmread(made).PixelData == pixels and NAME.encode() not in made.read_bytes()


def test_again_is_the_same_and_nothing_is_overwritten(tmp_path: Path, key: Path) -> None:
    one, out = file(tmp_path / "one.dcm", "1.2.3"), tmp_path / "out"
    assert deid(key, out, one)[0] == 0
    made = next(out.iterdir())
    before = made.read_bytes()
    assert deid(key, out, one)[0] == 0
    made.write_bytes(b"another's")
    code, told = deid(key, out, one)
    assert code == 3 and "output-exists" in told and made.read_bytes() == b"another's"
    made.write_bytes(before)
    assert [path.name for path in out.iterdir()] == [made.name]


def test_held_inputs_are_told_by_number_and_reason(tmp_path: Path, key: Path) -> None:
    folder = tmp_path / NAME
    folder.mkdir()
    file(folder / "1.dcm", "1.2.1")
    file(folder / "2.dcm", "1.2.2", patient=b"")
    file(folder / "3.dcm", "1.2.3", sop_class=b"1.3.46.670589.5.0.1.1")
    cut = file(folder / "4.dcm", "1.2.4")
    cut.write_bytes(cut.read_bytes()[:-3])
    out, report = tmp_path / "out", tmp_path / "r.json"
    code, told = deid(key, out, "--report", report, folder)
    assert code == 3 and len(list(out.iterdir())) == 1
    reasons = {line["input"]: line.get("reason") for line in json.loads(report.read_text())["inputs"]}
    assert reasons == {1: None, 2: "empty-patient-id", 3: "private-sop-class", 4: "length-overrun"}
    assert "input 2: held, empty-patient-id" in told and NAME not in told


@pytest.mark.parametrize(
    "arguments",
    [
        ("--option", "clean-everything"),
        ("--option", "clean-recognizable-visual-features"),
        ("--devices", "none.yaml"),
        ("--profile", "nothing"),
        ("--profile", "none.yaml"),
    ],
)
def test_what_cannot_be_done_as_asked(arguments: tuple[str, ...], tmp_path: Path, key: Path) -> None:
    code, _ = deid(key, tmp_path / "out", *arguments, file(tmp_path / "1.dcm", "1.2.3"))
    assert code == 2 and not (tmp_path / "out").exists()


def test_a_missing_or_weak_key(tmp_path: Path) -> None:
    one = file(tmp_path / "1.dcm", "1.2.3")
    weak = tmp_path / "weak.key"
    weak.write_bytes(b"a" * 15)
    assert deid(weak, tmp_path / "out", one)[0] == 2
    assert deid(tmp_path / "none.key", tmp_path / "out", one)[0] == 2
    assert not (tmp_path / "out").exists()


def test_a_profile_file(tmp_path: Path, key: Path) -> None:
    profile = tmp_path / "site.yaml"
    profile.write_text(
        "extends: basic\noverride:\n  - {at: Manufacturer, do: remove, why: small vendors tell the site}\n"
    )
    assert deid(key, tmp_path / "out", "--profile", profile, file(tmp_path / "1.dcm", "1.2.3"))[0] == 0
    assert "Manufacturer" not in pydicom.dcmread(next((tmp_path / "out").iterdir()))
    profile.write_text("extends: basic\noverrides: []\n")
    with pytest.raises(GatewayError, match="overrides"):
        read_profile(str(profile), ())


def test_a_profile_file_names_a_program_that_finds_names(tmp_path: Path, key: Path) -> None:
    """An input whose text it does not answer is held; without text to clean it is refused."""
    data = encode(image({0x0008103E: ("LO", b"Thorax, Zanzibarova"), 0x00080018: ("UI", b"1.2.3")}), True)
    one = tmp_path / "1.dcm"
    one.write_bytes(part10.meta(CT, "1.2.3", EXPLICIT_LE) + data)
    (tmp_path / "find.py").write_text("import json, sys\nfor t in map(json.loads, sys.stdin):\n"
        "    at = t.find('Zanzibarova')\n    print([[at, at + 11]] if at >= 0 else [], flush=True)\n")  # fmt: skip
    profile = tmp_path / "site.yaml"

    def run(name: str, program: str, options: str, *more: object) -> tuple[int, str]:
        program = json.dumps([sys.executable, "-I", program])
        profile.write_text(
            f"options: [{options}]\nnamed_entities: {{command: {program}, timeout: 30s, memory: 2GiB}}\n"
        )
        return deid(key, tmp_path / name, "--profile", profile, *more, one)

    assert run("found", "file:find.py", "clean-descriptors")[0] == 0
    (found,) = (tmp_path / "found").iterdir()
    said = str(pydicom.dcmread(found).SeriesDescription)
    assert "Thorax" in said and "Zanzibarova" not in said
    assert run("option", "file:find.py", "", "--option", "clean-descriptors")[0] == 0
    assert [each.name for each in (tmp_path / "option").iterdir()] == [found.name]
    code, told = run("gone", "file:gone.py", "clean-descriptors")
    assert code == 3 and "hosted-failed" in told and not list((tmp_path / "gone").iterdir())
    code, told = run("needless", "file:find.py", "retain-uids")
    assert code == 2 and "named_entities does nothing" in told and not (tmp_path / "needless").exists()


@pytest.mark.slow
def test_many_processes_give_what_one_gives(tmp_path: Path, key: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(40):
        file(folder / f"{number}.dcm", f"1.2.3.{number}")
    assert deid(key, tmp_path / "one", "--processes", 1, folder)[0] == 0
    assert deid(key, tmp_path / "two", "--processes", 2, folder)[0] == 0
    one, two = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("one", "two"))
    assert one == two and len(one) == 40


def test_references_are_closed_or_listed(tmp_path: Path, key: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    image = study.ct(3, 1, rows=4)
    for name, data in (("image", image), ("report", study.report(3, [image]))):
        data.save_as(folder / f"{name}.dcm", enforce_file_format=True)
    option = ("--option", "clean-structured-content")
    assert deid(key, tmp_path / "both", *option, "--report", tmp_path / "1.json", folder)[0] == 0
    assert json.loads((tmp_path / "1.json").read_text())["references_elsewhere"] == []
    (prior,) = [path.stem for path in (tmp_path / "both").iterdir() if pydicom.dcmread(path).Modality == "CT"]
    code, told = deid(key, tmp_path / "one", *option, "--report", tmp_path / "2.json", folder / "report.dcm")
    assert code == 0 and "1 references lead to objects" in told
    assert json.loads((tmp_path / "2.json").read_text())["references_elsewhere"] == [prior]
