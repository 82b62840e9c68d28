"""The objects to plant into: one study of an invented patient in ten kinds, made from examples/study.py.

Rules of this file
* Small: 16 rows of pixels. What a kind is for is its structure: frames, content trees, graphics, documents.
* Every UID holds the patient's record number, as some systems make them; the same number gives the same UIDs.
* The invented patient of examples/study.py is replaced everywhere by the one asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from benchmarks.answers.people import Person
from examples import study

ROWS: Final = 16
PT_IMAGE: Final = "1.2.840.10008.5.1.4.1.1.128"
US_IMAGE: Final = "1.2.840.10008.5.1.4.1.1.6.1"
ENHANCED_MR: Final = "1.2.840.10008.5.1.4.1.1.4.1"
GRAYSCALE_STATE: Final = "1.2.840.10008.5.1.4.1.1.11.1"
DOSE_REPORT: Final = "1.2.840.10008.5.1.4.1.1.88.67"
ENCAPSULATED_PDF: Final = "1.2.840.10008.5.1.4.1.1.104.1"


def root(person: Person) -> str:
    """The arc under which a patient's UIDs stand; nobody has it."""
    return f"1.2.276.99.{person.patient_id.removeprefix('MRN-')}"


def ct(number: int) -> Dataset:
    """A CT slice."""
    return study.ct(0, number, rows=ROWS)


def mr(number: int) -> Dataset:
    """An MR slice in Implicit VR."""
    return study.mr(0, number, rows=ROWS)


def pt(number: int) -> Dataset:
    """A PET slice with its isotope's times."""
    data = ct(number)
    study.fill(data, SOPClassUID=PT_IMAGE, Modality="PT", Units="BQML", DecayCorrection="START", FrameTime="1000")
    data.file_meta.MediaStorageSOPClassUID = PT_IMAGE
    drug = study.fill(Dataset(), RadionuclideHalfLife="6586.2", RadionuclideTotalDose="350000000")
    data.RadiopharmaceuticalInformationSequence = Sequence([drug])
    return data


def us(number: int) -> Dataset:
    """An ultrasound image without burned-in text."""
    data = study.screen(0, number, rows=ROWS)
    data.PixelData = bytes(n * 7 % 251 for n in range(len(data.PixelData)))
    return study.fill(data, SOPClassUID=US_IMAGE, Modality="US", BurnedInAnnotation="NO")


def burned(number: int) -> Dataset:
    """A screen shot with the patient's name in its pixels; make.py draws it."""
    return study.screen(0, number, rows=120)


def enhanced(number: int) -> Dataset:
    """An Enhanced MR of two frames, with functional groups (PS3.3 C.7.6.16)."""
    data = mr(number)
    pixels = data.PixelData
    study.fill(data, SOPClassUID=ENHANCED_MR, NumberOfFrames=2, PixelData=pixels + pixels[::-1])
    measures = study.fill(Dataset(), PixelSpacing=["15", "15"], SliceThickness="1.5")
    shared = study.fill(Dataset(), PixelMeasuresSequence=Sequence([measures]))
    frames = []
    for frame in (1, 2):
        position = study.fill(Dataset(), ImagePositionPatient=["-120", "-120", str(frame)])
        content = study.fill(Dataset(), InStackPositionNumber=frame, StackID="1")
        frames.append(
            study.fill(Dataset(), FrameContentSequence=Sequence([content]), PlanePositionSequence=Sequence([position]))
        )
    study.fill(
        data,
        SharedFunctionalGroupsSequence=Sequence([shared]),
        PerFrameFunctionalGroupsSequence=Sequence(frames),
    )
    return data


def sr(number: int) -> Dataset:
    """A Comprehensive SR."""
    return study.report(0, [ct(1)], number)


def ko(number: int) -> Dataset:
    """A Key Object Selection."""
    return study.key_object(0, [ct(1), ct(2)], number)


def rdsr(number: int) -> Dataset:
    """A radiation dose report in outline (TID 10011): numbers, an event and when it was."""
    data = study.begin(0, DOSE_REPORT, "SR", 7, number)
    study.fill(data, SeriesDescription="Dose", CompletionFlag="COMPLETE", VerificationFlag="UNVERIFIED")
    unit = study.fill(Dataset(), NumericValue="421.5")
    unit.MeasurementUnitsCodeSequence = Sequence([study.code("mGy.cm", "UCUM", "mGy.cm")])
    total = study.item(
        "CONTAINS", "NUM", study.code("113813", "DCM", "CT Dose Length Product Total"),
        MeasuredValueSequence=Sequence([unit]),
    )  # fmt: skip
    return study.document(data, study.code("113701", "DCM", "X-Ray Radiation Dose Report"), "10011", [ct(1)], [total])


