"""Directory records of PS3.3 Annex F: which type an object gets, and which keys each type has (F.5).

* Keys are `Keyword` and a type: 1 must have a value, 2 may be empty, 1C and 3 are written where the object has them.
* Specific Character Set is a key of every record (F.5) and not listed.
* `SUPPLIED` are the keys a File-set Creator may give where the object is silent (PS3.11 D.3.3.1, note).
* Retired record types are not here; private SOP classes have no record that a stranger could read.
"""

from __future__ import annotations

from typing import Final

_ARC: Final = "1.2.840.10008.5.1.4.1.1."

_CONTENT: Final = "InstanceNumber 1, ContentDate 1, ContentTime 1"
_CONTENT_ID: Final = f"{_CONTENT}, ContentLabel 1, ContentDescription 2, ContentCreatorName 2"

_KEYS: Final[dict[str, str]] = {
    "PATIENT": "PatientName 2, PatientID 1",
    "STUDY": "StudyDate 1, StudyTime 1, StudyDescription 2, StudyInstanceUID 1, StudyID 1, AccessionNumber 2",
    "SERIES": "Modality 1, SeriesInstanceUID 1, SeriesNumber 1, SeriesDescription 3",
    "IMAGE": "InstanceNumber 1",
    "RT DOSE": "InstanceNumber 1, DoseSummationType 1, DoseComment 3",
    "RT STRUCTURE SET": "InstanceNumber 1, StructureSetLabel 1, StructureSetDate 2, StructureSetTime 2",
    "RT PLAN": "InstanceNumber 1, RTPlanLabel 1, RTPlanDate 2, RTPlanTime 2",
    "RT TREAT RECORD": "InstanceNumber 1, TreatmentDate 2, TreatmentTime 2",
    "PRESENTATION": (
        "PresentationCreationDate 1, PresentationCreationTime 1, InstanceNumber 1, ContentLabel 1, "
        "ContentDescription 2, ContentCreatorName 2, ReferencedSeriesSequence 1C, BlendingSequence 1C"
    ),
    "WAVEFORM": _CONTENT,
    "SR DOCUMENT": (
        "InstanceNumber 1, CompletionFlag 1, VerificationFlag 1, ContentDate 1, ContentTime 1, "
        "VerificationDateTime 1C, ConceptNameCodeSequence 1, ContentSequence 1C"
    ),
    "KEY OBJECT DOC": ("InstanceNumber 1, ContentDate 1, ContentTime 1, ConceptNameCodeSequence 1, ContentSequence 1C"),
    "SPECTROSCOPY": (
        "ImageType 1, ContentDate 1, ContentTime 1, InstanceNumber 1, ReferencedImageEvidenceSequence 1C, "
        "NumberOfFrames 1, Rows 1, Columns 1, DataPointRows 1, DataPointColumns 1"
    ),
    "RAW DATA": _CONTENT,
    "REGISTRATION": _CONTENT_ID,
    "FIDUCIAL": _CONTENT_ID,
    "HANGING PROTOCOL": (
        "HangingProtocolName 1, HangingProtocolDescription 1, HangingProtocolLevel 1, HangingProtocolCreator 1, "
        "HangingProtocolCreationDateTime 1, HangingProtocolDefinitionSequence 1, NumberOfPriorsReferenced 1, "
        "HangingProtocolUserIdentificationCodeSequence 2"
    ),
    "ENCAP DOC": (
        "ContentDate 2, ContentTime 2, InstanceNumber 1, DocumentTitle 2, HL7InstanceIdentifier 1C, "
        "ConceptNameCodeSequence 2, MIMETypeOfEncapsulatedDocument 1"
    ),
    "VALUE MAP": _CONTENT_ID,
    "STEREOMETRIC": "",
    "PALETTE": "ContentLabel 1, ContentDescription 2",
    "IMPLANT": "Manufacturer 1, ImplantName 1, ImplantSize 1C, ImplantPartNumber 1",
    "IMPLANT ASSY": "ImplantAssemblyTemplateName 1, Manufacturer 1, ProcedureTypeCodeSequence 1",
    "IMPLANT GROUP": "ImplantTemplateGroupName 1, ImplantTemplateGroupIssuer 1",
    "PLAN": "",
    "MEASUREMENT": _CONTENT_ID,
    "SURFACE": _CONTENT_ID,
    "SURFACE SCAN": "ContentDate 1, ContentTime 1",
    "TRACT": _CONTENT_ID,
    "ASSESSMENT": "InstanceNumber 1, InstanceCreationDate 1, InstanceCreationTime 2",
    "RADIOTHERAPY": (
        "InstanceNumber 1, UserContentLabel 1C, UserContentLongLabel 1C, ContentDescription 2, ContentCreatorName 2"
    ),
    "ANNOTATION": _CONTENT_ID,
}

