"""The MAC byte stream of a signature (PS3.3 C.12.1.1.3.1.1): what is hashed and then signed.

* An ordinary element is its header and value as they stand. A sequence, or encapsulated pixel data, is its header
  without a length, each item's tag without a length, what is in the item by the same rule, and at the end a Sequence
  Delimitation tag without a length: defined and undefined lengths give the same stream.
* The elements come in the order of the data set; then those of the signature's own item that are not made later.
* It gives pieces, not bytes: pixels are never held. `feed` takes them into a hash.

Raises TransformError('signature-unsignable') for what may not be signed: UN, also within a sequence, and the tags of
`tags.may_be_signed`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Protocol

from transforms.dataset.elements import header_bytes
from transforms.dataset.framing import Walk
from transforms.dataset.index import Entry, Limits
from transforms.dataset.syntax import TransferSyntax
from transforms.errors import TransformError
from transforms.signatures.tags import OUTSIDE, may_be_signed
from transforms.source import CHUNK, ByteSource, Copy, Literal, Piece

_ITEM: Final = b"\xfe\xff\x00\xe0"
_END: Final = b"\xfe\xff\xdd\xe0"

Entries = dict[int, Entry]


class Levels:
    """The elements of any level of one framed data set in Explicit VR little endian."""

    def __init__(self, source: ByteSource, syntax: TransferSyntax, limits: Limits = Limits()) -> None:
        self.source = source
        self._syntax = syntax
        self._limits = limits

    def at(self, start: int, end: int, depth: int, delimited: bool) -> tuple[Entries, int]:
        """(elements of the level that begins at `start`, offset after it)."""
        entries: Entries = {}
        walk = Walk(self.source, self._syntax, self._limits)
        return entries, walk.explicit(start, end, depth, entries, delimited)

    def items(self, entry: Entry, depth: int) -> Iterator[tuple[int, Entries, int]]:
        """(offset of the item's tag, its elements, offset after it) of a sequence."""
        _, _, at, length, end = entry
        stop = end - 8 if length < 0 else end
        while at < stop:
            size = int.from_bytes(self.source.pread(at + 4, 4), "little")
            delimited = size == 0xFFFFFFFF
            entries, after = self.at(at + 8, stop if delimited else at + 8 + size, depth + 1, delimited)
            yield at, entries, after
            at = after

    def fragments(self, entry: Entry) -> Iterator[Copy]:
        """The fragments of encapsulated pixel data (PS3.5 A.4), the offset table too."""
        _, _, at, _, end = entry
        while at < end - 8:
            size = int.from_bytes(self.source.pread(at + 4, 4), "little")
            yield Copy(at + 8, size)
            at += 8 + size


def of_level(levels: Levels, entries: Entries, tags: Iterable[int], depth: int = 0) -> Iterator[Piece]:
    """The stream over these elements of a level. What is not there adds nothing."""
    wanted = frozenset(tags)
    if not all(map(may_be_signed, wanted)):
        raise TransformError("signature-unsignable", "an attribute that may never be signed")
    for tag, entry in entries.items():
        if tag in wanted:
            yield from _element(levels, tag, entry, depth)


def of_item(levels: Levels, item: Entries, depth: int = 0) -> Iterator[Piece]:
    """The stream over a signature's own item, which follows that of its level."""
    for tag, entry in item.items():
        if tag not in OUTSIDE and may_be_signed(tag):
            yield from _element(levels, tag, entry, depth + 1)


class Running(Protocol):
    """A hash of hashlib, or what counts as one."""

    def update(self, data: bytes, /) -> object:
        """More bytes."""
        ...


def feed(running: Running, source: ByteSource, pieces: Iterable[Piece]) -> None:
    """The bytes of a stream, into a hash. Raises OSError where the source has become shorter."""
    for piece in pieces:
        if isinstance(piece, Literal):
            running.update(piece.data)
            continue
        end = piece.offset + piece.length
        for at in range(piece.offset, end, CHUNK):
            part = source.pread(at, min(CHUNK, end - at))
            if len(part) != min(CHUNK, end - at):
                raise OSError("source became shorter than its size")
            running.update(part)


def signable(levels: Levels, entries: Entries) -> list[int]:
    """The attributes of a level that may be signed, in its order."""
    return [tag for tag, entry in entries.items() if may_be_signed(tag) and not _holds_unknown(levels, entry, 0)]


def _element(levels: Levels, tag: int, entry: Entry, depth: int) -> Iterator[Piece]:
    vr, _, value, length, _ = entry
    if vr == "UN":
        raise TransformError("signature-unsignable", "an attribute of unknown VR")
    if vr == "SQ":
        yield Literal(header_bytes(tag, vr, 0)[:8])
        for _, inside, _ in levels.items(entry, depth):
            yield Literal(_ITEM)
            for each, inner in inside.items():
                yield from _element(levels, each, inner, depth + 1)
        yield Literal(_END)
    elif length < 0:
        yield Literal(header_bytes(tag, "OB", 0)[:8])  # what encapsulated pixel data is (PS3.5 A.4), whatever it says
        for fragment in levels.fragments(entry):
            yield Literal(_ITEM)
            yield fragment
        yield Literal(_END)
    else:
        yield Literal(header_bytes(tag, vr, length))  # made anew: its reserved bytes are zero (PS3.5 7.1.2)
        yield Copy(value, length)


def _holds_unknown(levels: Levels, entry: Entry, depth: int) -> bool:
    if entry[0] != "SQ":
        return entry[0] == "UN"
    return any(
        _holds_unknown(levels, each, depth + 1)
        for _, inside, _ in levels.items(entry, depth)
        for each in inside.values()
    )
