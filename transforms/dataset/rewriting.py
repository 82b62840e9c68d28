"""The walk behind convert.py: every element of a framed data set, written anew in another uncompressed syntax.

* It copies values and makes headers; the rules, and why, stand in convert.py.
* `Level` is one data set or item. An attribute that decides a VR (PS3.5 Annex A) is looked for in its own level, then
  outwards, wherever in the level it stands.
"""

from __future__ import annotations

from typing import Final

from transforms.dataset.elements import (
    BIG,
    ITEM,
    ITEM_END,
    LITTLE,
    LONG_VRS,
    PIXEL_DATA,
    SEQUENCE_END,
    SEQUENCE_TAGS,
    SHORT_VRS,
    SWAP_WIDTH,
    UNDEFINED,
    dictionary_vr,
    header_bytes,
)
from transforms.dataset.framing import Walk
from transforms.dataset.index import Entry, Index, Limits
from transforms.dataset.swapped import Region, swap
from transforms.dataset.syntax import IMPLICIT_LE, TransferSyntax, lookup
from transforms.errors import BadFraming, TransformError
from transforms.source import ByteSource, Copy, Literal, Piece

_BITS_ALLOCATED: Final = 0x00280100
_PIXEL_REPRESENTATION: Final = 0x00280103
_WAVEFORM_BITS: Final = 0x54001004
_WAVEFORM_DATA: Final = 0x54001010
_WINDOW: Final = 1 << 16
_INLINE: Final = 64  # bytes of a value that is cheaper held in the plan than read again
_ITEM_START: Final = b"\xfe\xff\x00\xe0"
_SHORT_NAMES: Final = frozenset(SHORT_VRS.values())

# VRs whose values are the same kind of bytes: dropping the VR cannot turn one into another.
_KINDS: Final = {
    vr: kind
    for kind, names in {
        "text": "AE AS CS DA DS DT IS LO LT PN SH ST TM UC UI UR UT",
        "word": "US SS OW AT",
        "long": "UL SL OL",
        "very long": "UV SV OV",
        "float": "FL OF",
        "double": "FD OD",
        "sequence": "SQ",
    }.items()
    for vr in names.split()
}


class Level:
    """The data set or one item: where its elements are, how they are written, what it lies in."""

    __slots__ = ("delimited", "depth", "end", "entries", "parent", "start", "syntax")

    def __init__(
        self, start: int, end: int, delimited: bool, syntax: TransferSyntax, parent: Level | None = None
    ) -> None:
        self.start = start
        self.end = end
        self.delimited = delimited
        self.syntax = syntax
        self.parent = parent
        self.depth: int = parent.depth + 1 if parent is not None else 0
        self.entries: dict[int, Entry] | None = None  # found when first asked for


