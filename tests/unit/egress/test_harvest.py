"""What identifies is taken wherever it stands in an original, and nothing is missed when a study goes on."""

from __future__ import annotations

import pytest
from pydicom._dicom_dict import DicomDictionary

from tests.unit.deidentify.building import Elements, encode, image, sequence
from tests.unit.egress.outputs import EXPLICIT, IMPLICIT, engine, searched
from transforms.dataset.elements import header_bytes
from transforms.egress.check import Study
from transforms.egress.classes import CLASSES, Kept, class_of, kept_by
from transforms.egress.identifiers import MOST_UIDS
from transforms.egress.words import is_ordinary, means_nothing
from transforms.errors import TransformError
from transforms.source import BytesSource

NAME: Elements = {0x00100010: ("PN", b"Mustermann^Erika")}
LEAK = encode({0x00204000: ("LT", b"of Mustermann")}, True)


def within(levels: int, vr: str, undefined: bool, explicit: bool) -> bytes:
    """The name within sequences."""
    items: Elements = NAME
    for _ in range(levels):
        items = {0x00081140: ("SQ", [items])}
    return sequence(0x00091010 if vr == "UN" else 0x00081140, [items], explicit, undefined=undefined, vr=vr)


@pytest.mark.parametrize("undefined", [False, True])
@pytest.mark.parametrize("vr", ["SQ", "UN"])
@pytest.mark.parametrize("levels", [0, 1, 12])
def test_depth_and_form(levels: int, vr: str, undefined: bool) -> None:
    assert [hit.name for hit in searched(within(levels, vr, undefined, True), LEAK)] == ["patient-name"]


@pytest.mark.parametrize("undefined", [False, True])
def test_implicit(undefined: bool) -> None:
    leak = encode({0x00204000: ("LT", b"of Mustermann")}, False)
    assert searched(within(3, "SQ", undefined, False), leak, syntax=IMPLICIT)


@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize("vr", ["UN", "OB"])
def test_items_in_bytes_that_say_nothing_of_it(vr: str, explicit: bool) -> None:
    raw = encode(NAME, explicit)
    value = header_bytes(0xFFFEE000, "", len(raw)) + raw
    assert searched(header_bytes(0x00091010, vr, len(value)) + value, LEAK)


def test_a_private_element_that_says_what_it_is() -> None:
    raw = encode({0x00090010: ("LO", b"ACME"), 0x00091001: ("PN", b"Mustermann^Erika")}, True)
    assert searched(raw, LEAK)


def test_a_person_of_two_letters_is_found_in_a_name_only() -> None:
    for explicit, syntax in ((True, EXPLICIT), (False, IMPLICIT)):
        original = encode({0x00100010: ("PN", b"Li^Na")}, explicit)
        for value, found in ((b"Na^^^Dr.", True), (b"LI", True), (b"Lina", False), (b"", False)):
            out = encode({0x00080090: ("PN", value)}, explicit)
            assert bool(searched(original, out, syntax=syntax)) is found, value
        assert searched(original, encode({0x00204000: ("LT", b"Li went in")}, explicit), syntax=syntax) == ()
        alone = encode({0x00081070: ("PN", b"Bo")}, explicit)
        assert searched(alone, encode({0x00080090: ("PN", b"X^BO")}, explicit), syntax=syntax)
        assert searched(original, encode({0x00204000: ("LT", b"seen: LI NA, today")}, explicit), syntax=syntax)


@pytest.mark.parametrize("text", [b"MRS BROWN came", b"brown, mary", b"Mary_Brown", b"Patient Brown"])
def test_an_ordinary_name_counts_with_its_other_half_or_a_title(text: bytes) -> None:
    original = encode({0x00100010: ("PN", b"Brown^Mary")}, True)
    assert searched(original, encode({0x00204000: ("LT", text)}, True))
    assert searched(original, encode({0x00204000: ("LT", b"brown tissue")}, True)) == ()


