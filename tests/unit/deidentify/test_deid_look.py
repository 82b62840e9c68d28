"""`deid` over many files: what one object of a study says counts for each of them, in any order, in any process."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from typer.testing import CliRunner

from gateway.cli import deid as command
from gateway.cli import deid_file
from gateway.cli.deid_look import Look, Studies, Told
from gateway.cli.main import command_line
from tests.unit.deidentify.building import CT, Elements, encode, image
from transforms.dataset import part10
from transforms.dataset.syntax import EXPLICIT_LE
from transforms.deidentify.engine import Context
from transforms.deidentify.patient import Patient, keyed

KEY = bytes(range(40))
MANY = 40  # more than one process does alone
Deid = Callable[..., tuple[int, list[str]]]


def write(folder: Path, objects: list[Elements]) -> None:
    folder.mkdir(exist_ok=True)
    for number, each in enumerate(objects):
        instance = f"1.2.3.4.{number}"
        data = encode(image({0x00080018: ("UI", instance.encode())} | each), True)
        (folder / f"{number:04d}.dcm").write_bytes(part10.meta(CT, instance, EXPLICIT_LE) + data)


@pytest.fixture
def deid(tmp_path: Path) -> Deid:
    (tmp_path / "project.key").write_bytes(KEY)
    (tmp_path / "project.key").chmod(0o600)
    runs = iter(range(100))

    def run(*arguments: object) -> tuple[int, list[str]]:
        number = next(runs)
        report = tmp_path / f"{number}.json"
        words = ["deid", "--key", tmp_path / "project.key", "--out", tmp_path / f"out{number}", "--report", report]
        done = CliRunner().invoke(command_line("deid"), [str(each) for each in (*words, *arguments, tmp_path / "in")])
        lines = json.loads(report.read_text())["inputs"]
        return done.exit_code, [line.get("reason") or line["output"] for line in lines]

    return run


NAMES: Elements = {0x00081070: ("PN", b"ZANZIBAROVA^WILMA")}  # Operators' Name: removed
TELLS: Elements = {0x0008103E: ("LO", b"CT seen by Zanzibarova")}  # Series Description: cleaned of what is known
TEXTS = ("--option", "clean-descriptors")


@pytest.mark.parametrize("order", ["name first", "name last"])
@pytest.mark.parametrize(
    ("count", "processes"), [(3, 1), (3, 2), (MANY, 1), (MANY, 2), pytest.param(MANY, 3, marks=pytest.mark.slow)]
)
def test_a_name_of_one_object_is_searched_in_each(
    tmp_path: Path, deid: Deid, order: str, count: int, processes: int
) -> None:
    objects: list[Elements] = [{} for _ in range(count)]
    named, telling = (0, count - 1) if order == "name first" else (count - 1, 0)
    objects[named], objects[telling] = NAMES, TELLS
    write(tmp_path / "in", objects)
    code, told = deid("--processes", processes, *TEXTS)
    assert code == 3 and [number for number, each in enumerate(told) if each == "egress-hit"] == [telling]
    assert sum(each.startswith("2.25.") for each in told) == count - 1


@pytest.mark.parametrize("processes", [1, 2])
def test_without_the_look_it_would_leave(
    tmp_path: Path, deid: Deid, processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin that shows what the test above can see."""
    monkeypatch.setattr(command, "look", lambda number, path, egress: Look())
    monkeypatch.setattr(command, "_look_at", _blind)
    write(tmp_path / "in", [TELLS, *({} for _ in range(MANY - 2)), NAMES])
    code, told = deid("--processes", processes, *TEXTS)
    assert code == 0 and "egress-hit" not in told


def _blind(chunk: tuple[int, list[tuple[Path, bool]]]) -> list[Look]:
    return [Look() for _ in chunk[1]]


@pytest.mark.parametrize("memory", [1, 2, 3, 128])
@pytest.mark.parametrize("named", range(3))
@pytest.mark.parametrize("telling", range(3))
def test_studies_that_memory_does_not_hold_are_read_again(
    tmp_path: Path, deid: Deid, monkeypatch: pytest.MonkeyPatch, memory: int, named: int, telling: int
) -> None:
    """Three studies of four objects, one after the other, then in turn; what one names is looked for in all of it."""
    monkeypatch.setattr(deid_file, "_STUDIES", memory)
    studies = [0, 0, 1, 1, 2, 2, 0, 1, 2, 0, 1, 2]
    objects: list[Elements] = [{0x0020000D: ("UI", b"1.2.9.%d" % study)} for study in studies]
    at = [number for number, study in enumerate(studies) if study == named][-1]
    tells = [number for number, study in enumerate(studies) if study == telling][1]
    objects[at] |= NAMES
    objects[tells] |= TELLS
    write(tmp_path / "in", objects)
    code, told = deid(*TEXTS)
    held = [number for number, each in enumerate(told) if each == "egress-hit"]
    assert held == ([tells] if named == telling else []) and code == (3 if held else 0)


def test_other_studies_are_others(tmp_path: Path, deid: Deid) -> None:
    other: Elements = {0x0020000D: ("UI", b"1.2.9.9")}
    write(tmp_path / "in", [NAMES | other, TELLS])
    assert deid(*TEXTS)[0] == 0


