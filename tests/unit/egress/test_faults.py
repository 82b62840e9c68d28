"""A de-identifier broken on purpose, one fault at a time: the egress check catches each, and says the class."""

from __future__ import annotations

import base64
from collections.abc import Callable
from urllib.parse import quote

import pytest
import study as invented
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from gateway.config.schema import Override
from tests.unit.egress.outputs import (
    EXPLICIT,
    IMPLICIT,
    KEY,
    clean_ct,
    ct,
    encoded,
    engine,
    meta,
    parsed,
    searched,
)
from transforms.deidentify.engine import Context, deidentify
from transforms.deidentify.profile import compile_profile
from transforms.egress.classes import kept_by
from transforms.source import BytesSource

PATIENT = invented.PATIENT
NAME, ID, BORN = PATIENT["PatientName"], PATIENT["PatientID"], PATIENT["PatientBirthDate"]
Fault = Callable[[Dataset, Dataset], None]
FAULTS: dict[str, tuple[str, Fault]] = {}


def fault(name: str) -> Callable[[Fault], Fault]:
    """A fault of a de-identifier, and the class that must be told. It changes the first data set."""

    def known(function: Fault) -> Fault:
        title = function.__name__
        assert title not in FAULTS
        FAULTS[title] = (name, function)
        return function

    return known


def deep(data: Dataset, levels: int, inner: Dataset) -> None:
    """`inner` within so many sequences."""
    for _ in range(levels):
        outer = Dataset()
        outer.RequestAttributesSequence = Sequence([inner])
        inner = outer
    data.update(inner)


@fault("patient-name")
def name_not_replaced(out: Dataset, original: Dataset) -> None:
    out.PatientName = original.PatientName


@fault("patient-id")
def id_not_replaced(out: Dataset, original: Dataset) -> None:
    out.PatientID = original.PatientID


@fault("patient-id")
def id_within_another_value(out: Dataset, original: Dataset) -> None:
    out.SeriesDescription = f"Head_{ID}_T1"


@fault("patient-id")
def other_patient_id_in_a_sequence(out: Dataset, original: Dataset) -> None:
    out.OtherPatientIDsSequence = original.OtherPatientIDsSequence


@fault("accession")
def accession_in_a_request(out: Dataset, original: Dataset) -> None:
    deep(out, 1, invented.fill(Dataset(), AccessionNumber=invented.ACCESSION))


@fault("birth-date")
def birth_date_kept(out: Dataset, original: Dataset) -> None:
    out.PatientBirthDate = original.PatientBirthDate


@fault("birth-date")
def birth_date_written_out(out: Dataset, original: Dataset) -> None:
    out.ImageComments = "born 12.08.1964"


@fault("study-date")
def one_date_missed(out: Dataset, original: Dataset) -> None:
    out.AcquisitionDateTime = "20260815101530"


@fault("study-date")
def a_date_in_text(out: Dataset, original: Dataset) -> None:
    out.StudyDescription = "follow-up of 2026-08-15"


@fault("uid")
def instance_uid_kept(out: Dataset, original: Dataset) -> None:
    out.SOPInstanceUID = original.SOPInstanceUID


@fault("uid")
def frame_of_reference_kept(out: Dataset, original: Dataset) -> None:
    out.FrameOfReferenceUID = original.FrameOfReferenceUID


@fault("uid")
def uid_in_text(out: Dataset, original: Dataset) -> None:
    out.ImageComments = f"see {original.StudyInstanceUID}, slice 2"


@fault("uid")
def reference_deep_down(out: Dataset, original: Dataset) -> None:
    deep(out, 9, invented.fill(Dataset(), ReferencedSOPInstanceUID=original.SOPInstanceUID))


@fault("patient-name")
def depth_missed(out: Dataset, original: Dataset) -> None:
    deep(out, 30, invented.fill(Dataset(), PatientName=NAME))


@fault("patient-name")
def private_block_kept(out: Dataset, original: Dataset) -> None:
    out.private_block(0x0029, "ACME CT 1.0", create=True).add_new(0x04, "UN", b"Mustermann^Erika".ljust(64, b"\0"))


