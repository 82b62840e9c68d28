"""The scanner's framing is its own: every byte once, at every depth, or an error; and nothing else ever."""

from __future__ import annotations

import random

import planted as planting
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.egress.outputs import EXPLICIT, IMPLICIT, clean_ct, ct, encoded, parsed, searched
from transforms.dataset import framing
from transforms.dataset.elements import header_bytes
from transforms.egress import scanner
from transforms.egress.check import WINDOW, Study
from transforms.errors import TransformError
from transforms.source import BytesSource

JPEG = "1.2.840.10008.1.2.4.50"


def element(tag: int, vr: str, value: bytes, length: int | None = None) -> bytes:
    return header_bytes(tag, vr, len(value) if length is None else length) + value


def test_every_byte_is_in_one_piece() -> None:
    for raw, syntax in ((ct(), EXPLICIT), (encoded(parsed(ct()), IMPLICIT), IMPLICIT), (clean_ct(), EXPLICIT)):
        scan = scanner.scan(BytesSource(raw), syntax)
        index = framing.check(BytesSource(raw), syntax)
        header = 8 if syntax == IMPLICIT else 12
        pixels = index.get(0x7FE00010)
        assert pixels is not None and scan.skipped == pixels.length
        assert sum(map(len, scan.chunks)) == len(raw) - scan.skipped - header
        assert len(scan.chunks) == len(index) - 1


def test_long_elements_are_not_read_whole_and_still_searched() -> None:
    name = b"Mustermann^Erika"
    filler = bytes(random.Random(1).choices(range(256), k=WINDOW))
    for spot in (0, WINDOW - 20, WINDOW + 4000, 2 * WINDOW - len(name)):
        value = (filler * 2)[:spot] + name + (filler * 2)[spot + len(name) :]
        raw = element(0x00100020, "LO", b"XX12345678") + element(0x00420011, "OB", value)
        scan = scanner.scan(BytesSource(raw), EXPLICIT)
        assert [large.tag for large in scan.large] == [0x00420011] and len(scan.chunks) == 1
        hits = searched(ct(), raw)
        assert [hit.where for hit in hits] == ["(0042,0011)"], spot


def test_compressed_pixels_are_searched_and_native_ones_are_not() -> None:
    fragment = bytes(range(256)) * 40 + b"\xff\xfe\0\x14Mustermann, Erika\0" + bytes(range(256)) * 40
    items = header_bytes(0xFFFEE000, "", 0) + element(0xFFFEE000, "", fragment) + header_bytes(0xFFFEE0DD, "", 0)
    raw = header_bytes(0x7FE00010, "OB", -1) + items
    assert [hit.name for hit in searched(ct(), raw, syntax=EXPLICIT)] == ["patient-name"]
    known = Study([("patient-name", "Mustermann^Erika")])
    assert [hit.name for hit in known.check(BytesSource(raw), JPEG)] == ["patient-name"]
    native = element(0x7FE00010, "OB", fragment)
    assert known.check(BytesSource(native), EXPLICIT) == ()
    assert known.check(BytesSource(native), JPEG) != ()  # defined length, but not native in this syntax


def test_bytes_of_chance_are_no_names() -> None:
    known = Study([("patient-name", "Karl^Anna"), ("patient-name", "Mia^Otto"), ("patient-id", "12345")])
    for seed in range(4):
        noise = random.Random(seed).randbytes(1 << 20)
        assert known.check(BytesSource(element(0x00420011, "OB", noise)), EXPLICIT) == ()


def test_a_table_of_numbers_is_no_number() -> None:
    ramp = b"".join(value.to_bytes(2, "little") for value in range(256))
    known = Study([("patient-id", "12345"), ("patient-id", "1234567"), ("patient-name", "Hij^Lmno")])
    assert known.check(BytesSource(element(0x00281201, "OW", ramp * 8)), EXPLICIT) == ()


