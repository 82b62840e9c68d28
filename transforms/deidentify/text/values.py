"""Cleaned text as the bytes of a value, in the character set it came in (PS3.3 C.12.1.1.2, PS3.5 6.1).

* A value that need not change keeps its bytes. Text that the declared character set cannot read raises
  charset-undecodable: what cannot be read cannot be cleaned.
* Multiple values (LO, SH, UC) are cleaned one by one; their number stays.
"""

from __future__ import annotations

from typing import Final

from transforms.deidentify.text.charsets import decode, encode
from transforms.deidentify.text.cleaner import Cleaner

_MULTIPLE: Final = frozenset({"LO", "SH", "UC"})


def clean_value(raw: bytes, vr: str, charset: tuple[str, ...], cleaner: Cleaner) -> bytes:
    """The cleaned value, unpadded; the raw value itself where nothing is to be removed.

    Raises TransformError: charset-undecodable.
    """
    text = decode(raw.rstrip(b" \0"), charset)
    parts = text.split("\\") if vr in _MULTIPLE else [text]
    fresh = [cleaner.clean(part) for part in parts]
    if [part.strip() for part in fresh] == [part.strip() for part in parts]:
        return raw
    return encode("\\".join(fresh), charset)
