"""Blanks boxes in a JPEG stream of sequential DCT (ITU-T T.81: SOF0, SOF1, Huffman) without decoding a pixel.

Rules of this file
* The entropy-coded bits are read to find where blocks begin. The blocks of every MCU that a box touches become black: a
  DC coefficient and nothing else. All other blocks keep their bits; after a blanked one the difference of the DC
  coefficient is written anew, its value is the same. So outside those MCUs nothing is lost by a second compression;
  only decoders that smooth colour over block borders show other colours in the row or column of pixels next to them.
* Comments and application segments (APPn) but those that say which colours these are go: they may say anything.
* What it does not read to the last bit raises: progressive, arithmetic, hierarchical and lossless streams, streams that
  are cut or longer than they say.

Reasons: jpeg-unsupported, jpeg-corrupt, pixels-size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from struct import error as StructError
from struct import unpack_from
from typing import Final, NamedTuple

import numpy as np

from transforms.errors import TransformError
from transforms.pixels.boxes import Box

_SOI, _EOI, _SOS, _DHT, _DQT, _DRI, _COM, _DNL = 0xD8, 0xD9, 0xDA, 0xC4, 0xDB, 0xDD, 0xFE, 0xDC
_SOFS: Final = (0xC0, 0xC1)
_END: Final = 128  # what End of Block adds to the coefficient's number: beyond every other end
_FLUSH: Final = 1 << 13  # bits
_FLAT: Final = bytes([0] * 4 + [16] + [0] * 11)  # T.81 B.2.4.2: sixteen codes of five bits


class Component(NamedTuple):
    """One of the frame header (T.81 B.2.2)."""

    number: int
    across: int  # sampling factors
    down: int
    quantization: int


@dataclass(slots=True)
class _State:
    """What the segments so far have said."""

    precision: int = 0
    rows: int = 0
    columns: int = 0
    components: tuple[Component, ...] = ()
    dc_steps: dict[int, int] = field(default_factory=dict)  # quantization table -> its first entry
    tables: dict[int, tuple[bytes, bytes]] = field(default_factory=dict)  # class << 4 | number -> lengths, symbols
    interval: int = 0
    jfif: bool = False
    adobe: int | None = None


def blank(data: bytes, boxes: tuple[Box, ...], *, rows: int, columns: int, photometric: str) -> bytes:
    """The stream with the boxes blanked. Raises TransformError."""
    return b"".join(_rewritten(data, boxes, rows, columns, photometric))


def touched(data: bytes, boxes: tuple[Box, ...]) -> tuple[Box, ...]:
    """What is blanked where `boxes` are asked for: whole MCUs. Raises TransformError."""
    state = _State()
    for marker, at, end in _segments(data):
        _learn(state, marker, data[at:end])
        if marker == _SOS:
            break
    width = 8 * max(each.across for each in state.components)
    height = 8 * max(each.down for each in state.components)
    return tuple(
        Box(each.left // width * width, each.top // height * height, -(-each.right // width) * width,
            -(-each.bottom // height) * height) for each in boxes
    )  # fmt: skip


def _rewritten(data: bytes, boxes: tuple[Box, ...], rows: int, columns: int, photometric: str) -> Iterator[bytes]:
    state = _State()
    yield b"\xff\xd8"
    scans = 0
    for marker, at, end in _segments(data):
        body = data[at:end]
        _learn(state, marker, body)
        if marker == _SOS:
            if (state.rows, state.columns) != (rows, columns):
                raise TransformError("pixels-size", "the stream has other Rows or Columns than the data set")
            scan = _Scan(state, body, _black(state, photometric))
            coded, flat = scan.blanked(_entropy(data, end), boxes)
            for number in sorted(flat):
                yield _segment(_DHT, bytes([number]) + _FLAT + bytes(range(16)))
            yield _segment(_SOS, body)
            yield coded
            scans += 1
        elif marker == _EOI:
            yield b"\xff\xd9"
        elif marker != _COM and not (0xE0 <= marker <= 0xEF and marker not in (0xE0, 0xEE)):
            yield _segment(marker, body)
    if not scans:
        raise TransformError("jpeg-corrupt", "no scan")


def _segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2, "big") + body


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, begin and end of its body) up to End of Image; entropy-coded bytes are passed over."""
    if data[:2] != b"\xff\xd8":
        raise TransformError("jpeg-corrupt", "no Start of Image")
    at = 2
    while True:
        while data[at : at + 2] == b"\xff\xff":
            at += 1
        if len(data) < at + 2 or data[at] != 0xFF:
            raise TransformError("jpeg-corrupt", "a marker is missing")
        marker = data[at + 1]
        if marker == _EOI:
            yield marker, at + 2, at + 2
            return
        if len(data) < at + 4:
            raise TransformError("jpeg-corrupt", "cut in a segment")
        end = at + 2 + unpack_from(">H", data, at + 2)[0]
        if end > len(data) or end < at + 4:
            raise TransformError("jpeg-corrupt", "cut in a segment")
        yield marker, at + 4, end
        at = end
        if marker == _SOS:
            at += len(_entropy(data, end))


