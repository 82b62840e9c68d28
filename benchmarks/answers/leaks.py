"""The classes of leak (where identities are known to hide), each planted by one function.

Rules of this file
* Public elements here are such as every profile of PS3.15 removes, empties or replaces; descriptors are apart (texts).
* One canary a place. What stands in no element that pydicom shows (preamble, meta, bytes behind the pixels) is planted
  bytes only: no path of the ten actions leads there.
"""

from __future__ import annotations

import struct
from typing import Final

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from benchmarks.answers import forms, people
from benchmarks.answers.plant import Planter, Spot
from examples import study

_CHAIN = ("AnatomicRegionSequence", "AnatomicRegionModifierSequence", "PurposeOfReferenceCodeSequence")
NATIVE: Final = ("iso-2022-jp", "gb18030")  # where a name has a second group, in its own script
# Attributes of a patient, a visit or a person, with HIPAA's label
HEADER: Final = (
    ("OtherPatientNames", "name"), ("PatientMotherBirthName", "name"), ("PatientAddress", "place"),
    ("MedicalRecordLocator", "record"), ("AdmissionID", "account"),
    ("StationName", "device"), ("InstitutionalDepartmentName", "place"), ("PerformingPhysicianName", "name"),
    ("RequestingPhysician", "name"), ("PatientInstitutionResidence", "place"),
    ("CountryOfResidence", "place"), ("PatientReligiousPreference", "name"), ("DeviceSerialNumber", "device"),
    ("PhysiciansOfRecord", "name"), ("NameOfPhysiciansReadingStudy", "name"), ("ConsultingPhysicianName", "name"),
    ("FillerOrderNumberImagingServiceRequest", "account"), ("PlacerOrderNumberImagingServiceRequest", "account"),
)  # fmt: skip


def chain(planter: Planter, combination: forms.Combination) -> Spot:
    """An item at that depth, in sequences that no profile removes, whose character set is the combination's."""
    if combination.depth == 0:
        return planter.top
    number = forms.ENCODINGS.index(combination.encoding)
    spot = planter.top
    for level in range(combination.depth):
        sequence = _CHAIN[0] if level == 0 else _CHAIN[1 + level % 2]
        spot = spot.item(sequence, number if level == 0 else 0)
        if level == 0 and "SpecificCharacterSet" not in spot.data:
            for other in range(number + 1):
                each = planter.top.item(sequence, other).data
                each.SpecificCharacterSet = list(forms.CHARSETS.get(forms.ENCODINGS[other], ()))
        if "CodeValue" not in spot.data:
            study.fill(spot.data, CodeValue=f"T-{combination.depth}{level:02d}", CodingSchemeDesignator="SRT")
            spot.data.CodeMeaning = "region"
    return spot


def matrix(planter: Planter, wanted: list[forms.Combination]) -> int:
    """Depth x encoding x VR. Returns how many cells found a free element."""
    done, kept = 0, set()
    for each in wanted:
        spot = chain(planter, each)
        if spot.before and spot.before not in kept:
            kept.add(spot.before)
            planter.keep(spot, "CodeValue", "CodingSchemeDesignator")
        leak = "depth x encoding x VR"
        word = planter.canary(forms.script(each.encoding))
        if each.vr in forms.BYTE_VRS:
            low = 0x10 + forms.ENCODINGS.index(each.encoding)
            planter.private(spot, 0x0031, f"ACME {each.vr}", low, each.vr, word, leak, encoding=each.encoding)
            done += 1
            continue
        free = [k for k in forms.REMOVED[each.vr] if spot.place(planter.tag(k)) not in planter.used]
        if free:
            value = f"http://localhost/{forms.text(each.encoding, word)}" if each.vr == "UR" else None
            planter.remove(spot, free[0], word, leak, value=value, encoding=each.encoding)
            done += 1
    return done


