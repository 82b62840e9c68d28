"""Where frames lie: each kind of offset table, none at all, and tables that lie."""

from __future__ import annotations

from struct import pack

import numpy as np
import pytest

from tests.unit.pixels.building import anatomy, data_set, jpeg
from transforms.dataset.framing import check
from transforms.errors import TransformError
from transforms.pixels import forms
from transforms.pixels.frames import EXTENDED, EXTENDED_LENGTHS, Place, frames_of, read
from transforms.pixels.image import describe
from transforms.pixels.rebuilding import edited, encapsulated, native
from transforms.source import BytesSource, EditPlan

STREAMS = [jpeg(anatomy(32, 32, seed)) for seed in range(3)]
STREAMS = [each + b"\0" * (len(each) & 1) for each in STREAMS]


def item(data: bytes) -> bytes:
    return b"\xfe\xff\x00\xe0" + pack("<I", len(data)) + data


def put(fragments: list[bytes], table: bytes = b"", *, count: int = 3, extended: bytes | None = None) -> BytesSource:
    """A data set with exactly these fragments."""
    source, uid = data_set(anatomy(32, 32), forms.BASELINE, encoded=[STREAMS[0]], NumberOfFrames=count)
    index = check(source, uid)
    found = index.get(0x7FE00010)
    assert found is not None
    body = item(table) + b"".join(item(each) for each in fragments) + b"\xfe\xff\xdd\xe0\0\0\0\0"
    raw = source.pread(0, found.value) + body
    source = BytesSource(raw)
    if extended is None:
        return source
    plan = edited(source, check(source, uid), {EXTENDED: ("OV", extended)})
    return BytesSource(plan.pread(0, plan.size))


def frames(source: BytesSource, uid: str = forms.BASELINE) -> list[bytes]:
    index = check(source, uid)
    return [read(source, each) for each in frames_of(source, index, describe(source, index))]


def halves(data: bytes) -> list[bytes]:
    middle = len(data) // 4 * 2
    return [data[:middle], data[middle:]]


def offsets(parts: list[list[bytes]]) -> list[int]:
    at, found = 0, []
    for each in parts:
        found.append(at)
        at += sum(8 + len(part) for part in each)
    return found


SPLIT = [halves(each) for each in STREAMS]
FLAT = [part for each in SPLIT for part in each]


def test_one_fragment_a_frame_needs_no_table() -> None:
    assert frames(put(STREAMS)) == STREAMS


def test_a_basic_offset_table() -> None:
    assert frames(put(FLAT, pack("<3I", *offsets(SPLIT)))) == STREAMS


def test_an_extended_offset_table() -> None:
    whole = [[each] for each in STREAMS]
    assert frames(put(STREAMS, extended=pack("<3Q", *offsets(whole)))) == STREAMS


def test_no_table_and_several_fragments_a_frame() -> None:
    assert frames(put(FLAT)) == STREAMS


def test_all_fragments_of_the_only_frame() -> None:
    assert frames(put(SPLIT[0], count=1)) == STREAMS[:1]


@pytest.mark.parametrize(
    ("fragments", "table", "count"),
    [
        (STREAMS, b"", 4),
        (STREAMS, b"", 2),
        (FLAT[:-1], b"", 3),
        (STREAMS, pack("<3I", 0, 8, 16), 3),
        (STREAMS, pack("<2I", 0, 8 + len(STREAMS[0])), 3),
        (STREAMS, pack("<3I", 0, 0, 0), 3),
        (STREAMS, b"\0\0\0\0\0\0", 3),
        ([], b"", 1),
    ],
)
def test_what_is_not_clear_is_not_guessed(fragments: list[bytes], table: bytes, count: int) -> None:
    with pytest.raises(TransformError, match="frames-unclear"):
        frames(put(fragments, table, count=count))


def test_sixty_thousand_frames() -> None:
    source = put([b"\xff\xd8\xff\xd9"] * 60_000, count=60_000)
    assert len(frames(source)) == 60_000


@pytest.mark.parametrize(("change", "reason"), [
    ({"Rows": 33}, "pixels-short"), ({"Columns": 0}, "pixels-undescribed"), ({"NumberOfFrames": 2}, "pixels-short"),
    ({"BitsStored": 17}, "pixels-undescribed"), ({"PhotometricInterpretation": "CMYK"}, "pixels-unsupported"),
    ({"BitsAllocated": 12, "BitsStored": 12, "HighBit": 11}, "pixels-unsupported"),
    ({"HighBit": 14}, "pixels-undescribed"),
])  # fmt: skip
def test_images_that_contradict_themselves(change: dict[str, object], reason: str) -> None:
    source, uid = data_set(anatomy(32, 32).astype(np.uint16), **change)
    with pytest.raises(TransformError, match=reason):
        frames(source, uid)


def test_pixels_are_put_back() -> None:
    """Frames in new places, old fragments kept, offset table right."""
    source = put(FLAT)
    index = check(source, forms.BASELINE)
    found = frames_of(source, index, describe(source, index))
    pieces, values = encapsulated([found[0], (Place(found[1][0].offset, 5),), found[2]])
    assert values == {EXTENDED: None, EXTENDED_LENGTHS: None}
    plan: EditPlan = edited(source, index, {0x00280106: ("US", b"\1\0")}, pieces)
    again = BytesSource(plan.pread(0, plan.size))
    assert frames(again) == [STREAMS[0], FLAT[2][:5] + b"\0", STREAMS[2]]
    assert check(again, forms.BASELINE).value_bytes(again, 0x00280106) == b"\1\0"
    assert [type(each).__name__ for each in native(0, 3, wide=False)] == ["Literal", "Copy", "Literal"]
