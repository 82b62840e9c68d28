"""Every row of Table E.1-1 does what it says, at the top level and in items, in both VR forms; judged by pydicom."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom.datadict import dictionary_VR

from profiles.confidentiality import Row, load, nested_types, top_level_types
from tests.unit.deidentify.building import CT, Elements, encode, image, parsed, result
from transforms.deidentify.dummies import BY_VR
from transforms.deidentify.rules import REFERENCES
from transforms.errors import BadFraming

FOREIGN = ("0000", "0002")  # groups of the command and the file, which framing lets into no data set
LISTED = [row for row in load("basic").rows if row.tag != "private" and "x" not in row.tag]
ROWS = [row for row in LISTED if row.tag[:4] not in FOREIGN]
SEQUENCE = 0x00081115  # Referenced Series Sequence: kept, and no row's own
VALUES: dict[str, bytes] = {
    "AE": b"CANARYAE", "AS": b"077Y", "CS": b"CANARYCS", "DA": b"19561123", "DS": b"4711.17", "DT": b"19561123101112",
    "FD": b"CANARYFD", "FL": b"CANA", "IS": b"471117", "LO": b"CANARY LO", "LT": b"CANARY LT", "OB": b"CANARYOB",
    "OW": b"CANARYOW", "PN": b"CANARY^PN", "SH": b"CANARY SH", "SL": b"CANA", "SS": b"CN", "ST": b"CANARY ST",
    "TM": b"101112.13", "UC": b"CANARY UC", "UI": b"1.9.4711.1", "UL": b"CANA", "UN": b"CANARYUN",
    "UR": b"urn:canary:1", "US": b"CN", "UT": b"CANARY UT",
}  # fmt: skip
ESSENTIAL = {0x00080018, 0x00100010, 0x00100020, 0x0020000D, 0x0020000E}


def vr_of(tag: int) -> str:
    try:
        return dictionary_VR(tag).split(" or ")[0]
    except KeyError:  # newer than the dictionary: the row removes it whatever it is
        return "LO"


def planted(tag: int) -> tuple[str, Any]:
    vr = vr_of(tag)
    if vr == "SQ":
        # A canary that a mere walk of the items would keep, and a reference
        return vr, [{0x00080060: ("CS", b"CANARY"), 0x00081155: ("UI", b"1.9.4711.1")}]
    return vr, VALUES[vr]


def expected(row: Row, tag: int, types: dict[int, str] | None, nested: bool) -> str:
    """The action by the standard's words, apart from the code under test (docs/adr/0003)."""
    type_ = (types or {}).get(tag, "3")
    if row.action == "X" and type_ in ("1", "2"):
        return {"1": "D", "2": "Z"}[type_]
    if not nested and tag in (0x00100010, 0x00100020):
        return "D"
    if row.action in "XZDU":
        return row.action
    if tag in REFERENCES:
        return {"3": "X", "2": "Z" if "*" not in row.action else "U*", "1": "U*"}[type_[0]]
    table = {
        "X/Z": "XZD", "X/D": "XDD", "X/Z/D": "XZD", "Z/D": "ZZD", "X/Z/U*": "XU*",
    }  # fmt: skip
    return table[row.action][3 - int(type_[0])]


def check(action: str, tag: int, before: tuple[str, Any], item: Any) -> None:
    found = item.get(tag)
    if action == "X":
        assert found is None
        return
    assert found is not None
    if action == "U*":
        assert [str(each.ReferencedSOPInstanceUID)[:5] for each in found.value] == ["2.25."]
    elif action == "Z":
        assert not found.value
    elif action == "U":
        assert str(found.value).startswith("2.25.") and len(str(found.value)) <= 64
    elif found.VR == "SQ":
        assert len(found.value) == 1 and "CANARY" not in str(found)
    else:
        assert found.value not in (None, "", b"", []) and str(found.value) != before[1].decode()
        assert found.VR in BY_VR or (found.VR == "UI" and str(found.value).startswith("2.25."))


@pytest.mark.parametrize("row", [row for row in LISTED if row.tag[:4] in FOREIGN], ids=lambda row: row.tag)
def test_a_row_of_the_command_or_the_file_is_never_met(row: Row) -> None:
    tag = int(row.tag, 16)
    for elements in ({tag: planted(tag)}, {SEQUENCE: ("SQ", [{tag: planted(tag)}])}):
        with pytest.raises(BadFraming, match="group-illegal"):
            result(encode(image(elements), True))


@pytest.mark.parametrize("explicit", [True, False], ids=["explicit", "implicit"])
@pytest.mark.parametrize("undefined", [True, False], ids=["undefined", "defined"])
def test_every_row(explicit: bool, undefined: bool) -> None:
    types = top_level_types(CT)
    counts: dict[str, int] = {}
    for row in ROWS:
        tag = int(row.tag, 16)
        value = planted(tag)
        inside: Elements = {tag: value, 0x00080060: ("CS", b"KEPT")}
        top: Elements = {} if tag < 0x00080000 or tag in ESSENTIAL else {tag: value}
        data = encode(image(top | {SEQUENCE: ("SQ", [inside])}), explicit, undefined=undefined)
        out = result(data, explicit)
        dataset = parsed(out, explicit)
        if tag not in REFERENCES:  # their items are walked, and what no row lists is kept in them
            assert "CANARY" not in str(dataset), row
        nested = expected(row, tag, nested_types().get(SEQUENCE, {}), True)
        check(nested, tag, value, dataset[SEQUENCE].value[0])
        assert dataset[SEQUENCE].value[0].Modality == "KEPT"
        if top:
            action = expected(row, tag, types, False)
            check(action, tag, value, dataset)
            counts[action] = counts.get(action, 0) + 1
    assert sum(counts.values()) > 640 and {"X", "Z", "D", "U"} <= set(counts)


def test_the_judge_refuses_what_a_removing_tool_would_do() -> None:
    with pytest.raises(AssertionError):
        check("D", 0x00400512, ("LO", b"CANARY"), parsed(b""))
    with pytest.raises(AssertionError):
        check("X", 0x00080080, ("LO", b"CANARY"), parsed(encode({0x00080080: ("LO", b"CANARY")}, True)))


@pytest.mark.parametrize("explicit", [True, False])
def test_rows_of_repeating_groups(explicit: bool) -> None:
    for repeat in range(0, 0x20, 2):
        for tag, vr in (
            (0x50000030, "SH"), (0x50003000, "OW"), (0x50002200, "SQ"),
            (0x60003000, "OW"), (0x60004000, "LT"), (0x60000022, "LO"), (0x60000010, "US"),
        ):  # fmt: skip
            one = tag + (repeat << 16)
            value = [{0x00080060: ("CS", b"CANARY")}] if vr == "SQ" else b"CANARYAB"[:2] if vr == "US" else b"CANARYAB"
            out = result(encode(image({one: (vr, value)}), explicit), explicit)
            assert one not in parsed(out, explicit) and b"CANARY" not in out