def _entropy(data: bytes, at: int) -> bytes:
    """The entropy-coded bytes from `at` to the next marker that is not a restart."""
    end = at
    while True:
        end = data.find(b"\xff", end)
        if end < 0 or end + 1 >= len(data):
            raise TransformError("jpeg-corrupt", "cut in a scan")
        if data[end + 1] != 0 and not 0xD0 <= data[end + 1] <= 0xD7:
            return data[at:end]
        end += 2


def _learn(state: _State, marker: int, body: bytes) -> None:
    """Take in what a segment says."""
    try:
        if marker in _SOFS:
            if state.components:
                raise TransformError("jpeg-unsupported", "more than one frame header")
            state.precision, state.rows, state.columns, count = unpack_from(">BHHB", body)
            parts = [unpack_from("BBB", body, 6 + 3 * n) for n in range(count)]
            state.components = tuple(Component(number, hv >> 4, hv & 15, q) for number, hv, q in parts)
            if state.precision not in (8, 12) or count not in (1, 3) or not state.columns:
                raise TransformError("jpeg-unsupported", "precision or number of components")
            if any(not 1 <= each.across <= 4 or not 1 <= each.down <= 4 for each in state.components):
                raise TransformError("jpeg-corrupt", "sampling factors")
        elif 0xC0 <= marker <= 0xCF and marker != _DHT:
            raise TransformError("jpeg-unsupported", "not sequential DCT with Huffman codes")
        elif marker == _DNL:
            raise TransformError("jpeg-unsupported", "the number of lines stands behind the scan")
        elif marker == _DHT:
            at = 0
            while at < len(body):
                lengths = body[at + 1 : at + 17]
                symbols = body[at + 17 : at + 17 + sum(lengths)]
                if len(lengths) != 16 or len(symbols) != sum(lengths):
                    raise TransformError("jpeg-corrupt", "a Huffman table")
                state.tables[body[at]] = lengths, symbols
                at += 17 + len(symbols)
        elif marker == _DQT:
            at = 0
            while at < len(body):
                wide = body[at] >> 4
                state.dc_steps[body[at] & 15] = unpack_from(">H" if wide else "B", body, at + 1)[0] or 1
                at += 1 + (128 if wide else 64)
        elif marker == _DRI:
            (state.interval,) = unpack_from(">H", body)
        elif marker == 0xE0:
            state.jfif = body.startswith(b"JFIF\0")
        elif marker == 0xEE and body.startswith(b"Adobe") and len(body) >= 12:
            state.adobe = body[11]
    except (IndexError, ValueError, StructError) as error:
        raise TransformError("jpeg-corrupt", "a segment") from error


