"""DICOM files: preamble, prefix and File Meta Information around a data set (PS3.10 section 7.1).

* `split` finds the data set and its syntax; `meta` makes the bytes that stand before a data set of ours.
* The preamble is always 128 zero bytes in what we write, and what a file says of its writer is not carried over.
* `tolerant` also takes what real collections hold: no preamble, no or a wrong group length, no file meta at all.
  It is for files a person gave; bytes from a network never need it.
"""

from __future__ import annotations

from struct import unpack
from typing import Final, NamedTuple

from transforms.dataset import syntax as syntaxes
from transforms.dataset.elements import LITTLE, LONG_VRS, SHORT_VRS, UNDEFINED, header_bytes
from transforms.dataset.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from transforms.errors import BadFraming, BudgetExceeded
from transforms.source import ByteSource

PREAMBLE: Final = 128
PREFIX: Final = b"DICM"
_MOST = 1000  # elements of group 0002; PS3.10 Table 7.1-1 has about twenty
_LONGEST = 1 << 24  # bytes of one of them: private information (0002,0102) may be anything
_NEAR = 1 << 10  # bytes; nearly every File Meta ends within
_UID_LENGTH = 64  # PS3.5 section 9
_SHORT = LITTLE.short.unpack_from
_READ = (0x0000, 0x0002, 0x0003, 0x0010)  # elements of group 0002 that are looked into


class Part10(NamedTuple):
    """What a file's meta information says, and where its data set begins."""

    syntax: str  # Transfer Syntax UID (0002,0010); guessed from the bytes where tolerant and absent
    sop_class: str  # Media Storage SOP Class UID (0002,0002), "" where absent
    sop_instance: str  # Media Storage SOP Instance UID (0002,0003), "" where absent
    offset: int  # of the data set's first byte


def split(source: ByteSource, *, tolerant: bool = False) -> Part10:
    """Find the data set in a DICOM file.

    Raises BadFraming: not-part10, meta-truncated, meta-vr, meta-length, meta-syntax-missing; BudgetExceeded.
    """
    at = PREAMBLE + len(PREFIX)
    near = source.pread(0, _NEAR)
    if near[PREAMBLE:at] != PREFIX:
        if not tolerant:
            raise BadFraming("not-part10", 0)
        at = 0
    elif tolerant and near[at : at + 2] != b"\x02\x00":
        at = 0  # DICM may stand in a data set without preamble by chance
    start = at
    declared = -1
    uids = {0x0002: "", 0x0003: "", 0x0010: ""}
    total = source.size
    for _ in range(_MOST):
        head = near[at : at + 12] if at + 12 <= len(near) else source.pread(at, 12)
        if head[:2] != b"\x02\x00":
            break
        element, size, length = _header(head, at, tolerant)
        if size + length > total - at:
            raise BadFraming("meta-truncated", at)
        if element in _READ:
            end = at + size + min(length, _UID_LENGTH + 1)
            raw = near[at + size : end] if end <= len(near) else source.pread(at + size, end - at - size)
            if element:
                uids[element] = raw.rstrip(b"\0 ").decode("ascii", "replace")
            elif length == 4:
                declared = end + int.from_bytes(raw, "little")
        at += size + length
    else:
        raise BudgetExceeded("meta-elements", at)
    if declared != at and not tolerant:
        raise BadFraming("meta-length", start)
    syntax = uids[0x0010]
    if not syntax:
        if not tolerant:
            raise BadFraming("meta-syntax-missing", start)
        syntax = _guess(source, at)
    return Part10(syntax, uids[0x0002], uids[0x0003], at)


def _header(head: bytes, at: int, tolerant: bool) -> tuple[int, int, int]:
    """Element number, header size and value length of one element of group 0002 (always Explicit VR LE)."""
    if len(head) < 8:
        raise BadFraming("meta-truncated", at)
    _, element, raw, length = _SHORT(head)
    if raw in SHORT_VRS:
        return element, 8, length
    size = 8
    if raw in LONG_VRS:
        if len(head) < 12:
            raise BadFraming("meta-truncated", at)
        size = 12
        (length,) = LITTLE.long.unpack_from(head, 8)
    else:
        if not tolerant:
            raise BadFraming("meta-vr", at)
        (length,) = LITTLE.long.unpack_from(head, 4)  # Implicit VR, as some old writers did
    if length > _LONGEST:
        raise BudgetExceeded("meta-length", at)
    return element, size, length


def _guess(source: ByteSource, at: int) -> str:
    """The uncompressed syntax that a data set without file meta seems to have."""
    head = source.pread(at, 8)
    if len(head) < 8:
        raise BadFraming("not-part10", at)
    explicit = head[4:6] in SHORT_VRS or head[4:6] in LONG_VRS
    group_le, group_be = unpack("<H", head[:2])[0], unpack(">H", head[:2])[0]
    if min(group_le, group_be) > 0x00FF:
        raise BadFraming("not-part10", at)  # a data set begins with group 0008 or nearby; other files do not
    if explicit and group_be < group_le:
        return syntaxes.EXPLICIT_BE
    length = unpack("<I", head[4:])[0]
    if not explicit and (not group_le or source.size - at < length < UNDEFINED):
        raise BadFraming("not-part10", at)
    return syntaxes.EXPLICIT_LE if explicit else syntaxes.IMPLICIT_LE


def meta(
    sop_class: str,
    sop_instance: str,
    syntax: str,
    implementation_class_uid: str = IMPLEMENTATION_CLASS_UID,
    version: str = IMPLEMENTATION_VERSION_NAME,
) -> bytes:
    """Preamble, prefix and File Meta Information for a data set that follows (PS3.10 7.1, Table 7.1-1).

    Raises ValueError for an empty or over-long UID or text that is not ASCII: the file would not be one.
    """
    body = (
        header_bytes(0x00020001, "OB", 2)
        + b"\0\1"
        + _text(0x00020002, "UI", sop_class, _UID_LENGTH)
        + _text(0x00020003, "UI", sop_instance, _UID_LENGTH)
        + _text(0x00020010, "UI", syntax, _UID_LENGTH)
        + _text(0x00020012, "UI", implementation_class_uid, _UID_LENGTH)
        + _text(0x00020013, "SH", version, 16)
    )
    length = header_bytes(0x00020000, "UL", 4) + len(body).to_bytes(4, "little")
    return bytes(PREAMBLE) + PREFIX + length + body


def _text(tag: int, vr: str, value: str, longest: int) -> bytes:
    raw = value.encode("ascii")  # UnicodeEncodeError is a ValueError
    if not 0 < len(raw) <= longest or not raw.isascii() or not value.isprintable():
        raise ValueError(f"({tag >> 16:04X},{tag & 0xFFFF:04X}) does not hold this value")
    raw += (b"\0" if vr == "UI" else b" ") * (len(raw) % 2)
    return header_bytes(tag, vr, len(raw)) + raw
