"""A subject's age in content items: kept up to 89 years, told as 90 above, whatever its unit, form and depth."""

from __future__ import annotations

from struct import pack
from typing import Any

import pytest

from tests.unit.deidentify.building import Elements, encode, image, parsed, result
from tests.unit.deidentify.test_content_walk import TREE, item, report
from transforms.deidentify.profile import compile_profile

KEEPS = compile_profile("basic", ("clean-structured-content", "clean-descriptors", "retain-patient-characteristics"))
PLAIN = compile_profile("basic", ("clean-structured-content", "clean-descriptors"))
MEASURED, NUMERIC, UNITS = 0x0040A300, 0x0040A30A, 0x004008EA


def unit(code: str, scheme: str = "UCUM") -> Elements:
    return {0x00080100: ("SH", code.encode()), 0x00080102: ("SH", scheme.encode()), 0x00080104: ("LO", b"a unit")}


def number(value: str, code: str, scheme: str = "UCUM", **more: Any) -> Elements:
    return {UNITS: ("SQ", [unit(code, scheme)]), NUMERIC: ("DS", value.encode())} | more.get("more", {})


def age(value: str, code: str, concept: str = "121033", scheme: bytes = b"DCM", **more: Any) -> Elements:
    return item("NUM", concept, {MEASURED: ("SQ", [number(value, code, **more)])}, scheme)


def told(items: list[Elements], explicit: bool = True, table: Any = KEEPS) -> Any:
    return parsed(result(encode(report(items), explicit), explicit, table=table), explicit)


def years(found: Any) -> tuple[str, str]:
    (measured,) = found.MeasuredValueSequence
    return str(measured.NumericValue), measured.MeasurementUnitsCodeSequence[0].CodeValue


@pytest.mark.parametrize("explicit", [True, False])
@pytest.mark.parametrize(
    ("value", "code", "expected"),
    [
        ("57", "a", ("57", "a")),
        ("89", "a", ("89", "a")),
        ("89.9", "a", ("89.9", "a")),
        ("90", "a", ("90", "a")),
        ("91", "a", ("90", "a")),
        ("1.04E2", "a", ("90", "a")),
        ("1079", "mo", ("1079", "mo")),
        ("1104", "mo", ("90", "a")),
        ("4690", "wk", ("4690", "wk")),
        ("4700", "wk", ("90", "a")),
        ("32849", "d", ("32849", "d")),
        ("33240", "d", ("90", "a")),
        ("800000", "h", ("90", "a")),
        ("3", "wk", ("3", "wk")),
    ],
)
def test_an_age_is_told_up_to_89_years(value: str, code: str, expected: tuple[str, str], explicit: bool) -> None:
    assert years(told([age(value, code)], explicit).ContentSequence[0]) == expected


@pytest.mark.parametrize(
    ("concept", "scheme"),
    [
        ("121033", b""), ("397669002", b"SCT"), ("424144002", b"SCT"), ("30525-0", b"LN"), ("29553-5", b"LN"),
        ("21612-7", b"LN"), ("21611-9", b"LN"), ("63900-5", b"LN"), ("30972-4", b"LN"),
    ],
)  # fmt: skip
def test_other_codes_of_it_are_no_way_round(concept: str, scheme: bytes) -> None:
    assert years(told([age("97", "a", concept, scheme)]).ContentSequence[0]) == ("90", "a")
    assert years(told([age("57", "a", concept, scheme)]).ContentSequence[0]) == ("57", "a")
    kept = item("CODE", "121049", {})
    found = told([age("57", "a", concept, scheme), kept], table=PLAIN).ContentSequence
    assert [each.ValueType for each in found] == ["CODE"], "without the option it goes"


@pytest.mark.parametrize("depth", [1, 2, 5, 20])
@pytest.mark.parametrize("explicit", [True, False])
def test_at_every_depth(depth: int, explicit: bool) -> None:
    inner = age("97", "a") | {TREE: ("SQ", [item("CODE", "121049", {}), age("33240", "d")])}
    for _ in range(depth):
        inner = item("CONTAINER", "121070", {TREE: ("SQ", [inner])})
    found = told([inner], explicit)
    for _ in range(depth + 1):
        found = found.ContentSequence[0]
    assert years(found) == ("90", "a")
    assert years(found.ContentSequence[1]) == ("90", "a"), "and below an age"