class Rewriting:
    """One conversion. After `pieces`, `swaps` holds the regions of the source whose bytes must be turned."""

    def __init__(
        self,
        source: ByteSource,
        syntax: TransferSyntax,
        index: Index,
        limits: Limits,
        explicit: bool,
        canonical: bool,
    ) -> None:
        self.swaps: list[Region] = []
        self._source = source
        self._limits = limits
        self._explicit = explicit
        self._canonical = canonical
        self._implicit_le = lookup(IMPLICIT_LE)
        self._top = Level(0, source.size, False, syntax)
        self._top.entries = index.entries
        self._start = 0
        self._window = b""

    def pieces(self) -> list[Piece]:
        """The new data set. Raises TransformError('cannot-convert')."""
        out: list[Piece] = []
        self._level(self._top, out)
        return out

    def _bytes(self, at: int, length: int) -> bytes:
        offset = at - self._start
        if offset < 0 or offset + length > len(self._window):
            self._start, offset = at, 0
            self._window = self._source.pread(at, _WINDOW)
        return self._window[offset : offset + length]

    def _header(self, at: int, syntax: TransferSyntax) -> tuple[int, str, int, int]:
        """(tag, VR or "", length or -1, size of the header)."""
        raw = self._bytes(at, 12)
        layout = LITTLE if syntax.little_endian else BIG
        group, element, length = layout.implicit.unpack_from(raw)
        tag, size, vr = group << 16 | element, 8, ""
        if group != 0xFFFE and syntax.explicit:
            if raw[4:6] in SHORT_VRS:
                return tag, SHORT_VRS[raw[4:6]], layout.short.unpack_from(raw)[3], 8
            vr, size = LONG_VRS[raw[4:6]], 12
            (length,) = layout.long.unpack_from(raw, 8)
        return tag, vr, -1 if length == UNDEFINED else length, size

    def _level(self, level: Level, out: list[Piece]) -> tuple[int, int]:
        """The elements of one level. (bytes written, offset after them, delimiter included)."""
        at, written = level.start, 0
        while at < level.end:
            tag, vr, length, size = self._header(at, level.syntax)
            if tag == ITEM_END:
                return written, at + size
            more, at = self._element(level, tag, vr, length, at + size, out)
            written += more
        return written, at

    def _element(self, level: Level, tag: int, vr: str, length: int, at: int, out: list[Piece]) -> tuple[int, int]:
        if not self._explicit:
            self._readable(level, tag, vr, length, at)
        inside = self._content(level, tag, vr, length, at)
        if inside is not None:
            return self._sequence(level, inside, tag, length, at, out)
        if length < 0:
            stop = self._end_of_unknown(level, at)
            return self._write(tag, "UN", -1, at, stop, 1, out), stop
        if tag & 0xFFFF == 0:
            return 0, at + length
        vr = vr or self._vr(level, tag)
        width = 1 if level.syntax.little_endian else SWAP_WIDTH.get(vr, 1)
        if width > 1 and tag == PIXEL_DATA and (self._number(level, _BITS_ALLOCATED) or 0) > 16:
            raise TransformError("cannot-convert", "pixels of more than 16 bits as OW in big endian have two readings")
        if length > 0xFFFF and vr in _SHORT_NAMES:
            vr = "UN"
        return self._write(tag, vr, length, at, at + length, width, out), at + length

    def _write(self, tag: int, vr: str, length: int, at: int, stop: int, width: int, out: list[Piece]) -> int:
        head = header_bytes(tag, vr if self._explicit else "", length)
        size = stop - at
        if size <= _INLINE:
            value = self._bytes(at, size)
            out.append(Literal(head + (swap(value, width) if width > 1 else value)))
        else:
            out += [Literal(head), Copy(at, size)]
            if width > 1:
                self.swaps.append(Region(at, stop - size % width, width))
        return len(head) + size

    def _content(self, level: Level, tag: int, vr: str, length: int, at: int) -> TransferSyntax | None:
        """The syntax of the items inside; None where the value is to be copied as it is."""
        if vr == "SQ" or (not vr and tag in SEQUENCE_TAGS):
            return level.syntax
        if vr not in ("", "UN") or not self._canonical:
            return None
        # Implicit VR cannot say that a private element is a sequence, UN does not: equal content is made to look equal
        opaque = length < 0 or (not vr and not dictionary_vr(tag)) or vr == "UN"
        return self._implicit_le if opaque and (length < 0 or self._items(level, at, length)) else None

    def _sequence(
        self, level: Level, syntax: TransferSyntax, tag: int, length: int, at: int, out: list[Piece]
    ) -> tuple[int, int]:
        inner: list[Piece] = []
        size = 0
        stop = level.end if length < 0 else at + length
        while at < stop:
            item, _, item_length, _ = self._header(at, syntax)
            at += 8
            if item == SEQUENCE_END:
                break
            content: list[Piece] = []
            end = stop if item_length < 0 else at + item_length
            written, at = self._level(Level(at, end, item_length < 0, syntax, level), content)
            size += self._wrap(ITEM, "", written, item_length < 0, ITEM_END, content, inner)
        return self._wrap(tag, "SQ", size, length < 0, SEQUENCE_END, inner, out), at

    def _wrap(
        self, tag: int, vr: str, size: int, undefined: bool, end: int, content: list[Piece], out: list[Piece]
    ) -> int:
        """An item or sequence around its content, with a length of the kind it had. Returns the bytes written."""
        if self._canonical:  # a sequence without items is the same as an empty value, which has no kind of length
            undefined = size > 0 or tag == ITEM
        undefined = undefined or size >= UNDEFINED
        head = header_bytes(tag, vr if self._explicit else "", -1 if undefined else size)
        out.append(Literal(head))
        out += content
        if undefined:
            out.append(Literal(header_bytes(end, "", 0)))
            size += 8
        return len(head) + size

    def _vr(self, level: Level, tag: int) -> str:
        """The VR of an element that came without (PS3.6; PS3.5 Annex A.1 where there is a choice)."""
        vr = dictionary_vr(tag)
        if not vr:
            return "UN"
        if " or " not in vr:
            return vr
        if vr == "US or SS":
            return "SS" if self._number(level, _PIXEL_REPRESENTATION) == 1 else "US"
        if tag == _WAVEFORM_DATA and self._number(level, _WAVEFORM_BITS) == 8:
            return "OB"
        return "OW"

    def _number(self, level: Level, tag: int) -> int | None:
        """A US value of this level, or of the nearest one around it."""
        around: Level | None = level
        while around is not None:
            if around.entries is None:
                around.entries = {}
                walk = Walk(self._source, around.syntax, self._limits)
                walker = walk.explicit if around.syntax.explicit else walk.implicit
                walker(around.start, around.end, around.depth, around.entries, around.delimited)
            entry = around.entries.get(tag)
            if entry is not None and entry[3] == 2:
                return int.from_bytes(
                    self._source.pread(entry[2], 2), "little" if around.syntax.little_endian else "big"
                )
            around = around.parent
        return None

    def _readable(self, level: Level, tag: int, vr: str, length: int, at: int) -> None:
        """Refuse what would be read as something else once its VR is gone (PS3.5 7.1.3)."""
        known = dictionary_vr(tag)
        if not vr or not known or length == 0:
            return
        if known == "SQ":
            if vr != "SQ" and length > 0 and not self._items(level, at, length):
                raise TransformError("cannot-convert", "a sequence of PS3.6 that is none")
        elif vr not in ("UN", "OB", "OW") and known not in ("UN", "OB"):
            kind = _KINDS.get(vr)
            if all(_KINDS.get(each) not in (kind, None) for each in known.split(" or ")):
                raise TransformError("cannot-convert", "a VR that contradicts PS3.6")

    def _items(self, level: Level, at: int, length: int) -> bool:
        """Is this value the items of a sequence in Implicit VR little endian, to the last byte?"""
        if length < 8 or self._bytes(at, 4) != _ITEM_START:
            return False
        walk = Walk(self._source, self._implicit_le, self._limits)
        try:
            walk.items(at, at + length, level.depth + 1, False, walk.implicit)
        except BadFraming:
            return False
        return True

    def _end_of_unknown(self, level: Level, at: int) -> int:
        """The offset after a UN of undefined length, whose content is Implicit VR little endian."""
        walk = Walk(self._source, self._implicit_le, self._limits)
        return walk.items(at, level.end, level.depth + 1, True, walk.implicit)
