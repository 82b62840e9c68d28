"""Makes a small study with an invented patient: CT slices, an MR, a report (SR), a key object and a screen with a name.

    python examples/study.py OUT [--slices N] [--rows N] [--frames N] [--seed S]

Rules of this file
* Everything is invented, and the same seed gives the same bytes: UIDs are hashes of the seed, pixels a seeded noise.
* The objects are what dciodvfy calls valid, and as full as real ones: a CT has some 180 elements, a private block,
  nested sequences, request attributes.
* The patient's name, ID, birth date and people stand in many places, so that a leak is seen.

What it does not do: no compressed syntaxes, no canaries for each leak class (examples/planted.py).
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

PATIENT = {
    "PatientName": "Mustermann^Erika",
    "PatientID": "MRN-4711-0815",
    "PatientBirthDate": "19640812",
    "PatientSex": "F",
    "PatientAge": "062Y",
    "PatientAddress": "Heidestrasse 17, Koeln",
    "PatientTelephoneNumbers": "+49 221 555 0100",
    "OtherPatientNames": "Gabler^Erika",
}
PEOPLE = {
    "ReferringPhysicianName": "Quacksalber^Quentin",
    "PerformingPhysicianName": "Roentgenow^Rada",
    "OperatorsName": "Knopf^Karl",
    "RequestingPhysician": "Anforder^Anna",
}
ACCESSION = "ACC20260815"
# Words that no pseudonymous object may hold.
IDENTITIES = (
    "Mustermann", "Erika", "4711-0815", "19640812", "Heidestrasse", "555 0100", "Gabler", "Quacksalber", "Roentgenow",
    "Knopf", "Anforder", ACCESSION,
)  # fmt: skip

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
TRUE_COLOR_CAPTURE = "1.2.840.10008.5.1.4.1.1.7.4"
CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
COMPREHENSIVE_SR = "1.2.840.10008.5.1.4.1.1.88.33"
KEY_OBJECT = "1.2.840.10008.5.1.4.1.1.88.59"


def uid(seed: int, *parts: object) -> str:
    """A UID of the arc 2.25 that depends on nothing but its arguments."""
    digest = hashlib.sha256(repr((seed, *parts)).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def code(value: str, scheme: str, meaning: str) -> Dataset:
    """A coded entry (PS3.3 Table 8.8-1)."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def fill(data: Dataset, **values: object) -> Dataset:
    """Set attributes by keyword."""
    for keyword, value in values.items():
        setattr(data, keyword, value)
    return data


def reference(data: Dataset) -> Dataset:
    """A reference to another object (PS3.3 Table 10-11)."""
    return fill(Dataset(), ReferencedSOPClassUID=data.SOPClassUID, ReferencedSOPInstanceUID=data.SOPInstanceUID)


