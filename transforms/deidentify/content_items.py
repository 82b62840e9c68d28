"""What a content item is, read from its raw bytes: value type, concept name and relationship (PS3.3 C.17.3, 10.2).

* `peek` reads headers of the item's own level only; nested items are passed by, never looked into.
* It stops where value type and concept name are known and the tags have gone past them. Where one is missing it goes
  on to the item's end: a sender that does not sort its tags cannot hide a concept behind the children.
* `measures` reads what a NUM item states, in the item itself or in its Measured Value Sequence.
* What does not frame raises BadFraming; a value that is no code is no code ("") and no error.

Elements come little endian, in Explicit or Implicit VR. It judges nothing; content.py does.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final, NamedTuple

from transforms.dataset.elements import ITEM, ITEM_END, LONG_VRS, SEQUENCE_END, SHORT_VRS, UNDEFINED
from transforms.deidentify.content_values import DENOMINATOR, FLOATING, MEASURED, NUMERIC, RATIONAL, UNITS
from transforms.errors import BadFraming, BudgetExceeded
from transforms.source import CHUNK, ByteSource

Read = Callable[[int, int], bytes]  # (offset, length) -> the bytes that exist there; ByteSource.pread is one

RELATIONSHIP: Final = 0x0040A010
VALUE_TYPE: Final = 0x0040A040
CONCEPT_NAME: Final = 0x0040A043
_CODE_VALUES: Final = frozenset({0x00080100, 0x00080119, 0x00080120})  # short, long and URN (PS3.3 8.8)
_SCHEME: Final = 0x00080102
_WINDOW: Final = 512  # bytes read at a time: what stands before an item's value
_VALUE: Final = 64  # bytes of a value that are read; CS and SH have 16 characters, listed codes are shorter
_NUMBERS: Final = frozenset({NUMERIC, FLOATING, RATIONAL, DENOMINATOR})
_DEPTH: Final = 100  # as walk.DEPTH
_REFERENCED: Final = b"\x40\x00\x73\xdb"  # Referenced Content Item Identifier (0040,DB73), little endian
_SHORT: Final = Struct("<HH2sH").unpack_from
_PLAIN: Final = Struct("<HHI").unpack_from
_LONG: Final = Struct("<I").unpack_from


class Head(NamedTuple):
    """What a content item says of itself; "" where it does not."""

    value_type: str = ""
    code: str = ""
    scheme: str = ""
    relationship: str = ""


class Measure(NamedTuple):
    """Numbers that mean one quantity, raw by their tags, and the code of their unit; "" where there is none."""

    numbers: dict[int, bytes]
    unit: str = ""
    scheme: str = ""


def peek(
    read: Read, at: int, end: int, explicit: bool, delimited: bool = False, ends: dict[int, int] | None = None
) -> Head:
    """The head of the item whose first element begins at `at` and whose last byte is before `end`.

    `delimited`: the item has no length, and ends with its delimiter somewhere before `end`. `ends`: one dict for all
    calls on a data set keeps what was passed by, so that nested items cost no more than their bytes.
    Raises BadFraming (header-truncated, vr-unknown, length-overrun, length-undefined, item-expected,
    delimiter-unexpected, delimiter-missing) or BudgetExceeded (depth).
    """
    window = _Window(read, {} if ends is None else ends)
    value_type = code = scheme = relationship = ""
    last = 0
    while at < end:
        tag, vr, value, length = window.header(at, end, explicit)
        if tag == ITEM_END:
            if not delimited or length:
                raise BadFraming("delimiter-unexpected", at)
            return Head(value_type, code, scheme, relationship)
        if tag > CONCEPT_NAME and last <= CONCEPT_NAME and value_type and code:
            return Head(value_type, code, scheme, relationship)
        last = max(last, tag)
        if length == UNDEFINED:
            inner = _inner(explicit, vr, at)
            if tag == CONCEPT_NAME:
                code, scheme = _concept(window, value, end, inner, True)
            at = _past_items(window, value, end, inner, 0)
            continue
        after = value + length
        if after > end:
            raise BadFraming("length-overrun", at)
        if tag == VALUE_TYPE:
            value_type = _text(window.value(value, length))
        elif tag == RELATIONSHIP:
            relationship = _text(window.value(value, length))
        elif tag == CONCEPT_NAME:
            if vr == b"UN":
                try:
                    code, scheme = _concept(window, value, after, False, False)
                except BadFraming:
                    code = scheme = ""  # not a sequence: the walk removes it
            elif vr in (b"SQ", b""):
                code, scheme = _concept(window, value, after, explicit, False)
        at = after
    if delimited:
        raise BadFraming("delimiter-missing", at)
    return Head(value_type, code, scheme, relationship)


def measures(read: Read, at: int, end: int, explicit: bool, delimited: bool = False) -> list[Measure]:
    """What the item states whose first element begins at `at`. Raises as `peek`, whose offsets these are."""
    found: list[Measure] = []
    _measured(_Window(read, {}), at, end, explicit, delimited, found, True)
    return found


def after_item(read: Read, at: int, end: int, explicit: bool) -> int:
    """The offset after the delimiter of an item without a length, whose first element begins at `at`.

    Raises as `peek`.
    """
    return _past_elements(_Window(read, {}), at, end, explicit, 0)


def refers_by_position(source: ByteSource) -> bool:
    """Whether a content item may be named by its position (PS3.3 C.17.3.2.5): then none may go, or others move up.

    Looks for the tag's bytes anywhere. A chance hit costs a dummy where an item could have been removed, no more.
    """
    tail = b""
    for offset in range(0, source.size, CHUNK):
        part = source.pread(offset, CHUNK)
        if _REFERENCED in tail + part:
            return True
        tail = part[-3:]
    return False


class _Window:
    """A few bytes of the source, read ahead."""

    __slots__ = ("base", "data", "ends", "read")

    def __init__(self, read: Read, ends: dict[int, int]) -> None:
        self.read = read
        self.ends = ends  # where a value without a length begins -> the offset after its delimiter
        self.data = b""
        self.base = 0

    def header(self, at: int, end: int, explicit: bool) -> tuple[int, bytes, int, int]:
        """Tag, VR, offset of the value and its length, of the element, item or delimiter at `at`."""
        pos = at - self.base
        if pos < 0 or pos + 12 > len(self.data):
            self.data = self.read(at, min(_WINDOW, end - at)) if end > at else b""
            self.base, pos = at, 0
        data = self.data
        if end - at < 8 or len(data) < pos + 8:
            raise BadFraming("header-truncated", at)
        if explicit:
            group, element, vr, length = _SHORT(data, pos)
            if vr in SHORT_VRS:
                return group << 16 | element, vr, at + 8, length
            if vr in LONG_VRS:
                if end - at < 12 or len(data) < pos + 12:
                    raise BadFraming("header-truncated", at)
                return group << 16 | element, vr, at + 12, _LONG(data, pos + 8)[0]
            if group != 0xFFFE:
                raise BadFraming("vr-unknown", at)
        group, element, length = _PLAIN(data, pos)
        return group << 16 | element, b"", at + 8, length

    def value(self, at: int, length: int) -> bytes:
        """The first bytes of a value, enough for a code."""
        length = min(length, _VALUE)
        pos = at - self.base
        if pos >= 0 and pos + length <= len(self.data):
            return self.data[pos : pos + length]
        return self.read(at, length)


def _text(raw: bytes) -> str:
    """A CS, SH, UC or UR value without its padding."""
    return raw.decode("ascii", "replace").strip(" \0")


def _inner(explicit: bool, vr: bytes, at: int) -> bool:
    """Whether the items of a value of undefined length are in Explicit VR (PS3.5 6.2.2)."""
    if explicit and vr not in (b"SQ", b"UN"):
        raise BadFraming("length-undefined", at)
    return vr == b"SQ"


def _concept(window: _Window, at: int, end: int, explicit: bool, delimited: bool) -> tuple[str, str]:
    """Code value and coding scheme of the first item of a code sequence whose value begins at `at`."""
    if at >= end and not delimited:
        return "", ""
    tag, vr, at, length = window.header(at, end, False)
    if tag == SEQUENCE_END and delimited:
        return "", ""
    if tag != ITEM:
        raise BadFraming("item-expected", at - 8)
    undefined = length == UNDEFINED
    if not undefined:
        if at + length > end:
            raise BadFraming("length-overrun", at - 8)
        end = at + length
    code = scheme = ""
    while at < end:
        tag, vr, value, length = window.header(at, end, explicit)
        if tag == ITEM_END:
            if not undefined or length:
                raise BadFraming("delimiter-unexpected", at)
            return code, scheme
        if length == UNDEFINED:
            at = _past_items(window, value, end, _inner(explicit, vr, at), 0)
            continue
        after = value + length
        if after > end:
            raise BadFraming("length-overrun", at)
        if tag in _CODE_VALUES:
            code = _text(window.value(value, length))
        elif tag == _SCHEME:
            scheme = _text(window.value(value, length))
        if code and scheme:
            return code, scheme
        at = after
    if undefined:
        raise BadFraming("delimiter-missing", at)
    return code, scheme


def _measured(
    window: _Window, at: int, end: int, explicit: bool, delimited: bool, found: list[Measure], outer: bool
) -> None:
    """The numbers of one item, and of the items of its Measured Value Sequence."""
    numbers: dict[int, bytes] = {}
    unit = scheme = ""
    while at < end:
        tag, vr, value, length = window.header(at, end, explicit)
        if tag == ITEM_END:
            if not delimited or length:
                raise BadFraming("delimiter-unexpected", at)
            break
        undefined = length == UNDEFINED
        inner = _inner(explicit, vr, at) if undefined else explicit and vr == b"SQ"
        after = _past_items(window, value, end, inner, 0) if undefined else value + length
        if after > end:
            raise BadFraming("length-overrun", at)
        if tag in _NUMBERS:
            numbers[tag] = window.value(value, length) if length <= _VALUE else b""
        elif tag in (UNITS, MEASURED) and length:
            try:
                if tag == UNITS:
                    unit, scheme = _concept(window, value, after, inner, undefined)
                elif outer:
                    _measured_items(window, value, after, inner, found)
            except BadFraming:
                if vr != b"UN":
                    raise
                found.append(Measure({}))  # no sequence: nobody can tell
        at = after
    if numbers:
        found.append(Measure(numbers, unit, scheme))


def _measured_items(window: _Window, at: int, end: int, explicit: bool, found: list[Measure]) -> None:
    """The numbers of the items of a sequence whose value lies in [at, end)."""
    while at < end:
        tag, _, value, length = window.header(at, end, False)
        if tag == SEQUENCE_END:
            return
        if tag != ITEM:
            raise BadFraming("item-expected", at)
        undefined = length == UNDEFINED
        after = _past_elements(window, value, end, explicit, 0) if undefined else value + length
        if after > end:
            raise BadFraming("length-overrun", at)
        _measured(window, value, after, explicit, undefined, found, False)
        at = after


def _past_items(window: _Window, at: int, end: int, explicit: bool, depth: int) -> int:
    """The offset after the items and the delimiter of a sequence without a length."""
    if depth > _DEPTH:
        raise BudgetExceeded("depth", at)
    known = window.ends.get(at)
    if known is not None and known <= end:
        return known
    begin = at
    while at < end:
        tag, _, value, length = window.header(at, end, False)
        if tag == SEQUENCE_END:
            if length:
                raise BadFraming("delimiter-unexpected", at)
            window.ends[begin] = value
            return value
        if tag != ITEM:
            raise BadFraming("item-expected", at)
        if length == UNDEFINED:
            at = _past_elements(window, value, end, explicit, depth)
        elif value + length > end:
            raise BadFraming("length-overrun", at)
        else:
            at = value + length
    raise BadFraming("delimiter-missing", at)


def _past_elements(window: _Window, at: int, end: int, explicit: bool, depth: int) -> int:
    """The offset after the elements and the delimiter of an item without a length."""
    while at < end:
        tag, vr, value, length = window.header(at, end, explicit)
        if tag == ITEM_END:
            if length:
                raise BadFraming("delimiter-unexpected", at)
            return value
        if length == UNDEFINED:
            at = _past_items(window, value, end, _inner(explicit, vr, at), depth + 1)
        elif value + length > end:
            raise BadFraming("length-overrun", at)
        else:
            at = value + length
    raise BadFraming("delimiter-missing", at)
