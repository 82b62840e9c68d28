"""Deflated data sets (PS3.5 A.5, RFC 1951) as a stream under a budget.

* Inflated bytes are counted before they are used; a bomb costs no more than `Limits` allows.
* After the deflate stream comes nothing but at most one padding byte, which must be zero (PS3.5 A.5). Some writers
  (dicom3tools, older dcm4che) put gzip's trailer there: taken, padded or not, where it is the CRC-32 and size of what
  came out.
* The stream is raw deflate; zlib and gzip wrappings are refused.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from struct import pack

from transforms.dataset.index import Limits
from transforms.errors import BadFraming, BudgetExceeded
from transforms.source import ByteSource, BytesSource

IN_MEMORY = 4 << 20  # inflated data sets up to this size are held, larger ones are inflated again when read
_IN = 1 << 16  # deflated bytes fed at a time
_OUT = 1 << 18  # inflated bytes taken at a time


def inflate(source: ByteSource, limits: Limits = Limits()) -> Iterator[bytes]:
    """The inflated bytes in order, in chunks of at most 256 KiB.

    Raises BadFraming (deflate-corrupt, deflate-truncated, deflate-trailing) at the deflated offset, BudgetExceeded
    (inflated-size, inflated-ratio) at the inflated one. What came out before is not to be used then.
    """
    engine = zlib.decompressobj(-zlib.MAX_WBITS)
    fed = produced = checksum = 0
    pending = b""
    while not engine.eof:
        if not pending:
            pending = source.pread(fed, _IN)
            fed += len(pending)
            if not pending:
                raise BadFraming("deflate-truncated", fed)
        try:
            out = engine.decompress(pending, _OUT)
        except zlib.error as error:
            raise BadFraming("deflate-corrupt", fed - len(pending)) from error
        pending = engine.unconsumed_tail
        produced += len(out)
        if produced > limits.inflated:
            raise BudgetExceeded("inflated-size", produced)
        if produced > limits.inflated_free and produced > limits.ratio * source.size:
            raise BudgetExceeded("inflated-ratio", produced)
        if out:
            checksum = zlib.crc32(out, checksum)
            yield out
    end = fed - len(engine.unused_data)
    trailing = source.pread(end, 10)
    gzip = pack("<II", checksum, produced & 0xFFFFFFFF)
    if trailing not in (b"", b"\0", gzip, gzip + b"\0"):
        raise BadFraming("deflate-trailing", end)


def inflated(source: ByteSource, limits: Limits = Limits()) -> ByteSource:
    """The inflated data set as a source: in memory where small, else inflated again as it is read.

    Inflates the whole once. Raises as `inflate`.
    """
    held: list[bytes] | None = []
    size = 0
    for chunk in inflate(source, limits):
        size += len(chunk)
        if size > IN_MEMORY:
            held = None
        elif held is not None:
            held.append(chunk)
    return BytesSource(b"".join(held)) if held is not None else InflatedSource(source, size, limits)


class InflatedSource:
    """A checked deflated source, inflated while it is read. Reading forward is cheap; going back starts anew."""

    __slots__ = ("_at", "_buffer", "_chunks", "_limits", "_source", "size")

    def __init__(self, source: ByteSource, size: int, limits: Limits) -> None:
        self._source = source
        self._limits = limits
        self.size = size
        self._rewind()

    def _rewind(self) -> None:
        self._chunks = inflate(self._source, self._limits)
        self._buffer = b""
        self._at = 0  # inflated offset of the buffer's first byte

    def pread(self, offset: int, length: int) -> bytes:
        end = min(offset + length, self.size)
        if offset >= end:
            return b""
        if offset < self._at:
            self._rewind()
        parts = []
        while offset < end:
            inner = offset - self._at
            if inner < len(self._buffer):
                part = self._buffer[inner : inner + end - offset]
                parts.append(part)
                offset += len(part)
            if offset < end:
                kept = self._buffer[-_IN:]  # a little of what was read, so that a second look is cheap
                self._at += len(self._buffer) - len(kept)
                fresh = next(self._chunks, b"")
                if not fresh:
                    raise OSError("source became shorter than it was when checked")
                self._buffer = kept + fresh
        return b"".join(parts)
