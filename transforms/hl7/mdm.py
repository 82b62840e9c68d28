"""CDA -> MDM^T02, or MDM^T10 where the document replaces another (HL7 2.5.1 chapter 9.6).

Rules of this file
* The document goes whole into OBX-5, as ED of type TEXT, subtype XML, in base64: its bytes arrive as they are.
* The other segments repeat what its header says, so that a receiver files it without opening it. What the header does
  not say is left empty; nothing is invented.
* Every message is parsed and validated strictly by hl7apy before it is one. Its ST has at most 199 letters in version
  2.5.1, which no document fits: the document is put in after that, and base64 has no letter that could delimit.
* MSH-10 is made of the document: a message sent twice has one control id.
"""

from __future__ import annotations

import re
from base64 import b64encode
from datetime import datetime
from hashlib import sha256
from typing import Final

from transforms.conversion import Converted, Given
from transforms.errors import TransformError
from transforms.hl7 import facts as cda
from transforms.hl7.er7 import ENCODING, Field, segment
from transforms.hl7.facts import Coded, Facts, Id, Name, Signer
from transforms.hl7.options import MdmOptions
from transforms.loss import Losses, LossReport

VERSION: Final = "2.5.1"
_TS: Final = re.compile(r"(?P<time>\d{4,14})(?:\.(?P<fraction>\d{1,4})\d*)?(?P<zone>[+-]\d{4})?", re.ASCII)
_STUB: Final = "^TEXT^XML^Base64^QQ=="
_SYSTEMS: Final = {"2.16.840.1.113883.6.1": "LN", "2.16.840.1.113883.6.96": "SCT", "1.2.840.10008.2.16.4": "DCM"}
_GENDERS: Final = {"M": "M", "F": "F", "UN": "A"}  # HL70001; another or none: U
_CONFIDENTIALITY: Final = {
    "N": "U",
    "L": "U",
    "M": "U",
    "U": "U",
    "R": "R",
    "V": "V",
}  # HL70272: usual, restricted, very


def convert(data: bytes, given: Given) -> Converted:
    """The message, segments ended by CR. Raises TransformError: xml-*, cda-unreadable, options-invalid, mdm-invalid."""
    found = cda.of(data)
    options = MdmOptions.of(given.options)
    losses = Losses()
    if not found.patient_ids:
        raise TransformError("mdm-invalid", "the document has no identifier of its patient: PID-3 must have one")
    if not found.code.code:
        raise TransformError("mdm-invalid", "the document has no code: OBX-3 must have one")
    replaced = found.replaces
    event = "T10" if replaced is not None else "T02"
    control = sha256(data + event.encode()).hexdigest()[:20]  # MSH-10 has at most 20 letters
    segments = [
        _msh(event, control, given.now, options),
        segment("EVN", "", _time(given.now)),
        _pid(found, options, losses),
        segment("PV1", "1", options.patient_class, *[""] * 16, _cx(found.encounter)),
        *_orders(found, losses),
        _txa(found, options),
    ]
    observation = f"{segment('OBX', '1', 'ED', _ce(found.code))}||{_STUB}||||||{'F' if found.signer else 'P'}"
    whole = "\r".join([*segments, observation, ""])
    _validate(whole)
    if whole.count(_STUB) != 1:
        raise TransformError("mdm-invalid", "the place of the document is not one place")
    document = "^TEXT^XML^Base64^" + b64encode(data).decode("ascii")
    return Converted(whole.replace(_STUB, document).encode("utf-8"), LossReport("cda", "mdm", losses.lines))


def _msh(event: str, control: str, now: datetime, options: MdmOptions) -> str:
    ends = (
        options.sending_application,
        options.sending_facility,
        options.receiving_application,
        options.receiving_facility,
    )
    rest = segment(
        "", *map(_hd, ends), _time(now), "", ("MDM", event, "MDM_T02"), control, options.processing, VERSION,
        "", "", "", "", "", "UNICODE UTF-8",
    )  # fmt: skip
    return f"MSH|{ENCODING}{rest}"


def _pid(found: Facts, options: MdmOptions, losses: Losses) -> str:
    name = _xpn(found.patient)
    if not any(name):
        name = ("", "", "", "", "", "", "U")  # PID-5 must have a name: U says that it is not specified (HL70200)
        losses.defaulted("PID-5", "the document has no name of its patient: it is said to be unspecified")
    return segment(
        "PID",
        "1",
        "",
        [_cx(each, options.patient_id_type) for each in found.patient_ids],
        "",
        name,
        "",
        found.birth_time[:8],
        _GENDERS.get(found.gender, "U"),
    )


