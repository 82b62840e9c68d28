"""What a data set in JSON or XML says, before it is bytes: attributes with text, items, inline bytes or a reference.

Rules of this file
* Values are text as it stands there; encode.py judges whether a VR can hold them.
* Group lengths do not exist here (PS3.18 F.2.2, PS3.19 A.1.5), and of File Meta Information only the transfer syntax is
  read: some senders put it there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from transforms.dataset.elements import LONG_VRS, SHORT_VRS
from transforms.errors import TransformError

DEPTH: Final = 32  # of sequences
ELEMENTS: Final = 200_000  # of one request
VRS: Final = frozenset(SHORT_VRS.values()) | frozenset(LONG_VRS.values())
_TAG = re.compile(r"[0-9A-Fa-f]{8}")


@dataclass(frozen=True, slots=True)
class Attribute:
    """One data element. At most one of `values`, `items`, `bulk`, `inline` is there; none: it is empty."""

    tag: int
    vr: str
    values: tuple[str, ...] = ()
    items: tuple[tuple[Attribute, ...], ...] = ()
    bulk: str | None = None  # BulkDataURI
    inline: bytes | None = None
    creator: str = ""  # private: XML names the creator instead of its block


DataSet = tuple[Attribute, ...]


class MetadataError(TransformError):
    """It is not what PS3.18 Annex F or PS3.19 A.1 say, or a VR cannot hold it. Nothing of it is quoted."""


class Budget:
    """How many elements may still come."""

    def __init__(self) -> None:
        self._left = ELEMENTS

    def spend(self, depth: int) -> None:
        """One element at that depth. Raises MetadataError."""
        self._left -= 1
        if self._left < 0 or depth > DEPTH:
            raise MetadataError("metadata-too-large", "more elements, or deeper, than is read")


def tag_of(text: object) -> int:
    """Eight hexadecimal digits. Raises MetadataError."""
    if not isinstance(text, str) or not _TAG.fullmatch(text):
        raise MetadataError("metadata-tag", "a tag is eight hexadecimal digits")
    return int(text, 16)


def vr_of(text: object) -> str:
    """A VR of PS3.5. Raises MetadataError."""
    if not isinstance(text, str) or text not in VRS:
        raise MetadataError("metadata-vr", "an attribute has no VR, or one that is none")
    return text


def stored(attributes: list[Attribute]) -> DataSet:
    """In the order of a data set, without what is never stored. Raises MetadataError where a tag stands twice."""
    found = sorted((each for each in attributes if each.tag >> 16 != 2 and each.tag & 0xFFFF), key=lambda a: a.tag)
    if any(one.tag == two.tag for one, two in pairwise(found)):
        raise MetadataError("metadata-tag", "a tag stands twice")
    if any(not 8 <= each.tag >> 16 < 0xFFFE for each in found):
        raise MetadataError("metadata-tag", "a tag that no data set holds")
    return tuple(found)
