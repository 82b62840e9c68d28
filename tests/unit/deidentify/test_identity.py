"""Replacement UIDs and pseudonyms: one meaning everywhere, nothing to be had without the key."""

from __future__ import annotations

import subprocess
import sys
import uuid

import pytest
from pydicom.uid import UID

from tests.unit.deidentify.building import KEY, SC, encode, image, parsed, result, run
from transforms.deidentify.context import Context
from transforms.deidentify.uids import REGISTERED, STORAGE_CLASSES, is_structural, replaced

UIDS = Context(KEY, "test").uids("1")
BOTH = pytest.mark.parametrize("explicit", [True, False])


def test_a_replacement_is_a_valid_uid_of_a_uuid_version_8() -> None:
    seen = set()
    for number in range(10_000):
        made = UIDS(b"1.2.840.99999.%d" % number).decode()
        found = uuid.UUID(int=int(made.removeprefix("2.25.")))
        assert UID(made).is_valid and found.version == 8 and found.variant == uuid.RFC_4122
        seen.add(made)
    assert len(seen) == 10_000


def test_domains_share_nothing() -> None:
    made = {
        Context(key, project).uids(generation)(b"1.2.3")
        for key in (KEY, b"j" * 32)
        for project in ("a", "b")
        for generation in ("1", "2")
    }
    assert len(made) == 8
    one = Context(KEY, "a")
    assert one.pseudonym("patient", b"ab", b"c") != one.pseudonym("patient", b"a", b"bc")
    assert one.pseudonym("patient", b"ab") != one.pseudonym("specimen", b"ab")
    assert one.pseudonym("patient", b"ab") == Context(KEY, "a").pseudonym("patient", b"ab")
    assert "k" * 8 not in repr(one)


def test_structural_uids_stay_and_only_those() -> None:
    for uid in (
        b"1.2.840.10008.5.1.4.1.1.2",
        b"1.2.840.10008.1.2.1",
        b"1.2.840.10008.1.4.1.1",
        b"1.2.840.10008.6.1.19",
    ):
        assert is_structural(uid) and replaced(uid + b"\0" * (len(uid) & 1), UIDS) is None
    for uid in (b"1.2.840.10008.5.1.4.1.1.2.4711", b"1.2.840.10008.4711", b"1.2.840.10008.6.1.47114711", b"SMITH"):
        assert not is_structural(uid) and replaced(uid, UIDS) not in (None, uid)
    assert b"1.2.840.10008.1.3.10" in REGISTERED and "1.2.840.10008.1.3.10" not in STORAGE_CLASSES


def test_values_of_many_components_and_odd_padding() -> None:
    assert replaced(b"1.9\\1.2.840.10008.1.2\\\\1.8\0", UIDS) is not None
    fresh = replaced(b"1.9 \\1.2.840.10008.1.2\\1.9\0", UIDS) or b""
    first, second, third = fresh.rstrip(b"\0").split(b"\\")
    assert first == third == UIDS(b"1.9") and second == b"1.2.840.10008.1.2" and len(fresh) % 2 == 0
    assert replaced(b"", UIDS) is None


@BOTH
def test_references_close_over_a_study(explicit: bool) -> None:
    """What referred to an instance refers to its replacement, at any depth and across objects."""
    instances = [b"1.2.3.4.%d" % number for number in range(20)]
    made = {}
    for uid in instances:
        done = run(encode(image({0x00080018: ("UI", uid)}), explicit), explicit)
        made[uid.decode()] = done.sop_instance
        assert parsed(b"".join(done.plan.chunks()), explicit).SOPInstanceUID == done.sop_instance
    series = {0x0020000E: ("UI", b"1.2.3.2"), 0x00081199: ("SQ", [{0x00081155: ("UI", uid)} for uid in instances])}
    evidence = {0x0040A375: ("SQ", [{0x0020000D: ("UI", b"1.2.3.1"), 0x00081115: ("SQ", [series])}])}
    report = run(encode(image(evidence | {0x00080018: ("UI", b"1.7")}), explicit), explicit)
    dataset = parsed(b"".join(report.plan.chunks()), explicit)
    study = dataset.CurrentRequestedProcedureEvidenceSequence[0]
    assert study.StudyInstanceUID == dataset.StudyInstanceUID == report.study
    assert study.ReferencedSeriesSequence[0].SeriesInstanceUID == dataset.SeriesInstanceUID == report.series
    referred = [item.ReferencedSOPInstanceUID for item in study.ReferencedSeriesSequence[0].ReferencedSOPSequence]
    assert referred == list(made.values()) and len(set(referred)) == 20


def test_one_patient_one_pseudonym() -> None:
    def patient(**change: bytes) -> str:
        tags = {"id": 0x00100020, "issuer": 0x00100021, "charset": 0x00080005, "name": 0x00100010}
        extra = {tags[name]: ("LO", value) for name, value in change.items()}
        done = run(encode(image(extra, SC), True))
        dataset = parsed(b"".join(done.plan.chunks()))
        assert dataset.PatientID == done.patient_id == str(dataset.PatientName)
        assert "IssuerOfPatientID" not in dataset
        return done.patient_id

    assert patient(id=b"4711") == patient(id=b"4711 ") == patient(id=b"4711", name=b"OTHER")
    assert (
        len(
            {
                patient(id=b"4711"),
                patient(id=b"4712"),
                patient(id=b"4711", issuer=b"A"),
                patient(id=b"4711", issuer=b"B"),
            }
        )
        == 4
    )
    # The same identifier in two character sets is the same patient
    assert patient(id="MÜ1".encode("latin-1"), charset=b"ISO_IR 100") == patient(
        id="MÜ1".encode(), charset=b"ISO_IR 192"
    )


def test_the_same_bytes_in_every_process() -> None:
    data = encode(image(), True)
    code = (
        "import sys, hashlib\n"
        "from tests.unit.deidentify.building import result\n"
        "print(hashlib.sha256(result(sys.stdin.buffer.read())).hexdigest())"
    )
    made = {
        subprocess.run(
            [sys.executable, "-c", code],
            input=data,
            capture_output=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        ).stdout
        for seed in ("1", "2")
    }
    import hashlib

    assert made == {hashlib.sha256(result(data)).hexdigest().encode() + b"\n"}


def test_a_second_pass_keeps_references_whole() -> None:
    data = encode(image({0x00081115: ("SQ", [{0x00081155: ("UI", b"1.2.3.4")}])}), True)
    twice = parsed(result(result(data)))
    assert twice.ReferencedSeriesSequence[0].ReferencedSOPInstanceUID == twice.SOPInstanceUID
    assert len(twice.DeidentificationMethodCodeSequence) == 1
