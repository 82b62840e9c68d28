"""What frames and what does not, one row a rule; real files that are refused, each with why."""

from __future__ import annotations

import zlib
from pathlib import Path
from struct import pack

import pytest

from transforms.dataset import framing, part10
from transforms.dataset.elements import ITEM, ITEM_END, PIXEL_DATA, SEQUENCE_END, header_bytes
from transforms.dataset.framing import Limits
from transforms.dataset.syntax import DEFLATED_LE, EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE
from transforms.errors import BadFraming, BudgetExceeded, TransformError
from transforms.source import BytesSource

RLE = "1.2.840.10008.1.2.5"
SQ = 0x00081140


def el(tag: int, vr: str, value: bytes, length: int | None = None) -> bytes:
    return header_bytes(tag, vr, len(value) if length is None else length) + value


def item(value: bytes) -> bytes:
    return el(ITEM, "", value)


END = el(SEQUENCE_END, "", b"")
ITEM_STOP = el(ITEM_END, "", b"")
UID = el(0x00080018, "UI", b"1.2\0")
NAME = el(0x00100010, "PN", b"A^B ")
NAME_IMPLICIT = el(0x00100010, "", b"A^B ")
OPEN = el(SQ, "SQ", el(ITEM, "", UID, -1) + ITEM_STOP + END, -1)

GOOD = {
    "defined": (UID + el(SQ, "SQ", item(UID)) + NAME, EXPLICIT_LE, 5, set()),
    "undefined": (UID + OPEN + NAME, EXPLICIT_LE, 5, set()),
    "empty sequences": (el(SQ, "SQ", b"") + el(SQ + 1, "SQ", END, -1), EXPLICIT_LE, 2, set()),
    "UN holding implicit": (el(0x00091010, "UN", item(NAME_IMPLICIT) + END, -1), EXPLICIT_LE, 3, set()),
    "UN defined is opaque": (el(0x00091010, "UN", b"no items"), EXPLICIT_LE, 1, set()),
    "implicit": (el(SQ, "", item(NAME_IMPLICIT)) + NAME_IMPLICIT, IMPLICIT_LE, 4, set()),
    "implicit private undefined": (el(0x00091010, "", item(NAME_IMPLICIT) + END, -1), IMPLICIT_LE, 3, set()),
    "big endian": (header_bytes(0x00080018, "UI", 4, False) + b"1.2\0", EXPLICIT_BE, 1, set()),
    "fragments, then more": (
        el(PIXEL_DATA, "OB", item(b"") + item(b"abcd") + END, -1) + el(0xFFFCFFFC, "OB", b"\0\0"),
        RLE,
        2,
        set(),
    ),
    "odd length": (el(0x00100010, "PN", b"A^B"), EXPLICIT_LE, 1, {"odd-length"}),
    "not ascending": (NAME + UID, EXPLICIT_LE, 2, {"not-ascending"}),
    "reserved bytes": (b"\xe1\x7f\x10\0OB\1\0\2\0\0\0ab", EXPLICIT_LE, 1, {"reserved-nonzero"}),
}


@pytest.mark.parametrize("name", GOOD)
def test_frames(name: str) -> None:
    data, uid, count, warnings = GOOD[name]
    index = framing.check(BytesSource(data), uid)
    assert (index.count, index.warnings, index.size) == (count, warnings, len(data))
    assert max(each.end for each in index) == len(data)


BAD = {
    "empty": (b"", EXPLICIT_LE, "empty", 0),
    "one byte more": (UID + b"\0", EXPLICIT_LE, "header-truncated", 12),
    "zeros behind": (UID + bytes(8), EXPLICIT_LE, "group-illegal", 12),
    "length past the end": (UID + el(0x00100010, "PN", b"A^", 4), EXPLICIT_LE, "length-overrun", 12),
    "item past its sequence": (el(SQ, "SQ", el(ITEM, "", UID, 40)), EXPLICIT_LE, "length-overrun", 12),
    "element past its item": (
        el(SQ, "SQ", item(el(0x00080018, "UI", b"1.", 4))) + NAME,
        EXPLICIT_LE,
        "length-overrun",
        20,
    ),
    "tag twice": (UID + UID, EXPLICIT_LE, "tag-twice", 12),
    "tag twice in an item": (el(SQ, "SQ", item(UID + UID)), EXPLICIT_LE, "tag-twice", 32),
    "command group": (el(0x00000002, "UI", b"1.2\0") + UID, EXPLICIT_LE, "group-illegal", 0),
    "meta group after others": (UID + el(0x00020010, "UI", b"1.2\0"), EXPLICIT_LE, "group-illegal", 12),
    "group FFFF": (UID + el(0xFFFF0001, "UI", b""), EXPLICIT_LE, "group-illegal", 12),
    "lower case VR": (b"\x10\0\x10\0pn\2\0A^", EXPLICIT_LE, "vr-unknown", 0),
    "question marks": (b"\x10\0\x10\0??\2\0A^", EXPLICIT_LE, "vr-unknown", 0),
    "delimiter with a length": (
        el(SQ, "SQ", item(UID) + el(SEQUENCE_END, "", b"", 4) + bytes(4), -1),
        EXPLICIT_LE,
        "delimiter-length",
        32,
    ),
    "no sequence delimiter": (el(SQ, "SQ", item(UID), -1), EXPLICIT_LE, "header-truncated", 32),
    "no item delimiter": (el(SQ, "SQ", el(ITEM, "", UID, -1), -1), EXPLICIT_LE, "delimiter-missing", 32),
    "stray delimiter": (UID + ITEM_STOP, EXPLICIT_LE, "delimiter-unexpected", 12),
    "text in a sequence": (el(SQ, "SQ", b"NAMED TYPE"), EXPLICIT_LE, "item-expected", 12),
    "text of undefined length": (el(0x00104000, "UT", b"", -1) + END, EXPLICIT_LE, "length-undefined", 12),
    "fragments where pixels are native": (
        el(PIXEL_DATA, "OB", item(b"") + END, -1),
        EXPLICIT_LE,
        "pixel-data-encapsulated",
        12,
    ),
    "fragment of undefined length": (el(PIXEL_DATA, "OB", el(ITEM, "", b"", -1), -1), RLE, "fragment-undefined", 12),
    "element among fragments": (el(PIXEL_DATA, "OB", item(b"") + UID, -1), RLE, "fragment-expected", 20),
    "zlib around deflate": (zlib.compress(UID), DEFLATED_LE, "deflate-corrupt", None),
}