def test_the_character_set_of_each_object_counts() -> None:
    """The same bytes are another name under another character set."""
    name = "Ёжиков".encode("iso8859-5")
    first, second = (
        encode({0x00080005: ("CS", charset), 0x00100010: ("PN", name)}, True)
        for charset in (b"ISO_IR 100", b"ISO_IR 144")
    )
    out = encode({0x00204000: ("LT", "Ёжиков".encode())}, True)
    known = Study()
    known.harvest(BytesSource(first), EXPLICIT)
    assert known.check(BytesSource(out), EXPLICIT) == ()
    known.harvest(BytesSource(second), EXPLICIT)
    assert [hit.name for hit in known.check(BytesSource(out), EXPLICIT)] == ["patient-name"]


def test_what_was_clean_is_searched_again_when_more_is_known() -> None:
    text = encode({0x00204000: ("LT", b"of Mustermann, see 1.2.276.0.99.1.2.3")}, True)
    uid = encode({0x00081155: ("UI", b"1.2.276.0.99.1.2.3")}, True)
    known = Study()
    assert known.check(BytesSource(text), EXPLICIT) == ()
    known.harvest(BytesSource(uid), EXPLICIT)
    assert [hit.name for hit in known.check(BytesSource(text), EXPLICIT)] == ["uid"]
    known.harvest(BytesSource(encode(NAME, True)), EXPLICIT)
    assert [hit.name for hit in known.check(BytesSource(text), EXPLICIT)] == ["patient-name", "uid"]


def test_records_make_the_same_study_again() -> None:
    known = Study()
    known.harvest(BytesSource(encode(image(NAME), True)), EXPLICIT)
    again = Study(known.records)
    assert again.records == known.records and ("patient-name", "Mustermann^Erika") in again.records
    assert again.check(BytesSource(LEAK), EXPLICIT) == known.check(BytesSource(LEAK), EXPLICIT) != ()
    assert not any(name == "uid" for name, _ in known.records)
    assert "Muster" not in repr(known) + repr(known._harvest.identifiers)


def many_uids(first: int, count: int) -> bytes:
    """An object that refers to so many others."""
    items = []
    for number in range(first, first + count):
        item = encode({0x00081155: ("UI", b"1.2.276.0.%d" % number)}, True)
        items.append(header_bytes(0xFFFEE000, "", len(item)) + item)
    references = b"".join(items)
    own = encode({0x0020000D: ("UI", b"1.2.3.1")}, True)
    return header_bytes(0x00081140, "SQ", len(references)) + references + own


def test_uids_without_end_hold() -> None:
    with pytest.raises(TransformError, match="egress-too-many"):
        Study().harvest(BytesSource(many_uids(0, MOST_UIDS + 1)), EXPLICIT)


