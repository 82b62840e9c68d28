"""CDA -> DICOM Encapsulated CDA (PS3.3 A.45.2), and back out.

Rules of this file
* The document's bytes are in the object as they are; coming out they are the same (MIME type text/XML).
* The header is the document's own: patient, study, order, title, HL7 Instance Identifier. A document that does not say
  which study it is of cannot be an object of one, and is refused.
* UIDs are made of the document, so that the same document is the same object.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final

from transforms.conversion import Converted, Given
from transforms.dataset.attributes import UTF8, Attributes
from transforms.dataset.convert import to_explicit_le
from transforms.dataset.framing import check
from transforms.dataset.part10 import meta, split
from transforms.dataset.syntax import EXPLICIT_LE
from transforms.errors import TransformError
from transforms.hl7 import facts
from transforms.hl7.facts import Coded, Facts, Id, Name
from transforms.loss import Losses, LossReport
from transforms.source import BytesSource, Copy, EditPlan

ENCAPSULATED_CDA: Final = "1.2.840.10008.5.1.4.1.1.104.2"
_DOCUMENT: Final = 0x00420011
_LENGTH: Final = 0x00420015
_SEXES: Final = {"M": "M", "F": "F", "UN": "O"}
_SCHEMES: Final = {"2.16.840.1.113883.6.1": "LN", "2.16.840.1.113883.6.96": "SCT", "1.2.840.10008.2.16.4": "DCM"}
_TS: Final = re.compile(r"(\d{4,8})(\d{2,6})?(\.\d{1,6})?\d*([+-]\d{4})?", re.ASCII)
_UID: Final = re.compile(r"[0-9.]{1,64}", re.ASCII)
_LO: Final = 64  # letters of an LO


def wrap(data: bytes, given: Given) -> Converted:
    """A DICOM file. Raises TransformError: xml-*, cda-unreadable, cda-without-study, does-not-fit."""
    found = facts.of(data)
    if not _UID.fullmatch(found.study.root):
        raise TransformError("cda-without-study", "documentationOf/serviceEvent/id/@root is no Study Instance UID")
    losses = Losses()
    out = Attributes()
    instance = _uid(data)
    _general(out, found, instance)
    _patient(out, found, losses)
    _study(out, found)
    _document(out, found, data, given, losses)
    try:
        head = meta(ENCAPSULATED_CDA, instance, EXPLICIT_LE)
    except ValueError as error:  # never of the document: its UIDs are ours
        raise TransformError("does-not-fit", "a UID") from error
    return Converted(head + out.encoded(), LossReport("cda", "encapsulated-cda", losses.lines))


def unwrap(data: bytes, given: Given) -> Converted:
    """The document in a DICOM file. Raises TransformError: not-encapsulated-cda; BadFraming."""
    source = BytesSource(data)
    found = split(source, tolerant=True)
    body = to_explicit_le(EditPlan(source, (Copy(found.offset, source.size - found.offset),)), found.syntax)
    index = check(body, EXPLICIT_LE)
    sop_class = (index.value_bytes(body, 0x00080016) or b"").decode("latin-1").strip(" \0")
    document = index.value_bytes(body, _DOCUMENT)
    if sop_class != ENCAPSULATED_CDA or document is None:
        raise TransformError("not-encapsulated-cda", "the object is of another class, or holds no document")
    said = index.value_bytes(body, _LENGTH)
    length = int.from_bytes(said, "little") if said is not None and len(said) == 4 else len(document.rstrip(b"\0"))
    if not len(document) - 1 <= length <= len(document) and said is not None:
        raise TransformError("not-encapsulated-cda", "Encapsulated Document Length is not the document's")
    return Converted(document[:length], LossReport("encapsulated-cda", "cda"))


def _uid(data: bytes, of: bytes = b"instance") -> str:
    """A UID of the document's bytes (PS3.5 B.2)."""
    return f"2.25.{int.from_bytes(sha256(of + b'|' + data).digest()[:16], 'big')}"


def _general(out: Attributes, found: Facts, instance: str) -> None:
    """SOP Common, Encapsulated Document Series, SC Equipment modules."""
    out.text(0x00080005, UTF8)
    out.text(0x00080016, ENCAPSULATED_CDA)
    out.text(0x00080018, instance)
    out.text(0x00080060, "DOC")
    out.text(0x00080064, "WSD")
    out.text(0x00080070, "", empty=True)
    out.text(0x0020000E, _uid(found.study.root.encode(), b"series"))
    out.text(0x00200011, "1")
    out.text(0x00200013, "1")


