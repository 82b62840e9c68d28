"""Text and bytes under a Specific Character Set (PS3.3 C.12.1.1.2, PS3.5 6.1), strictly."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from transforms.errors import TransformError

# Each of them sets the character set back to the first one.
_DELIMITERS: Final = re.compile(r"([\n\r\t\f\\^=])")
_DELIMITER: Final = re.compile(rb"[\n\r\t\f\\^=]")
_CHINESE: Final = "iso_ir_58"  # pydicom takes it for one whose escape sequences Python reads and writes: it does not
_FRAGMENT: Final = re.compile(rb"^[^\x1b]+|\x1b[^\x1b]*")


def decoded(raw: bytes, charset: tuple[str, ...]) -> Iterator[str]:
    """Every reading of a name or number: as declared, and what else it may be where the declaration is wrong."""
    try:
        yield decode(raw, charset)
    except TransformError:
        pass
    if not raw.isascii():
        for codec in ("utf-8", "latin-1"):
            try:
                yield raw.decode(codec)
            except UnicodeDecodeError:
                pass


def _codecs(charset: tuple[str, ...]) -> list[str]:
    from pydicom.charset import python_encoding  # a third of a command's start, and few texts need it

    names = [name.strip() for name in charset] or [""]
    found = [python_encoding.get(name) for name in names]
    if None in found:
        raise TransformError("charset-undecodable", "the Specific Character Set is not known")
    return [codec for codec in found if codec is not None]


def decode(raw: bytes, charset: tuple[str, ...]) -> str:
    """The text. Raises TransformError: charset-undecodable."""
    if raw.isascii() and b"\x1b" not in raw:
        return raw.decode("ascii")
    codecs = _codecs(charset)
    try:
        if b"\x1b" not in raw:
            return raw.decode(codecs[0])
        return "".join([_fragment(each, codecs) for each in _FRAGMENT.findall(raw)])
    except (LookupError, ValueError):
        raise TransformError("charset-undecodable", "a text is not in the declared character set") from None


def _fragment(raw: bytes, codecs: list[str]) -> str:
    """One escape sequence and what follows it.

    pydicom's own reader tells what it cannot read by a warning, and to make an error of that is a matter of the whole
    process: between threads a text would pass with something else in its place.
    """
    from pydicom.charset import CODES_TO_ENCODINGS, default_encoding, handled_encodings

    if not raw.startswith(b"\x1b"):
        return raw.decode(codecs[0])
    length = 4 if raw.startswith((b"\x1b$(", b"\x1b$)")) else 3
    codec = CODES_TO_ENCODINGS.get(raw[:length])
    if codec is None or (codec not in codecs and codec != default_encoding):
        raise LookupError
    if codec in handled_encodings and codec != _CHINESE:  # Python knows the escape sequence
        return raw.decode(codec)
    raw = raw[length:]
    found = _DELIMITER.search(raw)
    end = found.start() if found else len(raw)
    return raw[:end].decode(codec) + raw[end:].decode(codecs[0])


def encode(text: str, charset: tuple[str, ...]) -> bytes:
    """The bytes. Raises TransformError: charset-undecodable."""
    if text.isascii():
        return text.encode("ascii")
    codecs = _codecs(charset)
    try:
        if len(codecs) == 1:
            return text.encode(codecs[0])
        written = b"".join([_piece(each, codecs) for each in _DELIMITERS.split(text)])
    except (LookupError, ValueError, UserWarning):
        written = b""
    if decode(written, charset) != text:  # what no character set takes is replaced by a question mark
        raise TransformError("charset-undecodable", "a cleaned text cannot be written in its character set")
    return written


def _piece(text: str, codecs: list[str]) -> bytes:
    from pydicom.charset import encode_string

    if _CHINESE not in codecs[1:]:
        return encode_string(text, codecs)
    try:
        return text.encode(codecs[0])
    except UnicodeEncodeError:
        return b"\x1b$)A" + text.encode(_CHINESE)
