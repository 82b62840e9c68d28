"""`check`, `deid --patients --mapping` and `patients`, as a user runs them."""

from __future__ import annotations

import csv
import hashlib
import json
import stat
from pathlib import Path

import pydicom
import pytest
from typer.testing import CliRunner

from gateway.cli.main import command_line
from tests.unit.deidentify.building import CT, Elements, encode, image
from tests.unit.patients.patients_stage import ask, block, officer, patients
from tests.unit.security.pki import Pki
from transforms.dataset import part10
from transforms.dataset.syntax import EXPLICIT_LE

RULES = """\
version: 1
state: {{dir: ./state}}
listeners:
  - {{id: hospital, dimse: {{ae: GATEWAY, port: 2762}}, unsafe_plaintext: a test}}
destinations: {{landing: {{folder: {{dir: ./landing}}}}}}
deidentify:
  trial:
    key: file:trial.key
    {patients}
routes:
  - {{id: trial, match: {{PatientID: {{exists: true}}}}, steps: [{{deidentify: trial}}], deliver: landing}}
  - {{id: rest, otherwise: hold, reason: no-route}}
"""


def run(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(command_line(str(arguments[0])), [str(each) for each in arguments])
    return done.exit_code, done.output


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "trial.key").write_bytes(bytes(range(40)))
    (tmp_path / "trial.key").chmod(0o600)
    (tmp_path / "map.csv").write_text("patient_id,pseudonym\nMRN1,T42-0001\nMRN2,T42-0002\n")
    (tmp_path / "map.csv").chmod(0o600)
    return tmp_path


def rules(folder: Path, patients: str) -> Path:
    (folder / "gateway.yaml").write_text(RULES.format(patients=patients))
    return folder / "gateway.yaml"


def file(path: Path, instance: str, patient: str, extra: Elements | None = None) -> Path:
    path.parent.mkdir(exist_ok=True)
    data = encode(
        image((extra or {}) | {0x00080018: ("UI", instance.encode()), 0x00100020: ("LO", patient.encode())}), True
    )
    path.write_bytes(part10.meta(CT, instance, EXPLICIT_LE) + data)
    return path


class TestCheck:
    def test_what_is_right(self, folder: Path) -> None:
        pki, who = Pki(folder), officer(folder)
        for text in (
            "patients: {by: key}",
            "patients: {by: csv, map: file:map.csv}",
            f"patients: {{by: service, url: https://example.org/trial, tls: {{trust: {pki.ca_file}}}}}",
            f"escrow: {{to: file:{who.certificate}, file: file:escrow.p7}}",
        ):
            code, told = run("check", rules(folder, text))
            assert code == 0 and "usable, 2 warnings" in told, told
        assert not (folder / "state").exists() and not (folder / "escrow.p7").exists()

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("patients: {by: csv}", ":9:15: `by: csv` needs `map: file:PATH`, a table with the columns"),
            ("patients: {by: cvs, map: file:map.csv}", ":9:20: 'cvs' is not one of key, csv, service"),
            ("patients: {map: file:map.csv}", ":9:16: 'map' belongs to `by: csv`; this says `by: key`"),
            ("patients: {by: csv, map: file:map.csv, url: 'https://localhost/'}", ":9:44: 'url' belongs to `by: s"),
            ("patients: {by: service}", ":9:15: `by: service` needs `url: https://example.org/path`"),
            ("patients: {by: service}", ":9:15: `by: service` needs `tls: {trust: ...}`"),
            ("patients: {by: service, url: 'http://localhost/', tls: {trust: x}}", ":9:34: a service is written https://"),
            ("patients: {by: service, url: 'https://localhost:hunter2@h/', tls: {trust: x}}", ":9:34: a service is"),
            ("patients: {by: service, url: 'https://localhost/', tls: {}}", ":9:56: missing key 'trust'"),
            ("patients: {by: service, url: 'https://localhost/', tls: {trust: x, check_host: false}}",
             ":9:72: unknown key 'check_host'"),
            ("patients: {by: service, url: 'https://localhost/', tls: {trust: gone.pem}}", "gone.pem: no such file"),
            ("patients: {by: csv, map: file:map.csv, allow_merge: ' '}", ":9:57: `allow_merge` needs the reason"),
            ("patients: {by: csv, map: file:gone.csv}", "gone.csv:1:1: the map cannot be read: No such file"),
            ("escrow: {to: file:trial.key, file: file:e}", ":9:18: escrow-certificate: "),
            ("escrow: {to: file:gone.pem, file: file:nowhere/e}", ":9:39: cannot be written: "),
            ("escrow: {to: file:gone.pem}", ":9:5: missing key 'file'"),
        ],
    )  # fmt: skip
    def test_what_is_wrong_is_told_at_its_place(self, text: str, expected: str, folder: Path) -> None:
        code, told = run("check", rules(folder, text))
        assert code == 1 and expected in told and "hunter2" not in told, told

    def test_a_wrong_map_is_told_line_by_line(self, folder: Path) -> None:
        (folder / "map.csv").write_text("patient_id,pseudonym\nMRN1,P\nMRN2,P\nMRN3,\n")
        code, told = run("check", rules(folder, "patients: {by: csv, map: file:map.csv}"))
        assert code == 1 and "map.csv:3:1: the pseudonym of line 2" in told and "map.csv:4:1: " in told
        code, told = run("check", rules(folder, "patients: {by: csv, map: file:map.csv, allow_merge: twins}"))
        assert code == 1 and "map.csv:3" not in told and "two patients may leave under one pseudonym" in told

    def test_a_map_that_others_may_read_is_a_warning(self, folder: Path) -> None:
        (folder / "map.csv").chmod(0o644)
        code, told = run("check", rules(folder, "patients: {by: csv, map: file:map.csv}"))
        assert code == 0 and ":9:30: warning: others may read it: its mode is 0644" in told

    def test_it_says_in_json_where_the_map_is_wrong(self, folder: Path) -> None:
        (folder / "map.csv").write_text("x\n")
        told = json.loads(run("check", "--json", rules(folder, "patients: {by: csv, map: map.csv}"))[1])
        assert not told["usable"] and {each["file"] for each in told["problems"]} >= {str(folder / "map.csv")}