def header(planter: Planter) -> None:
    """The attributes that everybody thinks of."""
    for keyword, label in HEADER:
        if planter.top.place(planter.tag(keyword)) not in planter.used:
            planter.remove(planter.top, keyword, planter.canary(), "header", label=label)


def names(planter: Planter, charset: str) -> None:
    """The patient's name in up to three groups (PS3.5 6.2.1.2), as far as the object's character set goes."""
    person = planter.person
    value = person.name
    if charset in NATIVE:
        value += f"={person.native[charset]}"
        planter.hide(
            "character sets", planter.top.place(0x00100010), forms.pattern(charset, person.native[charset]),
            encoding=charset, vr="PN",
        )  # fmt: skip
    if charset == "iso-2022-jp":
        value += f"={people.word(planter.chance, charset)}"
    planter.data.PatientName = value
    planter.note("text_removed", planter.top.place(0x00100010), value, "character sets", hipaa_z="HIPAA-A")


def meta(planter: Planter) -> None:
    """Preamble and file meta information: no path leads there."""
    data, leak = planter.data, "preamble and meta"
    words = [planter.canary() for _ in range(4)]
    planter.preamble = words[0].encode()
    data.file_meta.SourceApplicationEntityTitle = words[1]
    data.file_meta.ImplementationVersionName = words[2]
    data.file_meta.PrivateInformationCreatorUID = "1.2.276.99.1"
    data.file_meta.PrivateInformation = words[3].encode() + b"\0" * (len(words[3]) & 1)
    for name, word in zip(("preamble", "0002,0016", "0002,0013", "0002,0102"), words, strict=True):
        planter.hide(leak, name, word.encode())


def rim(planter: Planter) -> None:
    """Padding behind the data set, and bytes behind the last frame."""
    word = planter.canary().encode() + b"\0"
    planter.data.DataSetTrailingPadding = word
    planter.hide("rim", planter.top.place(0xFFFCFFFC), word[:-1], vr="OB")
    if "PixelData" in planter.data:
        planter.tail = planter.canary().encode()
        planter.hide("rim", "behind the pixels", planter.tail, vr="OW")


def forgotten(planter: Planter) -> None:
    """Retired and unknown elements, curves and overlays in all their repeats."""
    data, leak = planter.data, "unknown and retired"
    for tag, vr in ((0x00080010, "SH"), (0x40000010, "LT"), (0x40004000, "LT")):
        word = planter.canary()
        data[Tag(tag)] = DataElement(tag, vr, word)
        planter.gone(planter.top.place(tag), word, leak)
    for tag in (0x0008F0F1, 0x0010F001, 0x0062F0F1, 0x7F00F010):
        word = planter.canary()
        planter.unknown(planter.top, tag, word.encode(), [(word, "ascii")], leak)
    for repeat in range(16):
        word, label = planter.canary(), planter.canary()
        tag = 0x50003000 + (repeat << 17)
        data[Tag(tag)] = DataElement(Tag(tag), "OW", word.encode() + b"\0")
        planter.hide("curves", planter.top.place(tag), word.encode(), vr="OW")
        tag = 0x60000022 + (repeat << 17)
        data[Tag(tag)] = DataElement(Tag(tag), "LO", label)
        planter.gone(planter.top.place(tag), label, "overlays")


