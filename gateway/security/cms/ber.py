"""BER (X.690 section 8) read and DER (section 10) written, for CMS messages of any size.

Rules of this file
* A message is read once, from its first byte to its last, as a stream: `octets` gives the bytes of a long OCTET STRING
  as they come, whether it is in one piece or in the many of an indefinite-length encoding. Nothing long is held.
* `element` gives a short value whole, in definite lengths. How long "short" is, how deep values nest and how many
  pieces there are is limited before anything is allocated.
* Whatever the bytes are, it raises NotOpened (cms-truncated, cms-malformed, cms-too-large) and nothing else.

What values mean is the caller's. Tags are the identifier octet as a number: no tag of CMS is above 30.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from gateway.security.cms.errors import NotOpened

INTEGER: Final = 0x02
OCTETS: Final = 0x04
OID: Final = 0x06
SEQUENCE: Final = 0x30
SET: Final = 0x31
MOST: Final = 1 << 20  # bytes of a value that is taken whole
_DEEPEST: Final = 40
_CONSTRUCTED: Final = 0x20
_PIECE: Final = 1 << 18
_PIECES: Final = 10_000  # of one OCTET STRING, and
_SMALLEST: Final = 64  # ... one more for so many bytes of it; programs make pieces of a thousand bytes and more


def header(tag: int, length: int) -> bytes:
    """Identifier and length octets in DER."""
    if length < 0x80:
        return bytes((tag, length))
    size = (length.bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + length.to_bytes(size, "big")


def value(tag: int, *parts: bytes) -> bytes:
    """A whole value in DER."""
    return header(tag, sum(map(len, parts))) + b"".join(parts)


def integer(number: int) -> bytes:
    """A small, not negative INTEGER in DER."""
    return value(INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big"))


@lru_cache(maxsize=256)
def oid(dotted: str) -> bytes:
    """An OBJECT IDENTIFIER in DER."""
    first, second, *rest = map(int, dotted.split("."))
    out = bytearray()
    for arc in (first * 40 + second, *rest):
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(arc & 0x7F | 0x80)
        out += bytes(reversed(groups))
    return value(OID, bytes(out))


class Part(NamedTuple):
    """One value within a short one: its tag, its content, and all of it."""

    tag: int
    body: bytes
    raw: bytes


def parts(body: bytes) -> list[Part]:
    """The values that stand one after the other in the content of a short value. Raises NotOpened."""
    reader = Reader(iter((body,)))
    found = []
    while not reader.ended():
        tag = reader.peek()
        raw = reader.element(tag)
        found.append(Part(tag, raw[_prefix(raw) :], raw))
    return found


def inside(raw: bytes, tag: int = SEQUENCE) -> list[Part]:
    """The values within a value that is given whole and must have this tag. Raises NotOpened."""
    found = parts(raw)
    if len(found) != 1 or found[0].tag != tag:
        raise _unexpected(tag, found[0].tag if found else 0)
    return parts(found[0].body)


def _prefix(raw: bytes) -> int:
    return 2 + (raw[1] & 0x7F if raw[1] & 0x80 else 0)


class Reader:
    """A BER message, value by value, out of chunks of bytes that are pulled as they are needed."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._held = b""
        self._next = 0  # first byte of `_held` that was not given yet
        self._at = 0  # bytes given so far
        self._pieces = self._given = 0  # of the OCTET STRING under way: how many, and bytes
        self._ends: list[int | None] = []  # of the values that were entered; None: ends with two zero octets

    def enter(self, tag: int) -> None:
        """Go into a constructed value. It must be there, with this tag."""
        found, length = self._header()
        if found != tag:
            raise _unexpected(tag, found)
        self._push(length)

    def leave(self) -> None:
        """Out of the value that was entered last; nothing of it may be left."""
        if self.more():
            raise NotOpened("cms-malformed", "there is more in it than there should be")
        if self._ends.pop() is None:
            self._take(2)

    def more(self) -> bool:
        """Whether another value follows within the one that was entered last."""
        end = self._ends[-1]
        if end is None:
            return self._peek(2) != b"\0\0"
        return self._at < end

    def tag(self) -> int:
        """The next value's tag; 0 where there is none within the one that was entered last."""
        return self.peek() if self.more() else 0

    def peek(self) -> int:
        """The next byte, which stays."""
        return self._peek(1)[0]

    def element(self, tag: int, most: int = MOST) -> bytes:
        """The next value whole, all its lengths definite. It must have this tag and at most `most` bytes."""
        start = self._at
        found, length = self._header()
        if found != tag:
            raise _unexpected(tag, found)
        return self._whole(found, length, start + most, 0)

    def octets(self, tag: int) -> Iterator[bytes]:
        """The content of an OCTET STRING under this (primitive) tag, as it comes. The iterator must be used up."""
        found, length = self._header()
        if found not in (tag, tag | _CONSTRUCTED):
            raise _unexpected(tag, found)
        self._pieces, self._given = 0, 0
        yield from self._octets(found, length, 0)

    def end(self) -> None:
        """The message must end here."""
        if not self.ended():
            raise NotOpened("cms-malformed", "bytes follow its end")

    def _octets(self, tag: int, length: int | None, depth: int) -> Iterator[bytes]:
        if not tag & _CONSTRUCTED:
            assert length is not None
            while length:
                part = self._some(length)
                length -= len(part)
                self._given += len(part)
                yield part
            return
        if depth > 2:
            raise NotOpened("cms-malformed", "an OCTET STRING is nested too deeply")
        self._push(length)
        while self.more():
            inner, size = self._header()
            if inner | _CONSTRUCTED != OCTETS | _CONSTRUCTED:
                raise _unexpected(OCTETS, inner)
            self._pieces += 1
            if self._pieces > _PIECES + self._given // _SMALLEST:
                raise NotOpened("cms-too-large", "its content is in more pieces than anybody makes of it")
            yield from self._octets(inner, size, depth + 1)
        self.leave()

    def _whole(self, tag: int, length: int | None, limit: int, depth: int) -> bytes:
        if depth > _DEEPEST:
            raise NotOpened("cms-malformed", "it is nested too deeply")
        if (self._at if length is None else self._at + length) > limit:
            raise NotOpened("cms-too-large", "a part of it that should be short is not")
        if not tag & _CONSTRUCTED:
            assert length is not None
            return value(tag, self._take(length))
        self._push(length)
        inside = []
        while self.more():
            found, size = self._header()
            inside.append(self._whole(found, size, limit, depth + 1))
        self.leave()
        return value(tag, *inside)

    def _push(self, length: int | None) -> None:
        self._ends.append(None if length is None else self._at + length)

    def _header(self) -> tuple[int, int | None]:
        tag, first = self._take(2)
        if tag & 0x1F == 0x1F or tag == 0:
            raise NotOpened("cms-malformed", "a tag that CMS does not have")
        length: int | None = first
        if first == 0x80:
            if not tag & _CONSTRUCTED:
                raise NotOpened("cms-malformed", "a primitive value of indefinite length")
            length = None
        elif first > 0x80:
            if first > 0x88:
                raise NotOpened("cms-malformed", "a length of more than eight bytes")
            length = int.from_bytes(self._take(first & 0x7F), "big")
        end = next((each for each in reversed(self._ends) if each is not None), None)
        if length is not None and end is not None and self._at + length > end:
            raise NotOpened("cms-malformed", "a value is longer than the one it is in")
        return tag, length

    def ended(self) -> bool:
        """Whether no byte is left."""
        while self._next == len(self._held):
            chunk = next(self._chunks, None)
            if chunk is None:
                return True
            self._held, self._next = chunk, 0
        return False

    def _some(self, most: int) -> bytes:
        """At least one byte and at most `most`."""
        if self.ended():
            raise NotOpened("cms-truncated", "it ends before its end")
        part = self._held[self._next : self._next + min(most, _PIECE)]
        self._next += len(part)
        self._at += len(part)
        return part

    def _take(self, length: int) -> bytes:
        """Exactly so many bytes, of which the caller has made sure that they are few."""
        parts = []
        while length:
            part = self._some(length)
            length -= len(part)
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _peek(self, length: int) -> bytes:
        while len(self._held) - self._next < length:
            chunk = next(self._chunks, None)
            if chunk is None:
                raise NotOpened("cms-truncated", "it ends before its end")
            self._held, self._next = self._held[self._next :] + chunk, 0
        return self._held[self._next : self._next + length]


def _unexpected(tag: int, found: int) -> NotOpened:
    return NotOpened("cms-malformed", f"tag {found:02X} where {tag:02X} should be")
