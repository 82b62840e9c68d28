"""DIMSE command sets: PS3.7 section 6.3, 9.3 and Annex E, in Implicit VR little endian. No socket, no clock.

Rules of this file
* Strict: elements of group 0000 only, ascending, each exactly as long as it says and as its VR needs.
* An element that no field here needs is stepped over; a retired one too.
* A UID in a command is text until somebody has looked at it (`is_uid`): a bad one is answered, not fatal.

What it does not do: judge whether a message may come now (acceptor.py, client.py).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.dimse.pdu import COMMAND, LAST, fragment_size, p_data_header
from gateway.errors import RefusePeer

_ELEMENT = struct.Struct("<HHL")
_UID = re.compile(r"[0-9.]{1,64}")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]|\\")
MAX_COMMENT = 64  # (0000,0902) is LO

C_STORE_RQ, C_STORE_RSP = 0x0001, 0x8001
C_ECHO_RQ, C_ECHO_RSP = 0x0030, 0x8030
C_CANCEL_RQ = 0x0FFF
N_EVENT_REPORT_RQ, N_EVENT_REPORT_RSP = 0x0100, 0x8100
N_ACTION_RQ, N_ACTION_RSP = 0x0130, 0x8130
RESPONSE = 0x8000  # set in the command field of every response
# PS3.7 E.1: what a DIMSE-N or DIMSE-C request may be; anything else is no command.
REQUESTS = frozenset({0x0001, 0x0010, 0x0020, 0x0021, 0x0030, 0x0100, 0x0110, 0x0120, 0x0130, 0x0140, 0x0150})
NO_DATA_SET = 0x0101

AFFECTED_SOP_CLASS = 0x0002
REQUESTED_SOP_CLASS = 0x0003
COMMAND_FIELD = 0x0100
MESSAGE_ID = 0x0110
MESSAGE_ID_RESPONDED = 0x0120
PRIORITY = 0x0700
DATA_SET_TYPE = 0x0800
STATUS = 0x0900
OFFENDING_ELEMENT = 0x0901
ERROR_COMMENT = 0x0902
ERROR_ID = 0x0903
AFFECTED_SOP_INSTANCE = 0x1000
REQUESTED_SOP_INSTANCE = 0x1001
EVENT_TYPE = 0x1002
ACTION_TYPE = 0x1008
MOVE_ORIGINATOR = 0x1030
MOVE_ORIGINATOR_ID = 0x1031

_NUMBERS = {
    COMMAND_FIELD,
    MESSAGE_ID,
    MESSAGE_ID_RESPONDED,
    PRIORITY,
    DATA_SET_TYPE,
    STATUS,
    ERROR_ID,
    EVENT_TYPE,
    ACTION_TYPE,
    MOVE_ORIGINATOR_ID,
}
_UIDS = {AFFECTED_SOP_CLASS, REQUESTED_SOP_CLASS, AFFECTED_SOP_INSTANCE, REQUESTED_SOP_INSTANCE}


@dataclass(frozen=True, slots=True)
class Command:
    """One command set, as far as the services here need it. None or "" where an element is absent.

    `sop_class` and `sop_instance` are the affected ones, or the requested ones of an N-ACTION.
    """

    field: int
    has_data_set: bool
    message_id: int | None = None
    responded_to: int | None = None
    sop_class: str = ""
    sop_instance: str = ""
    priority: int | None = None
    status: int | None = None
    comment: str = ""
    error_id: int | None = None
    offending: tuple[int, ...] = ()  # tags, gggg << 16 | eeee
    move_originator: str = ""
    move_originator_id: int | None = None
    type_id: int | None = None  # Event Type ID or Action Type ID

    @property
    def is_response(self) -> bool:
        """PS3.7 E.1: the highest bit of the command field."""
        return bool(self.field & RESPONSE)


def is_uid(text: str) -> bool:
    """Digits and dots, 1 to 64 of them (PS3.5 section 9, without its finer points)."""
    return _UID.fullmatch(text) is not None


def clean_comment(text: str) -> str:
    """What may stand in an LO: printable ASCII without backslash, at most 64 characters."""
    return _UNPRINTABLE.sub("?", text)[:MAX_COMMENT].strip()


def _malformed(detail: str) -> RefusePeer:
    return RefusePeer("command-malformed", detail)


def decode_command(data: bytes) -> Command:
    """A whole command set. Raises RefusePeer("command-malformed")."""
    elements: dict[int, bytes] = {}
    at, end, before = 0, len(data), -1
    while at < end:
        if end - at < 8:
            raise _malformed("command set ends within an element header")
        group, element, length = _ELEMENT.unpack_from(data, at)
        at += 8
        if group != 0 or element <= before:
            raise _malformed("command set is not ascending elements of group 0000")
        if length > end - at:
            raise _malformed("an element is longer than the command set")
        before = element
        elements[element] = data[at : at + length]
        at += length
    if 0x0000 in elements and int.from_bytes(elements[0x0000], "little") != len(data) - 8 - len(elements[0x0000]):
        raise _malformed("command group length is wrong")
    numbers = {element: _number(elements[element]) for element in _NUMBERS & elements.keys()}
    command = Command(
        field=numbers.get(COMMAND_FIELD, -1),
        has_data_set=numbers.get(DATA_SET_TYPE, -1) != NO_DATA_SET,
        message_id=numbers.get(MESSAGE_ID),
        responded_to=numbers.get(MESSAGE_ID_RESPONDED),
        sop_class=_text(elements.get(AFFECTED_SOP_CLASS, elements.get(REQUESTED_SOP_CLASS, b""))),
        sop_instance=_text(elements.get(AFFECTED_SOP_INSTANCE, elements.get(REQUESTED_SOP_INSTANCE, b""))),
        priority=numbers.get(PRIORITY),
        status=numbers.get(STATUS),
        comment=clean_comment(_text(elements.get(ERROR_COMMENT, b""))),
        error_id=numbers.get(ERROR_ID),
        offending=_tags(elements.get(OFFENDING_ELEMENT, b"")),
        move_originator=_text(elements.get(MOVE_ORIGINATOR, b"")),
        move_originator_id=numbers.get(MOVE_ORIGINATOR_ID),
        type_id=numbers.get(EVENT_TYPE, numbers.get(ACTION_TYPE)),
    )
    if command.field < 0 or DATA_SET_TYPE not in numbers:
        raise _malformed("command field or data set type is missing")
    if command.is_response or command.field == C_CANCEL_RQ:
        if command.responded_to is None:
            raise _malformed("message ID being responded to is missing")
    elif command.message_id is None:
        raise _malformed("message ID is missing")
    if command.is_response and command.status is None:
        raise _malformed("status is missing")
    return command


def _number(data: bytes) -> int:
    if len(data) != 2:
        raise _malformed("a US element has not 2 bytes")
    return int.from_bytes(data, "little")


def _text(data: bytes) -> str:
    return data.rstrip(b"\0 ").decode("latin-1").lstrip(" ")


def _tags(data: bytes) -> tuple[int, ...]:
    if len(data) % 4:
        raise _malformed("an AT element is not a multiple of 4 bytes")
    return tuple(group << 16 | element for group, element in struct.iter_unpack("<HH", data))


def _encode(elements: Iterable[tuple[int, int | str]]) -> bytes:
    """A command set with its group length. Numbers are US; UIDs are padded with NUL, other text with space."""
    parts = []
    for element, value in elements:
        if isinstance(value, int):
            data = value.to_bytes(2, "little")
        else:
            data = value.encode("ascii")
            if len(data) % 2:
                data += b"\0" if element in _UIDS else b" "
        parts.append(_ELEMENT.pack(0, element, len(data)) + data)
    body = b"".join(parts)
    return _ELEMENT.pack(0, 0, 4) + len(body).to_bytes(4, "little") + body


def c_echo_rq(message_id: int) -> bytes:
    """PS3.7 Table 9.3-12."""
    return _encode(
        [
            (AFFECTED_SOP_CLASS, "1.2.840.10008.1.1"),
            (COMMAND_FIELD, C_ECHO_RQ),
            (MESSAGE_ID, message_id),
            (DATA_SET_TYPE, NO_DATA_SET),
        ]
    )


def c_store_rq(
    message_id: int, sop_class: str, sop_instance: str, move_originator: tuple[str, int] | None = None
) -> bytes:
    """PS3.7 Table 9.3-1. `move_originator`: AE title and message ID of the C-MOVE that asked for this."""
    elements: list[tuple[int, int | str]] = [
        (AFFECTED_SOP_CLASS, sop_class),
        (COMMAND_FIELD, C_STORE_RQ),
        (MESSAGE_ID, message_id),
        (PRIORITY, 0),
        (DATA_SET_TYPE, 0),
        (AFFECTED_SOP_INSTANCE, sop_instance),
    ]
    if move_originator is not None:
        elements += [(MOVE_ORIGINATOR, move_originator[0]), (MOVE_ORIGINATOR_ID, move_originator[1])]
    return _encode(elements)


def n_action_rq(message_id: int, sop_class: str, sop_instance: str, action_type: int) -> bytes:
    """PS3.7 Table 10.3-7, with a data set."""
    return _encode(
        [
            (REQUESTED_SOP_CLASS, sop_class),
            (COMMAND_FIELD, N_ACTION_RQ),
            (MESSAGE_ID, message_id),
            (DATA_SET_TYPE, 0),
            (REQUESTED_SOP_INSTANCE, sop_instance),
            (ACTION_TYPE, action_type),
        ]
    )


def n_event_report_rq(message_id: int, sop_class: str, sop_instance: str, event_type: int) -> bytes:
    """PS3.7 Table 10.3-1, with a data set."""
    return _encode(
        [
            (AFFECTED_SOP_CLASS, sop_class),
            (COMMAND_FIELD, N_EVENT_REPORT_RQ),
            (MESSAGE_ID, message_id),
            (DATA_SET_TYPE, 0),
            (AFFECTED_SOP_INSTANCE, sop_instance),
            (EVENT_TYPE, event_type),
        ]
    )


def response(request: Command, status: int, comment: str = "") -> bytes:
    """The answer to any request of one SOP instance: C-STORE (PS3.7 Table 9.3-2), C-ECHO (9.3-13), N-EVENT-REPORT
    (10.3-2), N-ACTION (10.3-8), refusals.

    `comment` becomes (0000,0902); it must hold no value of a data set.
    """
    elements: list[tuple[int, int | str]] = []
    if is_uid(request.sop_class):
        elements.append((AFFECTED_SOP_CLASS, request.sop_class))
    elements += [
        (COMMAND_FIELD, request.field | RESPONSE),
        (MESSAGE_ID_RESPONDED, request.message_id or 0),
        (DATA_SET_TYPE, NO_DATA_SET),
        (STATUS, status),
    ]
    if comment:
        elements.append((ERROR_COMMENT, clean_comment(comment)))
    if is_uid(request.sop_instance):
        elements.append((AFFECTED_SOP_INSTANCE, request.sop_instance))
    if request.type_id is not None and request.field in (N_EVENT_REPORT_RQ, N_ACTION_RQ):
        elements.append((EVENT_TYPE if request.field == N_EVENT_REPORT_RQ else ACTION_TYPE, request.type_id))
    return _encode(elements)


def command_pdus(context: int, command: bytes, max_pdu: int) -> bytes:
    """The P-DATA-TFs that carry a command set to a peer that takes `max_pdu` bytes."""
    size = fragment_size(max_pdu)
    if len(command) <= size:  # as good as always
        return p_data_header(context, COMMAND | LAST, len(command)) + command
    parts = []
    for at in range(0, len(command), size):
        part = command[at : at + size]
        last = LAST if at + size >= len(command) else 0
        parts += [p_data_header(context, COMMAND | last, len(part)), part]
    return b"".join(parts)


def data_set_pdus(context: int, data: bytes, max_pdu: int) -> bytes:
    """The P-DATA-TFs that carry a small data set, held in memory, to a peer that takes `max_pdu` bytes."""
    size = fragment_size(max_pdu)
    parts = []
    for at in range(0, max(1, len(data)), size):
        part = data[at : at + size]
        parts += [p_data_header(context, LAST if at + size >= len(data) else 0, len(part)), part]
    return b"".join(parts)


class CommandAssembly:
    """Puts the fragments of one command set together, wherever they were cut (PS3.8 Annex E)."""

    __slots__ = ("_context", "_data", "_limit")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._data = b""
        self._context = 0

    @property
    def begun(self) -> bool:
        """A command set is under way."""
        return self._context != 0

    def feed(self, context: int, fragment: memoryview, last: bool) -> Command | None:
        """The command once it is whole. Raises RefusePeer: too long, malformed, or another context in between."""
        if self._context not in (0, context):
            raise RefusePeer("command-unexpected", "two messages at once")
        if len(self._data) + len(fragment) > self._limit:
            raise RefusePeer("command-too-long", f"more than {self._limit} bytes")
        if last and not self._data:
            self._context = 0
            return decode_command(bytes(fragment))
        self._data += bytes(fragment)
        self._context = context
        if not last:
            return None
        data, self._data, self._context = self._data, b"", 0
        return decode_command(data)
