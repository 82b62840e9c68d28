"""`reidentify` as an officer has it: audited before anything is written, nothing half-made, no identity in reasons."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli.main import command_line
from tests.unit.reidentify.officers import NAME, OBJECT, Officers, cleaned, elements, sealed
from transforms.dataset import part10
from transforms.dataset.syntax import EXPLICIT_LE
from transforms.source import BytesSource


@pytest.fixture(scope="module")
def officers(tmp_path_factory: pytest.TempPathFactory) -> Officers:
    return Officers(tmp_path_factory.mktemp("officers"))


def file(folder: Path, data: bytes, name: str = "object.dcm") -> Path:
    done = cleaned()
    path = folder / name
    path.write_bytes(part10.meta(done.sop_class, done.sop_instance, EXPLICIT_LE) + data)
    return path


def run(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(command_line("reidentify"), ["reidentify", *(str(each) for each in arguments)])
    return done.exit_code, " ".join(done.output.split())


def test_an_object_comes_back_and_is_audited(officers: Officers, tmp_path: Path) -> None:
    path, out, trail = file(tmp_path, sealed(officers.first)), tmp_path / "out", tmp_path / "trail.xml"
    status, text = run("--key", officers.first.pair.key, "--out", out, "--audit", trail, path)
    assert (status, text) == (0, "")
    made = (out / "object.dcm").read_bytes()
    found = part10.split(BytesSource(made))
    assert found.sop_instance == "1.2.3.4.5"
    assert elements(BytesSource(made[found.offset :]), found.syntax)[0x00100010].endswith(NAME)
    assert (out / "object.dcm").stat().st_mode & 0o777 == 0o600
    record = trail.read_text()
    assert "REIDENTIFIED" in record
    assert cleaned().sop_instance in record
    assert "1.2.3.4.5" not in record
    assert NAME.decode() not in record
    assert run("--key", officers.first.pair.key, "--out", out, "--audit", trail, path) == (3, f"{path}: output-exists")


def test_nothing_is_opened_where_it_cannot_be_audited(officers: Officers, tmp_path: Path) -> None:
    path, out = file(tmp_path, sealed(officers.first)), tmp_path / "out"
    status, text = run("--key", officers.first.pair.key, "--out", out, "--audit", tmp_path / "no" / "trail", path)
    assert (status, "no such file" in text) == (2, True)
    (tmp_path / "gateway.yaml").write_text("version: 1\n")
    assert run("--key", officers.first.pair.key, "--out", out, "-c", tmp_path / "gateway.yaml", path)[0] == 2
    full = Path("/dev/full")
    if full.exists():
        status, text = run("--key", officers.first.pair.key, "--out", out, "--audit", full, path)
        assert (status, "audit-failed" in text) == (2, True)
    assert list(out.iterdir()) == []


def test_each_object_that_does_not_open_is_told(officers: Officers, tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    good = file(folder, sealed(officers.second), "good")
    plain = file(folder, OBJECT, "plain")
    other = file(folder, sealed(officers.first), "other")
    rubbish = folder / "rubbish"
    rubbish.write_bytes(b"nothing like it" * 20)
    pair = officers.second.pair
    arguments = ("--key", pair.key, "--cert", pair.certificate, "--out", out, "--audit", tmp_path / "trail")
    status, text = run(*arguments, folder)
    assert status == 3
    for path, reason in ((plain, "encrypted-attributes-missing"), (other, "cms-not-for-us"), (rubbish, "not-part10")):
        assert f"{path}: {reason}" in text
    assert [each.name for each in out.iterdir()] == [good.name]
    assert run(*arguments, tmp_path / "missing")[0] == 3
    assert run("--key", rubbish, "--out", out, "--audit", tmp_path / "trail", good)[0] == 2
