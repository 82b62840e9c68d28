"""The seven PDUs of PS3.8 9.3 as frozen types and bytes. No socket, no clock.

Rules of this file
* Strict: every length is accounted for. What does not fit raises RefusePeer("pdu-malformed"), nothing else.
* The length of a PDU is judged on its 6 header bytes (`check_header`), before anything is read or allocated.
* A P-DATA-TF is never copied: `pdvs` yields views of the bytes it is given.

What it does not do: decide anything (negotiation.py), know which PDU may come when (states.py), or look into a
message (messages.py).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from gateway.dimse.items import (
    ContextAnswer,
    ProposedContext,
    Reader,
    UserInformation,
    decode_answer,
    decode_proposed,
    decode_uid,
    decode_user,
    encode_answer,
    encode_proposed,
    encode_user,
    item,
    malformed,
    split,
)
from gateway.errors import RefusePeer

HEADER = struct.Struct(">BxL")  # type, reserved, length of what follows
PDV_HEADER = struct.Struct(">LBB")  # length of what follows, context id, message control header
_PDATA = struct.Struct(">BxLLBB")  # both at once
COMMAND, LAST = 1, 2  # message control header (PS3.8 E.2); its other bits are not checked


class PduType(IntEnum):
    """First byte of a PDU."""

    ASSOCIATE_RQ = 1
    ASSOCIATE_AC = 2
    ASSOCIATE_RJ = 3
    P_DATA_TF = 4
    RELEASE_RQ = 5
    RELEASE_RP = 6
    ABORT = 7


class Pdv(NamedTuple):
    """One presentation data value (PS3.8 9.3.5.1). `fragment` is a view: valid until its buffer is used again."""

    context: int
    control: int
    fragment: memoryview


class Rejection(NamedTuple):
    """A-ASSOCIATE-RJ, PS3.8 Table 9-21."""

    result: int  # 1 permanent, 2 transient
    source: int  # 1 service-user, 2 service-provider (ACSE), 3 service-provider (presentation)
    reason: int


@dataclass(frozen=True, slots=True)
class AssociateRequest:
    """A-ASSOCIATE-RQ, PS3.8 Table 9-11. AE titles come without their padding, otherwise as sent."""

    called_ae: str
    calling_ae: str
    contexts: tuple[ProposedContext, ...]
    user: UserInformation
    application_context: str
    protocol_version: int = 1
    echoed: bytes = field(default=b"", repr=False)  # the 64 bytes that an acceptance must give back


@dataclass(frozen=True, slots=True)
class AssociateAccept:
    """A-ASSOCIATE-AC, PS3.8 Table 9-17."""

    contexts: tuple[ContextAnswer, ...]
    user: UserInformation
    application_context: str
    echoed: bytes = field(default=bytes(64), repr=False)


def check_header(kind: int, length: int, max_pdu: int, associate: int) -> None:
    """Judge a PDU by its header: `max_pdu` bounds P-DATA-TF, `associate` the A-ASSOCIATE-RQ and -AC."""
    if kind == PduType.P_DATA_TF:
        allowed = length <= max_pdu
    elif kind in (PduType.ASSOCIATE_RQ, PduType.ASSOCIATE_AC):
        allowed = length <= associate
    elif kind in (PduType.ASSOCIATE_RJ, PduType.RELEASE_RQ, PduType.RELEASE_RP, PduType.ABORT):
        if length != 4:
            raise malformed(f"PDU of type {kind} with a length of {length}")
        return
    else:
        raise RefusePeer("pdu-unrecognized", f"type {kind:02X}H")
    if not allowed:
        raise RefusePeer("pdu-too-long", f"PDU of type {kind} announces {length} bytes")


def decode_associate_rq(body: bytes) -> AssociateRequest:
    """The variable field of an A-ASSOCIATE-RQ (what follows the 6 header bytes)."""
    reader = Reader(body, "A-ASSOCIATE-RQ")
    version = reader.number(2)
    reader.take(2)
    echoed = reader.take(64)
    application, user, contexts = _associate_items(reader.rest(), 0x20)
    proposed = tuple(decode_proposed(part) for part in contexts)
    ids = [context.id for context in proposed]
    if not ids or len(set(ids)) != len(ids) or any(number % 2 == 0 for number in ids):
        raise malformed("presentation context IDs are not distinct odd numbers, or there is none")
    return AssociateRequest(_title(echoed[:16]), _title(echoed[16:32]), proposed, user, application, version, echoed)


def decode_associate_ac(body: bytes) -> AssociateAccept:
    """The variable field of an A-ASSOCIATE-AC."""
    reader = Reader(body, "A-ASSOCIATE-AC")
    reader.take(4)
    echoed = reader.take(64)
    application, user, contexts = _associate_items(reader.rest(), 0x21)
    answers = tuple(decode_answer(part) for part in contexts)
    if len({answer.id for answer in answers}) != len(answers):
        raise malformed("a presentation context is answered twice")
    return AssociateAccept(answers, user, application, echoed)


def _associate_items(data: bytes, context_kind: int) -> tuple[str, UserInformation, list[bytes]]:
    """Application context name, user information and the bodies of the context items."""
    application: str | None = None
    user: UserInformation | None = None
    contexts: list[bytes] = []
    for kind, body in split(data, "A-ASSOCIATE"):
        if kind == 0x10:
            if application is not None:
                raise malformed("two application context items")
            application = decode_uid(body, "application context")
        elif kind == context_kind:
            contexts.append(body)
        elif kind == 0x50:
            if user is not None:
                raise malformed("two user information items")
            user = decode_user(body)
    if application is None or user is None:
        raise malformed("application context or user information is missing")
    return application, user, contexts


def _title(data: bytes) -> str:
    """An AE title field: padding is not significant (PS3.5 6.2); NULs come from real peers."""
    return data.rstrip(b"\0").decode("latin-1").strip(" ")


def encode_associate_rq(request: AssociateRequest) -> bytes:
    """The whole PDU. Raises ValueError where a title or an item does not fit."""
    titles = b"".join(_padded(title) for title in (request.called_ae, request.calling_ae)) + bytes(32)
    items = item(0x10, request.application_context.encode("ascii"))
    items += b"".join(map(encode_proposed, request.contexts)) + encode_user(request.user)
    body = request.protocol_version.to_bytes(2, "big") + bytes(2) + titles + items
    return HEADER.pack(PduType.ASSOCIATE_RQ, len(body)) + body


def encode_associate_ac(accept: AssociateAccept) -> bytes:
    """The whole PDU."""
    items = item(0x10, accept.application_context.encode("ascii"))
    items += b"".join(map(encode_answer, accept.contexts)) + encode_user(accept.user)
    body = b"\0\1\0\0" + accept.echoed + items
    return HEADER.pack(PduType.ASSOCIATE_AC, len(body)) + body


def _padded(title: str) -> bytes:
    data = title.encode("ascii")
    if not 1 <= len(data) <= 16:
        raise ValueError("an AE title has 1 to 16 characters")
    return data.ljust(16)


def associate_rj(result: int, source: int, reason: int) -> bytes:
    """A-ASSOCIATE-RJ, whole."""
    return HEADER.pack(PduType.ASSOCIATE_RJ, 4) + bytes((0, result, source, reason))


def abort(source: int, reason: int) -> bytes:
    """A-ABORT, whole (PS3.8 Table 9-26)."""
    return HEADER.pack(PduType.ABORT, 4) + bytes((0, 0, source, reason))


RELEASE_RQ = HEADER.pack(PduType.RELEASE_RQ, 4) + bytes(4)
RELEASE_RP = HEADER.pack(PduType.RELEASE_RP, 4) + bytes(4)


def p_data_header(context: int, control: int, length: int) -> bytes:
    """The 12 bytes before a fragment of `length` bytes that is alone in its P-DATA-TF."""
    return _PDATA.pack(PduType.P_DATA_TF, length + 6, length + 2, context, control)


def pdvs(body: memoryview) -> Iterator[Pdv]:
    """The presentation data values of a P-DATA-TF's variable field, each a view. At least one (PS3.8 9.3.5)."""
    at, end = 0, len(body)
    if not end:
        raise malformed("P-DATA-TF without a presentation data value")
    while at < end:
        if end - at < 6:
            raise malformed("P-DATA-TF ends within the header of a presentation data value")
        length, context, control = PDV_HEADER.unpack_from(body, at)
        after = at + 4 + length
        if length < 2 or after > end:
            raise malformed("a presentation data value does not fit its P-DATA-TF")
        yield Pdv(context, control, body[at + 6 : after])
        at = after