class TestDeid:
    def test_a_map(self, folder: Path) -> None:
        for number, patient in enumerate(["MRN1", "MRN2 ", "MRN1", "MRN3", ""]):
            file(folder / "in" / f"{number}.dcm", f"1.2.{number}", patient)
        arguments = ["deid", "--key", folder / "trial.key", "--out", folder / "out", "--patients", folder / "map.csv"]
        code, told = run(*arguments, "--report", folder / "r.json", folder / "in")
        found = [pydicom.dcmread(path) for path in (folder / "out").iterdir()]
        assert code == 3 and sorted(each.PatientID for each in found) == ["T42-0001", "T42-0001", "T42-0002"]
        assert all(str(each.PatientName) == each.PatientID for each in found)
        reasons = [line.get("reason") for line in json.loads((folder / "r.json").read_text())["inputs"]]
        assert reasons == [None, None, None, "patient-unmapped", "empty-patient-id"]
        assert "MRN" not in told

    def test_a_wrong_map_stops_everything(self, folder: Path) -> None:
        one = file(folder / "1.dcm", "1.2", "MRN1")
        (folder / "map.csv").write_text("patient_id,pseudonym\nMRN1,P\nMRN2,P\n")
        arguments = ["deid", "--key", folder / "trial.key", "--out", folder / "out", "--patients", folder / "map.csv"]
        code, told = run(*arguments, one)
        assert code == 2 and "map.csv:3:1" in told and not (folder / "out").exists()
        assert run(*arguments, "--allow-merge", one)[0] == 0

    @pytest.mark.parametrize("processes", [1, 2])
    def test_who_became_whom(self, folder: Path, processes: int) -> None:
        """Every UID of every object is found by its old one; the tables are private, whole and never overwritten."""
        reference = {0x00081115: ("SQ", [{0x00081150: ("UI", CT.encode()), 0x00081155: ("UI", b"1.9.9")}])}
        for number in range(20):
            file(folder / "in" / f"{number}.dcm", f"1.2.{number}", f"MRN{number % 3}", reference)
        file(folder / "in" / "held.dcm", "1.2.99", "")
        arguments = ["deid", "--key", folder / "trial.key", "--out", folder / "out", "--mapping", folder / "who"]
        code, told = run(*arguments, "--processes", processes, folder / "in")
        assert code == 3 and "3 patients and 23 UIDs. These tables identify patients" in told
        tables = {}
        for name in ("patient_id.csv", "uid.csv"):
            path = folder / "who" / name
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            head, *rows = csv.reader(path.read_text().splitlines())
            assert head == ["id_old", "id_new"]
            tables[name] = dict(map(tuple, rows))  # type: ignore[arg-type]
        made = {pydicom.dcmread(path).SOPInstanceUID: pydicom.dcmread(path) for path in (folder / "out").iterdir()}
        for number in range(20):
            found = made[tables["uid.csv"][f"1.2.{number}"]]
            assert found.PatientID == tables["patient_id.csv"][f"MRN{number % 3}"]
            assert found.StudyInstanceUID == tables["uid.csv"]["1.2.3.1"]
            assert found.SeriesInstanceUID == tables["uid.csv"]["1.2.3.2"]
        assert len(tables["uid.csv"]) == 23 and "1.9.9" in tables["uid.csv"] and CT not in tables["uid.csv"]
        assert "1.2.99" not in tables["uid.csv"] and "MRN" not in told
        before = hashlib.sha256((folder / "who" / "uid.csv").read_bytes()).digest()
        code, told = run(*arguments, folder / "in")
        assert code == 2 and "exists already" in told
        assert hashlib.sha256((folder / "who" / "uid.csv").read_bytes()).digest() == before

    def test_nothing_is_mapped_unasked(self, folder: Path) -> None:
        before = set(folder.rglob("*"))
        assert (
            run("deid", "--key", folder / "trial.key", "--out", folder / "out", file(folder / "1.dcm", "1.2", "M"))[0]
            == 0
        )
        assert {path.suffix for path in set(folder.rglob("*")) - before} == {"", ".dcm"}

    @pytest.mark.parametrize(("mode", "data"), [(0o644, bytes(40)), (0o640, bytes(range(40))), (0o600, b"short key")])
    def test_a_key_that_is_no_secret_is_refused(self, folder: Path, mode: int, data: bytes) -> None:
        (folder / "trial.key").write_bytes(data)
        (folder / "trial.key").chmod(mode)
        one = file(folder / "1.dcm", "1.2", "MRN1")
        code, told = run("deid", "--key", folder / "trial.key", "--out", folder / "out", one)
        assert code == 2 and not (folder / "out").exists()
        expected = "secret-too-short" if mode == 0o600 else "secret-readable-by-others"
        assert expected in told
        code, told = run("check", rules(folder, "patients: {by: key}"))
        assert code == 1 and f":8:10: {expected}" in told


