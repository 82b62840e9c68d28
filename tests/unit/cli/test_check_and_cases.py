"""The commands `check` and `test`, as a user runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pydicom
import pytest
import typer
from pydicom.data import get_testdata_file
from typer.testing import CliRunner

from certs.dev import make
from gateway.cli.cases import run_cases
from gateway.cli.check import check

app = typer.Typer()
app.command("check")(check)
app.command("test")(run_cases)
runner = CliRunner()

RULES = """\
version: 1
state: {dir: ./state}
identity: {certificate: certs/gateway.pem, key: certs/gateway.key}
listeners:
  - {id: hospital, dimse: {ae: GATEWAY, port: 2762}, tls: {trust: certs/ca.pem}}
destinations:
  archive: {dimse: {host: localhost, port: 2763, ae: ARCHIVE}, tls: {trust: certs/ca.pem}}
  landing: {folder: {dir: ./landing}}
deidentify:
  trial: {key: file:trial.key}
routes:
  - {id: plain, match: {StudyDescription: as it is}, deliver: landing}
  - {id: trial, match: {Modality: CT}, steps: [{deidentify: trial}], deliver: archive}
  - {id: rest, otherwise: hold, reason: no-route}
cases:
  - name: a CT leaves under a pseudonym
    given: {file: ct.dcm}
    expect:
      route: trial
      removed: [PatientAddress]
      changed: [PatientID, StudyInstanceUID]
      kept: [Modality, Rows]
      pixels: identical
  - name: what is set is seen by rules and steps
    given: {file: ct.dcm, set: {PatientAddress: a street, '(0010,2160)': a group, Rows: 128}}
    expect: {route: trial, removed: [PatientAddress, '(0010,2160)'], kept: [Rows]}
  - name: pass-through keeps all
    given: {file: ct.dcm, set: {StudyDescription: as it is}}
    expect: {route: plain, kept: [PatientID, StudyDescription], pixels: identical}
  - name: no file needed
    given: {set: {Modality: US}}
    expect: {verdict: hold, reason: no-route}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make(tmp_path / "certs")
    (tmp_path / "trial.key").write_bytes(b"a key of the tests, 32 bytes....")
    (tmp_path / "trial.key").chmod(0o600)
    found = get_testdata_file("CT_small.dcm")
    assert isinstance(found, str)
    data = pydicom.dcmread(found)
    data.PatientAddress = "a street"
    data.save_as(tmp_path / "ct.dcm")
    (tmp_path / "gateway.yaml").write_text(RULES)
    return tmp_path


def changed(folder: Path, old: str, new: str) -> str:
    assert old in RULES
    (folder / "gateway.yaml").write_text(RULES.replace(old, new))
    return str(folder / "gateway.yaml")


