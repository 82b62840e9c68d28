"""Is native Pixel Data as long as the image says? (PS3.3 C.7.6.3, PS3.5 section 8)

* Cheap and shy: it reads a handful of binary values, gives a code or "", and is silent where one of them is missing.
* It says nothing of encapsulated pixel data, and decodes none.
"""

from __future__ import annotations

from struct import unpack

from transforms.dataset.elements import PIXEL_DATA
from transforms.dataset.index import Index
from transforms.source import ByteSource

_ROWS, _COLUMNS, _BITS, _SAMPLES = 0x00280010, 0x00280011, 0x00280100, 0x00280002
_FRAMES, _PHOTOMETRIC = 0x00280008, 0x00280004


def length_warning(source: ByteSource, index: Index) -> str:
    """`pixel-length-short`, `pixel-length-long` or "" for a data set with native Pixel Data at its top level."""
    sizes = []
    for tag in (_ROWS, _COLUMNS, _BITS, _SAMPLES):
        entry = index.entries.get(tag)
        if entry is None or entry[3] != 2:
            return ""
        sizes.append(unpack("<H" if index.syntax.little_endian else ">H", source.pread(entry[2], 2))[0])
    rows, columns, bits, samples = sizes
    frames = 1
    entry = index.entries.get(_FRAMES)
    if entry is not None and entry[3] > 0:
        text = source.pread(entry[2], min(entry[3], 16)).strip(b" \0")
        if not text.isdigit():
            return ""
        frames = int(text)
    if samples == 3:
        entry = index.entries.get(_PHOTOMETRIC)
        if entry is not None and source.pread(entry[2], max(0, min(entry[3], 16))).startswith(b"YBR_FULL_422"):
            samples = 2  # chroma is shared by two pixels (PS3.3 C.7.6.3.1.2)
    expected = (rows * columns * samples * frames * bits + 7) // 8
    length = index.entries[PIXEL_DATA][3]
    if length < expected:
        return "pixel-length-short"
    return "pixel-length-long" if length > expected + expected % 2 else ""
