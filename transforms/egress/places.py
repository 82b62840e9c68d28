"""Where a match stands, and how values stand in raw bytes: small questions that search.py asks. All of it is pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from struct import pack
from typing import Final

from transforms.egress.identifiers import Kind

_PROBE: Final = re.compile(rb"[0-9a-z\x80-\xff]+")
_COMPARED: Final = 256  # probes that are compared with each other
_PRINTED_RUN: Final = 12  # bytes: what must be printable around a short match in bytes that are no text


def probes(needles: Iterator[bytes]) -> tuple[bytes, ...]:
    """The longest run of letters and digits of each needle: where none of them stands, no needle does."""
    return tuple(sorted({probe(raw) for raw in needles}, key=len, reverse=True))


def least(parts: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """Those that hold none of the others: where none of them stands, none of all stands."""
    if len(parts) > _COMPARED:
        return parts
    found: list[bytes] = []
    for part in sorted(parts, key=len):
        if not any(each in part for each in found):
            found.append(part)
    return tuple(found)


def probe(raw: bytes) -> bytes:
    """The longest run of letters and digits."""
    return max(_PROBE.findall(raw) or (raw,), key=len)


def forms(raw: bytes) -> tuple[bytes, ...]:
    """How a short value stands in a data set: padded, after its length; or between backslashes."""
    size = len(raw) + (len(raw) & 1)
    values = (raw + b" ", raw + b"\0") if len(raw) & 1 else (raw,)
    whole = [pack(form, size) + value for form in ("<H", "<I") for value in values]
    return (*whole, b"\\" + raw + b"\\", b"\\" + raw + b" ")


def free(text: bytes, at: int, end: int, kind: Kind) -> bool:
    """Whether a needle stands on its own as its kind asks for."""
    if kind is Kind.ANYWHERE or end - at >= (9 if kind is Kind.NAME else 8):
        return True
    before, after = text[at - 1 : at], text[end : end + 1]
    if kind is Kind.NAME:
        return not before.isalpha() and not after.isalpha()
    return not (before.isalnum() and text[at : at + 1].isalnum()) and not (
        after.isalnum() and text[end - 1 : end].isalnum()
    )


def in_print(text: bytes, at: int, end: int) -> bool:
    """Whether a match lies in text: printable bytes around it, or up to the ends of the value."""
    start, least = at, _PRINTED_RUN
    while start > 0 and 0x20 <= text[start - 1] < 0x7F and end - start < least:
        start -= 1
    while end < len(text) and 0x20 <= text[end] < 0x7F and end - start < least:
        end += 1
    return end - start >= least or not (text[:start].strip(b"\0\xff\xfe") or text[end:].strip(b"\0"))


def days(parts: list[bytes]) -> tuple[bytes, ...]:
    """YYYYMMDD of three numbers: year first, day first, month first."""
    first, second, third = parts
    if len(first) == 4 and len(second) <= 2 and len(third) <= 2:
        return (first + second.rjust(2, b"0") + third.rjust(2, b"0"),)
    if len(third) == 4 and len(first) <= 2 and len(second) <= 2:
        a, b = first.rjust(2, b"0"), second.rjust(2, b"0")
        return third + b + a, third + a + b
    return ()