def begin(seed: int, sop_class: str, modality: str, series: int, number: int, *, implicit: bool = False) -> Dataset:
    """What every object of the study has: file meta, patient, study, series, equipment."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    fill(data, **PATIENT)
    fill(
        data,
        SOPClassUID=sop_class,
        SOPInstanceUID=uid(seed, "instance", series, number),
        StudyInstanceUID=uid(seed, "study"),
        SeriesInstanceUID=uid(seed, "series", series),
        StudyID="1",
        StudyDate="20260815",
        StudyTime="101500",
        SeriesDate="20260815",
        SeriesTime=f"10{15 + series:02d}00",
        ContentDate="20260815",
        ContentTime=f"10{15 + series:02d}{number % 60:02d}",
        AccessionNumber=ACCESSION,
        IssuerOfPatientID="ACME",  # in each object: a patient is told by number and issuer
        Modality=modality,
        SeriesNumber=series,
        InstanceNumber=number,
        StudyDescription=f"{modality} TRIAL42 baseline",
        Manufacturer="ACME Imaging",
        ManufacturerModelName="Scanomat 42",
        InstitutionName="St. Erika Hospital",
        InstitutionAddress="Heidestrasse 1, Koeln",
        InstitutionalDepartmentName="Radiology",
        StationName="SCANNER1",
        DeviceSerialNumber="SN-0042",
        SoftwareVersions=["1.0", "2.1"],
        ReferringPhysicianName=PEOPLE["ReferringPhysicianName"],
        SpecificCharacterSet="ISO_IR 100",
    )
    return data


def acquisition(data: Dataset, seed: int) -> None:
    """Request, procedure and people, with the identities that hide in sequences (PS3.3 Table 10-9)."""
    scheduled = code("CTHEAD", "99ACME", "CT head for Erika Mustermann")
    request = fill(
        Dataset(),
        RequestedProcedureID="RP-4711-0815",
        RequestedProcedureDescription="Head, asked for by Dr. Anforder",
        ScheduledProcedureStepID="SPS1",
        ScheduledProcedureStepDescription="Mustermann, head",
        ScheduledProtocolCodeSequence=Sequence([scheduled]),
        AccessionNumber=ACCESSION,
        StudyInstanceUID=uid(seed, "study"),
        ReasonForTheRequestedProcedure="Headache of Erika Mustermann",
    )
    other_id = fill(Dataset(), PatientID="MRN-4711-0815-OLD", IssuerOfPatientID="ACME", TypeOfPatientID="TEXT")
    person = fill(
        Dataset(),
        PersonIdentificationCodeSequence=Sequence([code("42", "99ACME", "Karl Knopf")]),
        InstitutionName="St. Erika Hospital",
    )
    fill(
        data,
        RequestAttributesSequence=Sequence([request]),
        OtherPatientIDsSequence=Sequence([other_id]),
        OperatorIdentificationSequence=Sequence([person]),
        PerformingPhysicianName=PEOPLE["PerformingPhysicianName"],
        OperatorsName=PEOPLE["OperatorsName"],
        RequestingPhysician=PEOPLE["RequestingPhysician"],
        RequestingService="Neurology",
        PatientSize="1.68",
        PatientWeight="61",
        EthnicGroup="unknown",
        Occupation="Model",
        SmokingStatus="NO",
        PregnancyStatus=4,
        AdditionalPatientHistory="Mustermann, Erika: seen in 2019",
        PatientComments="Speaks for herself",
        AdmissionID="ADM-4711-0815",
        PerformedProcedureStepID="PPS1",
        PerformedProcedureStepDescription="Head of E. Mustermann",
        PerformedProcedureStepStartDate="20260815",
        PerformedProcedureStepStartTime="101500",
        PerformedProcedureStepEndDate="20260815",
        PerformedProcedureStepEndTime="102500",
        CommentsOnThePerformedProcedureStep="Patient Mustermann was calm",
        ProcedureCodeSequence=Sequence([code("P5-08001", "SRT", "CT of head")]),
        PerformedProtocolCodeSequence=Sequence([code("CTHEAD", "99ACME", "CT head")]),
        FrameOfReferenceUID=uid(seed, "frame"),
        PositionReferenceIndicator="",
        ProtocolName="Head TRIAL42",
        AcquisitionDate="20260815",
        AcquisitionTime="101530",
        AcquisitionDateTime="20260815101530",
        AcquisitionNumber=1,
        InstanceCreationDate="20260815",
        InstanceCreationTime="101540",
        InstanceCreatorUID=uid(seed, "creator"),
        DateOfLastCalibration="20260801",
        TimeOfLastCalibration="070000",
        ImageComments="Mustermann",
        BodyPartExamined="HEAD",
        PatientPosition="HFS",
    )


def private_block(data: Dataset, seed: int) -> None:
    """A vendor's block: plain text, numbers, a sequence with the patient in it, an opaque value."""
    block = data.private_block(0x0029, "ACME CT 1.0", create=True)
    inner = fill(Dataset(), PatientName=PATIENT["PatientName"], PatientID=PATIENT["PatientID"])
    block.add_new(0x01, "LO", "console of Karl Knopf")
    block.add_new(0x02, "DS", "42.5")
    block.add_new(0x03, "SQ", Sequence([inner]))
    block.add_new(0x04, "UN", b"Mustermann^Erika".ljust(64, b"\0"))
    block.add_new(0x05, "UI", uid(seed, "private"))
    for offset in range(0x20, 0x40):
        block.add_new(offset, "FD", float(offset))


