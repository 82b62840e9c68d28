"""The CSV map: read strictly with every mistake at its line, asked as the de-identifier compares patients."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import GatewayError, HoldObject
from gateway.patients.csvmap import CsvMap, load, read
from transforms.deidentify.patient import Patient, Pseudonym, patient_of, problem
from transforms.errors import TransformError

PLAIN = "patient_id,pseudonym\nMRN1,T42-0001\nMRN2,T42-0002\n"
ISSUED = "issuer,patient_id,pseudonym\nNORTH,1,P-N1\nSOUTH,1,P-S1\nNORTH,2,P-N2\n"


def made(folder: Path, text: str | bytes, *, merge: bool = False) -> tuple[CsvMap | None, list[str]]:
    path = folder / "map.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    found, problems = read(path, merge=merge)
    return found, [str(each).removeprefix(f"{path}:") for each in problems]


def loaded(folder: Path, text: str, *, merge: bool = False) -> CsvMap:
    found, problems = made(folder, text, merge=merge)
    assert found is not None and problems == []
    return found


def held(found: CsvMap, patient: Patient) -> str:
    with pytest.raises(HoldObject) as caught:
        found.find(patient)
    return caught.value.reason


def test_a_map_without_issuers_takes_any(tmp_path: Path) -> None:
    found = loaded(tmp_path, PLAIN)
    assert found.find(Patient(b"MRN1")) == (Patient(b"MRN1"), "T42-0001")
    assert found.find(Patient(b"MRN1", b"NORTH")) == (Patient(b"MRN1"), "T42-0001")
    assert held(found, Patient(b"mrn1")) == held(found, Patient(b"MRN3")) == "patient-unmapped"
    assert "MRN1" not in repr(found) + repr(Patient(b"MRN1"))


def test_a_map_with_issuers_needs_one_where_it_is_ambiguous(tmp_path: Path) -> None:
    found = loaded(tmp_path, ISSUED)
    assert found.find(Patient(b"1", b"NORTH"))[1] == "P-N1"
    assert found.find(Patient(b"1", b"SOUTH"))[1] == "P-S1"
    assert held(found, Patient(b"1")) == "patient-ambiguous"
    assert found.find(Patient(b"2")) == (Patient(b"2", b"NORTH"), "P-N2")
    assert held(found, Patient(b"2", b"SOUTH")) == held(found, Patient(b"3")) == "patient-unmapped"


def test_character_sets_and_padding_are_one_patient(tmp_path: Path) -> None:
    found = loaded(tmp_path, "﻿patient_id,pseudonym\r\n  MÜ 1 ,P1\r\n\r\n")
    for raw, charset in (
        ("MÜ 1".encode("latin-1"), b"ISO_IR 100"),
        ("MÜ 1 ".encode(), b"ISO_IR 192"),
        (b"MU\xcc\x88 1\0", b"ISO_IR 192"),
    ):
        patient = patient_of({0x00080005: charset, 0x00100020: raw})
        assert found.find(patient)[1] == "P1"
    extended = patient_of({0x00080005: b"\\ISO 2022 IR 87", 0x00100020: "MÜ 1".encode()})
    assert held(found, extended) == "charset-undecodable"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["1:1: there is no column patient_id", "1:1: there is no column pseudonym"]),
        ("MRN1,P1\n", ["1:1: the first line names the columns: issuer,patient_id,pseudonym"]),
        ("patient_id;pseudonym\n", ["1:1: the first line names the columns: issuer,patient_id,pseudonym"]),
        ("patient_id,pseudonim\n", ["1:1: the first line names the columns: issuer,patient_id,pseudonym (did you mean "
                                    "'pseudonym'?)"]),
        ("patient_id,patient_id,pseudonym\n", ["1:1: two columns are called patient_id"]),
        ("patient_id,pseudonym\n", ["1:1: the map has no patient"]),
        (PLAIN + "MRN1,T42-0009\n", ["4:1: the patient of line 2 again, with another pseudonym"]),
        (PLAIN + "MRN3,T42-0002\n", ["4:1: the pseudonym of line 3, for another patient; `allow_merge: why` would "
                                     "permit it"]),
        (PLAIN + "MRN3\nMRN4,P4,x\n", ["4:1: 1 values, and 2 columns", "5:1: 3 values, and 2 columns"]),
        (PLAIN + " ,P3\nMRN4,\n", ["4:1: patient_id is empty", "5:1: a pseudonym is not empty"]),
        (ISSUED + ",3,P3\n", ["5:1: issuer is empty"]),
        (PLAIN + f"{'9' * 65},P3\nMRN4,{'P' * 65}\n", ["4:1: patient_id has more than 64 characters",
                                                      "5:1: a pseudonym has at most 64 characters"]),
        (PLAIN + "MRN\\3,P3\nM\x1b4,P4\nM\u20285,P5\n", [
            f"{line}:1: patient_id has a backslash or a control character, which an LO cannot have"
            for line in (4, 5, 6)
        ]),
        (PLAIN + "MRN3,P\\3\nMRN4,DOE^J\nMRN5,Pé\n", [
            f"{line}:1: a pseudonym is of ASCII letters, digits and signs, without backslash, ^, = and ~"
            for line in (4, 5, 6)
        ]),
        (PLAIN + "MRN3,MRN1\n", ["4:1: this pseudonym is a Patient ID of the map: it would lead back to a patient"]),
        (PLAIN + 'MRN3,"P3\n', ["4:1: this line is not CSV: quotes or line ends are wrong"]),
        (PLAIN.encode() + b"MRN\xff,P3\n", ["4:1: a map is UTF-8, and this line is not"]),
    ],
)  # fmt: skip
def test_every_mistake_is_told_with_its_line_and_no_value(
    text: str | bytes, expected: list[str], tmp_path: Path
) -> None:
    found, problems = made(tmp_path, text)
    assert found is None and problems == expected
    assert not any(value in line for line in problems for value in ("MRN", "T42", "DOE"))
    with pytest.raises(GatewayError, match="patient-map-refused"):
        load(tmp_path / "map.csv", merge=False)


def test_a_permitted_merge_and_a_line_twice(tmp_path: Path) -> None:
    found = loaded(tmp_path, PLAIN + "MRN3,T42-0002\nMRN1,T42-0001\n", merge=True)
    assert found.find(Patient(b"MRN3"))[1] == found.find(Patient(b"MRN2"))[1] and len(found) == 3
    assert made(tmp_path, PLAIN + "MRN1,T42-0009\n", merge=True)[0] is None


def test_a_map_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(GatewayError, match=r"gone\.csv:1:1: the map cannot be read: No such file"):
        load(tmp_path / "gone.csv", merge=False)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300) | st.text(alphabet='ab1,"\n\r\x00 é', max_size=200).map(lambda t: t.encode()))
def test_no_file_raises_anything_else_or_gives_a_map_that_could_not_stand(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed.csv"
    path.write_bytes(b"patient_id,pseudonym\n" + data)
    found, problems = read(path, merge=False)
    assert (found is None) == bool(problems)
    if found is not None:
        assert len(found) > 0


@pytest.mark.parametrize("text", ["", " P", "P ", "P\\1", "P^1", "P=1", "P~", "Pé", "P\n", "P\x7f", "P" * 65])
def test_what_cannot_be_a_pseudonym_cannot_be_made(text: str) -> None:
    assert problem(text)
    with pytest.raises(TransformError, match="pseudonym-invalid"):
        Pseudonym(text, Patient(b"1"))


@pytest.mark.parametrize("text", ["P", "T42-0001", "a b.c_d/e:1", "P" * 64])
def test_what_can(text: str) -> None:
    assert problem(text) == "" and Pseudonym(text, Patient(b"1")).text == text
