"""A pseudonym that somebody else chose: written to Patient ID and Patient's Name, for its own patient only."""

from __future__ import annotations

import pytest

from tests.unit.deidentify.building import KEY, Elements, encode, image, parsed
from transforms.dataset.syntax import EXPLICIT_LE, IMPLICIT_LE
from transforms.deidentify.engine import Context, Deidentified, deidentify
from transforms.deidentify.patient import Patient, Pseudonym, read_patient
from transforms.deidentify.profile import compile_profile
from transforms.errors import TransformError
from transforms.source import BytesSource

BOTH = pytest.mark.parametrize("explicit", [True, False])
DOE = Patient(b"MRN4711")


def run(patient: Pseudonym | None, extra: Elements | None = None, explicit: bool = True) -> Deidentified:
    syntax = EXPLICIT_LE if explicit else IMPLICIT_LE
    source = BytesSource(encode(image(extra), explicit))
    return deidentify(source, syntax, compile_profile(), Context(KEY, "test"), patient=patient)


@BOTH
@pytest.mark.parametrize("text", ["T42-0001", "T42-001", "P" * 64])
def test_it_is_what_is_written(text: str, explicit: bool) -> None:
    done = run(Pseudonym(text, DOE), explicit=explicit)
    data = b"".join(done.plan.chunks())
    found = parsed(data, explicit)
    assert found.PatientID == done.patient_id == str(found.PatientName) == text
    assert b"4711" not in data and b"DOE" not in data and len(data) % 2 == 0


def test_nothing_else_changes_by_it() -> None:
    keyed, given = run(None), run(Pseudonym("T42-0001", DOE))
    first, second = (parsed(b"".join(done.plan.chunks())) for done in (keyed, given))
    for name in ("PatientID", "PatientName"):
        assert first[name].value != second[name].value
        del first[name], second[name]
    assert first == second and (keyed.sop_instance, keyed.study) == (given.sop_instance, given.study)


@pytest.mark.parametrize("other", [Patient(b"MRN4712"), Patient(b"MRN4711", b"NORTH"), Patient(b"MRN4711", b"", False)])
def test_it_does_not_get_into_the_object_of_another(other: Patient) -> None:
    with pytest.raises(TransformError) as caught:
        run(Pseudonym("T42-0001", other))
    assert caught.value.reason == "patient-mismatch" and "4711" not in str(caught.value)


@BOTH
@pytest.mark.parametrize(
    "extra",
    [
        {},
        {0x00100020: ("LO", b"  MRN4711\0 ")},
        {0x00100021: ("LO", b"NORTH ")},
        {0x00080005: ("CS", b"ISO_IR 192"), 0x00100020: ("LO", "MÜ\u03081".encode())},
        {0x00080005: ("CS", b"\\ISO 2022 IR 87"), 0x00100020: ("LO", b"\x1b$B;3ED\x1b(B1")},
    ],
)
def test_the_reading_before_and_the_walk_mean_the_same_patient(extra: Elements, explicit: bool) -> None:
    syntax = EXPLICIT_LE if explicit else IMPLICIT_LE
    patient = read_patient(BytesSource(encode(image(extra), explicit)), syntax)
    assert run(Pseudonym("T42-0001", patient), extra, explicit).patient_id == "T42-0001"
    assert patient.text == (b"\x1b" not in patient.patient_id)


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        ({0x00100020: ("LO", b"  ")}, "empty-patient-id"),
        ({0x00100020: ("LO", b"1" * 5000)}, "empty-patient-id"),
        ({0x00100020: ("LO", b"M\xff"), 0x00080005: ("CS", b"ISO_IR 192")}, "charset-undecodable"),
        ({0x00100020: ("LO", b"M\xff"), 0x00080005: ("CS", b"ISO_IR 999")}, "charset-undecodable"),
    ],
)
def test_who_is_nobody_is_held_by_both(extra: Elements, reason: str) -> None:
    for act in (
        lambda: read_patient(BytesSource(encode(image(extra), True)), EXPLICIT_LE),
        lambda: run(None, extra),
    ):
        with pytest.raises(TransformError) as caught:
            act()
        assert caught.value.reason == reason
