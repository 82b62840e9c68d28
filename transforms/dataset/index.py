"""What `framing.check` found: the top-level elements of one data set, and the limits it was checked under.

* Compact: one tuple an element, made once. Offsets count from the data set's first byte; in a deflated data set, in
  the inflated stream, and then the index itself keeps the small values, since the stream cannot be read anywhere.
* It holds values of a patient only in the deflated case (`kept`); nothing here prints them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Literal, NamedTuple

from transforms.dataset.syntax import TransferSyntax
from transforms.errors import TransformError
from transforms.source import ByteSource

Entry = tuple[str, int, int, int, int]  # VR, header offset, value offset, length, end offset: see Element


class Limits(NamedTuple):
    """What one data set may cost. The defaults are docs' budgets; a listener may set others."""

    depth: int = 32  # nested sequences, 1 to 100: the walk recurses, twice a level
    elements: int = 200_000  # elements and items, all levels
    fragments: int = 2_000_000  # of encapsulated pixel data
    inflated: int = 4 << 30  # bytes a deflated data set may become
    ratio: int = 100  # inflated : deflated, once more than `inflated_free` came out
    inflated_free: int = 16 << 20  # bytes whose cost is small whatever the ratio (an empty mask packs 1000:1)
    keep_value: int = 4 << 10  # deflated only: values up to this size are kept in the index
    keep_total: int = 4 << 20  # deflated only: bytes of values kept in all
    pixel_length: Literal["warn", "refuse"] = "warn"  # native Pixel Data that is not Rows x Columns x ... bytes


class Element(NamedTuple):
    """Where one top-level element lies."""

    tag: int
    vr: str  # "" in Implicit VR
    header: int  # offset of the header
    value: int  # offset of the value
    length: int  # of the value as declared; -1 where undefined
    end: int  # offset after the element, delimiters included


class Index:
    """The top-level elements of one framed data set, in the order they stand in."""

    __slots__ = ("count", "entries", "kept", "nested", "size", "syntax", "warnings")

    def __init__(
        self, syntax: TransferSyntax, size: int, entries: dict[int, Entry], count: int, nested: Collection[int]
    ) -> None:
        self.syntax = syntax
        self.size = size  # bytes of the (inflated) data set
        self.entries = entries
        self.count = count  # elements and items of all levels
        self.nested = nested  # tags of sequences, and of what has undefined length
        self.warnings: frozenset[str] = frozenset()  # codes of what breaks the standard, yet frames
        self.kept: dict[int, bytes] | None = None  # deflated only: the small values

    def __contains__(self, tag: int) -> bool:
        return tag in self.entries

    def __iter__(self) -> Iterator[Element]:
        return (Element(tag, *entry) for tag, entry in self.entries.items())

    def __len__(self) -> int:
        return len(self.entries)

    def get(self, tag: int) -> Element | None:
        """The top-level element of this tag, or None."""
        entry = self.entries.get(tag)
        return None if entry is None else Element(tag, *entry)

    @property
    def has_private(self) -> bool:
        """A top-level element is of an odd group (PS3.5 7.8)."""
        return any(tag & 0x10000 for tag in self.entries)

    def value_bytes(self, source: ByteSource, tag: int) -> bytes | None:
        """The raw value of a top-level element, with items and delimiters where it is a sequence; None where missing.

        Raises TransformError('value-not-kept') for a large value of a deflated data set.
        """
        entry = self.entries.get(tag)
        if entry is None:
            return None
        if self.kept is None:
            return source.pread(entry[2], entry[4] - entry[2])
        found = self.kept.get(tag)
        if found is None:
            raise TransformError("value-not-kept", "a large value of a deflated data set")
        return found

    def keep(self, stream: ByteSource, limits: Limits) -> None:
        """Keep the small values of a deflated data set; `stream` is the inflated one."""
        kept: dict[int, bytes] = {}
        room = limits.keep_total
        for tag, (_, _, value, _, end) in self.entries.items():
            size = end - value
            if size <= min(limits.keep_value, room):
                kept[tag] = stream.pread(value, size)
                room -= size
        self.kept = kept
