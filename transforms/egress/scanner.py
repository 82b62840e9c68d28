"""A small element scanner of its own: top-level elements as bytes, and the values within them at every depth.

* Little endian only, explicit or implicit (PS3.5 7.1); the caller converts and inflates.
* `scan` gives every byte of a data set once: in `chunks` (one top-level element each, header and all), in `large`
  (what is too long to keep in memory, or compressed pixels), or in `skipped` (native Pixel Data, passed by seeking);
  but for what its caller knows already, byte by byte (passed.py).
* `leaves` gives the values of one chunk: sequences, and UN or OB values that hold items, are walked.
* What does not frame is an error here too: `egress-unreadable`.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from struct import error as struct_error
from typing import Final, NamedTuple

from transforms.dictionary import DicomDictionary
from transforms.egress.passed import HEAD, Passed
from transforms.errors import TransformError
from transforms.source import ByteSource

IMPLICIT_LE: Final = "1.2.840.10008.1.2"
EXPLICIT_LE: Final = "1.2.840.10008.1.2.1"
NATIVE: Final = frozenset({IMPLICIT_LE, EXPLICIT_LE})  # little endian, uncompressed

WINDOW: Final = 1 << 14
LARGE: Final = 1 << 20  # bytes; longer elements are searched in windows
DEPTH: Final = 64
_UNDEFINED: Final = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = b"\xfe\xff\x00\xe0", b"\xfe\xff\x0d\xe0", b"\xfe\xff\xdd\xe0"
_PIXELS: Final = b"\xe0\x7f\x10\x00"
_SHORT: Final = frozenset(b"AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split())
_LONG: Final = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_U32: Final = Struct("<I").unpack_from
_SHORT_HEAD: Final = Struct("<4s2sH").unpack_from
_IMPLICIT_HEAD: Final = Struct("<4sI").unpack_from
_IMPLICIT: Final = Struct("<HHI").unpack_from
_VRS: Final[dict[int, str]] = {tag: str(entry[0]) for tag, entry in DicomDictionary.items()}


class Leaf(NamedTuple):
    """One value that is no sequence. `vr` is the dictionary's in Implicit VR, "UN" where nobody knows."""

    tag: int
    vr: str
    value: bytes
    charset: bytes  # Specific Character Set (0008,0005) that holds here, raw


class Large(NamedTuple):
    """An element that is not in memory: its tag, the bytes [start, end) of the source, whether it has items."""

    tag: int
    start: int
    end: int
    items: bool


class Scan(NamedTuple):
    """A data set in pieces."""

    stretches: list[list[bytes]]  # elements that follow each other, up to one that is not in memory, or known in a run
    large: list[Large]
    skipped: int  # bytes of native Pixel Data

    @property
    def chunks(self) -> list[bytes]:
        """The elements in their order, but for those of known runs."""
        return [chunk for stretch in self.stretches for chunk in stretch]


def unreadable(at: int) -> TransformError:
    """The error of this package for bytes that are no data set."""
    return TransformError("egress-unreadable", f"at byte {at}")


def scan(source: ByteSource, syntax: str, passed: Passed | None = None) -> Scan:
    """The top-level elements of a little-endian data set. Raises TransformError(egress-unreadable).

    `passed`: known of objects of this syntax; its runs are gone past.
    """
    try:
        return _scan(source, syntax != IMPLICIT_LE, syntax in NATIVE, passed or Passed())
    except (struct_error, IndexError):
        raise unreadable(source.size) from None


