"""Attributes as bytes: what a writer of data sets puts together, in Explicit VR little endian and UTF-8.

* A level is a set of attributes; `encoded` gives them in the order of tags (PS3.5 7.1), items with defined length.
* VRs come from the data dictionary. Values are padded to an even length (PS3.5 6.2), never cut.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import error as StructError
from struct import pack
from typing import Final

from transforms.dataset.elements import ITEM, dictionary_vr, header_bytes
from transforms.dictionary import keyword_for_tag
from transforms.errors import TransformError

UTF8: Final = "ISO_IR 192"
_TEXTS: Final = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})  # any character set (PS3.5 6.1.2.3)
_CODES: Final = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d"}


class Attributes:
    """The attributes of one level. Whatever is empty is left out, unless `empty` says that it has to stand there."""

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: dict[int, bytes] = {}

    def text(self, tag: int, *values: str, empty: bool = False) -> None:
        """A text attribute; several values get their backslash. `empty`: it is of type 2 (PS3.5 7.4.3)."""
        text = "\\".join(values)
        if not text and not empty:
            return
        vr = dictionary_vr(tag)
        raw = text.encode("utf-8")
        if vr not in _TEXTS and not raw.isascii():
            raise TransformError("does-not-fit", f"{keyword_for_tag(tag)}: a letter outside the default repertoire")
        if len(raw) & 1:
            raw += b"\0" if vr == "UI" else b" "
        self._put(tag, vr, raw)

    def numbers(self, tag: int, values: Iterable[float]) -> None:
        """A binary attribute (US, SS, UL, SL, FL, FD), or the digits of an IS. Raises does-not-fit."""
        found = tuple(values)
        if not found:
            return
        vr = dictionary_vr(tag)
        if vr == "IS":
            self.text(tag, *map(str, found))
            return
        try:
            self._put(tag, vr, pack(f"<{len(found)}{_CODES[vr]}", *found))
        except (StructError, OverflowError):
            raise TransformError("does-not-fit", f"{keyword_for_tag(tag)}: a number outside its VR") from None

    def raw(self, tag: int, data: bytes) -> None:
        """Bytes as OB, padded with a zero (PS3.5 8.2)."""
        self._put(tag, "OB", data + b"\0" * (len(data) & 1))

    def items(self, tag: int, items: Iterable[bytes], *, empty: bool = False) -> None:
        """A sequence; each item is what `encoded` gave."""
        value = b"".join([header_bytes(ITEM, "", len(item)) + item for item in items])
        if value or empty:
            self._put(tag, "SQ", value)

    def encoded(self) -> bytes:
        """The bytes of the level."""
        return b"".join([self._found[tag] for tag in sorted(self._found)])

    def _put(self, tag: int, vr: str, raw: bytes) -> None:
        try:
            self._found[tag] = header_bytes(tag, vr, len(raw)) + raw
        except ValueError:
            raise TransformError("does-not-fit", f"{keyword_for_tag(tag)} is longer than its VR allows") from None