@fault("operator")
def private_text_kept(out: Dataset, original: Dataset) -> None:
    out.private_block(0x0029, "ACME CT 1.0", create=True).add_new(0x01, "LO", "console of Karl Knopf")


@fault("patient-name")
def private_sequence_kept(out: Dataset, original: Dataset) -> None:
    inner = invented.fill(Dataset(), PatientName=NAME)
    out.private_block(0x0029, "ACME CT 1.0", create=True).add_new(0x03, "SQ", Sequence([inner]))


@fault("uid")
def private_uid_kept(out: Dataset, original: Dataset) -> None:
    out.private_block(0x0029, "ACME CT 1.0", create=True).add_new(0x05, "UI", invented.uid(1, "private"))


@fault("patient-name")
def overlay_kept(out: Dataset, original: Dataset) -> None:
    out.add_new(0x60020010, "US", 64)
    out.add_new(0x60023000, "OW", b"\1\2\xff\0" * 200 + b"  MUSTERMANN, ERIKA  " + b"\xfe\3" * 200)


@fault("patient-name")
def overlay_comment_kept(out: Dataset, original: Dataset) -> None:
    out.add_new(0x60024000, "LT", "Frau Mustermann")


@fault("patient-name")
def utf16_in_un(out: Dataset, original: Dataset) -> None:
    block = out.private_block(0x0031, "ACME", create=True)
    block.add_new(0x01, "UN", "<name>Mustermann</name>".encode("utf-16"))


@fault("patient-name")
def utf16_big_endian(out: Dataset, original: Dataset) -> None:
    out.private_block(0x0031, "ACME", create=True).add_new(0x01, "OB", "x=Gabler".encode("utf-16-be"))


@fault("patient-id")
def utf32_in_ob(out: Dataset, original: Dataset) -> None:
    out.private_block(0x0031, "ACME", create=True).add_new(0x01, "OB", ID.encode("utf-32-le"))


@fault("patient-name")
def base64_in_text(out: Dataset, original: Dataset) -> None:
    out.ImageComments = "x" + base64.b64encode(b'{"p":"Mustermann^Erika"}').decode()


@fault("patient-name")
def base64_in_lines(out: Dataset, original: Dataset) -> None:
    out.ImageComments = base64.encodebytes(b"-" * 48 + b" MUSTERMANN " + b"-" * 50).decode()


@fault("patient-name")
def base64_for_urls(out: Dataset, original: Dataset) -> None:
    out.ImageComments = base64.urlsafe_b64encode(b"\xfb\xff Mustermann \xff\xfe").decode()


@fault("patient-id")
def hex_in_text(out: Dataset, original: Dataset) -> None:
    out.ImageComments = "0" + ID.encode().hex().upper()


@fault("patient-name")
def hex_with_blanks(out: Dataset, original: Dataset) -> None:
    out.ImageComments = b"Mustermann".hex(" ")


@fault("patient-id")
def percent_in_ur(out: Dataset, original: Dataset) -> None:
    out.RetrieveURL = "https://example.org/?id=" + "".join(f"%{each:02X}" for each in ID.encode())


@fault("patient-name")
def percent_of_blanks(out: Dataset, original: Dataset) -> None:
    out.RetrieveURL = "https://example.org/" + quote("Mustermann, Erika")


@fault("patient-name")
def name_turned_round(out: Dataset, original: Dataset) -> None:
    out.SeriesDescription = "ERIKA_MUSTERMANN"


@fault("patient-name")
def name_run_together(out: Dataset, original: Dataset) -> None:
    out.SeriesDescription = "erikaMustermannT1"


@fault("patient-name")
def name_in_a_code_meaning(out: Dataset, original: Dataset) -> None:
    out.ProcedureCodeSequence = Sequence([invented.code("1", "99ACME", "CT of Erika Mustermann")])


@fault("physician")
def physician_in_text(out: Dataset, original: Dataset) -> None:
    out.StudyDescription = "asked for by Dr. Anforder"


@fault("operator")
def operator_kept(out: Dataset, original: Dataset) -> None:
    out.OperatorsName = original.OperatorsName


