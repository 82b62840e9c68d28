"""Every reference at every depth is found, as pydicom finds it, in every syntax."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from transforms.dataset import framing, syntax
from transforms.references import referenced
from transforms.source import BytesSource


def raw(data: Dataset, uid: str, undefined: bool) -> bytes:
    if undefined:
        for element in data.iterall():
            if element.VR == "SQ":
                element.is_undefined_length = True
                for item in element.value:
                    item.is_undefined_length_sequence_item = True
    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = uid != syntax.EXPLICIT_BE, uid == syntax.IMPLICIT_LE
    write_dataset(out, data)
    return out.getvalue()


def nested(tree: list) -> list[Dataset]:
    made = []
    for uid, below in tree:
        item = Dataset()
        item.ReferencedSOPClassUID = "1.2"
        if uid:
            item.ReferencedSOPInstanceUID = f"1.2.{uid}"
        if below:
            item.ContentSequence = nested(below)
        made.append(item)
    return made


trees = st.recursive(
    st.lists(st.tuples(st.integers(0, 10**12), st.just([])), max_size=3),
    lambda deeper: st.lists(st.tuples(st.integers(0, 10**12), deeper), max_size=3),
    max_leaves=12,
)


@pytest.mark.parametrize("uid", [syntax.EXPLICIT_LE, syntax.IMPLICIT_LE, syntax.EXPLICIT_BE])
@given(tree=trees, undefined=st.booleans())
def test_as_pydicom_finds_them(uid: str, tree: list, undefined: bool) -> None:
    data = Dataset()
    data.SOPInstanceUID = "1.2.3"
    data.ReferencedStudySequence = nested(tree)
    data.PixelData = b"\0\0"
    data["PixelData"].VR = "OW"
    wanted = {str(e.value) for e in data.iterall() if e.keyword == "ReferencedSOPInstanceUID"}
    source = BytesSource(raw(data, uid, undefined))
    assert referenced(source, framing.check(source, uid)) == wanted


def test_an_object_without_sequences_refers_to_nothing() -> None:
    data = Dataset()
    data.SOPInstanceUID = "1.2.3"
    source = BytesSource(raw(data, syntax.EXPLICIT_LE, False))
    assert referenced(source, framing.check(source, syntax.EXPLICIT_LE)) == frozenset()
