"""Model -> a data set in Explicit VR little endian (PS3.5 7.1.2), as pieces: bytes, and bulk data that lies elsewhere.

Rules of this file
* Every value is held against its VR: what it cannot hold is an error, never cut or replaced.
* Text is UTF-8. Where any is not ASCII, (0008,0005) becomes ISO_IR 192 (PS3.18 F.2), whatever it said; else it stays.
* A number that comes as text keeps its digits; a JSON number longer than a DS may be is rounded to 16 characters.
* Encapsulated pixels are one fragment each behind an empty offset table (PS3.5 A.4).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from struct import error as StructError
from struct import pack

from transforms.dataset.elements import ITEM, LONG_VRS, PIXEL_DATA, SEQUENCE_END, UNDEFINED, header_bytes
from transforms.models.json_model import Number
from transforms.models.model import Attribute, DataSet, MetadataError

_TEXT = frozenset(
    ["AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"]
)
_ONE = frozenset(["LT", "ST", "UR", "UT"])  # a backslash is a character there
_LINES = frozenset(["LT", "ST", "UT"])
_ASCII = frozenset(["AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"])
_NUMBERS = {"US": "<H", "SS": "<h", "UL": "<L", "SL": "<l", "UV": "<Q", "SV": "<q", "FL": "<f", "FD": "<d"}
_BINARY = frozenset(["OB", "OD", "OF", "OL", "OV", "OW", "UN"])
_CHARSET = 0x00080005
_SHORTEST = 0xFFFE  # the longest even 16-bit length
_DS = 16


@dataclass(frozen=True, slots=True)
class Bulk:
    """Bytes that lie elsewhere, under a key of the caller's."""

    key: str
    size: int
    encapsulated: bool = False  # compressed pixels: one fragment


Piece = bytes | Bulk
Find = Callable[[str], Bulk | None]  # BulkDataURI -> where its bytes are; None: nowhere here


def pieces(data_set: DataSet, find: Find) -> list[Piece]:
    """The data set's bytes, in order. Raises MetadataError: metadata-value, bulk-data-missing."""
    if not _ascii(data_set):
        charset = Attribute(_CHARSET, "CS", values=("ISO_IR 192",))
        data_set = tuple(sorted((charset, *_without_charset(data_set)), key=lambda each: each.tag))
    return _joined(_elements(data_set, find, 0))


def _without_charset(data_set: DataSet) -> DataSet:
    """Without any (0008,0005): what is nested follows what is above it (PS3.5 7.5.3)."""
    return tuple(
        Attribute(
            each.tag, each.vr, each.values, tuple(_without_charset(i) for i in each.items), each.bulk, each.inline
        )
        if each.items
        else each
        for each in data_set
        if each.tag != _CHARSET
    )


def _ascii(data_set: DataSet) -> bool:
    return all(
        all(map(str.isascii, each.values)) and all(_ascii(item) for item in each.items) and not _text_elsewhere(each)
        for each in data_set
    )


def _text_elsewhere(each: Attribute) -> bool:
    """Bulk text is UTF-8, and nobody has looked at it."""
    return each.bulk is not None and each.vr in _TEXT


def _elements(data_set: DataSet, find: Find, depth: int) -> Iterator[Piece]:
    for each in data_set:
        if each.vr == "SQ":
            items: list[Piece] = []
            for item in each.items:
                inner = list(_elements(item, find, depth + 1))
                items += [header_bytes(ITEM, "", _size(inner)), *inner]
            yield _header(each, _size(items))
            yield from items
        elif each.bulk is not None:
            yield from _bulk(each, find(each.bulk), depth)
        else:
            value = _value(each)
            yield _header(each, len(value)) + value


