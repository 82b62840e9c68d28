"""The data sets of the Storage Commitment Push Model Service Class (PS3.4 Annex J), to and from bytes. Pure.

    request   N-ACTION, Action Type ID 1 (J.3.2)
    report    N-EVENT-REPORT, Event Type ID 1 (all committed) or 2 (failures exist) (J.3.3)

Rules of this file
* A data set that is read is first framed strictly (transforms/dataset/framing.py); what it must have and has not, or
  has twice in a contradicting way, raises BadCommitment. Nothing in it is guessed.
* At most MOST references: the data set is held in memory.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final

from gateway.dimse.messages import is_uid
from gateway.dimse.uids import EXPLICIT_LE, IMPLICIT_LE
from gateway.model import CommitmentReport, CommitmentRequest, Reference, Refused
from transforms.dataset import framing
from transforms.errors import TransformError
from transforms.source import BytesSource

PUSH_MODEL: Final = "1.2.840.10008.1.20.1"
PUSH_MODEL_INSTANCE: Final = "1.2.840.10008.1.20.1.1"  # well-known (J.3.5)
SYNTAXES: Final = (EXPLICIT_LE, IMPLICIT_LE)
REQUEST_COMMITMENT: Final = 1  # Action Type ID
ALL_COMMITTED, FAILURES_EXIST = 1, 2  # Event Type ID

MOST: Final = 50_000  # references in one transaction
MOST_BYTES: Final = 32 << 20  # of a data set with as many

_TRANSACTION, _REFERENCED, _FAILED = 0x00081195, 0x00081199, 0x00081198
_CLASS, _INSTANCE, _REASON = 0x00081150, 0x00081155, 0x00081197
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF
_LONG = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})

Elements = dict[int, "bytes | list[Elements]"]


class BadCommitment(Exception):
    """The data set is not one of a storage commitment; the text names no value."""


def event_type(report: CommitmentReport) -> int:
    """Its Event Type ID (PS3.4 J.3.3.1)."""
    return FAILURES_EXIST if report.failed else ALL_COMMITTED


def read_request(data: bytes, syntax: str) -> CommitmentRequest:
    """The data set of an N-ACTION. Raises BadCommitment."""
    found = _framed(data, syntax)
    references = _references(found, _REFERENCED)
    if not references:
        raise BadCommitment("no Referenced SOP Sequence")
    return CommitmentRequest(_transaction(found), tuple(dict.fromkeys(Reference(*pair) for pair, _ in references)))


def read_report(data: bytes, syntax: str, kind: int) -> CommitmentReport:
    """The data set of an N-EVENT-REPORT of Event Type ID `kind`.

    Raises BadCommitment: also where one instance is committed and failed.
    """
    found = _framed(data, syntax)
    committed = tuple(Reference(*pair) for pair, _ in _references(found, _REFERENCED))
    failed = tuple(Refused(*pair, _number(item.get(_REASON))) for pair, item in _references(found, _FAILED))
    if kind not in (ALL_COMMITTED, FAILURES_EXIST) or (kind == ALL_COMMITTED) != (not failed):
        raise BadCommitment("Event Type ID and Failed SOP Sequence contradict each other")
    if not committed and not failed:
        raise BadCommitment("neither a Referenced nor a Failed SOP Sequence")
    if {each.sop_instance for each in committed} & {each.sop_instance for each in failed}:
        raise BadCommitment("an instance is both committed and failed")
    return CommitmentReport(_transaction(found), committed, failed)


def write_request(request: CommitmentRequest, syntax: str) -> bytes:
    """The data set of an N-ACTION."""
    items = (_item(syntax, each.sop_class, each.sop_instance) for each in request.references)
    return _element(syntax, _TRANSACTION, b"UI", _uid(request.transaction)) + _sequence(syntax, _REFERENCED, items)


def write_report(report: CommitmentReport, syntax: str) -> bytes:
    """The data set of an N-EVENT-REPORT."""
    data = _element(syntax, _TRANSACTION, b"UI", _uid(report.transaction))
    if report.failed:
        items = (_item(syntax, each.sop_class, each.sop_instance, each.reason) for each in report.failed)
        data += _sequence(syntax, _FAILED, items)
    if report.committed:
        data += _sequence(syntax, _REFERENCED, (_item(syntax, c.sop_class, c.sop_instance) for c in report.committed))
    return data


def _framed(data: bytes, syntax: str) -> Elements:
    if syntax not in SYNTAXES:
        raise BadCommitment("transfer syntax is not an uncompressed little endian one")
    try:
        framing.check(BytesSource(data), syntax)
        found, _ = _read(memoryview(data), 0, len(data), explicit=syntax == EXPLICIT_LE)
    except (TransformError, struct.error, IndexError, RecursionError) as error:
        raise BadCommitment("data set does not frame") from error
    return found


def _read(data: memoryview, at: int, end: int, *, explicit: bool) -> tuple[Elements, int]:
    """Elements up to `end` or an item's delimiter, and where they end. `data` has been framed."""
    found: Elements = {}
    while at < end:
        group, element, length = struct.unpack_from("<HHL", data, at)
        tag = group << 16 | element
        at += 8
        if tag == _ITEM_END:
            return found, at
        if explicit:
            kind = bytes(data[at - 4 : at - 2])
            if kind in _LONG:
                (length,) = struct.unpack_from("<L", data, at)
                at += 4
            else:
                length >>= 16  # VR and a length of 2 bytes stand where Implicit VR has one of 4
        if length == _UNDEFINED or tag in (_REFERENCED, _FAILED):
            found[tag], at = _items(data, at, end if length == _UNDEFINED else at + length, explicit=explicit)
        else:
            found[tag] = bytes(data[at : at + length])
            at += length
    return found, at


