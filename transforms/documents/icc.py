"""ICC profiles (ICC.1, PS3.3 C.11.15) without words: the colour numbers stay, everything that can hold text goes.

* A profile is written anew from its numeric tags. Description and copyright become constants; device, maker, creator,
  dates, metadata and private tags go, whether or not they say anything of a patient: no reading of a name is needed.
* Numbers stay byte for byte, so colours do not change.
* Raises TransformError("icc-malformed") for what is no profile; `srgb()` is what may stand in its place.
"""

from __future__ import annotations

from functools import cache
from struct import pack, unpack_from
from typing import Final

from transforms.errors import TransformError

_HEADER: Final = 128
_MOST_TAGS: Final = 100
_WORDS: Final = b"de-identified"
_CLASSES: Final = frozenset({b"scnr", b"mntr", b"prtr", b"spac", b"link", b"abst"})
_SPACES: Final = frozenset(
    {b"XYZ ", b"Lab ", b"Luv ", b"YCbr", b"Yxy ", b"RGB ", b"GRAY", b"HSV ", b"HLS ", b"CMYK", b"CMY "}
    | {b"%XCLR" % number for number in range(2, 16)}
)
_LUTS: Final = frozenset({b"mft1", b"mft2", b"mAB ", b"mBA ", b"mpet"})
_CURVES: Final = frozenset({b"curv", b"para"})
_XYZ: Final = frozenset({b"XYZ "})
# Tags of numbers, and the types each may have (ICC.1 clause 9)
_NUMERIC: Final[dict[bytes, frozenset[bytes]]] = (
    dict.fromkeys((b"rXYZ", b"gXYZ", b"bXYZ", b"wtpt", b"bkpt", b"lumi"), _XYZ)
    | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC", b"kTRC"), _CURVES)
    | {b"%s%d" % (way, number): _LUTS for way in (b"A2B", b"B2A", b"D2B", b"B2D") for number in range(4)}
    | {b"gamt": _LUTS, b"pre0": _LUTS, b"pre1": _LUTS, b"pre2": _LUTS}
    | {b"chad": frozenset({b"sf32"}), b"meas": frozenset({b"meas"}), b"cicp": frozenset({b"cicp"})}
)
_LENGTHS: Final = {b"XYZ ": 20, b"sf32": 44, b"meas": 36, b"cicp": 12}
_D50: Final = pack(">3i", 0xF6D6, 0x10000, 0xD32D)


def wordless(profile: bytes) -> bytes:
    """The profile with its numbers and no words of its own. Raises TransformError("icc-malformed")."""
    size = int.from_bytes(profile[:4], "big")
    if len(profile) < _HEADER + 4 or not _HEADER + 4 <= size <= len(profile) or profile[36:40] != b"acsp":
        raise _malformed("no profile header")
    if profile[size:].strip(b"\0"):
        raise _malformed("bytes behind its end")
    (count,) = unpack_from(">I", profile, _HEADER)
    if count > _MOST_TAGS or _HEADER + 4 + 12 * count > size:
        raise _malformed("tag table")
    kept: list[tuple[bytes, bytes]] = []
    for number in range(count):
        name, at, length = unpack_from(">4s2I", profile, _HEADER + 4 + 12 * number)
        if at < _HEADER or at + length > size:
            raise _malformed("a tag lies outside")
        if name in _NUMERIC:
            kept.append((name, _numbers(name, profile[at : at + length])))
    if len({name for name, _ in kept}) != len(kept):
        raise _malformed("a tag stands twice")
    return _written(_header(profile), kept)


def _numbers(name: bytes, value: bytes) -> bytes:
    """One tag's value without what may stand behind its numbers."""
    kind = value[:4]
    length = _LENGTHS.get(kind, len(value))
    if kind == b"curv" and len(value) >= 12:
        length = 12 + 2 * int.from_bytes(value[8:12], "big")
    elif kind == b"para" and len(value) >= 12:
        function = int.from_bytes(value[8:10], "big")
        length = 12 + 4 * (1, 3, 4, 5, 7)[function] if function < 5 else -1
    elif kind in (b"mft1", b"mft2") and len(value) >= 52:
        length = _table(kind, value)
    if kind not in _NUMERIC[name] or not 12 <= length <= len(value):
        raise _malformed("a tag is not of its type")
    return value[:4] + bytes(4) + value[8:length]


