"""Reads the identifying values of a file with pydicom: the judge of the leak tests, which knows none of our code."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pydicom
from pydicom import Dataset

NAMES = ("PatientName", "PatientID", "OtherPatientIDs", "PatientBirthName", "PatientMotherBirthName", "PatientAddress",
         "PatientTelephoneNumbers", "AccessionNumber", "InstitutionAddress", "ReferringPhysicianName",
         "PerformingPhysicianName", "OperatorsName", "NameOfPhysiciansReadingStudy", "RequestingPhysician",
         "PhysiciansOfRecord", "StationName", "DeviceSerialNumber", "StudyInstanceUID", "SeriesInstanceUID",
         "SOPInstanceUID", "FrameOfReferenceUID", "ReferencedSOPInstanceUID", "PersonName", "VerifyingObserverName",
         "MedicalRecordLocator", "AdmissionID", "RequestAttributesSequence", "StudyComments", "PatientComments",
         "AdditionalPatientHistory", "ImageComments")  # fmt: skip


def identities(data: bytes) -> Iterator[tuple[str, bytes]]:
    """(keyword, raw value) of what identifies, at every depth; values too short or too common to judge are left out."""
    parsed = pydicom.dcmread(io.BytesIO(data), force=True)
    common = b" ".join(str(v).encode() for v in (parsed.get("Manufacturer", ""), parsed.get("SOPClassUID", "")))
    seen = set()
    for keyword, raw in _walk(parsed):
        value = raw.strip(b" \0^=\\")
        if len(value) >= 8 and value not in common and value not in seen and not value.startswith(b"1.2.840.10008."):
            seen.add(value)
            yield keyword, value


def _walk(level: Dataset) -> Iterator[tuple[str, bytes]]:
    for tag in list(level.keys()):
        try:
            element = level[tag]
        except Exception:  # what pydicom cannot read it cannot judge
            continue
        if element.VR == "SQ":
            for item in element.value or ():
                yield from _walk(item)
        elif element.keyword in NAMES:
            raw = element.value
            for one in raw if element.VM > 1 else (raw,):
                original = getattr(one, "original_string", None)
                yield element.keyword, original if isinstance(original, bytes) else str(one or "").encode()
