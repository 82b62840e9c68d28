"""A run of `deid` leaves a signed manifest, and `manifest verify` finds whatever is not as it says."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pydicom
import pytest
from typer.testing import CliRunner

from examples import study
from gateway.cli.main import command_line
from gateway.security import signed

NAMES = ("Mustermann", "Erika")


def run(*arguments: object) -> tuple[int, str]:
    words = [str(each) for each in arguments]
    done = CliRunner().invoke(command_line(words[0]), words)
    return done.exit_code, done.output


@dataclass
class Stage:
    """A study, a key, certificates; `out` and `manifest` of a run over it."""

    folder: Path

    def __post_init__(self) -> None:
        self.originals = self.folder / "study"
        self.certs = self.folder / "certs"
        self.key = self.folder / "project.key"
        self.out = self.folder / "out"
        self.manifest = self.folder / "run.p7m"
        self.signer = (self.certs / "signer.pem", self.certs / "signer.key")

    def prepare(self) -> None:
        self.originals.mkdir()
        for name, data in study.study(slices=3, rows=32):
            study.write(data, self.originals / name)
        assert run("certs", "dev", self.certs)[0] == 0
        self.key.write_bytes(bytes(range(32)))
        self.key.chmod(0o600)
        code, told = self.deid("--manifest", self.manifest, "--sign", *self.signer)
        assert code == 0, told

    def deid(self, *more: object) -> tuple[int, str]:
        return run("deid", "--key-file", self.key, "--out", self.out, "--project", "trial", *more, self.originals)

    def verify(self, *more: object, trust: str = "ca.pem", of: Path | None = None) -> tuple[int, dict]:
        where = ("manifest", "verify", self.manifest, of or self.out, "--trust", self.certs / trust, "--json", *more)
        code, told = run(*where)
        return code, json.loads(told)

    def first(self) -> Path:
        return sorted(self.out.iterdir())[0]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    stage = Stage(tmp_path_factory.mktemp("made"))
    stage.prepare()
    return stage


@pytest.fixture
def stage(made: Stage, tmp_path: Path) -> Stage:
    """The same run, in a folder of its own to spoil."""
    shutil.copytree(made.folder, tmp_path / "stage")
    return Stage(tmp_path / "stage")


def kinds(told: dict) -> list[str]:
    return [each["finding"] for each in told["findings"]]


def test_what_left_is_as_the_manifest_says(made: Stage) -> None:
    code, told = made.verify()
    count = len(list(made.out.iterdir()))
    assert (code, told["intact"], told["objects_intact"], told["findings"]) == (0, True, count, [])
    assert told["totals"]["delivered"] == count > 2


def test_it_names_no_patient_and_no_original(made: Stage) -> None:
    content = made.manifest.read_bytes()
    for each in made.originals.rglob("*.dcm"):
        data = pydicom.dcmread(each, stop_before_pixels=True)
        for value in (data.SOPInstanceUID, data.StudyInstanceUID, data.PatientID, *NAMES):
            assert str(value).encode() not in content
        assert each.name.encode() not in content


def test_a_flipped_byte_is_found_anywhere(stage: Stage) -> None:
    path = stage.first()
    whole = path.read_bytes()
    for place in (0, 131, 400, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        code, told = stage.verify()
        assert (code, kinds(told)) == (3, ["changed"]), place
    path.write_bytes(whole)
    assert stage.verify()[0] == 0


def test_a_missing_and_an_added_object_are_told_apart(stage: Stage) -> None:
    gone = stage.first()
    uid = gone.stem
    gone.unlink()
    (stage.out / "more.dcm").write_bytes(next(stage.originals.rglob("*.dcm")).read_bytes())
    code, told = stage.verify()
    assert code == 3
    assert [(each["finding"], each["sop_instance"]) for each in told["findings"] if each["finding"] == "missing"] == [
        ("missing", uid)
    ]
    assert told["of_other_studies"] == 1 or "added" in kinds(told)


def test_a_second_copy_and_swapped_names_are_found(stage: Stage) -> None:
    one, two, *_ = sorted(stage.out.iterdir())
    shutil.copy(one, stage.out / "copy.dcm")
    assert kinds(stage.verify()[1]) == ["added"]
    (stage.out / "copy.dcm").unlink()
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)
    assert kinds(stage.verify()[1]) == ["swapped", "swapped"]


def test_files_stored_anew_are_known_by_their_data_sets(stage: Stage) -> None:
    path = stage.first()
    whole = path.read_bytes()
    path.write_bytes(b"\x01" * 128 + whole[128:])
    assert stage.verify()[0] == 3
    assert stage.verify("--data-sets")[0] == 0


@pytest.mark.parametrize("what", ["fifo", "folder-link", "text", "empty", "huge-name"])
def test_what_is_no_object_is_told_and_does_not_stop_it(stage: Stage, what: str) -> None:
    strange = stage.out / "strange"
    if what == "fifo":
        os.mkfifo(strange)
    elif what == "folder-link":
        strange.symlink_to(stage.out, target_is_directory=True)
    elif what == "huge-name":
        (stage.out / ("n" * 240)).write_bytes(b"no object")
    else:
        strange.write_bytes(b"" if what == "empty" else b"a text " * 100)
    code, told = stage.verify()
    assert code == 3 or what == "folder-link"
    assert told["objects_intact"] == len(list(stage.out.glob("2.25.*")))


def test_a_changed_manifest_is_not_believed(stage: Stage) -> None:
    data = stage.manifest.read_bytes()
    at = data.index(b'"study":"') + 12
    stage.manifest.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    code, told = stage.verify()
    assert (code, told["intact"]) == (3, False)
    assert "cms-digest" in told["fault"] or "does not" in told["fault"]


def test_who_signed_must_be_trusted(stage: Stage) -> None:
    code, told = stage.verify(trust="gateway.pem")
    assert (code, told["intact"]) == (3, False)


def test_the_certificate_of_tls_signs_no_manifest(stage: Stage) -> None:
    shutil.rmtree(stage.out)
    code, told = stage.deid(
        "--manifest", stage.folder / "two.p7m", "--sign", stage.certs / "gateway.pem", stage.certs / "gateway.key"
    )
    assert code == 2 and "signer-unusable" in told
    assert not stage.out.exists() or not list(stage.out.iterdir())


def test_a_manifest_is_never_written_over(stage: Stage) -> None:
    before = stage.manifest.read_bytes()
    shutil.rmtree(stage.out)
    assert stage.deid("--manifest", stage.manifest, "--sign", *stage.signer)[0] == 2
    assert stage.manifest.read_bytes() == before


def test_a_manifest_without_a_signer_is_refused(stage: Stage) -> None:
    code, told = stage.deid("--manifest", stage.folder / "two.p7m")
    assert code == 2 and "belong together" in told


def test_a_receipt_shows_which_original_it_was(made: Stage) -> None:
    said = signed.verify(made.manifest.read_bytes(), [_anchor(made)], _now()).content
    received = {each["received"] for each in json.loads(said)["objects"]}
    original = sorted(made.originals.rglob("ct-*.dcm"))[0]
    code, told = run("manifest", "receipt", original, "--key", made.key, "--project", "trial")
    assert code == 0 and told.strip() in received
    code, told = run("manifest", "receipt", original, "--key", made.key, "--project", "another")
    assert code == 0 and told.strip() not in received


def test_openssl_reads_it_and_finds_a_flipped_byte(stage: Stage) -> None:
    command = ["openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", stage.manifest]
    command += ["-CAfile", stage.certs / "ca.pem", "-purpose", "any"]
    done = subprocess.run([*map(str, command)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["format"] == "dicom-gateway-manifest/1"
    data = stage.manifest.read_bytes()
    at = data.index(b'"study":"') + 12
    stage.manifest.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    assert subprocess.run([*map(str, command)], capture_output=True, check=False).returncode != 0


def _anchor(stage: Stage):
    from cryptography import x509

    return x509.load_pem_x509_certificate((stage.certs / "ca.pem").read_bytes())


def _now():
    from datetime import UTC, datetime

    return datetime.now(UTC)