def _table(kind: bytes, value: bytes) -> int:
    """How long a lookup table is: input tables, grid, output tables (ICC.1 10.10, 10.11)."""
    inputs, outputs, grid = value[8:11]
    if not 0 < inputs < 16:
        raise _malformed("a table without channels")
    if kind == b"mft1":
        return int(48 + 256 * inputs + grid**inputs * outputs + 256 * outputs)
    first, last = unpack_from(">2H", value, 48)
    return int(52 + 2 * (first * inputs + grid**inputs * outputs + last * outputs))


def _header(profile: bytes) -> bytes:
    """The header without its length: class, spaces and intent stay."""
    kind, space, connection = profile[12:16], profile[16:20], profile[20:24]
    if kind not in _CLASSES or space not in _SPACES or connection not in _SPACES or profile[8] not in (2, 4, 5):
        raise _malformed("class or colour space")
    return (
        bytes(4) + profile[8:10] + bytes(2) + kind + space + connection
        + pack(">6H", 2000, 1, 1, 0, 0, 0) + b"acsp" + bytes(4)
        + bytes(3) + bytes([profile[47] & 3]) + bytes(8)
        + bytes(7) + bytes([profile[63] & 15])
        + bytes(3) + bytes([profile[67] & 3])
        + _D50 + bytes(48)
    )  # fmt: skip


def _written(header: bytes, tags: list[tuple[bytes, bytes]]) -> bytes:
    """A whole profile: the header (without length), the constants and these tags, each value once."""
    old = header[4] < 4
    tags = [(b"desc", _described() if old else _localized()), (b"cprt", _plain() if old else _localized()), *tags]
    table, body = b"", b""
    start = _HEADER + 4 + 12 * len(tags)
    places: dict[bytes, int] = {}
    for name, value in tags:
        if value not in places:
            body += bytes(-len(body) % 4)
            places[value] = start + len(body)
            body += value
        table += pack(">4s2I", name, places[value], len(value))
    body += bytes(-len(body) % 4)
    return pack(">I", start + len(body)) + header + pack(">I", len(tags)) + table + body


def _described() -> bytes:
    return b"desc" + bytes(4) + pack(">I", len(_WORDS) + 1) + _WORDS + b"\0" + bytes(8 + 3 + 67)


def _plain() -> bytes:
    return b"text" + bytes(4) + _WORDS + b"\0"


def _localized() -> bytes:
    words = _WORDS.decode().encode("utf-16-be")
    return b"mluc" + bytes(4) + pack(">2I4s2I", 1, 12, b"enUS", len(words), 28) + words


@cache
def srgb() -> bytes:
    """A constant of ours for sRGB: what viewers assume where no profile stands."""

    def xyz(*values: float) -> bytes:
        return b"XYZ " + bytes(4) + pack(">3i", *(round(value * 65536) for value in values))

    curve = b"curv" + bytes(4) + pack(">IH", 1, 0x0233)  # gamma 2.2
    header = bytes(4) + b"\2\x10\0\0" + b"mntr" + b"RGB " + b"XYZ " + pack(">6H", 2000, 1, 1, 0, 0, 0) + b"acsp"
    header += bytes(28) + _D50 + bytes(48)
    tags = [
        (b"wtpt", xyz(0.9642, 1.0, 0.8249)),
        (b"rXYZ", xyz(0.4360747, 0.2225045, 0.0139322)),
        (b"gXYZ", xyz(0.3850649, 0.7168786, 0.0971045)),
        (b"bXYZ", xyz(0.1430804, 0.0606169, 0.7141733)),
        (b"rTRC", curve),
        (b"gTRC", curve),
        (b"bTRC", curve),
    ]
    return _written(header, tags)


def _malformed(detail: str) -> TransformError:
    return TransformError("icc-malformed", detail)
