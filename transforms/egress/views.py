"""The texts that bytes could be: as they are, with NULs looked through, and decoded from percent, Base64 and hex.

* Every view is in lower case (ASCII), so that one search finds all cases of a name.
* Decoded views need longer matches: what is no Base64 or hex decodes to chance.
* Large bytes that are no text - compressed pixels, tables - are reduced to their printable runs first.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

RUN: Final = 8  # printable bytes in a row that make a text within large bytes
SMALL: Final = 4096

_WIDE: Final = re.compile(rb"[!-~]\0{1,3}[ -~]\0{1,3}[ -~]\0{1,3}[!-~]")
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/_-]{8,}")
_HEX: Final = re.compile(rb"[0-9A-Fa-f]{12,}")
_HEX_SPACED: Final = re.compile(rb"(?:[0-9A-Fa-f]{2}[ :-]){5,}[0-9A-Fa-f]{2}")
# What a match of it looks like at the least: looking for that costs a twentieth
_SPACED: Final = bytes(
    0x68 if chr(each) in "0123456789abcdefABCDEF" else 0x73 if chr(each) in " :-" else 0x2E for each in range(256)
)
_LEAST_SPACED: Final = b"hhs" * 5 + b"hh"
_PERCENT: Final = re.compile(rb"%([0-9A-Fa-f]{2})")
_URL64: Final = bytes.maketrans(b"-_", b"+/")
# Printable bytes to "a", all others to "."; NULs are left out, so that UTF-16 is a run too
_PRINTED: Final = bytes(0x61 if 0x20 <= each < 0x7F else 0x2E for each in range(256))


class View(NamedTuple):
    """A text in lower case, how it was got, and how long a match in it must be."""

    encoding: str
    text: bytes
    least: int


def views(raw: bytes) -> Iterator[View]:
    """Every text that these bytes could be."""
    yield View("text", raw.lower(), 0)
    if _WIDE.search(raw):
        yield View("utf-16", raw.replace(b"\0", b"").lower(), 5)
    if b"%" in raw and _PERCENT.search(raw):
        yield View("percent", _unquoted(raw).lower(), 4)
    lines = raw.translate(None, b"\r\n") if b"\n" in raw or b"\r" in raw else raw
    found = [text for run in dict.fromkeys(_BASE64.findall(lines)) for text in _from_base64(run)]
    if found:
        yield View("base64", b"\n".join(found), 5)
    spaced = _HEX_SPACED.findall(raw) if _LEAST_SPACED in raw.translate(_SPACED) else ()
    found = [text for run in dict.fromkeys((*_HEX.findall(lines), *spaced)) for text in _from_hex(run)]
    if found:
        yield View("hex", b"\n".join(found), 5)


def _unquoted(raw: bytes) -> bytes:
    """RFC 3986 2.1; and blanks as forms write them."""
    return _PERCENT.sub(lambda found: bytes((int(found[1], 16),)), raw.replace(b"+", b" "))


def _from_base64(run: bytes) -> Iterator[bytes]:
    """The bytes of a run in all four alignments; nothing of words and numbers."""
    if run.isdigit() or run.islower() or (run.isupper() and len(run) < 16) or run[1:].islower():
        return
    run = run.translate(_URL64)
    for at in range(4):
        part = run[at : len(run) - (len(run) - at) % 4]
        if len(part) >= 8:
            text = binascii.a2b_base64(part)
            yield text.lower()
            if b"\0" in text:
                yield text.replace(b"\0", b"").lower()
        rest = run[at:]
        if len(rest) % 4 >= 2 and len(rest) > 8:
            yield binascii.a2b_base64(
                rest[: len(rest) // 4 * 4] + rest[len(rest) // 4 * 4 :] + b"==="[: 4 - len(rest) % 4]
            ).lower()


def _from_hex(run: bytes) -> Iterator[bytes]:
    digits = run.translate(None, b" :-")
    for at in (0, 1):
        part = digits[at : len(digits) - (len(digits) - at) % 2]
        text = bytes.fromhex(part.decode("ascii"))
        yield text.lower()
        if b"\0" in text:
            yield text.replace(b"\0", b"").lower()


def printed(raw: bytes) -> bytes:
    """The printable runs of bytes that are no text, each on a line of its own."""
    bare = raw.replace(b"\0", b"") if b"\0" in raw else raw
    marks = bare.translate(_PRINTED)
    found = []
    at = marks.find(b"a" * RUN)
    while at >= 0:
        end = marks.find(b".", at)
        if end < 0:
            end = len(marks)
        found.append(bare[at:end])
        at = marks.find(b"a" * RUN, end)
    return b"\n".join(found)
