"""OBJ surfaces and their MTL materials (PS3.3 A.104, A.105): geometry and optics stay, comments and names go.

* Written anew, statement by statement; numbers stay as they stood. A statement that is not listed raises: what nobody
  can judge does not leave.
* Names of objects, groups and materials, and of files that OBJ and MTL refer to, become what `rename` makes of them:
  the same name is the same in both files, and in Relative URI Reference Within Encapsulated Document (0068,7005).

Raises TransformError: obj-malformed, mtl-malformed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from transforms.documents.stl import NUMBER
from transforms.errors import TransformError

Rename = Callable[[bytes], bytes]
_INDEX: Final = re.compile(rb"-?[0-9]{1,10}(?:/(?:-?[0-9]{1,10})?){0,2}")
_SMOOTH: Final = re.compile(rb"off|[0-9]{1,10}")
_GEOMETRY: Final = dict.fromkeys((b"v", b"vt", b"vn", b"vp"), NUMBER) | dict.fromkeys((b"p", b"l", b"f"), _INDEX)
_NAMED: Final = frozenset({b"g", b"o", b"usemtl", b"mtllib"})
_OPTICS: Final = frozenset(
    {b"Ka", b"Kd", b"Ks", b"Ke", b"Tf", b"Ns", b"Ni", b"d", b"Tr", b"illum", b"sharpness", b"Pr", b"Pm"}
)
_MAPS: Final = frozenset(
    {
        b"map_Ka",
        b"map_Kd",
        b"map_Ks",
        b"map_Ke",
        b"map_Ns",
        b"map_d",
        b"map_Bump",
        b"map_bump",
        b"bump",
        b"disp",
        b"decal",
    }
)


def wordless_obj(document: bytes, rename: Rename) -> bytes:
    """An OBJ surface without words of its own."""
    out = []
    for words in _statements(document):
        kind, values = words[0], words[1:]
        shape = _GEOMETRY.get(kind) or (_SMOOTH if kind == b"s" else None)
        if shape is not None:
            if not values or not all(shape.fullmatch(value) for value in values):
                raise TransformError("obj-malformed", "no number")
            out.append(b" ".join(words))
        elif kind in _NAMED:
            # A group may have several names; a file or a material has one, with blanks in it
            names = values if kind == b"g" else [b" ".join(values)] if values else []
            out.append(b" ".join((kind, *map(rename, names))))
        else:
            raise TransformError("obj-malformed", "a statement that is not known")
    return b"\n".join((*out, b""))


def wordless_mtl(document: bytes, rename: Rename) -> bytes:
    """MTL materials without words of their own. Options of texture maps raise."""
    out = []
    for words in _statements(document):
        kind, values = words[0], words[1:]
        if kind in _OPTICS:
            if not values or not all(NUMBER.fullmatch(value) for value in values):
                raise TransformError("mtl-malformed", "no number")
            out.append(b" ".join(words))
        elif (kind == b"newmtl" or kind in _MAPS) and values and not values[0].startswith(b"-"):
            out.append(b" ".join((kind, rename(b" ".join(values)))))
        else:
            raise TransformError("mtl-malformed", "a statement that is not known")
    return b"\n".join((*out, b""))


def _statements(document: bytes) -> Iterator[list[bytes]]:
    """The words of each line, continued lines joined, comments left out."""
    for line in document.rstrip(b"\0").replace(b"\\\r\n", b" ").replace(b"\\\n", b" ").splitlines():
        words = line.split(b"#", 1)[0].split()
        if words:
            yield words