@fault("institution")
def institution_in_text(out: Dataset, original: Dataset) -> None:
    out.SeriesDescription = "outside images, ST. ERIKA HOSPITAL"


@fault("device")
def station_kept(out: Dataset, original: Dataset) -> None:
    out.StationName = original.StationName


@fault("device")
def serial_in_a_sequence(out: Dataset, original: Dataset) -> None:
    out.ContributingEquipmentSequence = Sequence([invented.fill(Dataset(), DeviceSerialNumber="SN-0042")])


@fault("address")
def address_kept(out: Dataset, original: Dataset) -> None:
    out.PatientComments = "lives in Heidestrasse 17"


@fault("phone")
def phone_kept(out: Dataset, original: Dataset) -> None:
    out.ImageComments = "call 492215550100"


@fault("free-id")
def admission_kept(out: Dataset, original: Dataset) -> None:
    out.AdmissionID = "ADM-4711-0815"


@fault("patient-name")
def icon_holds_text(out: Dataset, original: Dataset) -> None:
    icon = invented.fill(Dataset(), Rows=8, Columns=8, PixelData=b"Mustermann^Erika".ljust(64, b"\0"))
    icon["PixelData"].VR = "OB"
    out.IconImageSequence = Sequence([icon])


@fault("patient-name")
def document_kept(out: Dataset, original: Dataset) -> None:
    out.EncapsulatedDocument = b"%PDF-1.4\n" + bytes(range(256)) * 40 + b"\n(Report of Mustermann, Erika) Tj\n"


@fault("patient-name")
def unknown_attribute_kept(out: Dataset, original: Dataset) -> None:
    out.add(DataElement(Tag(0x40000010), "LT", "arbitrary: Mustermann"))


@fault("patient-name")
def bytes_behind_the_pixels(out: Dataset, original: Dataset) -> None:
    out.add(DataElement(Tag(0xFFFCFFFC), "OB", b"\0" * 30 + b"Mustermann^Erika" + b"\0" * 30))


@pytest.mark.parametrize("title", FAULTS)
def test_a_fault_is_caught_and_its_class_told(title: str) -> None:
    name, breaks = FAULTS[title]
    assert searched(ct(), clean_ct()) == ()
    out = parsed(clean_ct())
    breaks(out, parsed(ct()))
    hits = searched(ct(), encoded(out))
    assert name in {hit.name for hit in hits}, hits


def test_there_are_faults_enough() -> None:
    assert len(FAULTS) >= 40


@pytest.mark.parametrize("title", ["depth_missed", "utf16_in_un", "id_within_another_value", "name_not_replaced"])
def test_the_same_in_implicit_vr(title: str) -> None:
    original = encoded(parsed(ct()), IMPLICIT)
    plan = engine(original, IMPLICIT).plan
    out = parsed(plan.pread(0, plan.size), IMPLICIT)
    assert searched(original, encoded(out, IMPLICIT), syntax=IMPLICIT) == ()
    name, breaks = FAULTS[title]
    breaks(out, parsed(ct()))
    assert name in {hit.name for hit in searched(original, encoded(out, IMPLICIT), syntax=IMPLICIT)}


SKIPPED = (
    "PatientName", "PatientBirthDate", "OtherPatientNames", "PatientAddress", "PatientTelephoneNumbers",
    "ReferringPhysicianName", "PerformingPhysicianName", "OperatorsName", "RequestingPhysician", "AccessionNumber",
    "InstitutionName", "InstitutionAddress", "StationName", "DeviceSerialNumber", "StudyDate", "SeriesDate",
    "ContentDate", "AcquisitionDate", "AcquisitionDateTime",
    "FrameOfReferenceUID", "InstanceCreatorUID", "AdmissionID", "AdditionalPatientHistory", "SeriesDescription",
    "OtherPatientIDsSequence", "OperatorIdentificationSequence", "ImageComments",
    "PerformedProcedureStepDescription", "CommentsOnThePerformedProcedureStep", "ReferencedImageSequence",
)  # fmt: skip


