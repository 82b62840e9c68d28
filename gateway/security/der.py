"""Whether bytes are one value in the definite, shortest lengths of DER (X.690 section 10.1), before a parser sees them.

It looks at tags and lengths only, to a fixed depth: parsers that follow any nesting can be made to follow it for ever,
and two parsers that read two lengths see two messages. What values mean is the parser's.
"""

from __future__ import annotations

_DEEPEST = 40


def check(data: bytes) -> str:
    """What is wrong, for people; "" where nothing is."""
    ends = [len(data)]
    at = count = 0
    while at < len(data):
        while at == ends[-1] and len(ends) > 1:
            ends.pop()
        header = _header(data, at, ends[-1])
        if header is None:
            return "it is not in DER: a length is cut off, indefinite or not the shortest"
        constructed, at, end = header
        count += len(ends) == 1
        if not constructed:
            at = end
        elif len(ends) > _DEEPEST:
            return "it is nested too deeply"
        else:
            ends.append(end)
    return "" if count == 1 else "it is not one DER value"


def _header(data: bytes, at: int, end: int) -> tuple[bool, int, int] | None:
    """(constructed, first byte of the value, end of the value) of what begins at `at`; None where that is not DER."""
    if end - at < 2 or data[at] & 0x1F == 0x1F:  # no tag of CMS or X.509 is above 30
        return None
    constructed, length, value = bool(data[at] & 0x20), data[at + 1], at + 2
    if length >= 0x80:
        size = length & 0x7F
        if not 0 < size <= 4 or end - value < size:
            return None
        length = int.from_bytes(data[value : value + size], "big")
        value += size
        if length < 0x80 or length >> (8 * (size - 1)) == 0:
            return None
    return None if length > end - value else (constructed, value, value + length)
