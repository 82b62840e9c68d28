"""Writes JPEG lossless, first-order prediction (ITU-T T.81 Annex H, SOF3): no library of ours writes every size.

* Predictor 1: the left neighbour; in the first column the one above; at the very first sample half of the range.
* One Huffman table for all components, made for the frame. Components are interleaved sample by sample.
"""

from __future__ import annotations

import heapq
from typing import Any, Final

import numpy as np
import numpy.typing as npt

_AT_A_TIME: Final = 1 << 16  # samples turned into bits at once
_MOST: Final = 16  # bits of a code


def encode(array: npt.NDArray[Any], precision: int) -> bytes:
    """A stream of an unsigned frame (rows, columns) or (rows, columns, components) of 2 to 16 bits."""
    rows, columns = array.shape[:2]
    samples = array.reshape(rows, columns, -1).astype(np.int32)
    count = samples.shape[2]
    predicted = np.empty_like(samples)
    predicted[:, 1:] = samples[:, :-1]
    predicted[1:, 0] = samples[:-1, 0]
    predicted[0, 0] = 1 << (precision - 1)
    difference = ((samples - predicted + 0x8000) & 0xFFFF) - 0x8000  # modulo 2^16 (T.81 H.1.2.1)
    difference = difference.reshape(-1)
    size = np.abs(difference)
    category = np.zeros_like(size)
    for bits in range(_MOST):
        category += size >= 1 << bits
    lengths, symbols, codes = _table(np.bincount(category, minlength=17))
    parts = bytes(lengths) + bytes(symbols)
    components = b"".join(bytes((number + 1, 0x11, 0)) for number in range(count))
    selected = b"".join(bytes((number + 1, 0)) for number in range(count))
    head = bytes((precision, *rows.to_bytes(2, "big"), *columns.to_bytes(2, "big"), count)) + components
    return b"".join(
        (
            b"\xff\xd8",
            _segment(0xC3, head),
            _segment(0xC4, b"\0" + parts),
            _segment(0xDA, bytes((count,)) + selected + b"\1\0\0"),
            _packed(difference, category, codes).replace(b"\xff", b"\xff\0"),
            b"\xff\xd9",
        )
    )


def _segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2, "big") + body


def _table(counts: npt.NDArray[Any]) -> tuple[list[int], list[int], npt.NDArray[Any]]:
    """Codes by how often each category comes: counts of lengths, symbols in order, and (code, length) by symbol."""
    least = int(counts.sum()) >> 10  # so that no code is longer than 16 bits
    heap = [(max(int(number), least) + 1, symbol, [symbol]) for symbol, number in enumerate(counts)]
    heap.append((0, 99, [99]))  # keeps the code of all ones free (T.81 C)
    depth = dict.fromkeys((*range(17), 99), 0)
    heapq.heapify(heap)
    while len(heap) > 1:
        first, second = heapq.heappop(heap), heapq.heappop(heap)
        for symbol in first[2] + second[2]:
            depth[symbol] += 1
        heapq.heappush(heap, (first[0] + second[0], min(first[1], second[1]), first[2] + second[2]))
    order = sorted(range(17), key=lambda symbol: (depth[symbol], symbol))
    codes = np.zeros((17, 2), np.int64)
    code, last = 0, depth[order[0]]
    for symbol in order:
        code <<= depth[symbol] - last
        last = depth[symbol]
        codes[symbol] = code, last
        code += 1
    return [sum(depth[symbol] == length for symbol in order) for length in range(1, 17)], order, codes


def _packed(difference: npt.NDArray[Any], category: npt.NDArray[Any], codes: npt.NDArray[Any]) -> bytes:
    """Code and value of each difference, as bits (T.81 F.1.2.1); 16 has no value (H.1.2.2)."""
    parts = []
    for at in range(0, len(difference), _AT_A_TIME):
        value = difference[at : at + _AT_A_TIME].astype(np.int64)
        kind = category[at : at + _AT_A_TIME]
        extra = np.where(kind < 16, kind, 0).astype(np.int64)
        tail = np.where(value > 0, value, value - 1) & ((1 << extra) - 1)
        whole = codes[kind, 0] << extra | tail
        width = codes[kind, 1] + extra
        ends = np.cumsum(width)
        owner = np.repeat(np.arange(len(width)), width)
        shift = ends[owner] - 1 - np.arange(ends[-1])
        parts.append((whole[owner] >> shift & 1).astype(np.uint8))
    bits = np.concatenate(parts)
    return np.packbits(np.concatenate((bits, np.ones(-len(bits) % 8, np.uint8)))).tobytes()
