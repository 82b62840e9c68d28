"""The Store Instances Response Module: statuses by the table, and a reader that believes nothing else."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from gateway.web import media
from gateway.web.answers import Result, read, status_of, written

OK, BAD, FULL = Result("1.2", "1.2.3"), Result("1.2", "1.2.4", 0xC000), Result("1.2", "1.2.5", 0xA700)
NAMELESS = Result("", "", 0xC000)


@pytest.mark.parametrize(
    ("results", "understood", "status"),
    [
        ([OK, OK], True, 200),
        ([OK], False, 202),
        ([OK, BAD], True, 202),
        ([OK, FULL], True, 202),
        ([BAD, NAMELESS], True, 409),
        ([FULL, FULL], True, 503),
        ([FULL, BAD], True, 409),
        ([BAD], False, 400),
        ([], False, 400),
        ([], True, 400),
    ],
)
def test_status_by_the_table(results: list[Result], understood: bool, status: int) -> None:
    assert status_of(results, understood=understood) == status


def test_what_is_written_is_read_again() -> None:
    told = read(written([OK, BAD, FULL, NAMELESS], media.JSON, understood=True))
    assert told is not None and told.stored == {"1.2.3": 0} and told.failed == {"1.2.4": 0xC000, "1.2.5": 0xA700}


def test_json_and_xml_say_the_same() -> None:
    results = [OK, BAD, NAMELESS]
    item = json.loads(written(results, media.JSON, understood=False))
    root = etree.fromstring(written(results, media.XML, understood=False))
    assert [each.get("tag") for each in root] == list(item) == ["00081190", "00081198", "00081199", "0008119A"]
    texts = [each.text for each in root.iter("{*}Value")]
    assert texts == ["1.2", "1.2.4", "49152", "1.2", "1.2.3", "49152", "49152"]
    assert item["0008119A"]["Value"] == [{"00081197": {"vr": "US", "Value": [0xC000]}}] * 2


def sequence(tag: str, *items: object) -> dict[str, object]:
    return {tag: {"vr": "SQ", "Value": list(items)}}


STORED = {"00081155": {"vr": "UI", "Value": ["1.2.3"]}}


@pytest.mark.parametrize(
    "answer",
    [
        sequence("00081199", STORED, STORED),
        sequence("00081199", {"00081155": {"vr": "UI", "Value": ["1.2.3", "1.2.4"]}}),
        sequence("00081199", {"00081155": {"vr": "UI", "Value": [5]}}),
        sequence("00081199", {}),
        sequence("00081199", "text"),
        {"00081199": {"vr": "SQ", "Value": {"a": 1}}},
        {"00081199": []},
        "text",
        None,
        7,
    ],
)
def test_what_is_no_answer_counts_for_nothing(answer: object) -> None:
    assert read(json.dumps(answer).encode()) is None


def test_an_instance_on_both_sides_has_failed() -> None:
    told = read(json.dumps(sequence("00081199", STORED) | sequence("00081198", STORED)).encode())
    assert told is not None and told.stored == {} and "1.2.3" in told.failed


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)).map(
        lambda v: json.dumps(v).encode()
    )
)
def test_any_bytes_are_an_answer_or_none(body: bytes) -> None:
    told = read(body)
    assert told is None or told.stored == {}
