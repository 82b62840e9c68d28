"""New frames and attributes in a data set, as an edit plan: everything that is not named stays byte for byte.

* The source is little endian and inflated. Values are put at the top level, in the order of their tags.
* What new frames need beyond memory lies in a second source behind the first one (`Joined`): a plan copies from both.
* One frame, one fragment, but for frames that keep theirs. Basic Offset Table where 32 bits are enough; else, where
  each frame is one fragment, the Extended Offset Table (PS3.3 C.7.6.3.1.8); else an empty one (PS3.5 A.4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from struct import pack
from typing import Final

from transforms.dataset.elements import ITEM, PIXEL_DATA, SEQUENCE_END, header_bytes
from transforms.dataset.index import Index
from transforms.pixels.frames import EXTENDED, EXTENDED_LENGTHS, Frame
from transforms.source import ByteSource, Copy, EditPlan, Literal, Piece

Value = tuple[str, bytes] | None  # VR and bytes of even length; None: the attribute goes
_LARGEST: Final = 0xFFFFFFFE  # of a Basic Offset Table


class Joined:
    """Two sources, the second one behind the first."""

    __slots__ = ("_first", "_second", "size")

    def __init__(self, first: ByteSource, second: ByteSource) -> None:
        self._first = first
        self._second = second
        self.size = first.size + second.size

    def pread(self, offset: int, length: int) -> bytes:
        """Bytes of either, or of both where they meet."""
        border = self._first.size
        if offset + length <= border:
            return self._first.pread(offset, length)
        if offset >= border:
            return self._second.pread(offset - border, length)
        return self._first.pread(offset, border - offset) + self._second.pread(0, offset + length - border)


def edited(
    source: ByteSource, index: Index, values: Mapping[int, Value], pixels: Sequence[Piece] | None = None
) -> EditPlan:
    """The data set with other values, and with other Pixel Data, header and all, where `pixels` are given.

    `source` may go on behind the data set that `index` is of (Joined): only pieces copy from there.
    """
    explicit = index.syntax.explicit
    pending = sorted(values)
    pieces: list[Piece] = []

    def put(tag: int) -> None:
        value = values[tag]
        if value is not None:
            vr, raw = value
            pieces.append(Literal(header_bytes(tag, vr if explicit else "", len(raw)) + raw))

    for element in index:
        while pending and pending[0] < element.tag:
            put(pending.pop(0))
        if pending and pending[0] == element.tag:
            put(pending.pop(0))
        elif element.tag == PIXEL_DATA and pixels is not None:
            pieces += pixels
        else:
            pieces.append(Copy(element.header, element.end - element.header))
    for tag in pending:
        put(tag)
    return EditPlan(source, pieces)


def encapsulated(frames: Sequence[Frame]) -> tuple[list[Piece], dict[int, Value]]:
    """Pixel Data of those frames (PS3.5 A.4), and the attributes that go with it. Each place has an even length or is
    followed by a padding byte here."""
    body: list[Piece] = []
    offsets: list[int] = []
    lengths: list[int] = []
    at = 0
    for frame in frames:
        offsets.append(at)
        for offset, length in frame:
            even = length + (length & 1)
            body += [Literal(header_bytes(ITEM, "", even)), Copy(offset, length), Literal(b"\0" * (length & 1))]
            at += 8 + even
        lengths.append(sum(length for _, length in frame))
    values: dict[int, Value] = {EXTENDED: None, EXTENDED_LENGTHS: None}
    table = b""
    if offsets[-1] <= _LARGEST:
        table = pack(f"<{len(offsets)}I", *offsets)
    elif all(len(frame) == 1 for frame in frames):
        values = {
            EXTENDED: ("OV", pack(f"<{len(offsets)}Q", *offsets)),
            EXTENDED_LENGTHS: ("OV", pack(f"<{len(lengths)}Q", *lengths)),
        }
    head = header_bytes(PIXEL_DATA, "OB", -1) + header_bytes(ITEM, "", len(table)) + table
    return [Literal(head), *body, Literal(header_bytes(SEQUENCE_END, "", 0))], values


def native(at: int, length: int, *, wide: bool, explicit: bool = True) -> list[Piece]:
    """Native Pixel Data of `length` bytes at `at` (PS3.5 8.1, A.2): OW where samples have more than 8 bits."""
    even = length + (length & 1)
    vr = ("OW" if wide else "OB") if explicit else ""
    return [Literal(header_bytes(PIXEL_DATA, vr, even)), Copy(at, length), Literal(b"\0" * (length & 1))]
