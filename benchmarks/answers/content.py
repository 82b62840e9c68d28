"""What the ten kinds hold of a patient in places of their own, and what must stay of each of them.

Rules of this file
* What must stay hangs on the options: without Clean Structured Content a content tree is replaced whole.
* Items that stay come before items that go, so that a path leads to the same item before and after.
* Dates that options keep stay as other dates; birth dates go in any case.
"""

from __future__ import annotations

import hashlib
import json
import random
from typing import Final

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from benchmarks.answers import kinds, leaks, phrases
from benchmarks.answers.plant import Planter, Spot
from examples import study

# In no row of Table E.1-1 and of a modality's own modules: stay under any options
STAY: Final = (
    "SOPClassUID", "Modality", "Manufacturer", "ManufacturerModelName", "InstanceNumber", "SeriesNumber", "ImageType",
    "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "SamplesPerPixel",
    "PhotometricInterpretation", "KVP", "SliceThickness", "PixelSpacing", "ImageOrientationPatient", "SliceLocation",
    "ImagePositionPatient", "RescaleIntercept", "RescaleSlope", "RescaleType", "WindowCenter", "WindowWidth",
    "ConvolutionKernel", "Exposure", "ExposureTime", "XRayTubeCurrent", "FilterType", "BodyPartExamined", "Units",
    "PatientPosition", "ScanningSequence", "RepetitionTime", "EchoTime", "MagneticFieldStrength", "CTDIvol",
    "DecayCorrection", "AcquisitionNumber", "ConversionType", "NumberOfFrames", "CompletionFlag", "ValueType",
    "PresentationLUTShape", "LossyImageCompression", "GantryDetectorTilt", "TableHeight", "SpiralPitchFactor",
)  # fmt: skip
_TYPE_2 = (
    "PatientName", "PatientID", "PatientSex", "PatientBirthDate", "StudyDate", "StudyTime", "StudyID",
    "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip
_DATES = (
    "StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate", "InstanceCreationDate", "StudyTime",
    "PerformedProcedureStepStartDate", "PresentationCreationDate",
)  # fmt: skip
_IMAGES = ("ct", "mr", "us", "pt", "enhanced", kinds.BURNED)
_TREES = ("sr", "ko", "rdsr")
CONTENT, DESCRIPTORS = "clean-structured-content", "clean-descriptors"


def common(planter: Planter, kind: str) -> None:
    """What every object has: what stays, who it is, dates, the patient's characteristics."""
    top, data, person = planter.top, planter.data, planter.person
    planter.keep(top, *STAY)
    planter.stays(top, *_TYPE_2)
    planter.stays(top, "PatientID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", filled=True)
    if kind in _TREES:
        planter.stays(top, "ContentDate", "ContentTime", filled=True)
    if kind == "gsps":
        planter.stays(top, "PresentationCreationDate", "PresentationCreationTime", filled=True)
    planter.note("patid_consistent", top.place(planter.tag("PatientID")), leak="kept: patient")
    planter.gone(top.place(planter.tag("PatientID")), person.patient_id, "identity", "record")
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        planter.uid(top, keyword, data[keyword].value, "UIDs")
    if "FrameOfReferenceUID" in data:
        planter.uid(top, "FrameOfReferenceUID", f"{kinds.root(person)}.4", "UIDs")
    planter.hide("UIDs with a record number", top.place(0x0020000D), kinds.root(person).encode(), vr="UI")
    for label, value in person.known().items():
        if value.encode() in _values(data):
            planter.hide(f"identity: {label}", "anywhere", value.encode())
    # Marks (PS3.15 E.1.1); no input has them
    planter.note("text_retained", top.place(0x00120062), "YES", "marking", tcia_p15="TCIA-P15-MARK")


def dates(planter: Planter, chance: random.Random) -> None:
    """DA, DT with a zone, TM, an age above 89 and dates in items."""
    top, data, person = planter.top, planter.data, planter.person
    for keyword in _DATES:
        if keyword in data and data[keyword].value:
            planter.date(top, keyword, data[keyword].value, "dates")
    moment = f"{person.study_date}1015{chance.randrange(10, 60)}.250000+0100"
    if "AcquisitionDate" in data:
        planter.date(top, "AcquisitionDateTime", moment, "dates")
    data.PatientBirthDate = person.birth
    planter.note("date_shifted", top.place(planter.tag("PatientBirthDate")), leak="dates")
    planter.hide("dates", top.place(planter.tag("PatientBirthDate")), person.birth.encode(), vr="DA")
    step = top.item("RequestAttributesSequence")
    if "ScheduledProcedureStepStartDate" not in step.data:
        step.data.ScheduledProcedureStepStartDate = person.study_date
        planter.note("date_shifted", step.place(planter.tag("ScheduledProcedureStepStartDate")), leak="dates")
    if "RadiopharmaceuticalInformationSequence" in data:
        drug = top.item("RadiopharmaceuticalInformationSequence")
        planter.date(drug, "RadiopharmaceuticalStartDateTime", moment, "dates")
        planter.keep(drug, "RadionuclideHalfLife", "RadionuclideTotalDose")


def characteristics(planter: Planter, chance: random.Random) -> None:
    """Age, size, weight, sex: they stay with the option; an age above 89 does in no case."""
    old = chance.random() < 0.2
    years = chance.randrange(91, 104) if old else chance.randrange(18, 89)
    data, place = planter.data, planter.top.place
    study.fill(data, PatientAge=f"{years:03d}Y", PatientSize="1.68", PatientWeight="61.4", PatientSex="F")
    if old or "retain-patient-characteristics" not in planter.options:
        planter.note("text_removed", place(0x00101010), f"{years:03d}Y", "ages", hipaa_z="HIPAA-C")
    if "retain-patient-characteristics" in planter.options:
        planter.keep(planter.top, "PatientSize", "PatientWeight", "PatientSex", *(() if old else ("PatientAge",)))


def texts(planter: Planter, charset: str = "") -> None:
    """Descriptors with phrases, at the top and in the request; the name in its own script where the header has it."""
    for keyword in (*phrases.SHORT, *phrases.LONG):
        if keyword == "StudyComments" and charset in leaks.NATIVE:
            continue  # below
        longest = 64 if keyword in phrases.SHORT else 400
        made = phrases.phrase(planter.chance, planter.person, longest)
        planter.text(planter.top, keyword, made.text, made.harmless, made.gone, "free text")
    if charset in leaks.NATIVE:
        made = phrases.phrase(planter.chance, planter.person, 400)
        name = planter.person.native[charset]
        gone = (*made.gone, (name, "name"))
        planter.text(
            planter.top, "StudyComments", f"{made.text} ({name})", made.harmless, gone, "free text, own script"
        )
    step = planter.top.item("RequestAttributesSequence")
    for keyword in ("RequestedProcedureDescription", "ScheduledProcedureStepDescription"):
        made = phrases.phrase(planter.chance, planter.person)
        # The sequence itself is removed unless descriptors are cleaned, so nothing of it must stay
        planter.text(step, keyword, made.text, "", made.gone, "free text in items")


def pixels(planter: Planter, kind: str) -> None:
    """The digest of what stays, or the box of what must not."""
    data = planter.data
    if kind == kinds.BURNED:
        _burn(planter)
    elif kind in _IMAGES:
        digest = hashlib.md5(data.PixelData + b"\0" * (len(data.PixelData) & 1)).hexdigest()
        planter.note("pixels_retained", "", digest, "kept: pixels")


def own(planter: Planter, kind: str) -> None:
    """What only this kind has."""
    makers = {"sr": _report, "ko": _key, "rdsr": _dose, "gsps": _state, "pdf": _document, "enhanced": _frames}
    if kind in makers:
        makers[kind](planter)
    if kind in _TREES:
        _evidence(planter)


def _values(data: Dataset) -> bytes:
    return b"\n".join(str(e.value).encode() for e in data.iterall() if e.VR not in ("SQ", "OB", "OW", "UN"))


def _item(planter: Planter, kind: str, name: Dataset, **values: object) -> Spot:
    spot = planter.top.item("ContentSequence", len(planter.data.ContentSequence))
    spot.data.update(study.item("CONTAINS", kind, name, **values))
    return spot


def _tree(planter: Planter, name: Dataset) -> None:
    """A number and a code that stay, then text, name, UID and date that go."""
    person, chance = planter.person, planter.chance
    planter.data.ContentSequence = Sequence([])
    value = study.fill(Dataset(), NumericValue=f"{chance.randrange(10, 99)}.5")
    value.MeasurementUnitsCodeSequence = Sequence([study.code("mm", "UCUM", "mm")])
    number = _item(planter, "NUM", study.code("121206", "DCM", "Distance"), MeasuredValueSequence=Sequence([value]))
    coded = _item(planter, "CODE", name, ConceptCodeSequence=Sequence([study.code("T-28000", "SRT", "Lung")]))
    if CONTENT in planter.options:
        planter.keep(number.item("MeasuredValueSequence"), "NumericValue")
        planter.keep(coded.item("ConceptCodeSequence"), "CodeValue", "CodingSchemeDesignator", "CodeMeaning")
    made = phrases.phrase(chance, person, 400)
    kept = made.harmless if CONTENT in planter.options else ""
    planter.text(_item(planter, "TEXT", name), "TextValue", made.text, kept, made.gone, "content: TEXT")
    words = planter.canary(), planter.canary()
    planter.remove(_item(planter, "PNAME", name), "PersonName", words[0], "content: PNAME")
    planter.uid(_item(planter, "UIDREF", name), "UID", f"{kinds.root(person)}.5.1", "content: UIDREF", mapped=False)
    moment = _item(planter, "DATETIME", name)
    moment.data.DateTime = f"{person.study_date}101500"
    planter.note("date_shifted", moment.place(planter.tag("DateTime")), leak="content: DATETIME")
    section = _item(planter, "CONTAINER", name, ContinuityOfContent="SEPARATE")
    nested = section.item("ContentSequence")
    nested.data.update(study.item("CONTAINS", "PNAME", name))
    planter.remove(nested, "PersonName", words[1], "content: PNAME")


def _report(planter: Planter) -> None:
    _tree(planter, study.code("121071", "DCM", "Finding"))
    observer = planter.top.item("VerifyingObserverSequence")
    planter.remove(observer, "VerifyingObserverName", planter.canary(), "observers")
    planter.remove(observer, "VerifyingOrganization", planter.canary(), "observers", label="place")
    planter.date(observer, "VerificationDateTime", f"{planter.person.study_date}120000", "observers")


def _key(planter: Planter) -> None:
    item = planter.top.item("ContentSequence")
    made = phrases.phrase(planter.chance, planter.person, 400)
    kept = made.harmless if CONTENT in planter.options else ""
    planter.text(item, "TextValue", made.text, kept, made.gone, "content: TEXT")


def _dose(planter: Planter) -> None:
    _tree(planter, study.code("113764", "DCM", "Acquisition"))


def _evidence(planter: Planter) -> None:
    """References of a document lead to the same objects afterwards; registered UIDs stay."""
    person = planter.person
    study_item = planter.top.item("CurrentRequestedProcedureEvidenceSequence")
    planter.uid(study_item, "StudyInstanceUID", f"{kinds.root(person)}.1", "references")
    series = study_item.item("ReferencedSeriesSequence")
    planter.uid(series, "SeriesInstanceUID", f"{kinds.root(person)}.2.1", "references")
    image = series.item("ReferencedSOPSequence")
    planter.uid(image, "ReferencedSOPInstanceUID", f"{kinds.root(person)}.3.1.1", "references")
    planter.keep(image, "ReferencedSOPClassUID")


def _state(planter: Planter) -> None:
    layer = planter.top.item("GraphicAnnotationSequence")
    text = layer.item("TextObjectSequence")
    made = phrases.phrase(planter.chance, planter.person, 200)
    planter.text(text, "UnformattedTextValue", made.text, "", made.gone, "graphics")
    planter.remove(planter.top, "ContentCreatorName", planter.canary(), "observers")
    series = planter.top.item("ReferencedSeriesSequence")
    planter.uid(series, "SeriesInstanceUID", f"{kinds.root(planter.person)}.2.1", "references")
    image = series.item("ReferencedImageSequence")
    planter.uid(image, "ReferencedSOPInstanceUID", f"{kinds.root(planter.person)}.3.1.1", "references")
    planter.keep(image, "ReferencedSOPClassUID")


def _document(planter: Planter) -> None:
    word, title = planter.canary(), planter.canary()
    content = f"%PDF-1.4\n1 0 obj << /Title ({word}) >> endobj\nDear {planter.person.family}\n%%EOF\n".encode()
    planter.data.EncapsulatedDocument = content + b"\0" * (len(content) & 1)
    planter.hide("documents", planter.top.place(0x00420011), word.encode(), vr="OB")
    planter.remove(planter.top, "DocumentTitle", title, "documents")
    planter.stays(planter.top, "EncapsulatedDocument", "MIMETypeOfEncapsulatedDocument", filled=True)


def _frames(planter: Planter) -> None:
    for number in range(2):
        frame = planter.top.item("PerFrameFunctionalGroupsSequence", number)
        content = frame.item("FrameContentSequence")
        moment = f"{planter.person.study_date}1016{30 + number}"
        planter.date(content, "FrameAcquisitionDateTime", moment, "frames")
        made = phrases.phrase(planter.chance, planter.person, 200)
        planter.text(content, "FrameComments", made.text, made.harmless, made.gone, "frames")
        planter.keep(content, "StackID", "InStackPositionNumber")
        planter.keep(frame.item("PlanePositionSequence"), "ImagePositionPatient")
        planter.private(content, 0x0021, "ACME FRAME", 0x01, "LO", planter.canary(), "frames")
    shared = planter.top.item("SharedFunctionalGroupsSequence").item("PixelMeasuresSequence")
    planter.keep(shared, "PixelSpacing", "SliceThickness")


def _burn(planter: Planter) -> None:
    """The patient's name in light letters on a dark ground, in a box that the key tells."""
    from PIL import Image, ImageDraw

    data, person = planter.data, planter.person
    text = f"{person.family.upper()} {person.given.upper()}"
    picture = Image.new("RGB", (data.Columns, data.Rows), (20, 20, 20))
    box = (4, 4, 150, 24)
    ImageDraw.Draw(picture).text((8, 8), text, fill=(255, 255, 255))
    data.PixelData = picture.tobytes()
    told = {"text": text, "top_left": [box[0], box[1]], "bottom_right": [box[2], box[3]]}
    planter.note("pixels_hidden", "", json.dumps(told), "burned in")
