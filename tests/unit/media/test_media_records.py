"""The keys of directory records (PS3.3 F.5), and the tree they stand in."""

from __future__ import annotations

import pytest
import study
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.sequence import Sequence
from pydicom.uid import ImplicitVRLittleEndian

from profiles.media import load, names
from profiles.media.records import ADDITIONAL, KEYS, record_type
from tests.unit.media.objects import ARC, of, parsed
from transforms.dictionary import tag_for_keyword
from transforms.errors import TransformError
from transforms.media.records import Described, describe
from transforms.media.tree import Tree


def described(data: Dataset, keys: str = "basic") -> Described:
    source, index = parsed(data)
    return describe(source, index, keys)  # type: ignore[arg-type]


def keys_of(one: Described, level: int = -1) -> Dataset:
    """A record's keys, read by pydicom."""
    from io import BytesIO

    raw = b"".join(one.levels[level].keys[tag] for tag in sorted(one.levels[level].keys))
    return read_dataset(BytesIO(raw), False, True)


def refused(data: Dataset) -> TransformError:
    with pytest.raises(TransformError) as caught:
        described(data)
    return caught.value


def test_every_key_of_the_tables_is_an_attribute() -> None:
    for table in (KEYS, *ADDITIONAL.values()):
        for keys in table.values():
            for keyword, kind in keys:
                assert tag_for_keyword(keyword) is not None, keyword
                assert kind in ("1", "1C", "2", "3")


@pytest.mark.parametrize(
    ("suffix", "record"),
    [
        ("2", "IMAGE"), ("66.4", "IMAGE"), ("30", "IMAGE"), ("481.1", "IMAGE"), ("481.2", "RT DOSE"),
        ("481.3", "RT STRUCTURE SET"), ("481.5", "RT PLAN"), ("481.8", "RT PLAN"), ("481.9", "RT TREAT RECORD"),
        ("481.10", "RADIOTHERAPY"), ("11.1", "PRESENTATION"), ("131", "PRESENTATION"), ("9.1.1", "WAVEFORM"),
        ("88.11", "SR DOCUMENT"), ("88.67", "SR DOCUMENT"), ("88.59", "KEY OBJECT DOC"), ("4.2", "SPECTROSCOPY"),
        ("4.1", "IMAGE"), ("66", "RAW DATA"), ("66.1", "REGISTRATION"), ("66.2", "FIDUCIAL"), ("66.5", "SURFACE"),
        ("104.1", "ENCAP DOC"), ("104.2", "ENCAP DOC"), ("67", "VALUE MAP"), ("91.1", "ANNOTATION"),
        ("78.1", "MEASUREMENT"), ("66.6", "TRACT"), ("90.1", "ASSESSMENT"), ("77.1.5.3", "STEREOMETRIC"),
    ],
)  # fmt: skip
def test_the_record_of_a_class(suffix: str, record: str) -> None:
    assert record_type(ARC + suffix) == record


def test_record_types_are_those_pydicom_knows() -> None:
    """pydicom's own table, class by class; where it is silent (newer classes) it says IMAGE."""
    from pydicom.fileset import _FOUR_LEVEL_SOP_CLASSES, _SINGLE_LEVEL_SOP_CLASSES

    for sop_class, record in {**_FOUR_LEVEL_SOP_CLASSES, **_SINGLE_LEVEL_SOP_CLASSES}.items():
        assert record_type(str(sop_class)) == record


def test_an_image_has_its_keys() -> None:
    one = described(study.ct(1, 1, 16), "extended")
    patient, image = keys_of(one, 0), keys_of(one)
    assert (patient.PatientID, str(patient.PatientName)) == ("MRN-4711-0815", "Mustermann^Erika")
    assert [level.type for level in one.levels] == ["PATIENT", "STUDY", "SERIES", "IMAGE"]
    assert (image.InstanceNumber, image.Rows) == (1, 16)
    assert image.SpecificCharacterSet == "ISO_IR 100"


def test_a_report_has_its_title_and_the_items_that_modify_it() -> None:
    data = study.report(1, [study.ct(1, 1, 16)])
    modifier = study.item("HAS CONCEPT MOD", "CODE", study.code("1", "99X", "a"))
    data.ContentSequence = Sequence([*data.ContentSequence, modifier])
    record = keys_of(described(data))
    assert record.ConceptNameCodeSequence[0].CodeValue == data.ConceptNameCodeSequence[0].CodeValue
    kinds = [item.RelationshipType for item in record.ContentSequence]
    assert kinds == ["HAS CONCEPT MOD"] * len(kinds) and len(kinds) >= 1
    assert record.CompletionFlag == data.CompletionFlag


def test_what_lies_in_shared_functional_groups_is_found() -> None:
    position = study.fill(Dataset(), ImagePositionPatient=[1, 2, 3])
    shared = study.fill(Dataset(), PlanePositionSequence=Sequence([position]))
    data = of(ARC + "2.1", Modality="CT", SharedFunctionalGroupsSequence=Sequence([shared]))
    assert keys_of(described(data, "extended")).ImagePositionPatient == [1, 2, 3]


