"""Bytes of a Structured Report -> Document. One pass, nothing guessed, nothing left out unsaid.

Rules of this file
* The data set is framed before it is read; undecodable text, missing values and broken references raise, with the
  position of the content item (1.3.2) and never with its values.
* What the model has no field for is named in Document.others.
* Cost is bounded before it is spent: bytes, depth, elements, content items.

It does not judge an SR against the template it claims: templates.py names that, converters look for what they need.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from profiles.sr.sop_classes import SOP_CLASSES
from transforms.dataset.convert import to_explicit_le
from transforms.dataset.framing import Limits, check
from transforms.dataset.part10 import split
from transforms.dataset.syntax import EXPLICIT_LE
from transforms.errors import TransformError
from transforms.source import ByteSource, BytesSource, Copy, EditPlan, chunks
from transforms.sr import references
from transforms.sr.context import settled
from transforms.sr.level import Level, Walker
from transforms.sr.model import Document, OtherAttribute
from transforms.sr.read_header import Header
from transforms.sr.read_items import Codes, Items

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

LONGEST: Final = 64 << 20  # bytes of a data set; a CAD report of a large study has 5 MB
ITEMS: Final = 200_000  # content items
LIMITS: Final = Limits(depth=64, elements=4_000_000, inflated=LONGEST)


def read(source: ByteSource, syntax_uid: str) -> Document:
    """The document in a data set of any uncompressed transfer syntax, without file meta information.

    Raises TransformError: sr-not-a-report, sr-too-large, sr-too-many-items, the reasons of read_items.py and
    references.py, undecodable-text, unknown-character-set; BadFraming and BudgetExceeded as dataset/framing.py says.
    """
    if source.size > LONGEST:
        raise TransformError("sr-too-large", f"more than {LONGEST >> 20} MiB")
    plain = to_explicit_le(source, syntax_uid, LIMITS)
    index = check(plain, EXPLICIT_LE, LIMITS)
    sop_class = (index.value_bytes(plain, 0x00080016) or b"").decode("latin-1").strip(" \0")
    if sop_class not in SOP_CLASSES:
        raise TransformError("sr-not-a-report", "the SOP Class is not one of Structured Reports (PS3.3 A.35)")
    return _document(b"".join(chunks(plain)))


def read_file(source: ByteSource) -> Document:
    """The document in a DICOM file (PS3.10), also one without preamble or file meta information. Raises as `read`."""
    found = split(source, tolerant=True)
    return read(EditPlan(source, (Copy(found.offset, source.size - found.offset),)), found.syntax)


def read_dataset(dataset: Dataset) -> Document:
    """The document in a pydicom data set. Raises as `read`, and sr-encoding where pydicom cannot write it."""
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_dataset

    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = True, False
    try:
        write_dataset(out, dataset)
    except Exception as error:  # whatever pydicom says of it
        raise TransformError("sr-encoding", type(error).__name__) from error
    return read(BytesSource(out.getvalue()), EXPLICIT_LE)


def _document(data: bytes) -> Document:
    others: list[OtherAttribute] = []

    def leave(level: Level) -> None:
        if level.fields:
            others.extend(level.rest())

    codes = Codes()
    items = Items(codes, leave)
    top = Walker(data, items.build, ITEMS).top()
    header = Header(top, codes, leave)
    root = settled(items.build(top))
    references.check(root)
    document = Document(
        sop_class=top.text(0x00080016),
        sop_instance=header.uid(0x00080018, "SOP Instance UID"),
        patient=header.patient(),
        study=header.study(),
        series=header.series(),
        equipment=header.equipment(),
        general=header.general(),
        root=root,
        language=root.language,
        character_set=top.texts(0x00080005),
        coding_schemes=header.coding_schemes(),
    )
    leave(top)
    return replace(document, others=tuple(others)) if others else document