@pytest.mark.parametrize("name", BAD)
def test_does_not_frame(name: str) -> None:
    data, uid, reason, offset = BAD[name]
    with pytest.raises(BadFraming) as caught:
        framing.check(BytesSource(data), uid)
    assert caught.value.reason == reason
    assert offset is None or caught.value.offset == offset


def deflated(data: bytes) -> bytes:
    engine = zlib.compressobj(9, zlib.DEFLATED, -15)
    return engine.compress(data) + engine.flush()


def test_after_a_deflated_data_set_comes_one_zero_or_its_checksum_and_nothing_else() -> None:
    body = deflated(UID + NAME)
    trailer = pack("<II", zlib.crc32(UID + NAME), len(UID + NAME))
    for tail in (b"", b"\0", trailer, trailer + b"\0"):
        index = framing.check(BytesSource(body + tail), DEFLATED_LE)
        assert index.value_bytes(BytesSource(body + tail), 0x00100010) == b"A^B "
    for tail in (b"x", b"\0\0", trailer[:7] + b"\x77", trailer + b"\0\0", UID):
        with pytest.raises(BadFraming, match="deflate-trailing"):
            framing.check(BytesSource(body + tail), DEFLATED_LE)
    for cut in range(len(body)):
        with pytest.raises(BadFraming):
            framing.check(BytesSource(body[:cut]), DEFLATED_LE)


def nested(depth: int) -> bytes:
    data = UID
    for _ in range(depth):
        data = el(SQ, "SQ", item(data))
    return data


def test_budgets() -> None:
    framing.check(BytesSource(nested(32)), EXPLICIT_LE)
    many = b"".join(el(tag, "LO", b"") for tag in range(0x00100001, 0x00100001 + 60_000))
    bombs: list[tuple[bytes, str, Limits, str]] = [
        (nested(33), EXPLICIT_LE, Limits(), "depth"),
        (nested(5000), EXPLICIT_LE, Limits(), "depth"),
        (many, EXPLICIT_LE, Limits(elements=59_999), "elements"),
        (el(SQ, "SQ", item(b"") * 300_000), EXPLICIT_LE, Limits(), "elements"),
        (el(PIXEL_DATA, "OB", item(b"") * 50 + END, -1), RLE, Limits(fragments=49), "fragments"),
        (deflated(el(0x7FE00010, "OB", bytes(32 << 20))), DEFLATED_LE, Limits(), "inflated-ratio"),
        (deflated(el(0x7FE00010, "OB", bytes(2 << 20))), DEFLATED_LE, Limits(inflated=1 << 20), "inflated-size"),
    ]
    for data, uid, limits, reason in bombs:
        with pytest.raises(BudgetExceeded) as caught:
            framing.check(BytesSource(data), uid, limits)
        assert caught.value.reason == reason


# Real files that are refused, and the judgement of each.
REFUSED = {
    "Tag-0040-A170-VR-CS.dcm": "item-expected",  # text in what PS3.6 calls a sequence: readers differ
    "FreezePattern.dcm": "delimiter-unexpected",  # a sequence of length 0 whose items stand behind it
    "GH626.dcm": "group-illegal",  # explicit items inside an implicit data set: dcmtk and pydicom read it apart
    "MR_truncated.dcm": "length-overrun",  # truncated
    "rtplan_truncated.dcm": "length-overrun",  # truncated
    "SC_rgb_jpeg.dcm": "vr-unknown",  # Implicit VR under a JPEG syntax
    "DICOMDIR-nooffset": "length-overrun",  # truncated within its last item
}


def test_every_readable_file_frames_but_for_those_judged(corpus_files: list[Path]) -> None:
    framed = 0
    for path in corpus_files:
        data = path.read_bytes()
        try:
            found = part10.split(BytesSource(data))
        except TransformError:
            continue
        try:
            framing.check(BytesSource(data[found.offset :]), found.syntax)
            framed += 1
            assert path.name not in REFUSED
        except BadFraming as error:
            assert REFUSED.get(path.name, "frames") == error.reason, path.name
    assert framed > 100
