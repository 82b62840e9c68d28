"""What a data set says of its pixels (PS3.3 C.7.6.3), read strictly: nothing is decoded on a guess.

Rules of this file
* One top-level Pixel Data of integers. Float pixels, bits that are not whole bytes, and values that contradict each
  other raise: somebody could read them another way.
* The source is little endian and inflated.

Reasons: pixels-undescribed, pixels-unsupported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from transforms.dataset.elements import PIXEL_DATA
from transforms.dataset.index import Index
from transforms.errors import TransformError
from transforms.source import ByteSource

SAMPLES, PHOTOMETRIC, PLANAR, FRAMES = 0x00280002, 0x00280004, 0x00280006, 0x00280008
ROWS, COLUMNS, ALLOCATED, STORED, HIGH, SIGNED = 0x00280010, 0x00280011, 0x00280100, 0x00280101, 0x00280102, 0x00280103
_DESCRIPTORS: Final = (0x00281101, 0x00281102, 0x00281103)
_TABLES: Final = (0x00281201, 0x00281202, 0x00281203)
FLOATS: Final = (0x7FE00008, 0x7FE00009)
MOST_FRAMES: Final = 1_000_000
_ONE: Final = ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR")
_THREE: Final = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT")


@dataclass(frozen=True, slots=True)
class Image:
    """The Image Pixel Module of one data set."""

    rows: int
    columns: int
    samples: int  # 1 or 3
    allocated: int  # bits: 8, 16 or 32
    stored: int  # bits
    signed: bool
    photometric: str
    planar: bool  # native colour by plane
    frames: int
    # PALETTE COLOR: first mapped value, bits, and each table's 16-bit entries (PS3.3 C.7.6.3.1.5, .6)
    palette: tuple[tuple[int, int, bytes], ...] = ()

    @property
    def frame_length(self) -> int:
        """Bytes of one native frame."""
        if self.photometric == "YBR_FULL_422":
            return self.rows * ((self.columns + 1) // 2) * 4 * (self.allocated // 8)  # PS3.3 C.7.6.3.1.2
        return self.rows * self.columns * self.samples * (self.allocated // 8)


def has_pixels(index: Index) -> bool:
    """There are pixels of any kind at the top level."""
    return any(tag in index for tag in (PIXEL_DATA, *FLOATS))


def describe(source: ByteSource, index: Index) -> Image:
    """The image of a framed data set. Raises TransformError."""
    if any(tag in index for tag in FLOATS) or PIXEL_DATA not in index:
        raise TransformError("pixels-unsupported", "no integer Pixel Data")
    rows, columns = _number(source, index, ROWS), _number(source, index, COLUMNS)
    samples = _number(source, index, SAMPLES, 1)
    allocated, stored = _number(source, index, ALLOCATED), _number(source, index, STORED)
    high, signed = _number(source, index, HIGH, stored - 1), _number(source, index, SIGNED, 0)
    photometric = _text(source, index, PHOTOMETRIC)
    frames = _text(source, index, FRAMES) or "1"
    if not frames.isascii() or not frames.isdigit() or not 0 < int(frames) <= MOST_FRAMES:
        raise TransformError("pixels-undescribed", "Number of Frames")
    if not rows or not columns or not 0 < stored <= allocated or high != stored - 1 or signed > 1:
        raise TransformError("pixels-undescribed", "Rows, Columns, Bits Stored or High Bit")
    if allocated not in (8, 16, 32):
        raise TransformError("pixels-unsupported", "Bits Allocated is not 8, 16 or 32")
    if photometric not in (_ONE if samples == 1 else _THREE if samples == 3 else ()):
        raise TransformError("pixels-unsupported", "Photometric Interpretation for this many samples")
    palette = _palette(source, index) if photometric == "PALETTE COLOR" else ()
    planar = samples == 3 and _number(source, index, PLANAR, 0) == 1 and photometric != "YBR_FULL_422"
    return Image(
        rows, columns, samples, allocated, stored, bool(signed), photometric, planar, int(frames), palette
    )  # fmt: skip


def _palette(source: ByteSource, index: Index) -> tuple[tuple[int, int, bytes], ...]:
    """The three tables; () where they are not plain ones: then indices are shown as they are."""
    found = []
    for at, data in zip(_DESCRIPTORS, _TABLES, strict=True):
        raw, table = index.value_bytes(source, at), index.value_bytes(source, data)
        if raw is None or table is None or len(raw) != 6:
            return ()
        entries, first, bits = (int.from_bytes(raw[n : n + 2], "little") for n in (0, 2, 4))
        entries = entries or 1 << 16
        if bits not in (8, 16) or len(table) < entries * 2:
            return ()
        found.append((first, bits, table[: entries * 2]))
    return tuple(found)


def _number(source: ByteSource, index: Index, tag: int, default: int | None = None) -> int:
    raw = index.value_bytes(source, tag)
    if not raw and default is not None:
        return default
    if raw is None or len(raw) != 2:
        raise TransformError("pixels-undescribed", f"({tag >> 16:04X},{tag & 0xFFFF:04X})")
    return int.from_bytes(raw, "little")


def _text(source: ByteSource, index: Index, tag: int) -> str:
    return (index.value_bytes(source, tag) or b"")[:64].strip(b" \0").decode("ascii", "replace")