@pytest.mark.parametrize("keyword", SKIPPED)
def test_one_action_of_the_real_engine_skipped(keyword: str) -> None:
    """The engine itself, told to keep what the check was not told of."""
    line = Override.model_validate({"at": keyword, "do": "keep", "why": "a fault", "allow_looser": True})
    table = compile_profile("basic", (), (line,))
    done = deidentify(BytesSource(ct()), EXPLICIT, table, Context(KEY, "test"))
    if "Sequence" in keyword:  # what is in it is still acted on: nothing may be found
        assert searched(ct(), done.plan.pread(0, done.plan.size)) == ()
        return
    hits = searched(ct(), done.plan.pread(0, done.plan.size))
    assert hits, keyword
    tag = table.overrides[0][1]
    assert {hit.where for hit in hits} == {f"({tag >> 16:04X},{tag & 0xFFFF:04X})"}
    assert searched(ct(), done.plan.pread(0, done.plan.size), kept_by((), frozenset({tag}))) == ()


def test_what_stands_around_the_data_set_is_searched() -> None:
    preamble = b"Mustermann^Erika".ljust(128, b"\0")
    assert searched(ct(), clean_ct(), head=meta()) == ()
    assert [hit.name for hit in searched(ct(), clean_ct(), head=preamble + meta()[128:])] == ["patient-name"]
    source_ae = b"\x02\x00\x16\x00AE\x08\x00SCANNER1"
    assert [hit.name for hit in searched(ct(), clean_ct(), head=meta() + source_ae)] == ["device"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("MRN-4711-0815.dcm", "patient-id"), ("erika_mustermann/1.dcm", "patient-name"), ("2.25.77.dcm", "")],
)
def test_names_it_would_leave_under_are_searched(name: str, expected: str) -> None:
    assert [hit.name for hit in searched(ct(), clean_ct(), name=name)] == ([expected] if expected else [])


CHARSETS = [
    ("ISO_IR 100", "Müller^Jürgen", "latin-1"),
    ("ISO_IR 192", "Lüdenscheidt^Änne", "latin-1"),
    ("ISO_IR 144", "Люкceмбypг", "utf-8"),
    ("ISO_IR 144", "Достоевский^Фёдор", "koi8_r"),
    ("ISO_IR 126", "Διονυσιος", "utf-16-le"),
    ("ISO_IR 192", "山田^太郎", "shift_jis"),
    ("ISO_IR 192", "山田^太郎", "euc_jp"),
    ("ISO_IR 192", "山田^太郎", "iso2022_jp"),
    ("ISO_IR 192", "山田^太郎", "utf-16-be"),
    ("\\ISO 2022 IR 87", "Yamada^Tarou=山田^太郎", "utf-8"),
    ("\\ISO 2022 IR 149", "Hong^Gildong=洪^吉洞=홍^길동", "utf-8"),
    ("GB18030", "Wang^XiaoDong=王^小东", "utf-8"),
    ("GB18030", "王^小东", "gb18030"),
    ("GB18030", "王^小明", "big5"),
]


@pytest.mark.parametrize(("charset", "name", "written"), CHARSETS, ids=lambda value: str(value)[:12])
def test_names_in_every_character_set(charset: str, name: str, written: str) -> None:
    """Declared and written one way in the original, leaking another way in the output."""
    original = parsed(ct())
    original.SpecificCharacterSet = charset.split("\\") if "\\" in charset else charset
    original.PatientName = name
    for sequence in [each.tag for each in original if each.VR in ("SQ", "LO", "LT", "ST", "UN")]:
        if sequence != 0x00100020:
            del original[sequence]
    raw = encoded(original)
    leaking = name.split("=")[-1].replace("^", "")
    try:
        leaked = leaking.encode(written)
    except UnicodeEncodeError:
        leaked = leaking.encode(written, "ignore")
    out = parsed(clean_ct())
    assert searched(raw, encoded(out)) == ()
    out.private_block(0x0031, "ACME", create=True).add_new(0x01, "UN", b"x: " + leaked + b" ")
    assert "patient-name" in {hit.name for hit in searched(raw, encoded(out))}
