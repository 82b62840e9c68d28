"""Text and bytes under a Specific Character Set (PS3.3 C.12.1.1.2, PS3.5 6.1), strictly."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Final

from transforms.errors import TransformError

_DELIMITERS: Final = {ord(char) for char in "\n\r\t\f\\^="}


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
    from pydicom.charset import decode_bytes

    codecs = _codecs(charset)
    try:
        if len(codecs) == 1 and b"\x1b" not in raw:
            return raw.decode(codecs[0])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            text = decode_bytes(raw, codecs, _DELIMITERS)
    except (UnicodeDecodeError, LookupError, UserWarning, ValueError):
        raise TransformError("charset-undecodable", "a text is not in the declared character set") from None
    if "�" in text:
        raise TransformError("charset-undecodable", "a text is not in the declared character set")
    return text


def encode(text: str, charset: tuple[str, ...]) -> bytes:
    """The bytes. Raises TransformError: charset-undecodable."""
    if text.isascii():
        return text.encode("ascii")
    from pydicom.charset import encode_string

    codecs = _codecs(charset)
    try:
        if len(codecs) == 1:
            return text.encode(codecs[0])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return encode_string(text, codecs)
    except (UnicodeEncodeError, LookupError, UserWarning, ValueError):
        raise TransformError("charset-undecodable", "a cleaned text cannot be written in its character set") from None