def _scan(source: ByteSource, explicit: bool, native: bool, passed: Passed) -> Scan:
    size = source.size
    stretches: list[list[bytes]] = [[]]
    large: list[Large] = []
    skipped = 0
    quick = _quick_explicit if explicit else _quick_implicit
    base, pos, data = 0, 0, source.pread(0, WINDOW)
    while True:
        pos = quick(data, pos, stretches, passed)
        at = base + pos
        if at >= size:
            return Scan(stretches, large, skipped)
        if len(data) - pos < 12 and base + len(data) < size:
            base, pos, data = at, 0, source.pread(at, WINDOW)
        tag, vr, length = _SHORT_HEAD(data, pos)
        head = 8
        if not explicit:
            (length,) = _U32(data, pos + 4)
        elif vr in _LONG:
            head, (length,) = 12, _U32(data, pos + 8)
        elif vr not in _SHORT:
            raise unreadable(at)
        if tag[:2] == b"\xfe\xff":
            raise unreadable(at)
        undefined = length == _UNDEFINED
        value = at + head
        after = _items_end(_Peek(source), value, size, explicit and vr != b"UN", 0) if undefined else value + length
        if after > size:
            raise unreadable(at)
        if tag == _PIXELS and native and not undefined:
            skipped += length
            stretches.append([])
        elif after - at > LARGE or (tag == _PIXELS and undefined):
            items = tag != _PIXELS and (undefined or source.pread(value, 4) == _ITEM)
            number = int.from_bytes(tag[:2], "little") << 16 | int.from_bytes(tag[2:], "little")
            large.append(Large(number, at, after, items))
            stretches.append([])
        else:
            stretches[-1].append(_whole(source, at, after))
        pos = after - base
        if pos > len(data):
            base, pos, data = after, 0, source.pread(after, WINDOW)


def _quick_explicit(data: bytes, pos: int, stretches: list[list[bytes]], passed: Passed) -> int:
    """Take the elements that lie within the window and need no second look; where it stopped."""
    end = len(data)
    append, runs = stretches[-1].append, passed.runs
    edge = end - 12
    short, long, unpack, u32, pixels = _SHORT, _LONG, _SHORT_HEAD, _U32, _PIXELS
    while pos <= edge:
        if runs and (run := runs.get(data[pos : pos + HEAD])) is not None:
            if data.startswith(run.data, pos):
                pos += len(run.data)
                stretches.append([])
                append = stretches[-1].append
                continue
            passed.differs(run, data, pos)
        tag, vr, length = unpack(data, pos)
        if vr in short:
            stop = pos + 8 + length
        elif vr in long and tag != pixels:
            stop = pos + 12 + u32(data, pos + 8)[0]
        else:
            return pos
        if stop > end:
            return pos
        append(data[pos:stop])
        pos = stop
    return pos


def _quick_implicit(data: bytes, pos: int, stretches: list[list[bytes]], passed: Passed) -> int:
    """The same for Implicit VR."""
    end = len(data)
    append, runs = stretches[-1].append, passed.runs
    edge = end - 8
    unpack, pixels = _IMPLICIT_HEAD, _PIXELS
    while pos <= edge:
        if runs and (run := runs.get(data[pos : pos + HEAD])) is not None:
            if data.startswith(run.data, pos):
                pos += len(run.data)
                stretches.append([])
                append = stretches[-1].append
                continue
            passed.differs(run, data, pos)
        tag, length = unpack(data, pos)
        stop = pos + 8 + length
        if stop > end or tag == pixels or tag[:2] == b"\xfe\xff":
            return pos
        append(data[pos:stop])
        pos = stop
    return pos


def _whole(source: ByteSource, start: int, end: int) -> bytes:
    found = source.pread(start, end - start)
    if len(found) != end - start:
        raise unreadable(start)
    return found