class TestCheck:
    """`check`: what is wrong, all of it."""

    def test_a_good_file(self, folder: Path) -> None:
        result = runner.invoke(app, ["check", str(folder / "gateway.yaml")])
        assert result.exit_code == 0, result.output
        assert "route trial: -> archive, de-identified as trial" in result.output
        assert "route rest: what no other takes -> hold (no-route)" in result.output
        assert "usable, 0 warnings, rules " in result.output

    def test_json(self, folder: Path) -> None:
        told = json.loads(runner.invoke(app, ["check", "--json", str(folder / "gateway.yaml")]).output)
        assert (told["usable"], told["problems"], len(told["rules_hash"])) == (True, [], 64)
        path = changed(folder, "Modality: CT", "Modalty: CT")
        result = runner.invoke(app, ["check", "--json", path])
        told = json.loads(result.output)
        assert result.exit_code == 1
        assert (told["usable"], told["rules_hash"]) == (False, None)
        assert told["problems"][0]["suggestion"] == "Modality"
        assert (told["problems"][0]["line"], told["problems"][0]["column"]) == (13, 25)

    @pytest.mark.parametrize(
        ("old", "new", "expected"),
        [
            ("certs/gateway.pem", "certs/gone.pem", ":5:59: "),
            ("key: certs/gateway.key", "key: certs/ca.pem", ":5:59: "),
            ("trust: certs/ca.pem}}\ndest", "trust: trial.key}}\ndest", ":5:59: "),
            ("file:trial.key", "file:gone.key", ":10:16: secret-missing"),
            ("file:trial.key", "env:NOT_SET_ANYWHERE", ":10:16: secret-missing: the environment has no NOT_SET"),
            ("./landing", "./ct.dcm/x", ":8:27: cannot be written: "),
            (
                "{key: file:trial.key}",
                "{key: file:trial.key, override: [{at: PatientID, do: keep, why: x}]}",
                ":10:3: override-essential",
            ),
        ],
    )
    def test_what_lies_outside_the_file(self, old: str, new: str, expected: str, folder: Path) -> None:
        result = runner.invoke(app, ["check", changed(folder, old, new)])
        assert result.exit_code == 1
        assert expected in result.output
        assert "a key of the tests" not in result.output

    def test_what_loosens_the_profile_is_shown(self, folder: Path) -> None:
        line = (
            "override: [{at: PatientAge, do: keep, why: x, allow_looser: true}, {at: PatientSex, do: remove, why: y}]"
        )
        result = runner.invoke(
            app, ["check", changed(folder, "{key: file:trial.key}", f"{{key: file:trial.key, {line}}}")]
        )
        assert result.exit_code == 0
        assert [each for each in result.output.splitlines() if "keeps more than the profile" in each and ":10:" in each]
        assert result.output.count("keeps more than the profile") == 1

    def test_an_open_key_is_refused(self, folder: Path) -> None:
        (folder / "trial.key").chmod(0o644)
        result = runner.invoke(app, ["check", str(folder / "gateway.yaml")])
        assert result.exit_code == 1
        assert ":10:16: secret-readable-by-others: " in result.output and "its mode is 0644" in result.output

    def test_every_problem_at_once(self, folder: Path) -> None:
        text = RULES.replace("Modality: CT", "Modalty: CT").replace("port: 2763", "prot: 2763")
        (folder / "gateway.yaml").write_text(text.replace("deliver: archive", "deliver: archiv"))
        result = runner.invoke(app, ["check", str(folder / "gateway.yaml")])
        assert result.exit_code == 1
        for word in ("'Modality'?", "'port'?", "'archive'?"):
            assert word in result.output

    def test_the_modified_profile_is_refused_where_the_platform_cannot_keep_it(self, folder: Path) -> None:
        from gateway.security.tls import profile_problems

        path = changed(folder, "tls: {trust: certs/ca.pem}}\ndest", "tls: {profile: bcp195-rfc9325-modified, trust: certs/ca.pem}}\ndest")  # fmt: skip  # noqa: E501
        result = runner.invoke(app, ["check", path])
        why = profile_problems("bcp195-rfc9325-modified")
        assert result.exit_code == (1 if why else 0)
        assert all(each in result.output for each in why)


class TestCases:
    """`test`: the cases that the file carries."""

    def test_all_pass_and_no_key_is_read(self, folder: Path) -> None:
        (folder / "trial.key").unlink()
        result = runner.invoke(app, ["test", str(folder / "gateway.yaml")])
        assert result.exit_code == 0, result.output
        assert "4 of 4 cases pass" in result.output

    @pytest.mark.parametrize(
        ("old", "new", "expected"),
        [
            ("      route: trial\n", "      route: plain\n", ":19:14: expected route 'plain', got 'trial'"),
            ("removed: [PatientAddress]\n", "removed: [Modality]\n", ":20:17: expected Modality removed, it was kept"),
            ("kept: [Modality, Rows]", "kept: [PatientID]", ":22:14: expected PatientID kept, it was changed"),
            ("removed: [PatientAddress]\n", "removed: [EthnicGroup]\n", "proves nothing"),
            ("given: {file: ct.dcm}", "given: {file: gone.dcm}", ":17:12: case-file: "),
            ("given: {file: ct.dcm}", "given: {file: trial.key}", ":17:12: "),
            ("given: {file: ct.dcm}", "given: {file: ct.dcm, set: {PatientID: null}}", "a step held the object: "),
            (
                "given: {file: ct.dcm}",
                "given: {file: ct.dcm, set: {Rows: many}}",
                "`set` cannot be applied (ValueError)",
            ),
        ],
    )
    def test_what_fails_is_told_with_its_line(self, old: str, new: str, expected: str, folder: Path) -> None:
        result = runner.invoke(app, ["test", "--quiet", changed(folder, old, new)])
        assert result.exit_code == 1, result.output
        assert expected in result.output
        assert "[a CT leaves under a pseudonym]" in result.output
        assert "3 of 4 cases pass" in result.output
        assert "a street" not in result.output

    def test_a_name_with_brackets_is_shown_as_it_is(self, folder: Path) -> None:
        result = runner.invoke(app, ["test", changed(folder, "no file needed", "'[/bold] [x]'")])
        assert result.exit_code == 0, result.output
        assert "[/bold] [x]" in result.output

    def test_a_broken_file_cannot_be_tested(self, folder: Path) -> None:
        result = runner.invoke(app, ["test", changed(folder, "Modality: CT", "Modalty: CT")])
        assert result.exit_code == 2
        assert "unknown attribute 'Modalty'" in result.output