def test_a_key_that_the_creator_may_supply_is_wanted_and_another_is_refused() -> None:
    data = study.ct(1, 1, 16)
    data.StudyID = ""
    del data.StudyDate
    assert [hex(tag) for tag in described(data).levels[1].wanting] == ["0x80020", "0x200010"]
    data = study.report(1, [study.ct(1, 1, 16)])
    data.CompletionFlag = ""
    error = refused(data)
    assert error.reason == "directory-key-missing" and "CompletionFlag (0040,A491)" in error.detail


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID", "Modality"])
def test_what_nobody_can_supply_is_refused(keyword: str) -> None:
    data = study.ct(1, 1, 16)
    delattr(data, keyword)
    assert refused(data).reason == "directory-key-missing"


def test_a_key_too_long_or_of_another_vr_is_refused() -> None:
    data = study.report(1, [study.ct(1, 1, 16)])
    data.add_new(0x0040A043, "LO", "no sequence")
    assert refused(data).reason == "directory-key-malformed"


def test_only_explicit_little_endian_is_read() -> None:
    data = study.ct(1, 1, 16)
    data.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    with pytest.raises(ValueError, match="Explicit VR"):
        describe(*parsed(data, as_is=True))


def grown(*objects: Dataset) -> tuple[Tree, list[tuple[str, ...]]]:
    tree = Tree()
    return tree, [tree.add(described(data), "1.2.840.10008.1.2.1") for data in objects]


def test_file_ids_are_those_of_ps3_10_and_say_nothing() -> None:
    tree, ids = grown(study.ct(1, 1, 16), study.ct(1, 2, 16), study.mr(1), study.ct(2, 1, 16))
    assert ids == [
        ("DICOM", "ST000001", "S0000001", "I0000001"),
        ("DICOM", "ST000001", "S0000001", "I0000002"),
        ("DICOM", "ST000001", "S0000002", "I0000001"),
        ("DICOM", "ST000002", "S0000001", "I0000001"),
    ]
    assert len(tree.roots) == 1 and len(tree.roots[0].children) == 2


def refused_together(*objects: Dataset) -> str:
    with pytest.raises(TransformError) as caught:
        grown(*objects)
    return caught.value.reason


def test_a_study_of_two_patients_is_no_study() -> None:
    other = study.ct(1, 2, 16)
    other.PatientID = "ANOTHER"
    assert refused_together(study.ct(1, 1, 16), other) == "directory-study-twice"


def test_a_series_of_two_studies_is_no_series() -> None:
    other = study.ct(1, 2, 16)
    other.StudyInstanceUID = "2.25.99"
    assert refused_together(study.ct(1, 1, 16), other) == "directory-series-twice"


def test_one_patient_id_of_two_issuers_is_two_patients() -> None:
    one, other, silent = study.ct(1, 1, 16), study.ct(2, 1, 16), study.ct(3, 1, 16)
    one.IssuerOfPatientID, other.IssuerOfPatientID = "A", "B"
    silent.IssuerOfPatientID = ""
    assert refused_together(one, silent, other) == "directory-patient-twice"


def test_two_studies_without_a_patient_id_are_not_one_patient() -> None:
    one, other = study.ct(1, 1, 16), study.ct(2, 1, 16)
    one.PatientID = other.PatientID = ""
    tree, _ = grown(one, other)
    assert len(tree.roots) == 2
    assert tree.supplied["PatientID (0010,0020)"] == 2
    assert {root.keys[0x00100020][8:] for root in tree.roots} == {b"UNKNOWN1", b"UNKNOWN2"}


def test_a_name_spelt_otherwise_is_counted() -> None:
    other = study.ct(1, 2, 16)
    other.PatientName = "Mustermann^E"
    tree, _ = grown(study.ct(1, 1, 16), other)
    assert tree.renamed == 1


def test_a_palette_belongs_to_no_patient() -> None:
    data = of("1.2.840.10008.5.1.4.39.1", ContentLabel="HOT")
    tree, ids = grown(data)
    assert tree.roots[0].type == "PALETTE" and ids == [("DICOM", "ROOTED", "I0000001")]


def test_secure_profiles_are_their_twins_but_for_security() -> None:
    for name in names():
        profile = load(name)
        if not profile.secure or name == "STD-DTL-SEC-ZIP-MAIL":
            continue
        twin = load(name.replace("-SEC", ""))
        assert (twin.syntaxes, twin.medium, twin.keys) == (profile.syntaxes, profile.medium, profile.keys)
        assert not twin.secure


def test_profiles_say_what_ps3_11_says() -> None:
    assert load("STD-GEN-CD").syntaxes == ("1.2.840.10008.1.2.1",)
    assert load("STD-GEN-USB-JPEG").syntaxes[1:] == tuple(f"1.2.840.10008.1.2.4.{n}" for n in (70, 50, 51))
    assert load("STD-GEN-SEC-USB-J2K").syntaxes[1:] == tuple(f"1.2.840.10008.1.2.4.{n}" for n in (90, 91))
    assert load("STD-GEN-ZIP-MAIL").syntaxes == () and load("STD-GEN-ZIP-MAIL").medium.formats[0] == "zip"
    assert load("STD-DTL-SEC-ZIP-MAIL").secure and "STD-DTL-ZIP-MAIL" not in names()
    assert len(load("STD-GEN-BD-MPEG4-HPLV41BD").syntaxes) == 2
    assert load("STD-DVD-MPEG2-MPML").syntaxes == ("1.2.840.10008.1.2.4.100",), "Table I.3-1: video alone"
    assert load("STD-GEN-SEC-BD-MPEG4-SHPLV42").syntaxes == ("1.2.840.10008.1.2.4.106",), "Table N.3-1"