def _patient(out: Attributes, found: Facts, losses: Losses) -> None:
    first = found.patient_ids[0] if found.patient_ids else Id()
    for number in range(2, len(found.patient_ids) + 1):
        losses.left_out(f"recordTarget/patientRole/id[{number}]", "another identifier: it is in the document only")
    out.text(0x00100010, _person(found.patient), empty=True)
    out.text(0x00100020, _value(first.extension or first.root), empty=True)
    if first.extension and first.root:
        issuer = Attributes()
        issuer.text(0x00400032, first.root)
        issuer.text(0x00400033, "ISO")
        out.items(0x00100024, (issuer.encoded(),))
    out.text(0x00100030, found.birth_time[:8] if len(found.birth_time) >= 8 else "", empty=True)
    out.text(0x00100040, _SEXES.get(found.gender, ""), empty=True)


def _study(out: Attributes, found: Facts) -> None:
    order = found.orders[0] if found.orders else None
    date, time, _ = _split(found.study_time)
    out.text(0x00080020, date, empty=True)
    out.text(0x00080030, time, empty=True)
    out.text(0x00080050, _value(order.accession.extension, 16) if order else "", empty=True)
    if order and order.accession.extension and order.accession.root:
        issuer = Attributes()
        issuer.text(0x00400032, order.accession.root)
        issuer.text(0x00400033, "ISO")
        out.items(0x00080051, (issuer.encoded(),))
    out.text(0x00080090, "", empty=True)
    out.text(0x0020000D, found.study.root)
    out.text(0x00200010, "", empty=True)


def _document(out: Attributes, found: Facts, data: bytes, given: Given, losses: Losses) -> None:
    """Encapsulated Document module (C.24.2)."""
    date, time, zone = _split(found.time)
    out.text(0x00080023, date, empty=True)
    out.text(0x00080033, time, empty=True)
    out.text(0x00080201, zone)
    out.text(0x0008002A, "", empty=True)
    out.text(0x00280301, "YES")  # Burned In Annotation: the document tells who the patient is
    out.items(0x0040A043, _code(found.code), empty=True)
    if len(found.title) > 1024:
        losses.changed("title", "cut to 1024 letters, as Document Title (0042,0010) holds", "DocumentTitle")
    out.text(0x00420010, found.title[:1024].replace("\\", "/"), empty=True)
    out.text(0x0040A493, "VERIFIED" if found.signer else "UNVERIFIED")
    out.text(0x0040E001, found.id.whole)
    out.text(0x00420012, "text/XML")
    if given.source is not None:
        source = Attributes()
        source.text(0x00081150, given.source[0])
        source.text(0x00081155, given.source[1])
        out.items(0x00420013, (source.encoded(),))
    elif found.source is not None:
        losses.left_out("relatedDocument[XFRM]", "its SOP class is not known here: Source Instance Sequence is missing")
    out.raw(_DOCUMENT, data)
    out.numbers(_LENGTH, (len(data),))


def _code(code: Coded) -> list[bytes]:
    scheme = _SCHEMES.get(code.system)
    if not code.code or scheme is None or len(code.code) > 16:
        return []
    out = Attributes()
    out.text(0x00080100, code.code)
    out.text(0x00080102, scheme)
    out.text(0x00080104, _value(code.name or code.code))
    return [out.encoded()]


def _value(text: str, longest: int = _LO) -> str:
    """A text as one value of an LO or SH."""
    return " ".join(text.replace("\\", "/").split())[:longest]


def _person(name: Name) -> str:
    """A PN of the parts (PS3.5 6.2.1.1)."""
    if name.text:
        return _part(name.text)
    given = (name.given[0] if name.given else "", " ".join(name.given[1:]))
    return "^".join(map(_part, (name.family, *given, name.prefix, name.suffix))).rstrip("^")


def _part(text: str) -> str:
    return _value(text).replace("^", " ").replace("=", " ")


def _split(value: str) -> tuple[str, str, str]:
    """A TS as DA, TM and offset; "" for what it does not say."""
    found = _TS.fullmatch(value)
    if found is None or len(found[1]) < 8:
        return "", "", ""
    return found[1], (found[2] or "") + (found[3] or ""), found[4] or ""