def pixels(data: Dataset, seed: int, number: int, rows: int, *, bits: int = 12) -> None:
    """A noisy disc: MONOCHROME2, 16 bits allocated (PS3.3 C.7.6.3)."""
    chance = np.random.default_rng([seed, number])
    y, x = np.ogrid[-1 : 1 : rows * 1j, -1 : 1 : rows * 1j]
    disc = np.where(x * x + y * y < 0.7, 1100, 20) + chance.integers(0, 60, (rows, rows))
    fill(
        data,
        SamplesPerPixel=1,
        PhotometricInterpretation="MONOCHROME2",
        Rows=rows,
        Columns=rows,
        BitsAllocated=16,
        BitsStored=bits,
        HighBit=bits - 1,
        PixelRepresentation=0,
        PixelData=disc.astype("<u2").tobytes(),
    )


def plane(data: Dataset, number: int, rows: int) -> None:
    """Where the slice lies (PS3.3 C.7.6.2)."""
    spacing = 240 / rows
    fill(
        data,
        PixelSpacing=[f"{spacing:.6f}"] * 2,
        ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
        ImagePositionPatient=[-120, -120, -1.5 * number],
        SliceThickness="1.5",
        SliceLocation=f"{-1.5 * number:.1f}",
    )


def ct(seed: int, number: int, rows: int = 512) -> Dataset:
    """One CT slice, Explicit VR little endian; 512 rows make it 0.5 MB."""
    data = begin(seed, CT_IMAGE, "CT", 1, number)
    acquisition(data, seed)
    plane(data, number, rows)
    dose = fill(Dataset(), ReferencedSOPClassUID=CT_IMAGE, ReferencedSOPInstanceUID=uid(seed, "instance", 1, 1))
    fill(
        data,
        ImageType=["ORIGINAL", "PRIMARY", "AXIAL"],
        SeriesDescription="Head 1.5 H30s, E. Mustermann",
        KVP="120",
        DataCollectionDiameter="500",
        ReconstructionDiameter="240",
        DistanceSourceToDetector="1085.6",
        DistanceSourceToPatient="595",
        GantryDetectorTilt="0",
        TableHeight="150",
        RotationDirection="CW",
        ExposureTime=1000,
        XRayTubeCurrent=200,
        Exposure=200,
        ExposureInuAs=200000,
        FilterType="WEDGE_3",
        GeneratorPower=24,
        FocalSpots="1.2",
        ConvolutionKernel="H30s",
        RevolutionTime=1.0,
        SingleCollimationWidth=0.6,
        TotalCollimationWidth=19.2,
        TableSpeed=23.0,
        TableFeedPerRotation=23.0,
        SpiralPitchFactor=0.55,
        ExposureModulationType="XYZ_EC",
        CTDIvol=42.1,
        EstimatedDoseSaving=12.5,
        ScanOptions="HELICAL",
        ContrastBolusAgent="",
        BurnedInAnnotation="NO",
        LossyImageCompression="00",
        WindowCenter=["40", "600"],
        WindowWidth=["80", "2000"],
        WindowCenterWidthExplanation=["BRAIN", "BONE"],
        RescaleIntercept="-1024",
        RescaleSlope="1",
        RescaleType="HU",
        SmallestImagePixelValue=0,
        LargestImagePixelValue=1200,
        ImagesInAcquisition=100,
        ReferencedImageSequence=Sequence([dose]),
        RequestedProcedureDescription="Head, Mustermann",
        DerivationDescription="none",
    )
    private_block(data, seed)
    pixels(data, seed, number, rows)
    return data