@pytest.mark.parametrize(
    "more",
    [
        {0x0040A161: ("FD", pack("<d", 97.0))},
        {0x0040A162: ("SL", pack("<i", 194)), 0x0040A163: ("UL", pack("<I", 2))},
        {0x0040A161: ("FD", pack("<dd", 12.0, 97.0))},
    ],
)
def test_the_other_forms_of_the_number_count_and_go(more: Elements) -> None:
    for value in ("57", "97"):
        found = told([age(value, "a", more=more)]).ContentSequence[0]
        assert years(found) == ("90", "a")
        assert not {0x0040A161, 0x0040A162, 0x0040A163}.intersection(found.MeasuredValueSequence[0].keys())


def test_a_young_one_keeps_all_its_forms() -> None:
    more: Elements = {0x0040A161: ("FD", pack("<d", 57.25))}
    found = told([age("57.25", "a", more=more)]).ContentSequence[0].MeasuredValueSequence[0]
    assert (str(found.NumericValue), found.FloatingPointValue) == ("57.25", 57.25)


@pytest.mark.parametrize(
    ("value", "code", "scheme"),
    [
        ("97", "Y", "UCUM"), ("57", "A", "UCUM"), ("97", "a", "99X"), ("97", "", ""), ("ninety", "a", "UCUM"),
        ("nan", "a", "UCUM"), ("inf", "a", "UCUM"), ("", "a", "UCUM"),
    ],
)  # fmt: skip
def test_what_cannot_be_told_is_not_told(value: str, code: str, scheme: str) -> None:
    measured: Elements = {MEASURED: ("SQ", [number(value, code, scheme)])}
    found = told([item("NUM", "121033", measured)]).ContentSequence[0]
    assert not found.MeasuredValueSequence


def test_several_ages_in_one_item() -> None:
    two = [number("12", "a"), number("1200", "mo")]
    assert years(told([item("NUM", "121033", {MEASURED: ("SQ", two)})]).ContentSequence[0]) == ("90", "a")
    two[1] = number("7", "furlong")
    assert not told([item("NUM", "121033", {MEASURED: ("SQ", two)})]).ContentSequence[0].MeasuredValueSequence


def test_an_empty_measurement_stays() -> None:
    assert not told([item("NUM", "121033", {MEASURED: ("SQ", [])})]).ContentSequence[0].MeasuredValueSequence


@pytest.mark.parametrize(("value", "code", "expected"), [("57", "a", ("57", "a")), ("1104", "mo", ("90", "a"))])
def test_a_number_without_a_measured_value_sequence(value: str, code: str, expected: tuple[str, str]) -> None:
    """The Content Item Macro (PS3.3 10.2), as Acquisition Context Sequence has it."""
    context = item("NUM", "121033", number(value, code, more={0x0040A161: ("FD", pack("<d", float(value)))}))
    found = parsed(result(encode(image({0x00400555: ("SQ", [context])}), True), table=KEEPS)).AcquisitionContextSequence
    assert (str(found[0].NumericValue), found[0].MeasurementUnitsCodeSequence[0].CodeValue) == expected
    assert ("FloatingPointValue" in found[0]) == (expected[1] == code)


@pytest.mark.parametrize("undefined", [True, False])
@pytest.mark.parametrize("explicit", [True, False])
def test_lengths_do_not_matter(undefined: bool, explicit: bool) -> None:
    for value, expected in (("97", ("90", "a")), ("57", ("57", "a"))):
        raw = encode(report([age(value, "a")]), explicit, undefined=undefined)
        assert years(parsed(result(raw, explicit, table=KEEPS), explicit).ContentSequence[0]) == expected


def test_an_unreadable_measurement_goes() -> None:
    raw = encode(report([item("NUM", "121033", {MEASURED: ("UN", b"97 years")})]), True)
    out = result(raw, table=KEEPS)
    assert b"97 years" not in out and not parsed(out).ContentSequence[0].get("MeasuredValueSequence")


@pytest.mark.parametrize("concept", ["121031", "121032", "121033"])
def test_text_in_place_of_a_characteristic_is_not_bounded_and_goes(concept: str) -> None:
    for table in (KEEPS, PLAIN):
        out = result(encode(report([item("TEXT", concept, {0x0040A160: ("UT", b"ninety-seven ")})]), True), table=table)
        assert b"ninety" not in out
