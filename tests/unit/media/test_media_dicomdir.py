"""A DICOMDIR: what is written is read back, by us and by pydicom; what is damaged is never believed."""

from __future__ import annotations

from io import BytesIO

import pydicom
import pytest
import study
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.media.objects import parsed
from transforms.errors import TransformError
from transforms.media import dicomdir, reading
from transforms.media.dicomdir import File
from transforms.media.records import describe
from transforms.media.tree import Tree
from transforms.source import BytesSource

EXPLICIT = "1.2.840.10008.1.2.1"


def tree_of(count: int = 3) -> Tree:
    tree = Tree()
    slices = [study.ct(1, number, 16) for number in range(1, count + 1)]
    for data in (*slices, study.mr(1), study.report(1, slices), study.ct(2, 1, 16)):
        tree.add(describe(*parsed(data)), EXPLICIT)
    return tree


WHOLE = b"".join(dicomdir.written(tree_of().roots, "2.25.4711", "LABEL"))


def test_what_is_written_is_read_back() -> None:
    tree = tree_of()
    found = reading.read(BytesSource(WHOLE))
    assert found.file_set_uid == "2.25.4711"
    assert found.files == tuple(node.file for node in dicomdir.walked(tree.roots) if node.file)
    assert [(each.type, each.depth) for each in found.records][:5] == [
        ("PATIENT", 0), ("STUDY", 1), ("SERIES", 2), ("IMAGE", 3), ("IMAGE", 3),
    ]  # fmt: skip
    assert all(reading.strict(file.file_id) and reading.safe(file.file_id) for file in found.files)


def test_pydicom_reads_the_same() -> None:
    data = pydicom.dcmread(BytesIO(WHOLE))
    assert data.FileSetID == "LABEL" and data.FileSetConsistencyFlag == 0
    ids = [tuple(item.ReferencedFileID) for item in data.DirectoryRecordSequence if "ReferencedFileID" in item]
    assert ids == [file.file_id for file in reading.read(BytesSource(WHOLE)).files]
    assert all(item.RecordInUseFlag == 0xFFFF for item in data.DirectoryRecordSequence)


def test_an_empty_set_has_offsets_of_zero() -> None:
    raw = b"".join(dicomdir.written([], "2.25.1"))
    assert reading.read(BytesSource(raw)).records == ()
    assert pydicom.dcmread(BytesIO(raw)).OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity == 0


def test_its_size_is_told_before() -> None:
    assert len(WHOLE) <= dicomdir.size(tree_of().roots) <= len(WHOLE) + 1024


def read(raw: bytes) -> reading.Directory | str:
    try:
        return reading.read(BytesSource(raw))
    except TransformError as error:
        return error.reason


@given(st.integers(0, len(WHOLE) - 1))
@settings(max_examples=300)
def test_a_truncated_one_is_refused(length: int) -> None:
    assert isinstance(read(WHOLE[:length]), str)


@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
@settings(max_examples=500)
def test_a_changed_byte_gives_a_directory_or_a_reason(at: int, by: int) -> None:
    """Never another exception, a loop, or more files than there were."""
    raw = bytearray(WHOLE)
    raw[at] ^= by
    found = read(bytes(raw))
    assert isinstance(found, str) or len(found.files) <= 6


@given(st.binary(max_size=400))
def test_any_bytes_give_a_reason(raw: bytes) -> None:
    assert isinstance(read(raw), str)


def changed(tag: int, place: int, value: int) -> bytes:
    """The `place`-th element of a tag with another UL value."""
    head = (tag >> 16).to_bytes(2, "little") + (tag & 0xFFFF).to_bytes(2, "little") + b"UL\4\0"
    at = -1
    for _ in range(place + 1):
        at = WHOLE.index(head, at + 1)
    return WHOLE[: at + 8] + value.to_bytes(4, "little") + WHOLE[at + 12 :]


@pytest.mark.parametrize(("tag", "place"), [(0x00041200, 0), (0x00041400, 1), (0x00041420, 0)])
def test_an_offset_that_leads_nowhere_is_refused(tag: int, place: int) -> None:
    assert read(changed(tag, place, 7)) == "dicomdir-malformed"


def test_records_that_lead_back_are_refused() -> None:
    first = int.from_bytes(changed(0x00041200, 0, 0) and WHOLE[WHOLE.index(b"\4\0\0\x12UL\4\0") + 8 :][:4], "little")
    assert read(changed(0x00041420, 2, first)) == "dicomdir-malformed"
    assert read(changed(0x00041400, 0, first)) == "dicomdir-malformed"


def test_a_record_that_nothing_leads_to_is_refused() -> None:
    assert read(changed(0x00041420, 0, 0)) == "dicomdir-malformed"


@pytest.mark.parametrize(
    "file_id",
    [("..", "X"), ("A", "..", "B"), ("/etc", "passwd"), ("A/B",), ("",), ("A", ""), ("C:",), ("A\0B",), (".",),
     ("A..B",), (), ("A",) * 17, ("~",), ("\u2024\u2024",)],
)  # fmt: skip
def test_a_file_id_that_leads_out_is_not_safe(file_id: tuple[str, ...]) -> None:
    assert not reading.safe(file_id)
    assert not reading.strict(file_id)


def test_foreign_file_ids_are_safe_but_not_strict() -> None:
    assert reading.safe(("images", "IM00001.dcm")) and not reading.strict(("images", "IM00001.dcm"))


def test_another_class_is_no_directory() -> None:
    raw = WHOLE.replace(dicomdir.SOP_CLASS.encode(), b"1.2.840.10008.5.1.4.1.1")
    assert isinstance(read(raw), str)


def test_a_file_is_told_whole() -> None:
    first = reading.read(BytesSource(WHOLE)).files[0]
    data = study.ct(1, 1, 16)
    assert first == File(("DICOM", "ST000001", "S0000001", "I0000001"), data.SOPClassUID, data.SOPInstanceUID, EXPLICIT)