class _Peek:
    """Headers anywhere in a source, through one window."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._data = b""
        self._base = 0

    def __call__(self, at: int, length: int) -> bytes:
        offset = at - self._base
        if offset < 0 or offset + length > len(self._data):
            self._data, self._base, offset = self._source.pread(at, 1 << 12), at, 0
        found = self._data[offset : offset + length]
        if len(found) != length:
            raise unreadable(at)
        return found


def _items_end(peek: _Peek, at: int, size: int, explicit: bool, depth: int) -> int:
    """The end of a value of undefined length: items or fragments, up to the sequence delimiter."""
    if depth > DEPTH:
        raise unreadable(at)
    while at < size:
        head = peek(at, 8)
        (length,) = _U32(head, 4)
        at += 8
        if head[:4] == _SEQUENCE_END:
            return at
        if head[:4] != _ITEM:
            raise unreadable(at - 8)
        if length != _UNDEFINED:
            at += length
            continue
        while True:
            head = peek(at, 8)
            if head[:4] == _ITEM_END:
                at += 8
                break
            vr = head[4:6]
            at += 8
            if not explicit:
                (length,) = _U32(head, 4)
            elif vr in _SHORT:
                length = head[6] | head[7] << 8
            elif vr in _LONG:
                (length,) = _U32(peek(at, 4), 0)
                at += 4
            else:
                raise unreadable(at - 8)
            at = (
                _items_end(peek, at, size, explicit and vr != b"UN", depth + 1) if length == _UNDEFINED else at + length
            )
            if at > size:
                raise unreadable(at)
    raise unreadable(at)


def leaves(chunk: bytes, explicit: bool, charset: bytes) -> Iterator[Leaf]:
    """Every value in the elements of `chunk`, at every depth. Raises TransformError where they do not frame."""
    try:
        yield from _leaves(chunk, 0, len(chunk), explicit, charset, 0)
    except (struct_error, IndexError):
        raise unreadable(0) from None


def _leaves(data: bytes, at: int, end: int, explicit: bool, charset: bytes, depth: int) -> Iterator[Leaf]:
    while at < end:
        group, element, length = _IMPLICIT(data, at)
        tag = group << 16 | element
        if group == 0xFFFE:
            if data[at : at + 4] == _ITEM_END:
                return
            raise unreadable(at)
        value = at + 8
        vr = ""
        if explicit:
            raw = data[at + 4 : at + 6]
            if raw in _SHORT:
                length = data[at + 6] | data[at + 7] << 8
            elif raw in _LONG:
                (length,) = _U32(data, value)
                value += 4
            else:
                raise unreadable(at)
            vr = raw.decode("ascii")
        if vr in ("", "UN"):
            vr = _VRS.get(tag, "LO" if tag & 0x10000 and 0x10 <= element <= 0xFF else "UN") if tag & 0xFFFF else "UL"
        inner = explicit and raw != b"UN"
        if length == _UNDEFINED:
            stop = _items_end(_Peek(_Bytes(data)), value, end, inner, depth)
            if tag == 0x7FE00010:
                yield Leaf(tag, "OB", data[value:stop], charset)
            else:
                yield from _items(data, value, stop, inner, charset, depth)
        else:
            stop = value + length
            if stop > end:
                raise unreadable(at)
            if vr == "SQ":
                yield from _items(data, value, stop, inner, charset, depth)
            elif vr in ("UN", "OB") and data[value : value + 4] == _ITEM:
                yield from _opaque(data, value, stop, tag, charset, depth)
            else:
                if tag == 0x00080005:
                    charset = data[value:stop]
                yield Leaf(tag, vr, data[value:stop], charset)
        at = stop


def _items(data: bytes, at: int, end: int, explicit: bool, charset: bytes, depth: int) -> Iterator[Leaf]:
    if depth >= DEPTH:
        raise unreadable(at)
    while at < end:
        if data[at : at + 4] == _SEQUENCE_END:
            return
        if data[at : at + 4] != _ITEM:
            raise unreadable(at)
        (length,) = _U32(data, at + 4)
        at += 8
        if length == _UNDEFINED:
            stop = _item_end(data, at, end, explicit, depth)
            yield from _leaves(data, at, stop - 8, explicit, charset, depth + 1)
        else:
            stop = at + length
            if stop > end:
                raise unreadable(at)
            yield from _leaves(data, at, stop, explicit, charset, depth + 1)
        at = stop


def _item_end(data: bytes, at: int, end: int, explicit: bool, depth: int) -> int:
    """The offset after the delimiter of an item of undefined length."""
    while True:
        head = data[at : at + 8]
        if head[:4] == _ITEM_END:
            return at + 8
        vr = head[4:6]
        at += 8
        if not explicit:
            (length,) = _U32(head, 4)
        elif vr in _SHORT:
            length = head[6] | head[7] << 8
        elif vr in _LONG:
            (length,) = _U32(data, at)
            at += 4
        else:
            raise unreadable(at)
        inner = explicit and vr != b"UN"
        at = _items_end(_Peek(_Bytes(data)), at, end, inner, depth + 1) if length == _UNDEFINED else at + length
        if at > end:
            raise unreadable(at)


def _opaque(data: bytes, at: int, end: int, tag: int, charset: bytes, depth: int) -> Iterator[Leaf]:
    """A value that begins like a sequence: its items, implicit or explicit; the whole where neither frames."""
    for explicit in (False, True):
        try:
            yield from tuple(_items(data, at, end, explicit, charset, depth))
            return
        except (TransformError, struct_error, IndexError):
            continue
    yield Leaf(tag, "UN", data[at:end], charset)


class _Bytes:
    """A ByteSource over bytes."""

    __slots__ = ("_data", "size")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)

    def pread(self, offset: int, length: int) -> bytes:
        return self._data[offset : offset + length]