def _items(data: memoryview, at: int, end: int, *, explicit: bool) -> tuple[list[Elements], int]:
    found: list[Elements] = []
    while at < end:
        group, element, length = struct.unpack_from("<HHL", data, at)
        tag = group << 16 | element
        at += 8
        if tag == _SEQUENCE_END:
            break
        if tag != _ITEM or len(found) == MOST:
            raise BadCommitment("a sequence has something else than items, or too many")
        item, at = _read(data, at, end if length == _UNDEFINED else at + length, explicit=explicit)
        found.append(item)
    return found, at


def _transaction(found: Elements) -> str:
    uid = _text(found.get(_TRANSACTION))
    if not is_uid(uid):
        raise BadCommitment("no Transaction UID")
    return uid


def _references(found: Elements, tag: int) -> list[tuple[tuple[str, str], Elements]]:
    """(SOP class, SOP instance) of each item of a sequence, with the item. An instance has one class."""
    items = found.get(tag, [])
    if not isinstance(items, list):
        raise BadCommitment("a sequence of references is none")
    pairs: list[tuple[tuple[str, str], Elements]] = []
    classes: dict[str, str] = {}
    for item in items:
        sop_class, sop_instance = _text(item.get(_CLASS)), _text(item.get(_INSTANCE))
        if not is_uid(sop_class) or not is_uid(sop_instance):
            raise BadCommitment("an item names no SOP class or no SOP instance")
        if classes.setdefault(sop_instance, sop_class) != sop_class:
            raise BadCommitment("an instance has two SOP classes")
        pairs.append(((sop_class, sop_instance), item))
    return pairs


def _text(value: object) -> str:
    return value.rstrip(b"\0 ").decode("latin-1") if isinstance(value, bytes) else ""


def _number(value: object) -> int:
    if not isinstance(value, bytes) or len(value) != 2:
        raise BadCommitment("a Failed SOP Sequence item has no Failure Reason")
    return int.from_bytes(value, "little")


def _uid(text: str) -> bytes:
    data = text.encode("ascii")
    return data + b"\0" * (len(data) % 2)


def _element(syntax: str, tag: int, vr: bytes, value: bytes) -> bytes:
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    if syntax == IMPLICIT_LE:
        return head + struct.pack("<L", len(value)) + value
    length = struct.pack("<2xL", len(value)) if vr == b"SQ" else struct.pack("<H", len(value))
    return head + vr + length + value


def _item(syntax: str, sop_class: str, sop_instance: str, reason: int | None = None) -> bytes:
    body = _element(syntax, _CLASS, b"UI", _uid(sop_class)) + _element(syntax, _INSTANCE, b"UI", _uid(sop_instance))
    if reason is not None:
        body += _element(syntax, _REASON, b"US", reason.to_bytes(2, "little"))
    return struct.pack("<HHL", 0xFFFE, 0xE000, len(body)) + body


def _sequence(syntax: str, tag: int, items: Iterable[bytes]) -> bytes:
    return _element(syntax, tag, b"SQ", b"".join(items))