@pytest.mark.parametrize("step", [1, 7])
def test_what_is_cut_is_an_error_or_whole(step: int) -> None:
    raw = clean_ct()[: -16 * 1024] if step == 1 else clean_ct()
    ends = {0}
    at = 0
    for chunk in scanner.scan(BytesSource(clean_ct()), EXPLICIT).chunks:
        at += len(chunk)
        ends.add(at)
    known = Study([("patient-name", "Mustermann^Erika")])
    for cut in range(1, min(len(raw), 4000), step):
        try:
            known.check(BytesSource(raw[:cut]), EXPLICIT)
        except TransformError as error:
            assert error.reason == "egress-unreadable"
        else:
            assert cut in ends, cut


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6000), st.binary(min_size=1, max_size=6)), min_size=1, max_size=4))
def test_damage_gives_hits_or_an_error_never_another_exception(damage: list[tuple[int, bytes]]) -> None:
    raw = bytearray(ct())
    for at, patch in damage:
        raw[at : at + len(patch)] = patch
    for syntax in (EXPLICIT, IMPLICIT, JPEG):
        known = Study()
        try:
            known.harvest(BytesSource(bytes(raw)), syntax)
            known.check(BytesSource(bytes(raw)), syntax)
        except TransformError as error:
            assert error.reason in ("egress-unreadable", "egress-too-many")


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_at_all(raw: bytes) -> None:
    for syntax in (EXPLICIT, IMPLICIT):
        for value in (raw, element(0x00091001, "UN", b"\xfe\xff\x00\xe0" + raw), element(0x00081140, "SQ", raw)):
            known = Study()
            try:
                known.harvest(BytesSource(value), syntax)
                known.check(BytesSource(value), syntax)
            except TransformError as error:
                assert error.reason in ("egress-unreadable", "egress-too-many")


@pytest.mark.parametrize("depth", [scanner.DEPTH + 2, 3000])
def test_depth_ends_in_an_error(depth: int) -> None:
    inner = element(0x00100010, "PN", b"Mustermann^Erika")
    for _ in range(depth):
        inner = header_bytes(0x00081140, "SQ", -1) + header_bytes(0xFFFEE000, "", -1) + inner
        inner += header_bytes(0xFFFEE00D, "", 0) + header_bytes(0xFFFEE0DD, "", 0)
    with pytest.raises(TransformError, match="egress-unreadable"):
        Study().harvest(BytesSource(inner), EXPLICIT)


def test_many_identifiers_hold() -> None:
    names = b"".join(element(0xFFFEE000, "", element(0x0040A123, "PN", b"N%06dx " % n)) for n in range(6000))
    with pytest.raises(TransformError, match="egress-too-many"):
        Study().harvest(BytesSource(element(0x0040A730, "SQ", names)), EXPLICIT)


def test_every_planted_canary_of_a_harvested_class_is_found_where_nothing_was_done() -> None:
    for each in planting.planted(5):
        framed = each.content[132:]
        offset = 12 + int.from_bytes(framed[8:12], "little")
        meta = parsed(framed[:offset])
        raw = framed[offset:]
        syntax = str(meta[0x00020010].value)
        if syntax not in (EXPLICIT, IMPLICIT):
            continue
        assert searched(raw, raw, syntax=syntax), each.name


def test_two_characters_are_a_name_in_text_and_chance_in_bytes() -> None:
    known = Study([("patient-name", "山田^太郎")])
    short = "山田".encode("shift_jis")
    noise = random.Random(3).randbytes(5000)
    for around in (noise, noise[:200]):
        assert known.check(BytesSource(element(0x00420011, "OB", around + short + around)), EXPLICIT) == ()
    whole = "山田太郎".encode("shift_jis")
    assert known.check(BytesSource(element(0x00420011, "OB", noise + whole + noise)), EXPLICIT) != ()
    assert known.check(BytesSource(element(0x00204000, "LT", b"x: " + short + b" ")), EXPLICIT) != ()
