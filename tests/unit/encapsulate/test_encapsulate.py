"""CDA into a DICOM object and out again: the same bytes, a header that says what the document says."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread

from tests.unit.hl7v2.documents import cda
from transforms.conversion import Given
from transforms.encapsulate import ENCAPSULATED_CDA, unwrap, wrap
from transforms.errors import TransformError

NOW = Given(datetime(2026, 11, 26, tzinfo=UTC))
SR = Given(NOW.now, source=("1.2.840.10008.5.1.4.1.1.88.11", "1.2.3.9"))


@settings(max_examples=20)
@given(st.binary(max_size=3))
def test_what_goes_in_comes_out(tail: bytes) -> None:
    document = cda() + b"<!--" + tail.hex().encode() + b"-->"
    assert unwrap(wrap(document, NOW).data, NOW).data == document


def test_the_header_says_what_the_document_says() -> None:
    found = dcmread(BytesIO(wrap(cda(), SR).data))
    assert found.SOPClassUID == ENCAPSULATED_CDA == found.file_meta.MediaStorageSOPClassUID
    assert (str(found.PatientName), found.PatientID, found.PatientSex) == ("Müller-Ødegård^Jane^Q.", "4711", "F")
    assert found.IssuerOfPatientIDQualifiersSequence[0].UniversalEntityID == "1.2.826.0.1.999.2"
    assert (found.StudyInstanceUID, found.AccessionNumber, found.StudyDate) == ("1.2.3.4", "ACC1", "20261126")
    assert (found.ContentTime, found.TimezoneOffsetFromUTC) == ("120000.123456", "+0100")
    assert found.HL7InstanceIdentifier == "1.2.826.0.1.999.1^doc-1"
    assert (found.DocumentTitle, found.MIMETypeOfEncapsulatedDocument) == ("Chest X-Ray", "text/XML")
    assert found.ConceptNameCodeSequence[0].CodeValue == "18748-4"
    assert found.VerificationFlag == "VERIFIED"
    assert found.SourceInstanceSequence[0].ReferencedSOPInstanceUID == "1.2.3.9"


def test_the_same_document_is_the_same_object() -> None:
    assert wrap(cda(), NOW).data == wrap(cda(), NOW).data
    first, other = (dcmread(BytesIO(wrap(each, NOW).data)) for each in (cda(), cda(body="Another.")))
    assert first.SOPInstanceUID != other.SOPInstanceUID
    assert first.SeriesInstanceUID == other.SeriesInstanceUID


@pytest.mark.parametrize("family", ["a\\b^c=d", "x" * 300, "^^^", "&amp;<>"])
def test_hostile_names_stay_one_value(family: str) -> None:
    found = dcmread(BytesIO(wrap(cda(family=family), NOW).data))
    assert len(str(found.PatientName).split("^")[0]) <= 64
    assert str(found.PatientName).split("^")[1] == "Jane"


def test_a_document_of_no_study_is_refused() -> None:
    with pytest.raises(TransformError, match="cda-without-study"):
        wrap(cda().replace(b'<id root="1.2.3.4"/>', b'<id nullFlavor="UNK"/>'), NOW)


def test_another_object_holds_no_document() -> None:
    made = dcmread(BytesIO(wrap(cda(), NOW).data))
    made.SOPClassUID = "1.2.840.10008.5.1.4.1.1.104.1"
    with pytest.raises(TransformError, match="not-encapsulated-cda"):
        unwrap(saved(made), NOW)


@pytest.mark.parametrize("length", [0, 5, 2**32 - 1])
def test_a_length_that_lies_is_refused(length: int) -> None:
    made = dcmread(BytesIO(wrap(cda(), NOW).data))
    made.EncapsulatedDocumentLength = length
    with pytest.raises(TransformError, match="not-encapsulated-cda"):
        unwrap(saved(made), NOW)


def saved(dataset: object) -> bytes:
    out = BytesIO()
    dataset.save_as(out)  # type: ignore[attr-defined]
    return out.getvalue()


def test_others_documents_come_out(shared: Path) -> None:
    made = shared / "corpus" / "tool-made" / "encapsulated_cda_dir.dcm"  # by cda2dcm
    document = unwrap(made.read_bytes(), NOW).data
    assert document == dcmread(made).EncapsulatedDocument.rstrip(b"\0")
    assert unwrap(wrap(document, NOW).data, NOW).data == document


@pytest.mark.peers
@pytest.mark.parametrize("broken", [False, True])
def test_dciodvfy_has_nothing_to_say(broken: bool, tmp_path: Path, program: Callable[[str], str]) -> None:
    made = dcmread(BytesIO(wrap(cda(), SR).data))
    if broken:
        del made.MIMETypeOfEncapsulatedDocument
    made.save_as(tmp_path / "a.dcm")
    said = subprocess.run([program("dciodvfy"), "-new", tmp_path / "a.dcm"], capture_output=True, text=True).stderr
    assert ("Error" in said) is broken, said
