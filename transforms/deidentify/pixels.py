"""How many bytes native Pixel Data has (PS3.3 C.7.6.3, PS3.5 section 8): what is behind them is no image.

* It works on values the walk noted, little endian, and gives None where one is missing or makes no sense.
* transforms/dataset/pixels.py warns about received lengths; this decides what leaves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ROWS, COLUMNS, BITS, SAMPLES = 0x00280010, 0x00280011, 0x00280100, 0x00280002
FRAMES, PHOTOMETRIC = 0x00280008, 0x00280004
_LONGEST: Final = 1 << 40


def native_length(noted: Mapping[int, bytes], actual: int) -> int | None:
    """Bytes of native Pixel Data, unpadded. `actual` decides between the two ways YBR_FULL_422 is really sent."""
    numbers = []
    for tag in (ROWS, COLUMNS, BITS):
        value = noted.get(tag, b"")
        if len(value) != 2:
            return None
        numbers.append(int.from_bytes(value, "little"))
    rows, columns, bits = numbers
    raw = noted.get(SAMPLES, b"\1\0")
    frames_text = noted.get(FRAMES, b"1").strip(b" \0") or b"1"
    if len(raw) != 2 or not frames_text.isdigit():
        return None
    samples, frames = int.from_bytes(raw, "little"), int(frames_text)
    values = rows * columns * samples * frames
    if not 0 < values * bits <= _LONGEST * 8:
        return None
    full = (values * bits + 7) // 8
    if samples == 3 and noted.get(PHOTOMETRIC, b"").startswith((b"YBR_FULL_422", b"YBR_PARTIAL_422")):
        shared = (rows * columns * 2 * frames * bits + 7) // 8  # two pixels share their chroma (C.7.6.3.1.2)
        return full if actual in (full, full + 1) else shared
    return full