def fragment_size(max_pdu: int) -> int:
    """Bytes of a message in one P-DATA-TF whose variable field has at most `max_pdu`; even (PS3.8 Annex E.1)."""
    return (max_pdu - 6) & ~1


class AssociateReader:
    """Takes the bytes of a fresh connection until one A-ASSOCIATE-RQ is whole; for a selector without threads.

    Receive at most `wanted` bytes and `feed` them: nothing beyond the PDU is ever taken from the socket.
    """

    __slots__ = ("_data", "_limit", "wanted")

    def __init__(self, limit: int = 64 << 10) -> None:
        self._limit = limit
        self._data = bytearray()
        self.wanted = HEADER.size

    def feed(self, data: bytes) -> bytes | None:
        """The whole PDU once it is there. Raises RefusePeer on any other PDU or a length above the limit.

        Raises ValueError on more bytes than `wanted`.
        """
        if len(data) > self.wanted:
            raise ValueError("more bytes than wanted")
        self._data += data
        self.wanted -= len(data)
        if self._data and self._data[0] != PduType.ASSOCIATE_RQ:
            kind = self._data[0]
            known = PduType.ASSOCIATE_AC <= kind <= PduType.ABORT
            raise RefusePeer("pdu-unexpected" if known else "pdu-unrecognized", f"type {kind:02X}H comes first")
        if self.wanted == 0 and len(self._data) == HEADER.size:
            kind, length = HEADER.unpack(self._data)
            check_header(kind, length, 0, self._limit)
            self.wanted = length
        return bytes(self._data) if self.wanted == 0 else None