def mr(seed: int, number: int = 1, rows: int = 64) -> Dataset:
    """One MR slice, Implicit VR little endian."""
    data = begin(seed, MR_IMAGE, "MR", 2, number, implicit=True)
    acquisition(data, seed)
    plane(data, number, rows)
    fill(
        data,
        ImageType=["ORIGINAL", "PRIMARY", "M"],
        SeriesDescription="T1 axial",
        ScanningSequence="SE",
        SequenceVariant="NONE",
        ScanOptions="",
        MRAcquisitionType="2D",
        RepetitionTime="500",
        EchoTime="12",
        EchoTrainLength=1,
        MagneticFieldStrength="1.5",
        BurnedInAnnotation="NO",
        WindowCenter="600",
        WindowWidth="1200",
    )
    private_block(data, seed)
    pixels(data, seed, number, rows)
    return data


def screen(seed: int, number: int = 1, rows: int = 240, frames: int = 1) -> Dataset:
    """An ultrasound-like secondary capture: RGB, the patient's name drawn into the pixels."""
    from PIL import Image, ImageDraw

    data = begin(seed, TRUE_COLOR_CAPTURE if frames > 1 else SECONDARY_CAPTURE, "US", 3, number)
    acquisition(data, seed)
    del data.FrameOfReferenceUID, data.PositionReferenceIndicator
    columns = rows * 4 // 3
    chance = np.random.default_rng([seed, number, 3])
    noise = chance.integers(0, 90, (rows, columns, 1)).repeat(3, axis=2).astype("u1")
    picture = Image.fromarray(noise)
    ImageDraw.Draw(picture).text((6, 6), f"MUSTERMANN, ERIKA  {PATIENT['PatientID']}", fill=(255, 255, 0))
    fill(
        data,
        ImageType=["DERIVED", "SECONDARY"],
        SeriesDescription="Screen of the ultrasound unit",
        ConversionType="WSD",
        BurnedInAnnotation="YES",
        SamplesPerPixel=3,
        PhotometricInterpretation="RGB",
        PlanarConfiguration=0,
        PatientOrientation="",
        Rows=rows,
        Columns=columns,
        BitsAllocated=8,
        BitsStored=8,
        HighBit=7,
        PixelRepresentation=0,
        PixelData=picture.tobytes() * frames,
    )
    if frames > 1:
        fill(
            data,
            NumberOfFrames=frames,
            FrameIncrementPointer=0x00181063,
            FrameTime="40",
            LossyImageCompression="00",
        )
    return data


def item(relation: str, kind: str, name: Dataset, **values: object) -> Dataset:
    """A content item (PS3.3 Table C.17.3-1)."""
    return fill(
        Dataset(), RelationshipType=relation, ValueType=kind, ConceptNameCodeSequence=Sequence([name]), **values
    )


def document(data: Dataset, title: Dataset, template: str, images: list[Dataset], content: list[Dataset]) -> Dataset:
    """What SR and KO have in common: root container, template, evidence."""
    series = fill(
        Dataset(),
        SeriesInstanceUID=images[0].SeriesInstanceUID,
        ReferencedSOPSequence=Sequence([reference(image) for image in images]),
    )
    evidence = fill(Dataset(), StudyInstanceUID=data.StudyInstanceUID, ReferencedSeriesSequence=Sequence([series]))
    performed = {"PerformedProcedureCodeSequence": Sequence([])} if data.Modality == "SR" else {}
    return fill(
        data,
        ReferencedPerformedProcedureStepSequence=Sequence([]),
        **performed,
        ValueType="CONTAINER",
        ContinuityOfContent="SEPARATE",
        ConceptNameCodeSequence=Sequence([title]),
        ContentTemplateSequence=Sequence([fill(Dataset(), MappingResource="DCMR", TemplateIdentifier=template)]),
        CurrentRequestedProcedureEvidenceSequence=Sequence([evidence]),
        ContentSequence=Sequence(content),
    )