# PS3.11 Table D.3-2, and Table H.3-2 (which Annexes J and M refer to): keys beside those of PS3.3
_BASIC: Final = {"IMAGE": "ImageType 1C, ReferencedImageSequence 1C"}
_IN_SPACE: Final = (
    "ReferencedImageSequence 1C, Rows 1C, Columns 1C, FrameOfReferenceUID 1C, SynchronizationFrameOfReferenceUID 1C, "
    "NumberOfFrames 1C, AcquisitionTimeSynchronized 1C, AcquisitionDateTime 1C, ImagePositionPatient 1C, "
    "ImageOrientationPatient 1C, PixelSpacing 1C"
)
_EXTENDED: Final = {
    "PATIENT": "PatientBirthDate 1C, PatientSex 1C",
    "SERIES": "InstitutionName 1C, InstitutionAddress 1C, PerformingPhysicianName 1C",
    "IMAGE": f"ImageType 1C, CalibrationImage 1C, LossyImageCompressionRatio 1C, {_IN_SPACE}",
    "SPECTROSCOPY": _IN_SPACE,
}

Keys = tuple[tuple[str, str], ...]  # (keyword, type)


def _parsed(text: str) -> Keys:
    return tuple((keyword, kind) for keyword, _, kind in (each.partition(" ") for each in text.split(", ") if each))


KEYS: Final[dict[str, Keys]] = {record: _parsed(text) for record, text in _KEYS.items()}
ADDITIONAL: Final[dict[str, dict[str, Keys]]] = {
    "none": {},
    "basic": {record: _parsed(text) for record, text in _BASIC.items()},
    "extended": {record: _parsed(text) for record, text in _EXTENDED.items()},
}

SUPPLIED: Final = frozenset({"PatientID", "StudyDate", "StudyTime", "StudyID", "SeriesNumber", "InstanceNumber"})

# Records directly beneath the root: they belong to no patient (PS3.3 Table F.4-1)
ROOTED: Final[dict[str, str]] = {
    "1.2.840.10008.5.1.4.38.1": "HANGING PROTOCOL",
    "1.2.840.10008.5.1.4.39.1": "PALETTE",
    "1.2.840.10008.5.1.4.43.1": "IMPLANT",
    "1.2.840.10008.5.1.4.44.1": "IMPLANT ASSY",
    "1.2.840.10008.5.1.4.45.1": "IMPLANT GROUP",
}

# Suffixes beneath the arc of storage classes; a suffix with * stands for all that begin so
_TYPES: Final[dict[str, str]] = {
    "RT DOSE": "481.2",
    "RT STRUCTURE SET": "481.3",
    "RT PLAN": "481.5 481.8",
    "RT TREAT RECORD": "481.4 481.6 481.7 481.9",
    "RADIOTHERAPY": (
        "481.10 481.11 481.12 481.13 481.14 481.15 481.16 481.17 481.18 481.19 481.20 481.21 481.22 481.25"
    ),
    "PRESENTATION": "11.* 131",
    "WAVEFORM": "9.1.* 9.2.* 9.3.* 9.4.* 9.5.* 9.6.* 9.7.* 9.8.*",
    "KEY OBJECT DOC": "88.59",
    "SR DOCUMENT": "88.* 78.6 79.1",
    "SPECTROSCOPY": "4.2",
    "RAW DATA": "66",
    "REGISTRATION": "66.1 66.3",
    "FIDUCIAL": "66.2",
    "SURFACE": "66.5",
    "TRACT": "66.6",
    "VALUE MAP": "67",
    "SURFACE SCAN": "68.*",
    "STEREOMETRIC": "77.1.5.3",
    "MEASUREMENT": "78.1 78.2 78.3 78.4 78.5 78.7 78.8 80.1",
    "ENCAP DOC": "104.*",
    "ASSESSMENT": "90.1",
    "ANNOTATION": "91.1",
}


def record_type(sop_class: str) -> str:
    """The type of the record that refers to an object of this class: IMAGE where PS3.3 has no other."""
    if sop_class in ROOTED:
        return ROOTED[sop_class]
    if sop_class.startswith("1.2.840.10008.5.1.4.34."):
        return "PLAN"  # delivery instructions
    suffix = sop_class.removeprefix(_ARC)
    for record, suffixes in _TYPES.items():
        for each in suffixes.split():
            if suffix == each or (each.endswith("*") and suffix.startswith(each[:-1])):
                return record
    return "IMAGE"
