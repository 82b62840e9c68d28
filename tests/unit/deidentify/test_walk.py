"""The walk: what is untouched stays to the byte, what hides is found, what is broken is held."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.deidentify.building import UNDEFINED, encode, image, parsed, result, run, sequence
from transforms.dataset import framing
from transforms.dataset.elements import header_bytes
from transforms.dataset.syntax import EXPLICIT_LE, IMPLICIT_LE
from transforms.errors import TransformError
from transforms.source import BytesSource

CANARY = b"CANARYZQ"
BOTH = pytest.mark.parametrize("explicit", [True, False], ids=["explicit", "implicit"])


def after(tag: int, raw: bytes, extra: dict[int, tuple[str, object]] | None = None, explicit: bool = True) -> bytes:
    """The image with one element, given as bytes, put where its tag belongs."""
    elements = image(extra)  # type: ignore[arg-type]
    low = {t: v for t, v in elements.items() if t < tag}
    return encode(low, explicit) + raw + encode({t: v for t, v in elements.items() if t > tag}, explicit)


def held(data: bytes, explicit: bool = True, **more: str) -> str:
    with pytest.raises(TransformError) as error:
        run(data, explicit, **more)
    assert b"CANARY" not in str(error.value).encode()
    return error.value.reason


@BOTH
def test_untouched_bytes_are_the_same_bytes(explicit: bool) -> None:
    kept = {
        0x00280030: ("DS", b"0.5\\0.5 "),
        0x00081115: ("SQ", [{0x00080060: ("CS", b"CT")}]),
        0x00540016: ("SQ", [{0x00181074: ("DS", b"1")}]),
    }
    done = run(encode(image(kept), explicit), explicit)
    out = b"".join(done.plan.chunks())
    for tag in (0x00280030, 0x00081115, 0x00540016, 0x7FE00010, 0x00280010):
        one = encode({tag: image(kept)[tag]}, explicit)
        assert one in out
    assert sum(len(getattr(piece, "data", b"")) for piece in done.plan.pieces) < 600


@BOTH
@pytest.mark.parametrize("undefined", [True, False])
@pytest.mark.parametrize("depth", [1, 2, 5, 30])
def test_lengths_are_right_at_every_depth(explicit: bool, undefined: bool, depth: int) -> None:
    item = {
        0x00080050: ("SH", CANARY),
        0x00080060: ("CS", b"CT"),
        0x00081155: ("UI", b"1.9.1"),
        0x00100010: ("PN", CANARY),
    }
    for _ in range(depth):
        item = {0x00081115: ("SQ", [item, {0x00080060: ("CS", b"MR")}]), 0x00080021: ("DA", b"19990101")}
    data = encode(image(item), explicit, undefined=undefined)
    out = result(data, explicit)
    framing.check(BytesSource(out), EXPLICIT_LE if explicit else IMPLICIT_LE)
    assert CANARY not in out
    level = parsed(out, explicit)
    for _ in range(depth):
        assert len(level.ReferencedSeriesSequence) == 2
        assert level.ReferencedSeriesSequence[1].Modality == "MR"
        level = level.ReferencedSeriesSequence[0]
    assert level.Modality == "CT" and level.AccessionNumber == "" and level.ReferencedSOPInstanceUID.startswith("2.25.")


@BOTH
def test_too_deep_is_held_not_a_crash(explicit: bool) -> None:
    item = {0x00080060: ("CS", b"CT")}
    for _ in range(150):
        item = {0x00081115: ("SQ", [item])}
    assert held(encode(image(item), explicit), explicit) == "depth"


@BOTH
@pytest.mark.parametrize("undefined", [True, False])
def test_markers_stand_once_and_in_order(explicit: bool, undefined: bool) -> None:
    old = {
        0x00120062: ("CS", b"NO"),
        0x00120063: ("LO", CANARY),
        0x00120064: ("SQ", [{0x00080100: ("SH", CANARY)}]),
        0x00280303: ("CS", b"UNMODIFIED"),
    }
    for extra in ({}, old):
        out = result(encode(image(extra), explicit, undefined=undefined), explicit)
        dataset = parsed(out, explicit)
        assert [int(element.tag) for element in dataset] == sorted({int(element.tag) for element in dataset})
        assert dataset.PatientIdentityRemoved == "YES"
        assert dataset.LongitudinalTemporalInformationModified == "REMOVED"
        codes = dataset.DeidentificationMethodCodeSequence
        assert [(code.CodeValue, code.CodingSchemeDesignator) for code in codes] == [("113100", "DCM")]
        assert CANARY not in out


def test_markers_at_the_end_of_a_small_object() -> None:
    elements = {tag: value for tag, value in image().items() if tag < 0x00110000}
    dataset = parsed(result(encode(elements, True)))
    assert dataset.PatientIdentityRemoved == "YES" and dataset.LongitudinalTemporalInformationModified == "REMOVED"


# What hides


@pytest.mark.parametrize("extra", [2, 3, 100, 70_000])
@BOTH
def test_bytes_behind_the_image_are_cut(extra: int, explicit: bool) -> None:
    pixels = b"\1\2" * 4
    tail = (CANARY * 10_000)[: extra + extra % 2]
    out = result(encode(image({0x7FE00010: ("OW", pixels + tail)}), explicit), explicit)
    assert b"CAN" not in out and parsed(out, explicit).PixelData == pixels


def test_an_odd_image_is_padded_not_cut() -> None:
    odd = {0x00280010: ("US", b"\3\0"), 0x00280011: ("US", b"\1\0"), 0x00280100: ("US", b"\x08\0")}
    for pixels in (b"\1\2\3\0", b"\1\2\3\0" + CANARY, b"\1\2\3" + CANARY + b"Z"):
        out = result(encode(image(odd | {0x7FE00010: ("OB", pixels)}), True))
        assert parsed(out).PixelData == b"\1\2\3\0" and b"CAN" not in out


def test_pixels_of_unknown_size_are_held() -> None:
    for gone in (0x00280010, 0x00280011, 0x00280100):
        elements = image()
        del elements[gone]
        assert held(encode(elements, True)) == "pixel-size-unknown"
    assert held(encode(image({0x00280008: ("IS", b"CANARY")}), True)) == "pixel-size-unknown"
    assert held(encode(image({0x7FE00010: ("LT", CANARY)}), True)) == "pixel-data-vr"


def test_both_ways_of_sending_ybr_full_422() -> None:
    colour = {0x00280002: ("US", b"\3\0"), 0x00280004: ("CS", b"YBR_FULL_422"), 0x00280100: ("US", b"\x08\0")}
    for length, kept in ((8, 8), (12, 12), (10, 8), (20, 8)):
        out = result(encode(image(colour | {0x7FE00010: ("OB", b"\7" * length)}), True))
        assert len(parsed(out).PixelData) == kept


def test_what_stands_behind_the_pixels_is_walked() -> None:
    signature = header_bytes(0xFFFAFFFA, "SQ", UNDEFINED) + header_bytes(0xFFFEE0DD, "", 0)
    padding = header_bytes(0xFFFCFFFC, "OB", 8) + CANARY
    out = result(encode(image(), True) + signature + padding)
    assert CANARY not in out and out.endswith(b"\1\2" * 4)


def test_encapsulated_pixels_pass_unread_and_what_follows_is_walked() -> None:
    fragments = b"".join(
        header_bytes(0xFFFEE000, "", len(part)) + part for part in (b"", b"\xff\xd8" * 3, b"\1" * 70_000)
    )
    pixels = header_bytes(0x7FE00010, "OB", UNDEFINED) + fragments + header_bytes(0xFFFEE0DD, "", 0)
    elements = {tag: value for tag, value in image().items() if tag < 0x7FE00000}
    out = result(
        encode(elements, True) + pixels + header_bytes(0xFFFCFFFC, "OB", 8) + CANARY, syntax="1.2.840.10008.1.2.4.50"
    )
    assert out.endswith(pixels)
    assert held(encode(image(), True), syntax="1.2.840.10008.1.2.4.50") == "pixel-data-native"


@pytest.mark.parametrize(
    "tag",
    [0x00090010, 0x00091001, 0x000910FF, 0x00110011, 0x0011AB01, 0x00290010, 0x60010010, 0x7FE10010, 0xFFFBFFFB],
)
@pytest.mark.parametrize("vr", ["LO", "UN", "OB", "SQ", "UT", "PN"])
@BOTH
def test_private_elements_go_whatever_their_block(tag: int, vr: str, explicit: bool) -> None:
    value = [{0x00100010: ("PN", CANARY)}] if vr == "SQ" else CANARY
    for where in (image({tag: (vr, value)}), image({0x00081115: ("SQ", [{tag: (vr, value)}])})):
        for undefined in (False, True):
            out = result(encode(where, explicit, undefined=undefined), explicit)
            assert CANARY not in out


@pytest.mark.parametrize(
    ("tag", "vr"),
    [
        (0x00080010, "SH"), (0x00184000, "LT"), (0x00204000, "LT"), (0x40000010, "LT"), (0x40004000, "LT"),
        (0x00280061, "LO"), (0x0008FFFE, "LO"), (0x00101234, "PN"), (0x30029999, "UT"), (0x00080000, "UL"),
        (0x04000561, "SQ"), (0x04000500, "SQ"), (0x4FFE0001, "SQ"), (0x00081190, "UR"), (0x00420010, "ST"),
        (0x00880200, "SQ"), (0x00060010, "LO"), (0x00041500, "CS"), (0x0040A067, "PN"), (0x00142006, "PN"),
    ],
)  # fmt: skip
@BOTH
def test_unknown_retired_and_silent_leaks(tag: int, vr: str, explicit: bool) -> None:
    value = [{0x00080060: ("CS", CANARY)}] if vr == "SQ" else CANARY[:4] if vr == "UL" else CANARY
    item = {0x00081115: ("SQ", [{tag: (vr, value)}])}
    for where in (image({tag: (vr, value)}), image(item)):
        for undefined in (False, True):
            assert CANARY[:4] not in result(encode(where, explicit, undefined=undefined), explicit)


@pytest.mark.parametrize(
    ("tag", "vr"),
    [
        (0x00280030, "LT"), (0x00280010, "UT"), (0x00080008, "PN"), (0x00181150, "LO"), (0x00280106, "LT"),
        (0x00200013, "UN"), (0x00280101, "UN"), (0x00280120, "OB"), (0x00180050, "OB"), (0x00540016, "LT"),
    ],
)  # fmt: skip
def test_a_vr_that_is_not_the_dictionarys_hides_nothing(tag: int, vr: str) -> None:
    value = CANARY.lower() if tag == 0x00080008 else CANARY
    try:
        out = result(encode(image({tag: (vr, value)}), True))
    except TransformError as error:
        assert error.reason == "pixel-size-unknown"
    else:
        assert CANARY not in out.upper()


def test_a_sequence_where_none_belongs() -> None:
    hidden = [{0x00080060: ("CS", CANARY)}]
    for tag in (0x00280030, 0x00180050, 0x00080060):
        for vr in ("SQ", "UN"):
            for undefined in (False, True):
                data = after(tag, sequence(tag, hidden, True, undefined=undefined, vr=vr))
                assert CANARY not in result(data)


def test_values_that_fit_stay_under_a_wrong_vr() -> None:
    wrong = {
        0x00280030: ("LO", b"0.5\\0.5"),
        0x00280101: ("SS", b"\x0c\0"),
        0x00181030: ("UN", b"x"),
        0x00185100: ("LO", b"HFS"),
    }
    dataset = parsed(result(encode(image(wrong), True)))
    assert dataset[0x00280030].value and dataset[0x00280101].value == 12 and dataset[0x00185100].value == "HFS"
    assert 0x00181030 not in dataset  # Protocol Name: X/D


@pytest.mark.parametrize("undefined", [True, False])
def test_a_sequence_sent_as_un_is_walked(undefined: bool) -> None:
    items = [{0x00100010: ("PN", CANARY), 0x00080060: ("CS", b"CT"), 0x00081155: ("UI", b"1.9.1")}]
    out = result(after(0x00081115, sequence(0x00081115, items, True, undefined=undefined, vr="UN")))
    framing.check(BytesSource(out), EXPLICIT_LE)
    assert CANARY not in out and b"1.9.1" not in out and b"CT" in out


def test_a_un_that_is_no_sequence_is_removed() -> None:
    for junk in (CANARY, b"\xfe\xff\x00\xe0" + CANARY, b"\xfe\xff\x00\xe0\x10\0\0\0" + CANARY):
        out = result(after(0x00081115, header_bytes(0x00081115, "UN", len(junk)) + junk))
        assert CANARY not in out and 0x00081115 not in parsed(out)


def test_overlays_in_pixel_bits_are_held() -> None:
    overlay = {0x60000100: ("US", b"\x10\0"), 0x60000102: ("US", b"\x0c\0")}
    assert held(encode(image(overlay), True)) == "overlay-in-pixels"
    whole = {0x60000100: ("US", b"\1\0"), 0x60000102: ("US", b"\0\0"), 0x60003000: ("OW", CANARY)}
    assert CANARY not in result(encode(image(whole), True))


# Who the object is


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({0x00100020: ("LO", b"")}, "empty-patient-id"),
        ({0x00100020: ("LO", b"  ")}, "empty-patient-id"),
        ({0x00080016: ("UI", b"1.3.46.670589.5.0.1.1")}, "private-sop-class"),
        ({0x00080016: ("UI", b"1.2.840.10008.1.1")}, "unknown-sop-class"),
        ({0x00080016: ("UI", b"1.2.840.10008.1.3.10")}, "unknown-sop-class"),
        ({0x00080016: ("UI", b"")}, "missing-sop-class"),
        ({0x00080018: ("UI", b"")}, "missing-sop-instance"),
        ({0x00080005: ("CS", b"ISO_IR 192"), 0x00100020: ("LO", b"M\xfc")}, "charset-undecodable"),
        ({0x00080005: ("CS", b"NONSENSE"), 0x00100020: ("LO", b"M\xfc")}, "charset-undecodable"),
    ],
)
def test_objects_that_are_held(change: dict[int, tuple[str, bytes]], reason: str) -> None:
    assert held(encode(image(change), True)) == reason


def test_no_patient_id_at_all() -> None:
    elements = image()
    del elements[0x00100020]
    assert held(encode(elements, True)) == "empty-patient-id"


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"])
def test_syntaxes_the_walk_cannot_read(syntax: str) -> None:
    assert held(encode(image(), True), syntax=syntax) == "syntax-not-walkable"


# The trace, and broken bytes


def everything() -> bytes:
    return encode(
        image(
            {
                0x00080050: ("SH", b"A1"), 0x00090010: ("LO", b"VENDOR"), 0x00091001: ("UN", CANARY),
                0x00081115: ("SQ", [{0x00081155: ("UI", b"1.9"), 0x00100010: ("PN", b"X")}]),
                0x00081140: ("SQ", []), 0x00280030: ("LT", b"hidden"), 0x60003000: ("OW", CANARY),
                0x0040A730: ("SQ", [{0x0040A160: ("UT", CANARY)}]), 0x00420011: ("OB", CANARY),
            }
        ),
        True,
    )  # fmt: skip


def test_a_traced_walk_makes_the_same_bytes_and_tells_all() -> None:
    data = everything()
    traced = run(data, trace=True)
    assert b"".join(traced.plan.chunks()) == result(data)
    told = {element.path: element for element in traced.elements}
    assert told["ReferencedSeriesSequence[1].ReferencedSOPInstanceUID"].action == "U"
    assert told["ReferencedSeriesSequence[1].PatientName"].source == "E.1-1 (0010,0010)"
    assert told["PixelSpacing"].source == "VR mismatch" and told["(0009,1001)"].action == "X"
    assert CANARY.decode() not in repr(traced.elements) and "CANARY" not in repr(traced)
    assert not run(data).elements


def test_every_cut_is_held_or_whole() -> None:
    data = everything()
    ends = set()
    for end in range(len(data)):
        try:
            out = result(data[:end])
        except TransformError:
            continue
        framing.check(BytesSource(out), EXPLICIT_LE)  # a cut between two elements is a shorter data set
        ends.add(end)
    assert len(ends) < 40


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 2**32), st.booleans(), st.booleans())
def test_mutated_bytes_give_a_typed_error_or_a_framed_result_without_canary(
    seed: int, explicit: bool, undefined: bool
) -> None:
    rng = random.Random(seed)
    elements = image(
        {
            0x00080050: ("SH", b"A1"), 0x00091001: ("UN", b"private"), 0x00100030: ("DA", b"19560101"),
            0x00081115: ("SQ", [{0x00081155: ("UI", b"1.9"), 0x00081199: ("SQ", [{0x00081155: ("UI", b"1.8")}])}]),
        }
    )  # fmt: skip
    data = bytearray(encode(elements, explicit, undefined=undefined))
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(data))
        kind = rng.randrange(3)
        if kind == 0:
            data[at] = rng.randrange(256)
        elif kind == 1:
            del data[at : at + rng.randint(1, 9)]
        else:
            data[at:at] = rng.randbytes(rng.randint(1, 9))
    mutated = bytes(data)
    uid = EXPLICIT_LE if explicit else IMPLICIT_LE
    try:
        out = result(mutated, explicit)
    except TransformError:
        return
    try:
        framing.check(BytesSource(mutated), uid)
    except TransformError:
        return  # the shell frames first; the walk alone promises no more than typed errors
    framing.check(BytesSource(out), uid)
