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
_REMEMBERED: Final = 256  # bytes of a value
_MOST_REMEMBERED: Final = 2000  # values: the objects of a study say the same again and again


def clean_value(raw: bytes, vr: str, charset: tuple[str, ...], cleaner: Cleaner) -> bytes:
    """The cleaned value, unpadded; the raw value itself where nothing is to be removed.

    Raises TransformError: charset-undecodable.
    """
    if len(raw) > _REMEMBERED:
        return _cleaned(raw, vr, charset, cleaner)
    seen, key = cleaner.values, (raw, vr, charset)
    fresh = seen.get(key)
    if fresh is None:
        fresh = _cleaned(raw, vr, charset, cleaner)
        if len(seen) < _MOST_REMEMBERED:
            seen[key] = fresh
    return fresh


def _cleaned(raw: bytes, vr: str, charset: tuple[str, ...], cleaner: Cleaner) -> bytes:
    text = decode(raw.rstrip(b" \0"), charset)
    parts = text.split("\\") if vr in _MULTIPLE else [text]
    fresh = [cleaner.clean(part) for part in parts]
    if [part.strip() for part in fresh] == [part.strip() for part in parts]:
        return raw
    return encode("\\".join(fresh), charset)
