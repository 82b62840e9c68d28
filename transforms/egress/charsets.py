"""Text as bytes and back: the declared character sets of PS3.3 C.12.1.1.2, and every other one a fault could use.

* `decoded` gives all readings of a value that are worth knowing: the declared one, UTF-8, and the bytes as they are.
* `spellings` gives the bytes of one text in all encodings that differ from ASCII; ASCII text has one spelling.
* UTF-16 and UTF-32 of Latin letters need no spelling: search.py looks through the NULs.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

# Defined term -> Python codec (PS3.3 Tables C.12-2 to C.12-5)
_CODECS: Final[dict[str, str]] = {
    "100": "latin-1", "101": "iso8859-2", "109": "iso8859-3", "110": "iso8859-4", "144": "iso8859-5",
    "127": "iso8859-6", "126": "iso8859-7", "138": "iso8859-8", "148": "iso8859-9", "203": "iso8859-15",
    "13": "shift_jis", "166": "tis-620", "192": "utf-8", "149": "euc_kr", "58": "gb2312", "87": "iso2022_jp",
    "159": "iso2022_jp_1",
}  # fmt: skip
_NAMED: Final = {"GB18030": "gb18030", "GBK": "gbk"}
# Escape sequences that python's ISO 2022 codecs do not take as DICOM uses them (G1 sets)
_G1: Final = ((b"\x1b$)C", "euc_kr"), (b"\x1b$)A", "gb2312"), (b"\x1b)I", "shift_jis"))
_ESCAPE: Final = re.compile(rb"\x1b[\x20-\x2f]+[\x30-\x7e]")
_SETS: Final = (
    "utf-8", "latin-1", "utf-16-le", "utf-16-be", "gb18030", "shift_jis", "euc_jp", "euc_kr", "big5", "iso2022_jp_1",
    "iso2022_kr", "iso8859-2", "iso8859-5", "cp1251", "koi8_r", "iso8859-6", "iso8859-7", "iso8859-8", "tis-620",
    "cp437", "cp850", "mac_roman",
)  # fmt: skip
_GERMAN: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ø": "oe", "å": "aa", "æ": "ae"})


@lru_cache(maxsize=64)
def codecs_of(charset: bytes) -> tuple[str, ...]:
    """The codecs that a Specific Character Set (0008,0005) names, unknown terms left out."""
    found = []
    for term in charset.decode("ascii", "replace").split("\\"):
        name = term.strip(" \0").upper()
        codec = _NAMED.get(name) or _CODECS.get(name.rpartition("IR")[2].strip(" _"))
        if codec:
            found.append(codec)
    return tuple(dict.fromkeys(found))


def decoded(raw: bytes, charset: bytes) -> Iterator[str]:
    """Readings of a value: as declared, as UTF-8, as Latin-1; each once."""
    if raw.isascii() and b"\x1b" not in raw:
        yield raw.decode("ascii")
        return
    seen = set()
    for text in _readings(raw, charset):
        if text and text not in seen:
            seen.add(text)
            yield text


def _readings(raw: bytes, charset: bytes) -> Iterator[str]:
    for escape, codec in _G1:
        if escape in raw:
            yield from _read(_ESCAPE.sub(b"", raw), codec)
    if b"\x1b" in raw:
        yield from _read(raw, "iso2022_jp_2")
        yield from _read(_ESCAPE.sub(b"", raw), "latin-1")
        return
    for codec in (*codecs_of(charset), "utf-8"):
        yield from _read(raw, codec)
    yield raw.decode("latin-1")


def _read(raw: bytes, codec: str) -> Iterator[str]:
    try:
        yield raw.decode(codec)
    except (UnicodeDecodeError, LookupError):
        return


def variants(text: str) -> set[str]:
    """A text in its cases, and without its accents, as people and machines write it."""
    if text.isascii():
        return {text}
    found = {text, text.lower(), text.upper(), text.title()}
    plain = unicodedata.normalize("NFKD", text)
    bare = "".join(each for each in plain if not unicodedata.combining(each))
    for each in (bare, text.lower().translate(_GERMAN)):
        if each.isascii():
            found.add(each)
    return found | {unicodedata.normalize("NFC", each) for each in found} | {plain}


def spellings(text: str) -> set[tuple[bytes, str]]:
    """(bytes, name of the encoding) of one text, ASCII letters in lower case; none shorter than 4 bytes."""
    if text.isascii():
        return {(text.lower().encode("ascii"), "ascii")}
    found: dict[bytes, str] = {}
    for codec in _SETS:
        try:
            raw = text.encode(codec)
        except UnicodeEncodeError:
            continue
        if codec.startswith("iso2022"):
            raw = _two_byte(raw)
        if len(raw) > 3:
            found.setdefault(raw.lower(), codec)
    return set(found.items())


def _two_byte(raw: bytes) -> bytes:
    """Text in ISO 2022 without what switches sets around it; short text keeps what switches before it."""
    parts = [part for part in _ESCAPE.split(raw) if part.strip(b"\x0e\x0f")]
    if len(parts) != 1:
        return b""
    core = parts[0].strip(b"\x0e\x0f")
    return core if len(core) >= 6 else raw[: raw.index(core) + len(core)]