def _bulk(each: Attribute, found: Bulk | None, depth: int) -> Iterator[Piece]:
    if found is None:
        raise MetadataError("bulk-data-missing", "a BulkDataURI names no part of this request; none is ever fetched")
    pad = b"\0" if each.vr in _BINARY else b" "
    if found.encapsulated:
        if each.tag != PIXEL_DATA or depth:
            raise MetadataError("bulk-data-kind", "a compressed image where no pixel data is")
        yield header_bytes(PIXEL_DATA, "OB", UNDEFINED) + header_bytes(ITEM, "", 0)
        yield header_bytes(ITEM, "", found.size + found.size % 2)
        yield found
        yield b"\0" * (found.size % 2) + header_bytes(SEQUENCE_END, "", 0)
        return
    yield _header(each, found.size + found.size % 2)
    yield found
    yield pad * (found.size % 2)


def _header(each: Attribute, length: int) -> bytes:
    if length > (UNDEFINED - 1 if each.vr.encode() in LONG_VRS else _SHORTEST):
        raise MetadataError("metadata-value", "a value is longer than its VR can be")
    return header_bytes(each.tag, each.vr, length)


def _size(found: list[Piece]) -> int:
    return sum(len(each) if isinstance(each, bytes) else each.size for each in found)


def _joined(found: Iterator[Piece]) -> list[Piece]:
    """Runs of bytes as one."""
    made: list[Piece] = []
    run: list[bytes] = []
    for each in found:
        if isinstance(each, bytes):
            run.append(each)
            continue
        made += [b"".join(run), each]
        run = []
    return [*made, b"".join(run)]


def _value(each: Attribute) -> bytes:
    """The value field. Raises MetadataError."""
    if each.inline is not None:
        if each.vr not in _BINARY and each.vr not in _NUMBERS:
            raise MetadataError("metadata-value", "inline bytes of a VR that is not binary")
        return each.inline + b"\0" * (len(each.inline) % 2)
    if not each.values:
        return b""
    if each.vr in _NUMBERS:
        return b"".join(_number(each.vr, text) for text in each.values)
    if each.vr == "AT":
        return b"".join(_at(text) for text in each.values)
    if each.vr not in _TEXT:
        raise MetadataError("metadata-value", "a binary value is InlineBinary or BulkDataURI")
    if each.vr in _ONE and len(each.values) > 1:
        raise MetadataError("metadata-value", "this VR has one value")
    joined = "\\".join(_checked(each.vr, text) for text in each.values).encode("utf-8")
    return joined + (b"\0" if each.vr == "UI" else b" ") * (len(joined) % 2)


def _checked(vr: str, text: str) -> str:
    if isinstance(text, Number):
        if vr not in ("DS", "IS"):
            raise MetadataError("metadata-value", "a number where text belongs")
        text = _decimal(text) if vr == "DS" else text
    if vr in _ASCII and not text.isascii():
        raise MetadataError("metadata-value", "this VR holds ASCII")
    if "\\" in text and vr not in _ONE:
        raise MetadataError("metadata-value", "a backslash within one value")
    if any((ord(char) < 0x20 and not (vr in _LINES and char in "\t\n\f\r")) or char == "\x7f" for char in text):
        raise MetadataError("metadata-value", "a control character")
    if any(0xD800 <= ord(char) < 0xE000 for char in text):
        raise MetadataError("metadata-value", "half a character")
    return text


def _decimal(text: str) -> str:
    """A JSON number as a DS: its own digits where they fit, else as many as do."""
    if len(text) <= _DS:
        return str(text)
    number = float(text)
    for digits in range(15, 0, -1):
        short = f"{number:.{digits}g}"
        if len(short) <= _DS and short not in ("inf", "-inf"):
            return short
    raise MetadataError("metadata-value", "a number that no DS can hold")


def _number(vr: str, text: str) -> bytes:
    try:
        if not text.isascii() or "_" in text or text.strip() != text:
            raise ValueError
        return pack(_NUMBERS[vr], float(text) if vr in ("FL", "FD") else int(text))
    except (ValueError, StructError, OverflowError) as error:
        raise MetadataError("metadata-value", "a number that its VR cannot hold") from error


def _at(text: str) -> bytes:
    try:
        if len(text) != 8 or isinstance(text, Number):
            raise ValueError
        return pack("<HH", int(text[:4], 16), int(text[4:], 16))
    except (ValueError, StructError) as error:
        raise MetadataError("metadata-value", "an attribute tag is eight hexadecimal digits") from error
