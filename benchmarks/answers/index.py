"""The elements of an object by MIDI-B's paths, as pydicom reads them.

    <(0008,0060)>                              at the top
    <(0040,0275)>[<0000>]<(0040,0007)>         in the first item of a sequence
    <(0019,"SIEMENS MED",11)>                  a private element: group, creator in capitals, low byte

Rules of this file
* Hexadecimal digits are small, creators are capitals; `same` brings another writer's path into that form.
* Pixel Data, Overlay Data and the meta version count as present without a value, as in the source.
* A value that pydicom cannot read counts as an empty one; its element is there.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pydicom
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

_UNREAD: Final = frozenset({0x7FE00010, 0x00020001})
_HEX: Final = re.compile(r"\(([0-9A-Fa-f]{4}),([0-9A-Fa-f]{4})\)")
_PRIVATE: Final = re.compile(r"\(([0-9A-Fa-f]{4}),\"(.*?)\",([0-9A-Fa-f]{2})\)")


def step(tag: int, creator: str = "") -> str:
    """One element's part of a path."""
    if creator:
        return f'<({tag >> 16:04x},"{creator.upper()}",{tag & 0xFF:02x})>'
    return f"<({tag >> 16:04x},{tag & 0xFFFF:04x})>"


def item(path: str, number: int) -> str:
    """The path of an item, to put an element's part behind."""
    return f"{path}[<{number:04d}>]"


def same(path: str) -> str:
    """A path in the form of this file."""
    path = _HEX.sub(lambda found: found[0].lower(), path)
    return _PRIVATE.sub(lambda f: f'({f[1].lower()},"{f[2].upper()}",{f[3].lower()})', path)


def shown(path: str) -> str:
    """A path for people: a private creator may name somebody, so it is left out."""
    return _PRIVATE.sub(r"(\1,*,\3)", path)


class Index:
    """One object. `text(path)` is what MIDI-B compares; None: no such element."""

    def __init__(self, data: Dataset) -> None:
        self.data = data
        self.elements: dict[str, DataElement | None] = dict(_elements(data, ""))

    @classmethod
    def of(cls, path: Path) -> Index:
        """A file's. Raises what pydicom raises."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return cls(pydicom.dcmread(path, force=True))

    def text(self, path: str) -> str | None:
        """An element's value as text, without <>."""
        if path not in self.elements:
            return None
        element = self.elements[path]
        if element is None or element.value is None or _unread(element.tag):
            return ""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return str(element.value).strip()

    def pixels(self) -> bytes | None:
        """Pixel Data as it stands."""
        value: Any = self.data.get("PixelData")
        return value if isinstance(value, bytes) else None


def _unread(tag: BaseTag) -> bool:
    return tag in _UNREAD or (tag.group & 0xFF00 == 0x6000 and tag.element == 0x3000)


def _elements(data: Dataset, before: str) -> Iterator[tuple[str, DataElement | None]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for tag in list(data.keys()):
            try:
                element: DataElement | None = data[tag]
            except Exception:  # whatever pydicom cannot read
                element = None
            creator = str(element.private_creator or "") if element is not None and tag.is_private else ""
            path = before + step(tag, creator)
            yield path, element
            if element is not None and element.VR == "SQ":
                for number, inner in enumerate(element.value or ()):
                    yield from _elements(inner, item(path, number))