def test_a_study_may_have_any_number_of_objects() -> None:
    """UIDs of the object itself are always known, those of objects long ago need not be."""
    known = Study()
    leak = BytesSource(encode({0x00204000: ("LT", b"of 1.2.276.0.4711001, 1.2.3.1.")}, True))
    for first in range(0, 3 * MOST_UIDS, MOST_UIDS // 5):
        known.harvest(BytesSource(many_uids(first + 4_700_000, MOST_UIDS // 5)), EXPLICIT)
        here = first <= 11001 < first + MOST_UIDS // 5
        assert not here or [hit.name for hit in known.check(leak, EXPLICIT)] == ["uid"]
    out = BytesSource(encode({0x0020000D: ("UI", b"1.2.3.1")}, True))
    assert [hit.name for hit in known.check(out, EXPLICIT)] == ["uid"]


def test_registered_and_class_uids_identify_nobody() -> None:
    raw = encode(
        {
            0x00080016: ("UI", b"1.2.840.10008.5.1.4.1.1.2"),
            0x00081150: ("UI", b"1.3.12.2.1107.5.9.1"),
            0x0008010C: ("UI", b"1.2.276.0.7230010.3.0.0.1"),
        },
        True,
    )
    assert searched(raw, raw) == ()


COMBINED = (
    (),
    ("retain-uids",),
    ("retain-device-identity", "retain-institution-identity"),
    ("retain-full-dates", "retain-safe-private"),
    ("retain-modified-dates", "retain-device-identity", "retain-patient-characteristics"),
)
VALUES = {"UI": b"1.2.276.0.7230010.3.55.66", "DA": b"20170317", "DT": b"20170317101500", "PN": b"Kowalczykov^Zbyszek"}


@pytest.mark.parametrize("options", COMBINED, ids="+".join)
def test_classes_and_options_say_what_the_profile_says(options: tuple[str, ...]) -> None:
    """Every attribute of PS3.6 that identifies, at two depths, through the real engine: nothing of it is a hit."""
    seen = set()
    for tag, (vrs, *_) in DicomDictionary.items():
        if tag >> 16 in (0, 2, 4) or tag == 0x00080016:
            continue
        for vr in vrs.split(" or "):
            name = class_of(tag, vr)
            if not name:
                continue
            seen.add(name)
            element: Elements = {tag: (vr, VALUES.get(vr, b"KWX-4711-99"))}
            raw = encode(image(element | {0x00081140: ("SQ", [element])}), True)
            plan = engine(raw, options=options).plan
            hits = searched(raw, plan.pread(0, plan.size), kept_by(options))
            assert hits == (), f"{tag:08X}"
            assert name in {hit.name for hit in searched(raw, raw)}, f"{tag:08X}"
    assert seen == set(CLASSES)


def test_options_keep_what_they_say() -> None:
    assert kept_by(()) == Kept()
    assert kept_by(("retain-uids", "no-such-option")).classes == {"uid", "device-uid"}
    assert kept_by(("retain-device-identity",)).classes == {"device", "device-uid", "device-date"}
    both = kept_by(("retain-device-identity", "retain-modified-dates"))
    assert both.classes == {"device", "device-uid"} and both.shifted


@pytest.mark.parametrize(
    "text", ["", "  ", "UNKNOWN", "Anonymous", "0000", "---", "xxxxx", "N/A", "M", "de-identified"]
)
def test_placeholders_mean_nothing(text: str) -> None:
    assert means_nothing(text)


@pytest.mark.parametrize("text", ["7", "Li", "山", "X1", "Mustermann", "0001"])
def test_what_means_something(text: str) -> None:
    assert not means_nothing(text)


def test_ordinary_words() -> None:
    assert all(is_ordinary(word) for word in ("head", "patient", "siemens", "axial", "series"))
    assert not any(is_ordinary(word) for word in ("mustermann", "armstrong", "nguyen", "schmidt"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"TRANSVERSE, Heidelberg", False),
        (b"Tran's head", True),
        (b"x_TRAN_2", True),
        (b"2Berg2", True),
        (b"entran bergen", False),
    ],
)
def test_short_words_of_names_stand_free(text: bytes, found: bool) -> None:
    original = encode({0x00100010: ("PN", b"Tran^Berg")}, True)
    assert bool(searched(original, encode({0x00204000: ("LT", text)}, True))) is found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"no. 4711987 of 3", True),
        (b"x-4711987", True),
        (b"14711987", False),
        (b"47119870", False),
        (b"47.11987", False),
    ],
)
def test_numbers_are_whole(text: bytes, found: bool) -> None:
    original = encode({0x00100020: ("LO", b"4711987")}, True)
    assert bool(searched(original, encode({0x00204000: ("LT", text)}, True))) is found
    assert searched(original, encode({0x00281052: ("DS", b"4711987")}, True)) == ()


@pytest.mark.parametrize(
    "text",
    [b"19640812", b"on 1964-08-12.", b"12.08.1964", b"12.8.1964", b"08/12/1964", b"1964/8/12", b"19640812101500"],
)
def test_dates_as_people_write_them(text: bytes) -> None:
    original = encode({0x00100030: ("DA", b"19640812")}, True)
    assert [hit.name for hit in searched(original, encode({0x00204000: ("LT", text)}, True))] == ["birth-date"]
    for other in (b"119640812", b"196408121", b"1964-08-13", b"8.1964"):
        assert searched(original, encode({0x00204000: ("LT", other)}, True)) == ()


@pytest.mark.parametrize(
    ("name", "found"), [("AB1.dcm", True), ("in/ab1/7.dcm", True), ("xab1.dcm", False), ("", False)]
)
def test_a_short_id_as_the_name_of_a_file(name: str, found: bool) -> None:
    original = encode({0x00100020: ("LO", b"AB1")}, True)
    assert bool(searched(original, encode({0x00080060: ("CS", b"CT")}, True), name=name)) is found
