"""Content items on their way through the engine: what a verdict reaches, and what it must not reach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tests.unit.deidentify.building import Elements, encode, image, parsed, result, run
from transforms.dataset.elements import header_bytes
from transforms.deidentify.profile import compile_profile

SR = "1.2.840.10008.5.1.4.1.1.88.33"
PIXELS = (0x7FE00010, 0x00280002, 0x00280004, 0x00280010, 0x00280011, 0x00280100)
TREE = 0x0040A730
OPTION = "clean-structured-content"
CONTENT = compile_profile("basic", (OPTION,))
DEVICES = compile_profile("basic", (OPTION, "retain-device-identity"))


@dataclass(frozen=True)
class Line:
    at: str
    do: str
    why: str = "a test"
    when: dict[str, Any] | None = None
    allow_looser: bool = False
    vr: str | None = None


def report(items: list[Elements], extra: Elements | None = None) -> Elements:
    made = image(extra, sop_class=SR)
    for tag in PIXELS:
        del made[tag]
    return made | {0x0040A040: ("CS", b"CONTAINER"), TREE: ("SQ", items)}


def item(kind: str, code: str, values: Elements | None = None, scheme: bytes = b"DCM") -> Elements:
    name: Elements = {0x00080100: ("SH", code.encode()), 0x00080102: ("SH", scheme), 0x00080104: ("LO", b"X")}
    return {0x0040A040: ("CS", kind.encode()), 0x0040A043: ("SQ", [name])} | (values or {})


@pytest.mark.parametrize("explicit", [True, False])
def test_the_tree_keeps_its_shape_and_loses_its_people(explicit: bool) -> None:
    number: Elements = {0x0040A300: ("SQ", [{0x0040A30A: ("DS", b"12.5")}])}
    items = [
        item("PNAME", "121008", {0x0040A123: ("PN", b"CANARY^PERSON")}),
        item("TEXT", "121071", {0x0040A160: ("UT", b"CANARY finding")}),
        item("DATE", "121125", {0x0040A121: ("DA", b"20240229")}),
        item("UIDREF", "121126", {0x0040A124: ("UI", b"1.2.3.99")}),
        item("NUM", "121206", number),
        item("CODE", "121049", {0x0040A168: ("SQ", [{0x00080100: ("SH", b"en"), 0x00080102: ("SH", b"RFC5646")}])}),
        item("CONTAINER", "121070", {TREE: ("SQ", [item("TEXT", "121071", {0x0040A160: ("UT", b"CANARY deep")})])}),
    ]
    out = result(encode(report(items), explicit), explicit, table=CONTENT)
    data = parsed(out, explicit)
    assert b"CANARY" not in out and b"20240229" not in out and b"1.2.3.99" not in out
    assert [each.ValueType for each in data.ContentSequence] == [
        "PNAME", "TEXT", "DATE", "UIDREF", "NUM", "CODE", "CONTAINER",
    ]  # fmt: skip
    assert data.ContentSequence[4].MeasuredValueSequence[0].NumericValue == 12.5
    assert data.ContentSequence[5].ConceptCodeSequence[0].CodeValue == "en"
    assert data.ContentSequence[6].ContentSequence[0].TextValue == "ANONYMIZED"


def test_text_that_no_content_item_holds_is_no_way_around() -> None:
    text: Elements = {0x0040A160: ("UT", b"CANARY")}
    assert b"CANARY" not in result(encode(report([item("TEXT", "121071")], text), True), table=CONTENT)
    for table in (CONTENT, None):
        assert b"CANARY" not in result(encode(image({0x00081115: ("SQ", [text])}), True), table=table)


def test_what_a_broken_item_said_holds_for_nothing() -> None:
    # Device serial numbers are retained; the item that says so does not frame, and its parent's text is no serial
    good = encode(item("TEXT", "121016", {0x0040A160: ("UT", b"SERIAL")}), False)
    broken = header_bytes(0xFFFEE000, "", len(good) + 4) + good + b"\x99\0\1\0"
    child = header_bytes(TREE, "UN", len(broken)) + broken
    parent = encode(item("TEXT", "121071"), True) + child + encode({0x0040A160: ("UT", b"CANARY")}, True)
    whole = encode(report([]), True)
    whole = whole[: whole.index(b"\x40\0\x30\xa7")]
    tree = header_bytes(0xFFFEE000, "", len(parent)) + parent
    out = result(whole + header_bytes(TREE, "SQ", len(tree)) + tree, table=DEVICES)
    assert b"CANARY" not in out and b"SERIAL" not in out


def test_a_stricter_override_holds_in_content_items_too() -> None:
    table = compile_profile("basic", (OPTION, "retain-device-identity"), (Line("TextValue", "remove"),))
    data = encode(report([item("TEXT", "121016", {0x0040A160: ("UT", b"CANARY")})]), True)
    assert b"CANARY" not in result(data, table=table)
    assert b"CANARY" in result(data, table=DEVICES), "the option alone retains it"


@pytest.mark.parametrize("undefined", [True, False])
def test_a_removed_item_goes_with_what_is_below_it(undefined: bool) -> None:
    below = item("TEXT", "121071", {0x0040A160: ("UT", b"CANARY below")})
    gone = item("TEXT", "113012", {0x0040A160: ("UT", b"CANARY"), TREE: ("SQ", [below])})
    kept = item("CONTAINER", "121070")
    done = run(encode(report([gone, kept]), True, undefined=undefined), table=CONTENT, trace=True)
    out = b"".join(done.plan.chunks())
    assert b"CANARY" not in out and [each.ValueType for each in parsed(out).ContentSequence] == ["CONTAINER"]
    told = [each for each in done.elements if each.path == "ContentSequence[1]"]
    assert len(told) == 1 and "113012" in told[0].source
    alone = parsed(result(encode(report([gone]), True, undefined=undefined), table=CONTENT))
    assert "ContentSequence" not in alone, "an empty tree is not valid, none is"


def test_a_blanked_code_is_still_a_code() -> None:
    below = item("CODE", "121071", {0x0040A168: ("SQ", [{0x00080100: ("SH", b"CANARY")}])})
    pinned = item("TEXT", "113012", {0x0040DB73: ("UL", bytes(4)), TREE: ("SQ", [below])})
    data = parsed(result(encode(report([pinned]), True), table=CONTENT))
    code = data.ContentSequence[0].ContentSequence[0].ConceptCodeSequence[0]
    assert code.CodeValue == "ANONYMIZED"