class TestOfficer:
    def test_the_way_back(self, folder: Path) -> None:
        who, other = officer(folder), officer(folder, "other")
        table = folder / "escrow.p7"
        found = patients(folder / "state", block(escrow={"to": str(who.certificate), "file": str(table)}))
        made = [ask(found, "MRN1", "NORTH"), ask(found, "MRN2")]
        code, told = run("patients", "open", "--key", who.key, "--cert", who.certificate, table)
        assert code == 0 and list(csv.reader(told.splitlines())) == [
            ["issuer", "patient_id", "project", "pseudonym"],
            ["NORTH", "MRN1", "trial42", made[0]],
            ["", "MRN2", "trial42", made[1]],
        ]
        code, told = run("patients", "open", "--key", other.key, "--cert", other.certificate, table)
        assert code == 1 and "2 rows are damaged, or not for this key" in told and "MRN" not in told
        who.key.chmod(0o644)
        assert run("patients", "open", "--key", who.key, "--cert", who.certificate, table)[0] == 2
        who.key.chmod(0o600)
        for key, certificate, of in (
            (who.certificate, who.certificate, table),
            (who.key, who.key, table),
            (who.key, who.certificate, folder / "gone"),
        ):
            assert run("patients", "open", "--key", key, "--cert", certificate, of)[0] == 2

    def test_keys_have_ids(self, folder: Path) -> None:
        file = rules(folder, "project: trial42")
        code, first = run("patients", "keys", "--config", file)
        assert code == 0 and "trial42" in first and bytes(range(40)).hex()[:16] not in first
        assert run("patients", "keys", "--config", file)[1] == first
        (folder / "trial.key").write_bytes(bytes(range(1, 41)))
        assert run("patients", "keys", "--config", file)[1] != first
        (folder / "trial.key").unlink()
        assert run("patients", "keys", "--config", file)[0] == 2


def test_explain_asks_the_map_and_leaves_no_trace(folder: Path) -> None:
    table = rules(folder, "patients: {by: csv, map: file:map.csv}")
    code, told = run("explain", table, file(folder / "1.dcm", "1.2", "MRN1"))
    assert code == 0 and "route trial" in told and "held" not in told and "MRN1" not in told
    code, told = run("explain", table, file(folder / "2.dcm", "1.3", "MRN7"))
    assert code == 0 and "de-identified as trial: held, patient-unmapped" in told and "MRN7" not in told
    assert not (folder / "state").exists()
