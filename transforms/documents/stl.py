"""STL surfaces (PS3.3 A.85): the triangles stay byte for byte, everything that can hold words goes.

* Binary: the header of 80 bytes and the attribute of each triangle become zero. The length must be what the count of
  triangles says.
* ASCII: written anew from its numbers, each as it stood; the name behind `solid` goes. What is no facet raises.
* A surface may show a face or a skull: that is not judged here (docs/documents.md).

Raises TransformError("stl-malformed").
"""

from __future__ import annotations

import re
from typing import Final

from transforms.errors import TransformError

_HEADER: Final = 80
_START: Final = 84
_TRIANGLE: Final = 50  # bytes: normal, three vertices, two bytes of attribute
NUMBER: Final = re.compile(rb"[+-]?(?:[0-9]{1,20}(?:\.[0-9]{0,20})?|\.[0-9]{1,20})(?:[eE][+-]?[0-9]{1,3})?")
_FACET: Final = (
    (b"facet", b"normal"), (b"outer", b"loop"), (b"vertex",), (b"vertex",), (b"vertex",), (b"endloop",), (b"endfacet",)
)  # fmt: skip
_NUMBERS: Final = (3, 0, 3, 3, 3, 0, 0)


def wordless(document: bytes) -> bytes:
    """The surface alone. `document` may have one byte of padding behind it."""
    if document[:5].lower() == b"solid" and not _is_binary(document):
        return _ascii(document)
    if not _is_binary(document):
        raise TransformError("stl-malformed", "its length is not that of its triangles")
    count = int.from_bytes(document[_HEADER:_START], "little")
    fresh = bytearray(document[: _START + _TRIANGLE * count])
    fresh[:_HEADER] = bytes(_HEADER)
    fresh[_START + 48 :: _TRIANGLE] = bytes(count)
    fresh[_START + 49 :: _TRIANGLE] = bytes(count)
    return bytes(fresh)


def _is_binary(document: bytes) -> bool:
    size = _START + _TRIANGLE * int.from_bytes(document[_HEADER:_START], "little")
    return len(document) >= _START and document[size:] in (b"", b"\0") and len(document) >= size


def _ascii(document: bytes) -> bytes:
    """Facets of `facet normal`, `outer loop`, three `vertex`, `endloop`, `endfacet`, their numbers as they stood."""
    lines = [line.split() for line in document.rstrip(b"\0").splitlines() if line.strip()]
    if len(lines) < 2 or lines[0][0].lower() != b"solid" or lines[-1][0].lower() != b"endsolid":
        raise TransformError("stl-malformed", "no solid")
    if len(lines) % len(_FACET) != 2:
        raise TransformError("stl-malformed", "not whole facets")
    out = [b"solid"]
    for number, words in enumerate(lines[1:-1]):
        head, numbers = _FACET[number % len(_FACET)], _NUMBERS[number % len(_FACET)]
        values = words[len(head) :]
        if tuple(word.lower() for word in words[: len(head)]) != head or len(values) != numbers:
            raise TransformError("stl-malformed", "a line of no facet")
        if not all(NUMBER.fullmatch(value) for value in values):
            raise TransformError("stl-malformed", "no number")
        out.append(b" ".join((*head, *values)))
    return b"\n".join((*out, b"endsolid\n"))
