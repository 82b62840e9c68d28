"""Makes objects with one unique canary in every place where an identity is known to hide, for the tests of leaks.

    python examples/planted.py OUT [--seed S]

A canary is a word that stands nowhere else: `planted()` gives each object's bytes with the canaries in it, by the
class of leak. After the Basic Profile (PS3.15 Table E.1-1) none may be left in any encoding: `survivors()` looks.

Rules of this file
* One class, one canary, so that a leak names its place.
* `kept` are canaries where the profile keeps values: they must survive, or a tool that empties all would pass.
* A class is put where real objects have it, also where pydicom would not: the bytes are made by hand then.

What it does not do: burned-in pixels (study.screen), structural damage (the framing tests do that).
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import study
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag


class Planted(NamedTuple):
    """One Part 10 object and what was planted in it."""

    name: str
    content: bytes
    canaries: dict[str, str]  # class of leak -> the word
    kept: dict[str, str]  # place that the profile keeps -> the word


class Canaries:
    """Gives words: capital letters, 12 long (fits SH, legal in every text VR), each from the seed and its class."""

    def __init__(self, seed: int, name: str) -> None:
        self._seed = seed
        self._name = name
        self.words: dict[str, str] = {}

    def __call__(self, leak: str) -> str:
        digest = hashlib.sha256(f"{self._seed}/{self._name}/{leak}".encode()).digest()
        word = "ZQ" + "".join(chr(ord("A") + byte % 26) for byte in digest[:10])
        assert word not in self.words.values() and leak not in self.words
        self.words[leak] = word
        return word

    def digits(self, leak: str) -> str:
        """A canary of 14 digits, for UIDs."""
        number = int.from_bytes(hashlib.sha256(f"{self._seed}/{self._name}/{leak}".encode()).digest()[:7], "big")
        word = f"9{number % 10**13:013d}"
        self.words[leak] = word
        return word


def forms(word: str) -> Iterator[tuple[str, bytes]]:
    """The encodings in which a word may survive."""
    raw = word.encode("ascii")
    yield "plain", raw
    yield "lower", raw.lower()
    yield "utf-16-le", word.encode("utf-16-le")
    yield "utf-16-be", word.encode("utf-16-be")
    yield "reversed", raw[::-1]
    yield "hex", raw.hex().encode()
    yield "HEX", raw.hex().upper().encode()
    for shift in range(3):  # Base64 has three alignments; the inner part is the same in each
        coded = base64.b64encode(b"\0" * shift + raw)
        yield f"base64/{shift}", coded[4:-4] if shift else coded[:-4]


def survivors(output: bytes, canaries: dict[str, str]) -> list[str]:
    """Classes of leak whose canary is in `output`, with the form it has there."""
    return [f"{leak} ({form})" for leak, word in canaries.items() for form, pattern in forms(word) if pattern in output]


def implicit(data: Dataset) -> bytes:
    """A data set as Implicit VR little endian bytes."""
    file = DicomBytesIO()
    file.is_implicit_VR, file.is_little_endian = True, True
    write_dataset(file, data)
    return file.getvalue()


def person(canary: Canaries, leak: str) -> Dataset:
    """An item with a patient in it."""
    return study.fill(Dataset(), PatientName=f"{canary(leak + '/name')}^X", PatientID=canary(leak + "/id"))


def header(data: Dataset, canary: Canaries) -> None:
    """The attributes that everybody thinks of, and those of the file meta information."""
    for keyword in (
        "PatientName", "PatientID", "OtherPatientNames", "PatientMotherBirthName", "PatientAddress", "AdmissionID",
        "AccessionNumber", "ReferringPhysicianName", "PerformingPhysicianName", "OperatorsName", "InstitutionName",
        "InstitutionAddress", "StationName", "DeviceSerialNumber", "StudyID", "RequestingPhysician", "MilitaryRank",
        "PatientReligiousPreference", "CountryOfResidence", "MedicalRecordLocator", "RequestingService",
        "InstitutionalDepartmentName", "IssuerOfPatientID", "PatientInsurancePlanCodeSequence",
    ):  # fmt: skip
        if keyword.endswith("Sequence"):
            setattr(data, keyword, Sequence([study.code("1", "99X", canary("header:" + keyword))]))
        else:
            setattr(data, keyword, canary("header:" + keyword))
    for keyword in (
        "StudyDescription", "SeriesDescription", "ProtocolName", "ImageComments", "PatientComments", "StudyComments",
        "AdditionalPatientHistory", "DerivationDescription", "RequestedProcedureDescription", "Occupation",
        "PerformedProcedureStepDescription", "CommentsOnThePerformedProcedureStep", "AcquisitionComments",
        "AdmittingDiagnosesDescription", "ContrastBolusAgent", "AcquisitionDeviceProcessingDescription",
        "InterpretationText", "SpecialNeeds", "PatientState", "IdentifyingComments", "VisitComments",
    ):  # fmt: skip
        word = canary("text:" + keyword)
        setattr(data, keyword, word if dictionary_VR(keyword) == "SH" else f"seen with {word} today")
    data.file_meta.SourceApplicationEntityTitle = canary("meta:SourceApplicationEntityTitle")
    data.file_meta.ImplementationVersionName = canary("meta:ImplementationVersionName")
    data.file_meta.PrivateInformationCreatorUID = f"1.2.3.{canary.digits('meta:PrivateInformationCreatorUID')}"
    data.file_meta.PrivateInformation = canary("meta:PrivateInformation").encode()


def uids(data: Dataset, canary: Canaries) -> None:
    """UIDs with a record number in them, in their places, in references, in private elements and in text."""
    mrn = canary.digits("uid:MRN")
    data.StudyInstanceUID = f"1.2.276.99.{mrn}.1"
    data.SOPInstanceUID = f"1.2.276.99.{mrn}.2"
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.SeriesInstanceUID = f"1.2.276.99.{mrn}.3"
    data.FrameOfReferenceUID = f"1.2.276.99.{mrn}.4"
    data.IrradiationEventUID = f"1.2.276.99.{mrn}.5"
    data.SourceImageSequence = Sequence([study.reference(data)])
    data.ReferencedStudySequence = Sequence(
        [
            study.fill(
                Dataset(),
                ReferencedSOPClassUID="1.2.840.10008.3.1.2.3.1",
                ReferencedSOPInstanceUID=data.StudyInstanceUID,
            )
        ]
    )


def nested(data: Dataset, canary: Canaries, depth: int = 6) -> None:
    """Patients in sequences: deep ones, those that keep what was before, and UN values that hold a sequence."""
    inner = person(canary, f"nested:depth{depth}")
    for level in range(depth - 1, 0, -1):
        outer = person(canary, f"nested:depth{level}")
        outer.ReferencedImageSequence = Sequence([inner])
        inner = outer
    data.ReferencedImageSequence = Sequence([inner])
    modified = person(canary, "nested:ModifiedAttributes")
    original = study.fill(
        Dataset(),
        ModifiedAttributesSequence=Sequence([modified]),
        AttributeModificationDateTime="20260815",
        ModifyingSystem=canary("nested:ModifyingSystem"),
        SourceOfPreviousValues=canary("nested:SourceOfPreviousValues"),
        ReasonForTheAttributeModification="COERCE",
    )
    data.OriginalAttributesSequence = Sequence([original])
    data.RequestAttributesSequence = Sequence(
        [
            study.fill(
                Dataset(),
                RequestedProcedureID=canary("nested:RequestedProcedureID"),
                ScheduledProcedureStepDescription=canary("nested:SPSDescription"),
            )
        ]
    )
    data.ContentCreatorName = canary("nested:ContentCreatorName")


def encoded_as_un(data: Dataset, canary: Canaries) -> None:
    """PS3.5 6.2.2: an SQ that went through a system which did not know it: VR UN, content Implicit VR."""
    content = implicit(person(canary, "un:sequence"))
    value = struct.pack("<HHI", 0xFFFE, 0xE000, len(content)) + content
    raw(data, 0x00081115, value)
    raw(data, 0x00102160, canary("un:text").encode())


def raw(data: Dataset, tag: int, value: bytes) -> None:
    """An element of VR UN, written as it is: pydicom would look its tag up and mend the VR."""
    data[Tag(tag)] = RawDataElement(Tag(tag), "UN", len(value), value, 0, False, True)


def private(data: Dataset, canary: Canaries) -> None:
    """Private elements of every kind of VR, at several blocks, without a creator too."""
    for group, creator, label in ((0x0009, "ACME ONE", "a"), (0x0029, "ACME TWO", "b"), (0x0029, "ACME SIX", "c")):
        block = data.private_block(group, creator, create=True)
        block.add_new(0x01, "LO", canary(f"private:{label}/LO"))
        block.add_new(0x02, "SQ", Sequence([person(canary, f"private:{label}/SQ")]))
        block.add_new(0x03, "UN", canary(f"private:{label}/UN").encode())
        block.add_new(0x04, "OB", b"\0\1" + canary(f"private:{label}/OB").encode())
        block.add_new(0x05, "UT", canary(f"private:{label}/UT") * 3)
    data.private_block(0x0011, canary("private:creator"), create=True).add_new(0x01, "LO", "x")
    item = Dataset()
    item.private_block(0x0031, "ACME IN ITEM", create=True).add_new(0x01, "PN", canary("private:in-item"))
    data.DerivationCodeSequence = Sequence([study.code("113040", "DCM", "Lossy Compression")])
    data.DerivationCodeSequence[0].update(item)


def retired(data: Dataset, canary: Canaries) -> None:
    """Groups and elements that the dictionary has forgotten, or never knew."""
    for tag, vr in ((0x00080010, "SH"), (0x40000010, "LO"), (0x40004000, "LT")):
        data[Tag(tag)] = DataElement(tag, vr, canary(f"retired:{tag:08X}"))
    for tag in (0x0008F0F1, 0x0010F001, 0x0062F0F1, 0x7F00F010):
        data[Tag(tag)] = DataElement(tag, "UN", canary(f"unknown:{tag:08X}").encode())
    for repeat in range(16):
        group = 0x5000 + 2 * repeat
        data[Tag(group, 0x0022)] = DataElement(Tag(group, 0x0022), "LO", canary(f"curve:{group:04X}/label"))
        data[Tag(group, 0x3000)] = DataElement(Tag(group, 0x3000), "OW", canary(f"curve:{group:04X}/data").encode())
    for repeat in range(16):
        overlay(data, 0x6000 + 2 * repeat, canary)


def overlay(data: Dataset, group: int, canary: Canaries) -> None:
    """A complete overlay plane (PS3.3 C.9.2) whose bits and words are a canary."""
    bits = canary(f"overlay:{group:04X}/data").encode()
    for element, vr, value in (
        (0x0010, "US", 8),
        (0x0011, "US", len(bits)),
        (0x0022, "LO", canary(f"overlay:{group:04X}/description")),
        (0x0040, "CS", "G"),
        (0x0050, "SS", [1, 1]),
        (0x0100, "US", 1),
        (0x0102, "US", 0),
        (0x1500, "LO", canary(f"overlay:{group:04X}/label")),
        (0x3000, "OW", bits),
        (0x4000, "LT", canary(f"overlay:{group:04X}/comments")),
    ):
        data[Tag(group, element)] = DataElement(Tag(group, element), vr, value)


def attachments(data: Dataset, canary: Canaries) -> None:
    """Things that carry a copy of an identity along: icon, signature, encrypted attributes, addresses."""
    icon = study.fill(
        Dataset(),
        SamplesPerPixel=1,
        PhotometricInterpretation="MONOCHROME2",
        Rows=1,
        Columns=12,
        BitsAllocated=8,
        BitsStored=8,
        HighBit=7,
        PixelRepresentation=0,
        PixelData=canary("attachment:IconImageSequence").encode(),
    )
    data.IconImageSequence = Sequence([icon])
    signature = study.fill(
        Dataset(),
        MACIDNumber=1,
        DigitalSignatureUID="2.25.1",
        DigitalSignatureDateTime="20260815",
        CertificateType="X509_1993_SIG",
        CertificateOfSigner=canary("attachment:CertificateOfSigner").encode(),
        Signature=canary("attachment:Signature").encode(),
    )
    data.DigitalSignaturesSequence = Sequence([signature])
    data.MACParametersSequence = Sequence(
        [
            study.fill(
                Dataset(), MACIDNumber=1, MACCalculationTransferSyntaxUID="1.2.840.10008.1.2.1", MACAlgorithm="SHA256"
            )
        ]
    )
    encrypted = study.fill(
        Dataset(),
        EncryptedContentTransferSyntaxUID="1.2.840.10008.1.2.1",
        EncryptedContent=canary("attachment:EncryptedContent").encode(),
    )
    data.EncryptedAttributesSequence = Sequence([encrypted])
    data.RetrieveURL = f"http://localhost/{canary('attachment:RetrieveURL')}"
    data.RetrieveAETitle = canary("attachment:RetrieveAETitle")


def finish(data: Dataset, name: str, canary: Canaries) -> Planted:
    """Bytes, with canaries where no writer puts them: preamble, padding after the last element."""
    data.DataSetTrailingPadding = canary("rim:DataSetTrailingPadding").encode()
    file = io.BytesIO()
    data.preamble = canary("rim:preamble").encode().ljust(128, b"\0")
    data.save_as(file, enforce_file_format=True)
    words = canary.words
    kept = {place: words.pop(place) for place in list(words) if place.startswith("kept:")}
    return Planted(name, file.getvalue(), words, kept)


def image(seed: int, *, implicit_vr: bool) -> Planted:
    """A CT or MR with every class of leak that an image has."""
    name = "planted-implicit" if implicit_vr else "planted-explicit"
    canary = Canaries(seed, name)
    data = study.mr(seed, rows=16) if implicit_vr else study.ct(seed, 1, rows=16)
    header(data, canary)
    uids(data, canary)
    nested(data, canary)
    if not implicit_vr:  # Implicit VR has no UN on the wire
        encoded_as_un(data, canary)
    private(data, canary)
    retired(data, canary)
    attachments(data, canary)
    data.PixelData += canary("rim:PixelData-past-the-frame").encode()
    if not implicit_vr:
        data.ConvolutionKernel = canary("kept:ConvolutionKernel")
    data.FilterMaterial = canary("kept:FilterMaterial")[:16]
    return finish(data, name, canary)


def document(seed: int) -> Planted:
    """An SR with identities in text, names, UIDs, dates and codes of its content."""
    canary = Canaries(seed, "planted-sr")
    base = study.ct(seed, 1, rows=16)
    data = study.report(seed, [base])
    header(data, canary)
    name = study.code("121071", "DCM", "Finding")
    coded = study.code("1", "99X", canary("sr:CodeMeaning"))
    data.ContentSequence.extend(
        [
            study.item("CONTAINS", "TEXT", name, TextValue=f"Mr. {canary('sr:TEXT')} feels well"),
            study.item("CONTAINS", "PNAME", name, PersonName=canary("sr:PNAME")),
            study.item("CONTAINS", "UIDREF", name, UID=f"1.2.3.{canary.digits('sr:UIDREF')}"),
            study.item("CONTAINS", "CODE", name, ConceptCodeSequence=Sequence([coded])),
        ]
    )
    observer = data.VerifyingObserverSequence[0]
    observer.VerifyingObserverName = canary("sr:VerifyingObserverName")
    observer.VerifyingOrganization = canary("sr:VerifyingOrganization")
    private(data, canary)
    return finish(data, "planted-sr", canary)


def planted(seed: int = 42) -> list[Planted]:
    """All of them."""
    return [image(seed, implicit_vr=False), image(seed, implicit_vr=True), document(seed)]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Objects with a canary in every place where an identity may hide.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=42)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for each in planted(options.seed):
        (options.out / f"{each.name}.dcm").write_bytes(each.content)
        print(f"{each.name}: {len(each.content)} bytes, {len(each.canaries)} canaries")


if __name__ == "__main__":
    main()