def report(seed: int, images: list[Dataset], number: int = 1, findings: int = 3) -> Dataset:
    """A Comprehensive SR that speaks of the patient by name (TID 2000 in outline)."""
    data = begin(seed, COMPREHENSIVE_SR, "SR", 4, number)
    fill(data, SeriesDescription="Report", CompletionFlag="COMPLETE", VerificationFlag="VERIFIED")
    observer = fill(
        Dataset(),
        VerifyingObserverName="Befund^Berta",
        VerifyingOrganization="St. Erika Hospital",
        VerificationDateTime="20260815120000",
        VerifyingObserverIdentificationCodeSequence=Sequence([]),
    )
    data.VerifyingObserverSequence = Sequence([observer])
    person = item("HAS OBS CONTEXT", "PNAME", code("121008", "DCM", "Person Observer Name"), PersonName="Befund^Berta")
    language = item(
        "HAS CONCEPT MOD",
        "CODE",
        code("121049", "DCM", "Language of Content Item and Descendants"),
        ConceptCodeSequence=Sequence([code("en", "RFC5646", "English")]),
    )
    texts = [
        item(
            "CONTAINS",
            "TEXT",
            code("121071", "DCM", "Finding"),
            TextValue=f"Mrs. Erika Mustermann (born 1964-08-12, {PATIENT['PatientID']}): no lesion in slice {n + 1}.",
        )
        for n in range(findings)
    ]
    section = item(
        "CONTAINS",
        "CONTAINER",
        code("121070", "DCM", "Findings"),
        ContinuityOfContent="SEPARATE",
        ContentSequence=Sequence(texts),
    )
    image = item(
        "CONTAINS",
        "IMAGE",
        code("121180", "DCM", "Key Images"),
        ReferencedSOPSequence=Sequence([reference(images[0])]),
    )
    title = code("18748-4", "LN", "Diagnostic imaging report")
    return document(data, title, "2000", images[:1], [language, person, section, image])


def key_object(seed: int, images: list[Dataset], number: int = 1) -> Dataset:
    """A Key Object Selection: two images worth a look, and why (TID 2010)."""
    data = begin(seed, KEY_OBJECT, "KO", 5, number)
    fill(data, SeriesDescription="Key images")
    reason = item("CONTAINS", "TEXT", code("113012", "DCM", "Key Object Description"), TextValue="For Dr. Quacksalber")
    chosen = images[:2]
    picks = []
    for image in chosen:
        pick = fill(Dataset(), RelationshipType="CONTAINS", ValueType="IMAGE")
        picks.append(fill(pick, ReferencedSOPSequence=Sequence([reference(image)])))
    return document(data, code("113000", "DCM", "Of Interest"), "2010", chosen, [reason, *picks])


def study(seed: int = 42, slices: int = 8, rows: int = 512, frames: int = 1) -> Iterator[tuple[str, Dataset]]:
    """(file name, object) of the whole study; slices >= 1."""
    images = []
    for number in range(1, slices + 1):
        image = ct(seed, number, rows)
        images.append(reference_only(image))
        yield f"ct-{number:04d}.dcm", image
    yield "mr-0001.dcm", mr(seed)
    yield "report.dcm", report(seed, images)
    yield "key-images.dcm", key_object(seed, images)
    yield "screen.dcm", screen(seed, frames=frames)


def reference_only(data: Dataset) -> Dataset:
    """The UIDs by which others refer to an object, so that its pixels need not stay in memory."""
    keep = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
    return fill(Dataset(), **{keyword: data[keyword].value for keyword in keep})


def write(data: Dataset, path: Path) -> None:
    """A Part 10 file."""
    data.save_as(path, enforce_file_format=True)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="A small study with an invented patient.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--slices", type=int, default=8, help="CT slices (8)")
    parser.add_argument("--rows", type=int, default=512, help="rows and columns of a CT slice (512)")
    parser.add_argument("--frames", type=int, default=1, help="frames of the screen (1)")
    parser.add_argument("--seed", type=int, default=42)
    options = parser.parse_args()
    if options.slices < 1 or options.rows < 8 or options.frames < 1:
        parser.error("at least 1 slice, 8 rows, 1 frame")
    options.out.mkdir(parents=True, exist_ok=True)
    count = 0
    for name, data in study(options.seed, options.slices, options.rows, options.frames):
        write(data, options.out / name)
        count += 1
    print(f"{count} objects of an invented patient in {options.out}")


if __name__ == "__main__":
    main()