def _orders(found: Facts, losses: Losses) -> list[str]:
    made = []
    for number, order in enumerate(found.orders, 1):
        placer, filler = _ei(order.placer), _ei(order.accession)
        if not placer and not filler:
            continue
        if not order.code.code:
            losses.defaulted(
                f"OBR[{number}]-4", "the order has no procedure code: the document's own code stands there"
            )
        made.append(segment("ORC", "RE", placer, filler))
        made.append(
            segment("OBR", str(number), placer, filler, _ce(order.code if order.code.code else found.code), "", "",
                    _ts(found.study_time))
        )  # fmt: skip
    return made


def _txa(found: Facts, options: MdmOptions) -> str:
    """Transcription Document Header (9.6.1)."""
    first = found.orders[0] if found.orders else None
    author = _xcn(found.authors[0]) if found.authors else ""
    return segment(
        "TXA",
        "1",
        options.document_type,
        "TEXT",
        _ts(found.study_time),
        "",
        _ts(found.time),
        "",
        "",
        author,
        "",
        "",
        _ei(found.id),
        _ei(found.replaces) if found.replaces is not None else "",
        _ei(first.placer) if first else "",
        _ei(first.accession) if first else "",
        "",
        "LA" if found.signer else "DO",  # HL70271: legally authenticated, documented
        _CONFIDENTIALITY.get(found.confidentiality, "U"),
        "AV",
        "",
        "",
        _ppn(found.signer) if found.signer else "",
    )


def _validate(message: str) -> None:
    from hl7apy.consts import VALIDATION_LEVEL  # type: ignore[import-untyped]
    from hl7apy.parser import parse_message  # type: ignore[import-untyped]

    try:
        parse_message(message, validation_level=VALIDATION_LEVEL.STRICT, find_groups=True).validate()
    except Exception as error:  # whatever hl7apy says: its messages hold values, so only their kind is told
        raise TransformError("mdm-invalid", f"hl7apy says {type(error).__name__}") from error


def _time(now: datetime) -> str:
    return now.strftime("%Y%m%d%H%M%S%z")


def _ts(value: str) -> str:
    """A CDA TS as a v2 DTM: fractions of a second have at most four digits (2.A.22). What is none becomes empty."""
    found = _TS.fullmatch(value)
    if found is None:
        return ""
    return found["time"] + (f".{found['fraction']}" if found["fraction"] else "") + (found["zone"] or "")


def _hd(name: str) -> Field:
    """An HD of an option: an OID is a universal id, anything else a namespace."""
    if name and all(part.isdigit() for part in name.split(".")) and "." in name:
        return ("", name, "ISO")
    return name


def _ei(found: Id) -> Field:
    if not found.root and not found.extension:
        return ""
    return (found.extension or found.root, "", found.root, "ISO" if found.root else "")


def _cx(found: Id, kind: str = "") -> Field:
    if not found.root and not found.extension:
        return ""
    authority = ("", found.root, "ISO") if found.root and found.extension else ""
    return (found.extension or found.root, "", "", authority, kind)


def _ce(code: Coded) -> Field:
    return (code.code, code.name, _SYSTEMS.get(code.system, code.system))


def _xpn(name: Name) -> Field:
    if name.text:
        return (name.text,)
    return (name.family, *_given(name), name.suffix, name.prefix)


def _given(name: Name) -> tuple[str, str]:
    return (name.given[0] if name.given else "", " ".join(name.given[1:]))


def _xcn(signer: Signer) -> Field:
    """An XCN: id, name, who assigned the id."""
    name, given = signer.name, _given(signer.name)
    assigned: tuple[str, ...] = ("", signer.id.root, "ISO") if signer.id.extension and signer.id.root else ()
    return (signer.id.extension, name.family or name.text, *given, name.suffix, name.prefix, "", "", assigned)


def _ppn(signer: Signer) -> Field:
    """A PPN: an XCN and, as its fifteenth part, when (2.A.60)."""
    found = _xcn(signer)
    assert isinstance(found, tuple)
    return (*found, *[""] * (14 - len(found)), _ts(signer.time))
