"""STL, OBJ and MTL: geometry stays to the byte, words go; what is not of the grammar raises; mutated ones, too."""

from __future__ import annotations

import random
import struct

import pytest

from tests.unit.documents.planting import CANARY
from transforms.documents import stl, wavefront
from transforms.errors import TransformError

TRIANGLES = 40


def binary(header: bytes = CANARY, attribute: bytes = CANARY[:2]) -> bytes:
    facets = [
        struct.pack("<12f", *(number + each / 7 for each in range(12))) + attribute for number in range(TRIANGLES)
    ]
    return header.ljust(80, b" ") + struct.pack("<I", TRIANGLES) + b"".join(facets)


def text(name: bytes = CANARY) -> bytes:
    facet = b"facet normal 0 0 1e-1\n outer loop\n  vertex 0 0 0\n  vertex -1.5 0 0\n"
    facet += b"  vertex 0 +1 .25\n endloop\nendfacet\n"
    return b"solid " + name + b"\n" + facet * 3 + b"endsolid " + name + b"\n"


OBJ = b"""# DOE JANE
mtllib doe jane.mtl
o ZQCANARYXWV
v 0 0 0 # ZQCANARYXWV
v 1.25 0 -1e-3
v 0 1 0
vn 0 0 1
vt 0.5 0.5
g ZQCANARYXWV left
usemtl ZQCANARYXWV
s off
f 1/1/1 2//1 \\
 3/1/1
"""
MTL = b"# ZQCANARYXWV\nnewmtl ZQCANARYXWV\nKa 1 1 1\nKd 0.5 0.25 0\nd 1.0\nillum 2\nmap_Kd ZQCANARYXWV.png\n"


def rename(name: bytes) -> bytes:
    return b"N%d" % (sum(name) % 997)


def test_a_binary_surface_keeps_its_triangles() -> None:
    for header in (CANARY, b"solid " + CANARY):
        fresh = stl.wordless(binary(header) + b"\0")
        assert CANARY not in fresh and fresh[:80] == bytes(80) and len(fresh) == 84 + 50 * TRIANGLES
        for number in range(TRIANGLES):
            at = 84 + 50 * number
            assert fresh[at : at + 48] == binary()[at : at + 48] and fresh[at + 48 : at + 50] == b"\0\0"
        assert stl.wordless(fresh) == fresh


def test_an_ascii_surface_keeps_its_numbers() -> None:
    fresh = stl.wordless(text())
    assert CANARY not in fresh and fresh.startswith(b"solid\nfacet normal 0 0 1e-1\n")
    assert fresh.count(b"vertex -1.5 0 0\n") == 3 and stl.wordless(fresh) == fresh


@pytest.mark.parametrize(
    "document",
    [b"", CANARY, binary()[:-1], binary() + CANARY, text().replace(b"vertex 0 0 0", b"vertex DOE 0 0"), text() + CANARY,
     text().replace(b"endloop", b"endloop DOE"), text().replace(b"endsolid", b"")],
)  # fmt: skip
def test_what_is_no_surface_raises(document: bytes) -> None:
    with pytest.raises(TransformError, match="stl-malformed"):
        stl.wordless(document)


def test_obj_and_mtl_keep_numbers_and_agree_on_names() -> None:
    obj, mtl = wavefront.wordless_obj(OBJ, rename), wavefront.wordless_mtl(MTL, rename)
    assert CANARY not in obj + mtl and b"#" not in obj + mtl and b"left" not in obj
    assert b"v 1.25 0 -1e-3\n" in obj and b"f 1/1/1 2//1 3/1/1\n" in obj and b"Kd 0.5 0.25 0\n" in mtl
    assert b"usemtl " + rename(CANARY) in obj and b"newmtl " + rename(CANARY) in mtl
    assert b"mtllib " + rename(b"doe jane.mtl") in obj and b"map_Kd " + rename(CANARY + b".png") in mtl


@pytest.mark.parametrize(
    "line", [b"v DOE 0 0", b"f", b"call doe.obj", b"curv 0 1", b"s doe", b"vt", b"DOE", b"f 1/DOE"]
)
def test_other_statements_raise(line: bytes) -> None:
    with pytest.raises(TransformError, match="obj-malformed"):
        wavefront.wordless_obj(OBJ + line + b"\n", rename)
    with pytest.raises(TransformError, match="mtl-malformed"):
        wavefront.wordless_mtl(MTL + line + b"\n", rename)


@pytest.mark.parametrize("seed", range(3))
def test_mutated_surfaces_raise_what_is_typed_or_hold_no_word(seed: int) -> None:
    chosen = random.Random(seed)
    for number in range(1200):
        raw = bytearray((binary(), text(), OBJ, MTL)[number % 4])
        for _ in range(chosen.randint(1, 5)):
            at = chosen.randrange(len(raw))
            if chosen.random() < 0.4:
                raw[at] = chosen.randrange(256)
            elif chosen.random() < 0.5:
                del raw[at : at + chosen.randint(1, 30)]
            else:
                raw[at:at] = raw[chosen.randrange(len(raw)) :][: chosen.randint(1, 30)]
        try:
            if number % 4 < 2:
                fresh = stl.wordless(bytes(raw))
            else:
                fresh = (wavefront.wordless_obj, wavefront.wordless_mtl)[number % 4 - 2](bytes(raw), rename)
        except TransformError as error:
            assert error.reason in ("stl-malformed", "obj-malformed", "mtl-malformed")
        else:
            assert CANARY not in fresh
