"""Items and sub-items of the A-ASSOCIATE PDUs: PS3.8 9.3.2, 9.3.3, Annex D, and PS3.7 Annex D.3.3.

Rules of this file
* A decoder consumes its body exactly; a byte too many or too few is `pdu-malformed`.
* An unknown sub-item is skipped (PS3.8 9.3.1); a known one that may stand once and stands twice is an error.
* Nothing here decides what to accept: negotiation.py does.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.errors import RefusePeer

_UID = re.compile(r"[0-9.]{1,64}")
_HEADER = struct.Struct(">BxH")
_MAX_PDU_WHERE_SILENT = 16384  # a peer without the Maximum Length sub-item is an old one


class ProposedContext(NamedTuple):
    """PS3.8 Table 9-13. `id` is odd, 1 to 255."""

    id: int
    abstract: str
    syntaxes: tuple[str, ...]


class ContextAnswer(NamedTuple):
    """PS3.8 Table 9-18. `result` 0 accepts; only then `syntax` means something."""

    id: int
    result: int
    syntax: str


class AsynchronousWindow(NamedTuple):
    """PS3.7 D.3.3.3: operations outstanding each way; 0 is no limit."""

    invoked: int
    performed: int


class RoleSelection(NamedTuple):
    """PS3.7 D.3.3.4: the roles of the requestor for one SOP class."""

    sop_class: str
    scu: bool
    scp: bool


class ExtendedNegotiation(NamedTuple):
    """PS3.7 D.3.3.5: bytes that only the service class understands."""

    sop_class: str
    information: bytes


class CommonExtendedNegotiation(NamedTuple):
    """PS3.7 D.3.3.6: what a (private) SOP class is a kind of."""

    sop_class: str
    service_class: str
    related: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UserIdentity:
    """PS3.7 D.3.3.7: who the user is. The fields are credentials: they have no place in a log or repr."""

    type: int
    wants_answer: bool
    primary: bytes = field(repr=False)
    secondary: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class UserInformation:
    """PS3.8 9.3.2.3 and what PS3.7 D.3.3 puts into it."""

    max_pdu: int = _MAX_PDU_WHERE_SILENT  # 0: no limit
    implementation_class: str = ""
    implementation_version: str = ""
    window: AsynchronousWindow | None = None
    roles: tuple[RoleSelection, ...] = ()
    extended: tuple[ExtendedNegotiation, ...] = ()
    common: tuple[CommonExtendedNegotiation, ...] = ()
    identity: UserIdentity | None = None  # of a request
    identity_answer: bytes | None = field(default=None, repr=False)  # of an acceptance


def malformed(detail: str) -> RefusePeer:
    """The one error of the codec."""
    return RefusePeer("pdu-malformed", detail)


class Reader:
    """A cursor over bytes that cannot leave them."""

    __slots__ = ("_at", "_data", "_what")

    def __init__(self, data: bytes, what: str) -> None:
        self._data = data
        self._at = 0
        self._what = what

    def take(self, length: int) -> bytes:
        """Exactly `length` bytes."""
        end = self._at + length
        if end > len(self._data):
            raise malformed(f"{self._what} ends too early")
        part = self._data[self._at : end]
        self._at = end
        return part

    def number(self, size: int) -> int:
        """An unsigned big-endian number of `size` bytes."""
        return int.from_bytes(self.take(size), "big")

    def uid(self) -> str:
        """A UID with 2 bytes of length before it."""
        return decode_uid(self.take(self.number(2)), self._what)

    @property
    def at_end(self) -> bool:
        """Nothing is left."""
        return self._at == len(self._data)

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(len(self._data) - self._at)

    def end(self) -> None:
        """Nothing may be left."""
        if not self.at_end:
            raise malformed(f"{self._what} is longer than what it holds")


def decode_uid(data: bytes, what: str) -> str:
    """A UID; PS3.8 Annex F has no padding, but trailing NULs come from real peers and are harmless."""
    text = data.rstrip(b"\0").decode("latin-1")
    if not _UID.fullmatch(text):
        raise malformed(f"{what} holds no UID")
    return text


def split(data: bytes, what: str) -> Iterator[tuple[int, bytes]]:
    """(type, body) of each item in a run of items."""
    at, end = 0, len(data)
    while at < end:
        if end - at < 4:
            raise malformed(f"{what} ends within an item header")
        kind, length = _HEADER.unpack_from(data, at)
        at += 4
        if length > end - at:
            raise malformed(f"an item of {what} is longer than what holds it")
        yield kind, data[at : at + length]
        at += length


def item(kind: int, body: bytes) -> bytes:
    """One item. Raises ValueError where the body does not fit 16 bits of length."""
    if len(body) > 0xFFFF:
        raise ValueError("item longer than 65535 bytes")
    return _HEADER.pack(kind, len(body)) + body


def decode_proposed(body: bytes) -> ProposedContext:
    """Item 20H."""
    reader = Reader(body, "presentation context")
    number = reader.number(1)
    reader.take(3)
    abstract: str | None = None
    syntaxes: list[str] = []
    for kind, part in split(reader.rest(), "presentation context"):
        if kind == 0x30:
            if abstract is not None:
                raise malformed("presentation context with two abstract syntaxes")
            abstract = decode_uid(part, "abstract syntax")
        elif kind == 0x40:
            syntaxes.append(decode_uid(part, "transfer syntax"))
    if abstract is None or not syntaxes:
        raise malformed("presentation context without abstract or transfer syntax")
    return ProposedContext(number, abstract, tuple(syntaxes))


def encode_proposed(context: ProposedContext) -> bytes:
    """Item 20H."""
    parts = [bytes((context.id, 0, 0, 0)), item(0x30, context.abstract.encode("ascii"))]
    parts += [item(0x40, syntax.encode("ascii")) for syntax in context.syntaxes]
    return item(0x20, b"".join(parts))


def decode_answer(body: bytes) -> ContextAnswer:
    """Item 21H. What a refused context says of a syntax is not significant (PS3.8 Table 9-18) and not read."""
    reader = Reader(body, "presentation context answer")
    number = reader.number(1)
    reader.take(1)
    result = reader.number(1)
    reader.take(1)
    if result != 0:
        return ContextAnswer(number, result, "")
    syntaxes = [part for kind, part in split(reader.rest(), "presentation context answer") if kind == 0x40]
    if len(syntaxes) != 1:
        raise malformed("accepted presentation context without exactly one transfer syntax")
    return ContextAnswer(number, result, decode_uid(syntaxes[0], "transfer syntax"))


def encode_answer(answer: ContextAnswer) -> bytes:
    """Item 21H."""
    body = bytes((answer.id, 0, answer.result, 0)) + item(0x40, answer.syntax.encode("ascii"))
    return item(0x21, body)


def decode_user(body: bytes) -> UserInformation:
    """Item 50H."""
    once: dict[int, bytes] = {}
    roles: list[RoleSelection] = []
    extended: list[ExtendedNegotiation] = []
    common: list[CommonExtendedNegotiation] = []
    for kind, part in split(body, "user information"):
        if kind == 0x54:
            roles.append(_role(part))
        elif kind == 0x56:
            reader = Reader(part, "SOP class extended negotiation")
            extended.append(ExtendedNegotiation(reader.uid(), reader.rest()))
        elif kind == 0x57:
            common.append(_common(part))
        elif kind in (0x51, 0x52, 0x53, 0x55, 0x58, 0x59):
            if kind in once:
                raise malformed(f"user information holds sub-item {kind:02X}H twice")
            once[kind] = part
    return UserInformation(
        max_pdu=_exactly(once[0x51], 4, "maximum length") if 0x51 in once else _MAX_PDU_WHERE_SILENT,
        implementation_class=decode_uid(once[0x52], "implementation class") if once.get(0x52) else "",
        implementation_version=_text(once.get(0x55, b"")),
        window=_window(once[0x53]) if 0x53 in once else None,
        roles=tuple(roles),
        extended=tuple(extended),
        common=tuple(common),
        identity=_identity(once[0x58]) if 0x58 in once else None,
        identity_answer=_identity_answer(once[0x59]) if 0x59 in once else None,
    )


def encode_user(user: UserInformation) -> bytes:
    """Item 50H."""
    parts = [item(0x51, user.max_pdu.to_bytes(4, "big")), item(0x52, user.implementation_class.encode("ascii"))]
    if user.window is not None:
        parts.append(item(0x53, struct.pack(">HH", *user.window)))
    for role in user.roles:
        parts.append(item(0x54, _counted(role.sop_class.encode("ascii")) + bytes((role.scu, role.scp))))
    if user.implementation_version:
        parts.append(item(0x55, user.implementation_version.encode("ascii")))
    for one in user.extended:
        parts.append(item(0x56, _counted(one.sop_class.encode("ascii")) + one.information))
    for other in user.common:
        related = b"".join(_counted(uid.encode("ascii")) for uid in other.related)
        names = _counted(other.sop_class.encode("ascii")) + _counted(other.service_class.encode("ascii"))
        parts.append(item(0x57, names + _counted(related)))
    if user.identity is not None:
        who = user.identity
        body = bytes((who.type, who.wants_answer)) + _counted(who.primary) + _counted(who.secondary)
        parts.append(item(0x58, body))
    if user.identity_answer is not None:
        parts.append(item(0x59, _counted(user.identity_answer)))
    return item(0x50, b"".join(parts))


def _counted(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


def _exactly(data: bytes, size: int, what: str) -> int:
    if len(data) != size:
        raise malformed(f"{what} has {len(data)} bytes instead of {size}")
    return int.from_bytes(data, "big")


def _text(data: bytes) -> str:
    """Implementation version name: 1 to 16 characters (PS3.7 D.3.3.2.3); longer ones are cut, never refused."""
    return "".join(chr(c) if 0x20 <= c < 0x7F else "?" for c in data[:16]).strip()


def _window(part: bytes) -> AsynchronousWindow:
    both = _exactly(part, 4, "asynchronous operations window")
    return AsynchronousWindow(both >> 16, both & 0xFFFF)


def _role(part: bytes) -> RoleSelection:
    reader = Reader(part, "role selection")
    uid, scu, scp = reader.uid(), reader.number(1), reader.number(1)
    reader.end()
    if scu > 1 or scp > 1:
        raise malformed("role selection with a role that is neither 0 nor 1")
    return RoleSelection(uid, bool(scu), bool(scp))


def _common(part: bytes) -> CommonExtendedNegotiation:
    reader = Reader(part, "common extended negotiation")
    sop_class, service_class = reader.uid(), reader.uid()
    inner = Reader(reader.take(reader.number(2)), "related general SOP classes")
    related = []
    while not inner.at_end:
        related.append(inner.uid())
    reader.rest()  # PS3.7 Table D.3-12: reserved, of any length, not to be tested
    return CommonExtendedNegotiation(sop_class, service_class, tuple(related))


def _identity(part: bytes) -> UserIdentity:
    reader = Reader(part, "user identity")
    kind, wants = reader.number(1), reader.number(1)
    primary = reader.take(reader.number(2))
    secondary = reader.take(reader.number(2))
    reader.end()
    return UserIdentity(kind, bool(wants), primary, secondary)


def _identity_answer(part: bytes) -> bytes:
    reader = Reader(part, "user identity answer")
    answer = reader.take(reader.number(2))
    reader.end()
    return answer