def gsps(number: int) -> Dataset:
    """A Grayscale Softcopy Presentation State with text on an image."""
    data = study.begin(0, GRAYSCALE_STATE, "PR", 8, number)
    image = ct(1)
    series = study.fill(
        Dataset(),
        SeriesInstanceUID=image.SeriesInstanceUID,
        ReferencedImageSequence=Sequence([study.reference(image)]),
    )
    text = study.fill(
        Dataset(),
        BoundingBoxAnnotationUnits="DISPLAY",
        UnformattedTextValue="nodule",
        AnchorPoint=[0.5, 0.5],
        AnchorPointVisibility="N",
        AnchorPointAnnotationUnits="DISPLAY",
    )
    layer = study.fill(Dataset(), GraphicLayer="LAYER1", TextObjectSequence=Sequence([text]))
    area = study.fill(
        Dataset(),
        DisplayedAreaTopLeftHandCorner=[1, 1],
        DisplayedAreaBottomRightHandCorner=[ROWS, ROWS],
        PresentationSizeMode="SCALE TO FIT",
    )
    return study.fill(
        data,
        ContentLabel="MARKS",
        ContentDescription="",
        PresentationCreationDate="20260815",
        PresentationCreationTime="120000",
        ContentCreatorName="Befund^Berta",
        ReferencedSeriesSequence=Sequence([series]),
        GraphicAnnotationSequence=Sequence([layer]),
        DisplayedAreaSelectionSequence=Sequence([area]),
        GraphicLayerSequence=Sequence([study.fill(Dataset(), GraphicLayer="LAYER1", GraphicLayerOrder=1)]),
        PresentationLUTShape="IDENTITY",
    )


def pdf(number: int) -> Dataset:
    """An encapsulated document; leaks.py writes the patient into it."""
    data = study.begin(0, ENCAPSULATED_PDF, "DOC", 9, number)
    return study.fill(
        data,
        ConversionType="WSD",
        BurnedInAnnotation="YES",
        DocumentTitle="Letter",
        MIMETypeOfEncapsulatedDocument="application/pdf",
        EncapsulatedDocument=b"%PDF-1.4\n%%EOF\n\n",
    )


KINDS: Final[dict[str, Callable[[int], Dataset]]] = {
    "ct": ct, "mr": mr, "sr": sr, "us": us, "pt": pt, "enhanced": enhanced, "ko": ko, "gsps": gsps, "rdsr": rdsr,
    "pdf": pdf,
}  # fmt: skip
BURNED: Final = "burned"  # apart: whoever does not clean pixels cannot follow its answers


def build(kind: str, number: int, person: Person) -> Dataset:
    """One object of that patient."""
    data = burned(number) if kind == BURNED else KINDS[kind](number)
    series = list(KINDS).index(kind) + 1 if kind in KINDS else 99
    _rename(data, person)
    study.fill(
        data,
        PatientName=person.name,
        PatientID=person.patient_id,
        IssuerOfPatientID=person.issuer,
        PatientBirthDate=person.birth,
        AccessionNumber=person.accession,
        AdmissionID=person.admission,
        InstitutionName=person.institution,
        ReferringPhysicianName=f"{person.physician}^Rex",
        OperatorsName=person.operator,
        PatientTelephoneNumbers=person.telephone[:16],
        StudyInstanceUID=f"{root(person)}.1",
        SeriesInstanceUID=f"{root(person)}.2.{series}",
        SOPInstanceUID=f"{root(person)}.3.{series}.{number}",
    )
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    return data


def _rename(data: Dataset, person: Person) -> None:
    """Put the person where examples/study.py has its own patient, and the date of the study with it."""
    others = {
        "Mustermann": person.family,
        "Erika": person.given,
        "4711-0815": person.patient_id,
        "19640812": person.birth,
        "1964-08-12": person.birth,
        "20260815": person.study_date,
        "Heidestrasse 17, Koeln": person.street,
        "Heidestrasse": person.street,
        "St. Erika Hospital": person.institution,
        "Quacksalber": person.physician,
        "Befund": person.physician,
        "Roentgenow": person.physician,
        "Anforder": person.physician,
        "Knopf": person.operator,
        "Gabler": person.family,
        study.ACCESSION: person.accession,
    }

    def renamed(text: str) -> str:
        for old, new in others.items():
            text = text.replace(old, new)
        return text

    for element in data:
        if element.VR == "SQ":
            for each in element.value:
                _rename(each, person)
        elif element.VR in ("LO", "SH", "LT", "ST", "UT", "PN", "DA", "DT") and element.value:
            single = isinstance(element.value, str) or element.VR == "PN"
            element.value = renamed(str(element.value)) if single else [renamed(str(each)) for each in element.value]
        elif element.VR == "UN" and isinstance(element.value, bytes):
            element.value = renamed(element.value.decode("latin-1")).encode("latin-1")