def private(planter: Planter, *, implicit: bool) -> None:
    """Private elements of each kind, in two blocks of one group and in an item; one creator is an identity."""
    leak = "private"
    for group, creator in ((0x0009, "ACME ONE"), (0x0029, "ACME TWO"), (0x0029, "ACME SIX")):
        for low, vr in ((0x01, "LO"), (0x04, "UN"), (0x05, "OB"), (0x06, "UT"), (0x07, "PN")):
            planter.private(planter.top, group, creator, low, vr, planter.canary(), leak)
        inner = planter.canary()
        block = planter.data.private_block(group, creator)
        block.add_new(0x03, "SQ", Sequence([study.fill(Dataset(), PatientName=inner)]))
        place = planter.top.place(block.get_tag(0x03), creator)
        planter.hide(leak, place, inner.encode(), 1, vr="SQ")
        if not implicit:  # pydicom sees a byte string there
            planter.gone(f"{place}[<0000>]<(0010,0010)>", inner, leak, hide=False)
    creator = planter.canary()
    planter.private(planter.top, 0x0011, creator, 0x01, "LO", planter.canary(), leak)
    planter.hide("private creator", "<(0011,0010)>", creator.encode(), vr="LO")
    item = planter.top.item("DerivationCodeSequence")
    study.fill(item.data, CodeValue="113040", CodingSchemeDesignator="DCM", CodeMeaning="Lossy Compression")
    planter.keep(item, "CodeValue", "CodingSchemeDesignator", "CodeMeaning")
    planter.private(item, 0x0031, "ACME ITEM", 0x01, "PN", planter.canary(), leak)


def encoded_sequences(planter: Planter) -> None:
    """PS3.5 6.2.2: sequences of VR UN, whose items are in Implicit VR; in one, UTF-16 that nothing declares."""
    words = [planter.canary() for _ in range(3)]
    deep = study.fill(Dataset(), PatientName=words[1])
    for _ in range(4):
        deep = study.fill(Dataset(), ReferencedImageSequence=Sequence([deep]), PatientID=words[0])
    file = DicomBytesIO()
    file.is_implicit_VR, file.is_little_endian = True, True
    write_dataset(file, deep)
    content = file.getvalue()
    value = struct.pack("<HHI", 0xFFFE, 0xE000, len(content)) + content
    planter.unknown(planter.top, 0x00081250, value, [(words[0], "ascii"), (words[1], "ascii")], "UN-encoded sequence")
    planter.unknown(planter.top, 0x0010F0F2, words[2].encode("utf-16-le"), [(words[2], "utf-16")], "UTF-16 in UN")


def before(planter: Planter) -> None:
    """What was there before: Original Attributes, and the request."""
    leak = "original attributes"
    original = planter.top.item("OriginalAttributesSequence")
    study.fill(original.data, AttributeModificationDateTime="20200115", ReasonForTheAttributeModification="COERCE")
    planter.remove(original, "ModifyingSystem", planter.canary(), leak)
    planter.remove(original, "SourceOfPreviousValues", planter.canary(), leak)
    modified = original.item("ModifiedAttributesSequence")
    planter.remove(modified, "PatientName", planter.canary(), leak)
    planter.remove(modified, "PatientID", planter.canary(), leak, label="record")


def attachments(planter: Planter) -> None:
    """Things that carry a copy of an identity along: icon, signature, encrypted attributes, addresses."""
    leak, top = "attachments", planter.top
    icon, signature, sealed = planter.canary(), planter.canary(), planter.canary()
    item = top.item("IconImageSequence")
    study.fill(
        item.data, SamplesPerPixel=1, PhotometricInterpretation="MONOCHROME2", Rows=1, Columns=10, BitsAllocated=8,
        BitsStored=8, HighBit=7, PixelRepresentation=0, PixelData=icon.encode() + b"\0",
    )  # fmt: skip
    planter.hide(leak, item.place(0x7FE00010), icon.encode(), 1, vr="OB")
    item = top.item("DigitalSignaturesSequence")
    study.fill(
        item.data, MACIDNumber=1, DigitalSignatureUID="2.25.1", DigitalSignatureDateTime="20200115",
        CertificateType="X509_1993_SIG", CertificateOfSigner=signature.encode() + b"\0", Signature=b"\0" * 8,
    )  # fmt: skip
    planter.hide(leak, item.place(0x04000115), signature.encode(), 1, vr="OB")
    item = top.item("EncryptedAttributesSequence")
    study.fill(item.data, EncryptedContentTransferSyntaxUID="1.2.840.10008.1.2.1")
    item.data.EncryptedContent = sealed.encode() + b"\0"
    planter.hide(leak, item.place(0x04000520), sealed.encode(), 1, vr="OB")
