"""Where the bytes of each frame lie: native (PS3.5 8.1), or in fragments (PS3.5 A.4).

Rules of this file
* Which fragments are a frame is told by the Extended Offset Table (PS3.3 C.7.6.3.1.8), by the Basic Offset Table, by
  their number (one a frame, or all of the only frame), or by the marker that ends each codestream of the JPEG family.
  Where none of them gives exactly Number of Frames, nothing is guessed.
* Nothing of a frame is read but, in the last case, the end of each fragment.

Reasons: frames-unclear, pixels-short, pixels-undescribed.
"""

from __future__ import annotations

from struct import unpack
from typing import Final, NamedTuple

from transforms.dataset.elements import ITEM, LITTLE, PIXEL_DATA, SEQUENCE_END
from transforms.dataset.index import Index
from transforms.errors import BadFraming, TransformError
from transforms.pixels.image import Image
from transforms.source import ByteSource

EXTENDED, EXTENDED_LENGTHS = 0x7FE00001, 0x7FE00002
_RLE: Final = "1.2.840.10008.1.2.5"
_LONGEST_TABLE: Final = 8_000_000  # bytes: a million frames


class Place(NamedTuple):
    """Some bytes of the data set."""

    offset: int
    length: int


Frame = tuple[Place, ...]  # the places of one frame, in order; its bytes are theirs put together


def frames_of(source: ByteSource, index: Index, image: Image) -> list[Frame]:
    """Where each frame's bytes lie. Raises TransformError, BadFraming."""
    element = index.get(PIXEL_DATA)
    assert element is not None
    if element.length >= 0:
        length = image.frame_length
        if image.photometric == "YBR_FULL_422" and element.length >= image.rows * image.columns * 3 * image.frames:
            raise TransformError("pixels-undescribed", "YBR_FULL_422 with as many bytes as YBR_FULL has")
        if length * image.frames > element.length:
            raise TransformError("pixels-short", "fewer pixels than Rows, Columns and Number of Frames say")
        return [(Place(element.value + number * length, length),) for number in range(image.frames)]
    table, fragments = fragments_of(source, element.value, element.end)
    first = fragments[0].offset - 8 if fragments else 0
    starts = _extended(source, index) or [at for (at,) in _pairs(table, "<I")]
    if starts:
        return _by_offsets(fragments, [first + at for at in starts], image.frames)
    if image.frames == 1 and fragments:
        return [tuple(fragments)]
    if len(fragments) == image.frames:
        return [(each,) for each in fragments]
    if len(fragments) > image.frames and index.syntax.uid != _RLE:  # RLE: one fragment a frame (PS3.5 A.4.2)
        return _by_markers(source, fragments, image.frames)
    raise TransformError("frames-unclear", "the number of fragments does not fit Number of Frames")


def read(source: ByteSource, frame: Frame) -> bytes:
    """The bytes of one frame."""
    return b"".join(source.pread(*place) for place in frame)


def fragments_of(source: ByteSource, at: int, end: int) -> tuple[bytes, list[Place]]:
    """The Basic Offset Table's bytes, and where each fragment's value lies. Raises BadFraming."""
    found: list[Place] = []
    while True:
        head = source.pread(at, 8)
        if len(head) < 8 or at + 8 > end:
            raise BadFraming("delimiter-missing", at)
        group, element, length = LITTLE.implicit.unpack(head)
        tag = group << 16 | element
        if tag == SEQUENCE_END:
            break
        if tag != ITEM or at + 8 + length > end:
            raise BadFraming("fragment-expected", at)
        found.append(Place(at + 8, length))
        at += 8 + length
    if not found:
        raise BadFraming("fragment-expected", at)
    if found[0].length > _LONGEST_TABLE:
        raise TransformError("frames-unclear", "an offset table of more than a million frames")
    return source.pread(*found[0]), found[1:]


def _pairs(table: bytes, form: str) -> list[tuple[int]]:
    size = 4 if form == "<I" else 8
    if len(table) % size:
        raise TransformError("frames-unclear", "an offset table ends within a number")
    return [unpack(form, table[at : at + size]) for at in range(0, len(table), size)]


def _extended(source: ByteSource, index: Index) -> list[int]:
    table = index.value_bytes(source, EXTENDED) if EXTENDED in index else None
    if table and len(table) > _LONGEST_TABLE:
        raise TransformError("frames-unclear", "an offset table of more than a million frames")
    return [at for (at,) in _pairs(table, "<Q")] if table else []


def _by_offsets(fragments: list[Place], starts: list[int], count: int) -> list[Frame]:
    """Fragments by where frames begin: each start is a fragment's, in order, and nothing is left over."""
    if len(starts) != count:
        raise TransformError("frames-unclear", "an offset table of another number of frames")
    wanted = {at: number for number, at in enumerate(starts)}
    found: list[list[Place]] = []
    for each in fragments:
        if each.offset - 8 in wanted:
            if wanted[each.offset - 8] != len(found):
                break
            found.append([])
        elif not found:
            break
        found[-1].append(each)
    if len(found) != count or len(wanted) != count:
        raise TransformError("frames-unclear", "an offset table that points beside the fragments")
    return [tuple(each) for each in found]


def _by_markers(source: ByteSource, fragments: list[Place], count: int) -> list[Frame]:
    """Fragments by the End of Image or End of Codestream marker, FFD9 in all of the JPEG family."""
    found: list[Frame] = []
    begun: list[Place] = []
    for each in fragments:
        begun.append(each)
        tail = source.pread(max(each.offset, each.offset + each.length - 4), min(4, each.length)).rstrip(b"\0")
        if tail.endswith(b"\xff\xd9"):
            found.append(tuple(begun))
            begun = []
    if begun or len(found) != count:
        raise TransformError("frames-unclear", "no offset table, and codestreams that do not end with fragments")
    return found
