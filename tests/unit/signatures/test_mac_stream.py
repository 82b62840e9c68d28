"""The MAC byte stream, byte for byte as PS3.3 C.12.1.1.3.1.1 has it, written out by hand."""

from __future__ import annotations

import pytest
from objects import CODE, IMAGE, JPEG, UIDS

from transforms.dataset import framing, syntax
from transforms.dataset.elements import header_bytes
from transforms.errors import TransformError
from transforms.signatures import mac
from transforms.signatures.writing import element
from transforms.source import BytesSource

ITEM, END = bytes.fromhex("feff00e0"), bytes.fromhex("feffdde0")


class Heard:
    """A hash that keeps what it is given."""

    def __init__(self) -> None:
        self.data = b""

    def update(self, data: bytes, /) -> None:
        self.data += data


def stream(data: bytes, tags: list[int], uid: str = syntax.EXPLICIT_LE) -> bytes:
    source = BytesSource(data)
    levels = mac.Levels(source, syntax.lookup(uid))
    heard = Heard()
    mac.feed(heard, source, mac.of_level(levels, framing.check(source, uid).entries, tags))
    return heard.data


def test_ordinary_elements_are_as_they_stand() -> None:
    assert stream(UIDS, [0x00080016, 0x00080070]) == element(0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.7") + element(
        0x00080070, "LO", b"Maker"
    )
    assert stream(IMAGE, [0x7FE00010]) == b"\xe0\x7f\x10\x00OW\0\0\x08\0\0\0" + bytes(range(8))


def test_the_order_is_that_of_the_data_set_and_what_is_missing_adds_nothing() -> None:
    assert stream(UIDS, [0x00080070, 0x00089999, 0x00080060]) == stream(UIDS, [0x00080060, 0x00080070])


def test_a_sequence_has_no_lengths_and_ends_with_a_delimiter() -> None:
    inner = b"\x08\x00\x40\x11SQ\0\0" + ITEM + element(0x00081150, "UI", b"1.2") + END
    expected = b"\x08\x00\x18\x22SQ\0\0" + ITEM + CODE + inner + END
    assert stream(IMAGE, [0x00082218]) == expected


def test_lengths_of_either_kind_give_the_same_stream() -> None:
    undefined = (
        header_bytes(0x00082218, "SQ", -1)
        + header_bytes(0xFFFEE000, "", -1)
        + CODE
        + header_bytes(0xFFFEE00D, "", 0)
        + header_bytes(0xFFFEE000, "", len(CODE))
        + CODE
        + header_bytes(0xFFFEE0DD, "", 0)
    )
    expected = b"\x08\x00\x18\x22SQ\0\0" + ITEM + CODE + ITEM + CODE + END
    assert stream(UIDS + undefined, [0x00082218]) == expected


def test_an_empty_sequence_is_header_and_delimiter() -> None:
    assert stream(header_bytes(0x00082218, "SQ", 0), [0x00082218]) == b"\x08\x00\x18\x22SQ\0\0" + END


@pytest.mark.parametrize("vr", ["OB", "OW"])
def test_encapsulated_pixels_are_their_fragments(vr: str) -> None:
    fragments = [b"", b"\xff\xd8\xff\xd9", b"\xff\xd8\1\2\xff\xd9"]
    pixels = header_bytes(0x7FE00010, vr, -1)
    pixels += b"".join(header_bytes(0xFFFEE000, "", len(each)) + each for each in fragments)
    pixels += header_bytes(0xFFFEE0DD, "", 0)
    expected = b"\xe0\x7f\x10\x00OB\0\0" + b"".join(ITEM + each for each in fragments) + END
    assert stream(UIDS + pixels, [0x7FE00010], JPEG) == expected


def test_reserved_bytes_are_zero_in_it() -> None:
    pixels = b"\xe0\x7f\x10\x00OW\x07\x09\x02\0\0\0\1\2"
    assert stream(UIDS + pixels, [0x7FE00010]) == b"\xe0\x7f\x10\x00OW\0\0\x02\0\0\0\1\2"


@pytest.mark.parametrize("tag", [0x00080000, 0x00080001, 0x00020010, 0xFFFAFFFA, 0x4FFE0001, 0xFFFCFFFC])
def test_what_may_never_be_signed_is_refused(tag: int) -> None:
    with pytest.raises(TransformError, match="signature-unsignable"):
        stream(UIDS, [0x00080016, tag])


def test_unknown_vr_is_refused_also_within_a_sequence() -> None:
    unknown = element(0x00091001, "UN", b"ab")
    data = UIDS + unknown + b"\x08\x00\x18\x22SQ\0\0" + len(unknown + bytes(8)).to_bytes(4, "little")
    data += header_bytes(0xFFFEE000, "", len(unknown)) + unknown
    for tag in (0x00091001, 0x00082218):
        with pytest.raises(TransformError, match="signature-unsignable"):
            stream(data, [tag])
    source = BytesSource(data)
    levels = mac.Levels(source, syntax.lookup(syntax.EXPLICIT_LE))
    entries = framing.check(source, syntax.EXPLICIT_LE).entries
    assert set(entries) - set(mac.signable(levels, entries)) == {0x00091001, 0x00082218}