def test_of_a_study_of_one_object_nothing_is_kept() -> None:
    studies = Studies(b"")
    studies.add(Look("1.2.1", b"1", b"", b'[["PATIENT", "X"]]'))
    assert studies.records("1.2.1") == () and studies.records("") == ()
    studies.add(Look("1.2.1", b"1", b"", b""))
    assert studies.records("1.2.1") == (b'[["PATIENT", "X"]]',)
    studies.add(Look())
    assert studies.told(2) == Told(2)


def of(issuer: str, study: str = "1.2.3.1", patient_id: str = "1") -> Elements:
    found: Elements = {0x00100020: ("LO", patient_id.encode()), 0x0020000D: ("UI", study.encode())}
    return found | ({0x00100021: ("LO", issuer.encode())} if issuer else {})


def called(issuer: str, patient_id: str = "1") -> str:
    return keyed(Patient(patient_id.encode(), issuer.encode()), Context(KEY, "deid"))


def left(tmp_path: Path, run: int) -> list[str]:
    return sorted(str(pydicom.dcmread(path).PatientID) for path in (tmp_path / f"out{run}").iterdir())


class TestIssuers:
    @pytest.mark.parametrize("order", [("", "NORTH", ""), ("NORTH", "", ""), ("", "", "NORTH")])
    @pytest.mark.parametrize(("more", "processes"), [(0, 1), (MANY, 1), (MANY, 2)])
    def test_one_that_names_none_is_of_its_study_s(
        self, tmp_path: Path, deid: Deid, order: tuple[str, ...], more: int, processes: int
    ) -> None:
        write(tmp_path / "in", [of(order[0]), *(of("", f"1.2.7.{n}") for n in range(more)), *map(of, order[1:])])
        assert deid("--processes", processes)[0] == 0
        assert left(tmp_path, 0) == sorted([called("NORTH")] * 3 + [called("")] * more)

    @pytest.mark.parametrize("order", [("", "NORTH"), ("NORTH", "")])
    def test_what_was_said_goes_before_the_study(self, tmp_path: Path, deid: Deid, order: tuple[str, ...]) -> None:
        write(tmp_path / "in", list(map(of, order)))
        assert deid("--issuer", "NORTH")[0] == 0
        assert left(tmp_path, 0) == [called("NORTH")] * 2
        assert deid("--issuer", "SOUTH")[1] == ["study-issuer-differs"] * 2

    def test_it_counts_for_studies_that_never_name_one(self, tmp_path: Path, deid: Deid) -> None:
        write(tmp_path / "in", [of(""), of("", "1.2.8", "2")])
        assert deid("--issuer", " NORTH ")[0] == 0
        assert left(tmp_path, 0) == sorted([called("NORTH"), called("NORTH", "2")])

    @pytest.mark.parametrize("order", [("NORTH", "SOUTH", ""), ("", "SOUTH", "NORTH")])
    def test_two_issuers_are_never_one_patient(self, tmp_path: Path, deid: Deid, order: tuple[str, ...]) -> None:
        write(tmp_path / "in", [*map(of, order), of("NORTH", "1.2.8"), of("", patient_id="2")])
        code, told = deid()
        assert code == 3 and told[:3] == ["study-issuer-differs"] * 3
        assert left(tmp_path, 0) == sorted([called("NORTH"), called("", "2")])

    def test_but_a_table_may_say_so(self, tmp_path: Path, deid: Deid) -> None:
        write(tmp_path / "in", list(map(of, ("NORTH", "SOUTH", ""))))
        (tmp_path / "map.csv").write_text("issuer,patient_id,pseudonym\nNORTH,1,P1\nSOUTH,1,P1\n")
        assert deid("--patients", tmp_path / "map.csv", "--allow-merge")[0] == 0
        assert left(tmp_path, 0) == ["P1"] * 3
        (tmp_path / "map.csv").write_text("issuer,patient_id,pseudonym\nNORTH,1,P1\nSOUTH,1,P2\n")
        assert deid("--patients", tmp_path / "map.csv")[1] == ["study-issuer-differs"] * 3

    def test_a_table_knows_it_where_the_object_does_not_say(self, tmp_path: Path, deid: Deid) -> None:
        (tmp_path / "map.csv").write_text("issuer,patient_id,pseudonym\nNORTH,1,P1\nSOUTH,1,P2\n")
        write(tmp_path / "in", [of("")])
        assert deid("--patients", tmp_path / "map.csv")[1] == ["patient-ambiguous"]
        assert deid("--patients", tmp_path / "map.csv", "--issuer", "SOUTH")[0] == 0
        assert left(tmp_path, 1) == ["P2"]

    def test_what_no_issuer_can_be_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "project.key").write_bytes(KEY)
        (tmp_path / "project.key").chmod(0o600)
        write(tmp_path / "in", [of("")])
        words = ["deid", "--key", tmp_path / "project.key", "--out", tmp_path / "out", "--issuer", "A\\B"]
        done = CliRunner().invoke(command_line("deid"), [str(each) for each in (*words, tmp_path / "in")])
        assert done.exit_code == 2 and "an issuer has 1 to 64 characters" in done.output