def _black(state: _State, photometric: str) -> dict[int, int]:
    """Component number -> the quantized DC coefficient of black."""
    half = 8 << (state.precision - 1)
    found = {}
    luminance = len(state.components) == 3 and _has_luminance(state, photometric)
    for place, each in enumerate(state.components):
        step = state.dc_steps.get(each.quantization, 1)
        value = -(-half // step)
        if luminance and place:
            value = 0
        found[each.number] = value if photometric == "MONOCHROME1" else -value
    if photometric == "MONOCHROME1":
        found = {number: min(value, (half - 8) // state.dc_steps.get(0, 1) + 1) for number, value in found.items()}
    return found


def _has_luminance(state: _State, photometric: str) -> bool:
    """The components are Y, Cb, Cr: as Adobe's segment says, or JFIF's, or else the data set."""
    if state.adobe is not None:
        return state.adobe == 1
    if [each.number for each in state.components] == [0x52, 0x47, 0x42]:  # "RGB"
        return False
    return state.jfif or photometric.startswith("YBR")


class _Missing(Exception):
    """A symbol that the stream's own Huffman table has no code for."""


class _Scan:
    """One scan (T.81 B.2.3): its blocks in their order."""

    def __init__(self, state: _State, body: bytes, black: dict[int, int]) -> None:
        self.state = state
        count = body[0] if body else 0
        if len(body) != 4 + 2 * count or body[-3:] != b"\x00\x3f\x00":
            raise TransformError("jpeg-unsupported", "a scan of some coefficients")
        known = {each.number: each for each in state.components}
        parts = [(known.get(body[1 + 2 * n]), body[2 + 2 * n]) for n in range(count)]
        self.parts = [(each, tables) for each, tables in parts if each is not None]
        if not self.parts or len(self.parts) != count:
            raise TransformError("jpeg-corrupt", "a scan of other components")
        self.black = black
        self.most_across = max(each.across for each in state.components)
        self.most_down = max(each.down for each in state.components)
        if count == 1:
            each = self.parts[0][0]
            self.width, self.height = 8 * self.most_across // each.across, 8 * self.most_down // each.down
            self.blocks = [(each.number, self.parts[0][1])]
        else:
            self.width, self.height = 8 * self.most_across, 8 * self.most_down
            self.blocks = [(each.number, tables) for each, tables in self.parts for _ in range(each.across * each.down)]
        self.across = -(-state.columns // self.width)
        self.down = -(-state.rows // self.height)

    def blanked(self, coded: bytes, boxes: tuple[Box, ...]) -> tuple[bytes, frozenset[int]]:
        """The entropy-coded bytes anew, and the DC tables that must become flat ones for it."""
        hidden = self._hidden(boxes)
        try:
            return self._pass(coded, hidden, frozenset()), frozenset()
        except _Missing:
            flat = frozenset(tables >> 4 for _, tables in self.parts)
            return self._pass(coded, hidden, flat), flat

    def _hidden(self, boxes: tuple[Box, ...]) -> frozenset[int]:
        """The MCUs that a box touches, by number."""
        found: set[int] = set()
        for each in boxes:
            right, bottom = -(-each.right // self.width), -(-each.bottom // self.height)
            for row in range(each.top // self.height, min(bottom, self.down)):
                found.update(
                    range(row * self.across + each.left // self.width, row * self.across + min(right, self.across))
                )
        return frozenset(found)

    def _pass(self, coded: bytes, hidden: frozenset[int], flat: frozenset[int]) -> bytes:
        total = self.across * self.down
        step = self.state.interval or total
        pieces = _intervals(coded)
        if len(pieces) != -(-total // step):
            raise TransformError("jpeg-corrupt", "restart markers")
        out = []
        for number, piece in enumerate(pieces):
            first = number * step
            bits = self._interval(piece, range(first, min(first + step, total)), hidden, flat)
            if number:
                out.append(bytes((0xFF, 0xD0 + (number - 1) % 8)))
            out.append(bits.replace(b"\xff", b"\xff\x00"))
        return b"".join(out)

    def _interval(self, data: bytes, units: range, hidden: frozenset[int], flat: frozenset[int]) -> bytes:
        """The blocks between two restarts; predictions begin at 0 (T.81 F.1.1.5.1)."""
        size = len(data) * 8
        window = _windows(data)
        out = _Bits(data)
        plan = []
        for number, tables in self.blocks:
            first, rest = self.state.tables.get(tables >> 4), self.state.tables.get(0x10 | tables & 15)
            if first is None or rest is None:
                raise TransformError("jpeg-corrupt", "a Huffman table is missing")
            written = _codes(_FLAT, bytes(range(16))) if tables >> 4 in flat else _codes(*first)
            plan.append((number, _steps(*first, False), _steps(*rest, True), written, _codes(*rest).get(0)))
        was = dict.fromkeys(self.black, 0)  # the prediction as it is in the stream, and as it is written
        now = dict(was)
        at = 0
        for unit in units:
            hide = unit in hidden
            for number, dc, ac, codes, end in plan:
                start = at
                entry = dc[(window[at >> 3] >> (16 - (at & 7))) & 0xFFFF] if at < size else 0
                if not entry:
                    raise TransformError("jpeg-corrupt", "a code that no table has")
                length, category = entry >> 8, entry & 255
                at += length
                difference = 0
                if category:
                    raw = (window[at >> 3] >> (32 - (at & 7) - category)) & ((1 << category) - 1)
                    difference = raw if raw >> (category - 1) else raw - (1 << category) + 1
                    at += category
                begin = at  # of the AC coefficients
                k = 1
                while k < 64:
                    entry = ac[(window[at >> 3] >> (16 - (at & 7))) & 0xFFFF]
                    if not entry:
                        raise TransformError("jpeg-corrupt", "a code that no table has")
                    at += entry >> 8
                    k += entry & 255
                    if at > size:
                        raise TransformError("jpeg-corrupt", "cut in a block")
                if 64 < k < _END:
                    raise TransformError("jpeg-corrupt", "more than 64 coefficients")
                was[number] += difference
                value = self.black[number] if hide else was[number]
                fresh = value - now[number]
                now[number] = value
                if hide:
                    if end is None:
                        raise TransformError("jpeg-unsupported", "a table without End of Block")
                    _difference(out, codes, fresh)
                    out.put(*end)
                elif fresh == difference and not flat:
                    out.copy(start, at)
                else:
                    _difference(out, codes, fresh)
                    out.copy(begin, at)
        if size - at >= 8:
            raise TransformError("jpeg-corrupt", "bytes behind the last block")
        return out.finish()


def _difference(out: _Bits, codes: dict[int, tuple[int, int]], value: int) -> None:
    """A DC difference (T.81 F.1.2.1)."""
    category = abs(value).bit_length()
    code = codes.get(category)
    if code is None:
        raise _Missing
    out.put(*code)
    if category:
        out.put(value if value > 0 else value + (1 << category) - 1, category)


def _intervals(coded: bytes) -> list[bytes]:
    """The bytes between restart markers, without stuffing."""
    found, begin, at = [], 0, 0
    while True:
        at = coded.find(b"\xff", at)
        if at < 0:
            break
        if coded[at + 1] != 0:
            found.append(coded[begin:at])
            begin = at + 2
        at += 2
    found.append(coded[begin:])
    return [each.replace(b"\xff\x00", b"\xff") for each in found]


def _windows(data: bytes) -> list[int]:
    """At each byte the 32 bits from it on; ones behind the end."""
    padded = np.frombuffer(data + b"\xff" * 8, np.uint8).astype(np.uint32)
    count = len(data) + 4
    words = padded[:count] << 24 | padded[1 : count + 1] << 16 | padded[2 : count + 2] << 8 | padded[3 : count + 3]
    found: list[int] = words.tolist()
    return found


def _codes(lengths: bytes, symbols: bytes) -> dict[int, tuple[int, int]]:
    """Symbol -> (code, its length) (T.81 Annex C)."""
    found, code, at = {}, 0, 0
    for length, count in enumerate(lengths, 1):
        for _ in range(count):
            if code >= 1 << length:
                raise TransformError("jpeg-corrupt", "a Huffman table of too many codes")
            found[symbols[at]] = code, length
            code, at = code + 1, at + 1
        code <<= 1
    return found


_DC: Final = {category: category for category in range(17)}
# Run and size: bits of the value to pass over, and how many coefficients this is (T.81 F.1.2.2)
_AC: Final = {
    **{run << 4 | size: (size << 8) + run + 1 for run in range(16) for size in range(1, 16)},
    0xF0: 16,
    0x00: _END,
}


@lru_cache(maxsize=16)  # frames of one object share theirs
def _steps(lengths: bytes, symbols: bytes, ac: bool) -> list[int]:
    """By the next 16 bits: the code's length << 8, added to what its symbol means; 0 where there is no code."""
    meaning = _AC if ac else _DC
    table = [0] * (1 << 16)
    for symbol, (code, length) in _codes(lengths, symbols).items():
        if symbol in meaning:
            first, many = code << (16 - length), 1 << (16 - length)
            table[first : first + many] = [(length << 8) + meaning[symbol]] * many
    return table


class _Bits:
    """Bits being written; runs of the source's are copied at once."""

    def __init__(self, source: bytes) -> None:
        self._source = source
        self._run = (0, 0)
        self._held = 0
        self._count = 0
        self._out = bytearray()

    def copy(self, start: int, end: int) -> None:
        """The source's bits [start, end)."""
        if start == self._run[1] and self._run[0] != self._run[1]:
            self._run = (self._run[0], end)
            return
        self._copied()
        self._run = (start, end)

    def put(self, value: int, count: int) -> None:
        """`count` bits of a value."""
        self._copied()
        self._add(value, count)

    def _copied(self) -> None:
        at, end = self._run
        while at < end:
            stop = min(end, at + _FLUSH)
            first, last = at >> 3, -(-stop // 8)
            bits = int.from_bytes(self._source[first:last], "big") >> (last * 8 - stop)
            self._add(bits & ((1 << (stop - at)) - 1), stop - at)
            at = stop
        self._run = (0, 0)

    def _add(self, value: int, count: int) -> None:
        self._held = self._held << count | value
        self._count += count
        if self._count >= _FLUSH:
            rest = self._count & 7
            self._out += (self._held >> rest).to_bytes(self._count >> 3, "big")
            self._held &= (1 << rest) - 1
            self._count = rest

    def finish(self) -> bytes:
        """All of them; the last byte is filled up with ones (T.81 F.1.2.3)."""
        self._copied()
        self._add((1 << (-self._count & 7)) - 1, -self._count & 7)
        self._out += self._held.to_bytes(self._count >> 3, "big")
        return bytes(self._out)
