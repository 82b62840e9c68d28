"""The head of a content item from raw bytes: both VR forms, every length form, wrong order, cuts and mutations."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from tests.unit.deidentify.building import Elements, encode
from transforms.dataset.elements import UNDEFINED, header_bytes
from transforms.deidentify.content import ContentAction, content_rules
from transforms.deidentify.content_items import Head, after_item, peek, refers_by_position
from transforms.errors import BadFraming, BudgetExceeded, TransformError
from transforms.source import CHUNK, BytesSource

OBSERVER = Head("PNAME", "121008", "DCM", "HAS OBS CONTEXT")
FORMS = [(explicit, undefined) for explicit in (True, False) for undefined in (True, False)]


def code(
    value: str, scheme: str = "DCM", meaning: str = "A meaning", tag: int = 0x00080100, vr: str = "SH"
) -> Elements:
    return {tag: (vr, value.encode()), 0x00080102: ("SH", scheme.encode()), 0x00080104: ("LO", meaning.encode())}


def item(head: Head = OBSERVER, **more: Any) -> Elements:
    found: Elements = {
        0x0040A010: ("CS", head.relationship.encode()),
        0x0040A040: ("CS", head.value_type.encode()),
        0x0040A043: ("SQ", [code(head.code, head.scheme)]),
        0x0040A123: ("PN", b"BEFUND^BERTA"),
    }
    return found | more.get("extra", {})


def looked(data: bytes, explicit: bool, delimited: bool = False, lead: bytes = b"\xff" * 7) -> Head:
    """With bytes before and behind that belong to others."""
    source = BytesSource(lead + data + b"\x40\x00\x43\xa0trailing")
    return peek(source.pread, len(lead), len(lead) + len(data), explicit, delimited)


@pytest.mark.parametrize(("explicit", "undefined"), FORMS)
def test_the_head_of_an_item(explicit: bool, undefined: bool) -> None:
    data = encode(item(), explicit, undefined=undefined)
    assert looked(data, explicit) == OBSERVER
    end = header_bytes(0xFFFEE00D, "", 0)
    assert looked(data + end + b"\x08\x00\x05\x00garbage", explicit, delimited=True) == OBSERVER


@pytest.mark.parametrize(("explicit", "undefined"), FORMS)
def test_nested_items_are_not_looked_into(explicit: bool, undefined: bool) -> None:
    child = item(Head("TEXT", "121071", "DCM", "CONTAINS"), extra={0x0040A730: ("SQ", [item()])})
    parent: Elements = {0x0040A010: ("CS", b"CONTAINS"), 0x0040A730: ("SQ", [child, child])}
    assert looked(encode(parent, explicit, undefined=undefined), explicit) == Head(relationship="CONTAINS")
    parent[0x0008103F] = ("SQ", [code("999999", "99TEST")])  # a code sequence that is not the concept name
    assert looked(encode(parent, explicit, undefined=undefined), explicit).code == ""


@pytest.mark.parametrize(("explicit", "undefined"), FORMS)
def test_wrong_order_hides_nothing(explicit: bool, undefined: bool) -> None:
    """The concept behind the children, the value type behind the concept, the scheme before the code."""
    child: Elements = {0x0040A730: ("SQ", [item(Head("TEXT", "1", "99TEST", "CONTAINS"))])}
    concept: Elements = {0x0040A043: ("SQ", [code("121008")])}
    kind: Elements = {0x0040A040: ("CS", b"PNAME")}
    for order in ((child, kind, concept), (concept, child, kind), (kind, child, concept), (child, concept, kind)):
        data = b"".join(encode(each, explicit, undefined=undefined) for each in order)
        assert looked(data, explicit) == Head("PNAME", "121008", "DCM")


@pytest.mark.parametrize("explicit", [True, False])
def test_long_and_urn_codes(explicit: bool) -> None:
    for tag, vr in ((0x00080119, "UC"), (0x00080120, "UR")):
        data = encode(item(extra={0x0040A043: ("SQ", [code("121008", tag=tag, vr=vr)])}), explicit)
        assert looked(data, explicit).code == "121008"
    data = encode(item(extra={0x0040A043: ("SQ", [code("x" * 5000, tag=0x00080119, vr="UC")])}), explicit)
    assert looked(data, explicit).scheme == "DCM", "a code too long to be listed costs no more than its header"


def test_concept_name_as_un() -> None:
    """A PACS that did not know the tag: items in Implicit VR (PS3.5 6.2.2), of defined and undefined length."""
    for undefined in (True, False):
        data = encode(item(extra={0x0040A043: ("UN", [code("121008")])}), True, undefined=undefined)
        assert looked(data, True) == OBSERVER
    assert looked(encode(item(extra={0x0040A043: ("UN", b"no items in here")}), True), True).code == ""
    assert looked(encode(item(extra={0x0040A043: ("OB", b"no items in here")}), True), True).code == ""


@pytest.mark.parametrize("explicit", [True, False])
def test_an_empty_concept_name_and_an_empty_item(explicit: bool) -> None:
    assert looked(encode(item(extra={0x0040A043: ("SQ", [])}), explicit), explicit).code == ""
    assert looked(encode(item(extra={0x0040A043: ("SQ", [])}), explicit, undefined=True), explicit).code == ""
    assert looked(encode(item(extra={0x0040A043: ("SQ", [{}])}), explicit), explicit).code == ""
    assert looked(b"", explicit) == Head()


def test_values_that_are_no_codes_are_no_errors() -> None:
    data = encode(item(Head("PNÄME", "12\xff08", "D\xffM", "X" * 400)), True)
    head = looked(data, True)
    assert head.code and content_rules(()).verdict(head).action is not ContentAction.REMOVE_ITEM


@pytest.mark.parametrize(("explicit", "undefined"), FORMS)
def test_past_an_item(explicit: bool, undefined: bool) -> None:
    child = item(extra={0x0040A730: ("SQ", [item(), item()])})
    data = encode(item(extra={0x0040A730: ("SQ", [child])}), explicit, undefined=undefined)
    whole = b"lead" + data + header_bytes(0xFFFEE00D, "", 0) + b"behind"
    assert after_item(BytesSource(whole).pread, 4, len(whole), explicit) == 4 + len(data) + 8
    with pytest.raises(BadFraming):
        after_item(BytesSource(data).pread, 0, len(data), explicit)


def test_a_large_item_is_read_by_its_headers() -> None:
    reads: list[int] = []
    data = encode({0x00081199: ("SQ", []), 0x0040A160: ("UT", b"x" * 100_000)} | item(extra={}), True)
    source = BytesSource(data)

    def read(at: int, length: int) -> bytes:
        reads.append(length)
        return source.pread(at, length)

    assert peek(read, 0, len(data), True) == OBSERVER
    assert sum(reads) <= 1024
    reads.clear()
    hidden = encode({0x00081199: ("SQ", []), 0x0040A160: ("UT", b"x" * 100_000), 0x0040A168: ("SQ", [])}, True)
    source = BytesSource(hidden)
    assert peek(read, 0, len(hidden), True) == Head() and sum(reads) <= 2048


def test_nonsense_is_refused() -> None:
    good = encode(item(), True)
    for data, reason in (
        (good[:5], "header-truncated"),
        (b"\x40\x00\x10\xa0ZZ\x04\x00ABCD", "vr-unknown"),
        (b"\x40\x00\x10\xa0CS\x40\x00ABCD", "length-overrun"),
        (b"\x40\x00\x43\xa0UT\x00\x00\xff\xff\xff\xff" + bytes(8), "length-undefined"),
        (b"\x40\x00\x43\xa0SQ\x00\x00\x08\x00\x00\x00" + bytes(8), "item-expected"),
        (b"\x40\x00\x43\xa0SQ\x00\x00\xff\xff\xff\xff", "header-truncated"),
        (header_bytes(0xFFFEE00D, "", 0), "delimiter-unexpected"),
    ):
        with pytest.raises(BadFraming) as told:
            looked(data, True)
        assert told.value.reason == reason
    with pytest.raises(BadFraming, match="delimiter-missing"):
        peek(BytesSource(b"").pread, 0, 0, True, True)


@pytest.mark.parametrize("explicit", [True, False])
def test_depth_is_bounded(explicit: bool) -> None:
    opened = header_bytes(0x0040A730, "SQ" if explicit else "", UNDEFINED) + header_bytes(0xFFFEE000, "", UNDEFINED)
    data = opened * 50_000
    with pytest.raises(BudgetExceeded):
        looked(data, explicit)
    with pytest.raises(BudgetExceeded):
        after_item(BytesSource(data).pread, 0, len(data), explicit)


@pytest.mark.parametrize("explicit", [True, False])
def test_nested_items_are_passed_by_once(explicit: bool) -> None:
    """Items without a concept name, in items without a concept name: each byte is passed once, not once a level."""
    inner: Elements = {0x0040A010: ("CS", b"CONTAINS"), 0x0040A730: ("SQ", [{0x0040A010: ("CS", b"A")}] * 2000)}
    for _ in range(30):
        inner = {0x0040A010: ("CS", b"CONTAINS"), 0x0040A730: ("SQ", [inner])}
    data = encode(inner, explicit, undefined=True)
    source = BytesSource(data)
    asked = 0

    def read(at: int, length: int) -> bytes:
        nonlocal asked
        asked += length
        return source.pread(at, length)

    ends: dict[int, int] = {}
    opened = b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    starts = [at + 8 for at in range(len(data)) if data.startswith(opened, at)][:30]
    for at in (0, *starts):
        head = peek(read, at, len(data), explicit, at > 0, ends)
        assert head == peek(source.pread, at, len(data), explicit, at > 0) == Head(relationship="CONTAINS")
    assert asked < 2 * len(data) + 1024 * (len(starts) + 1), "not thirty times"


def test_what_was_passed_by_counts_within_the_item_only() -> None:
    data = encode({0x0040A010: ("CS", b"A"), 0x0040A730: ("SQ", [{0x0040A010: ("CS", b"A")}])}, True, undefined=True)
    ends: dict[int, int] = {}
    assert peek(BytesSource(data).pread, 0, len(data), True, False, ends) and list(ends.values()) == [len(data)]
    with pytest.raises(BadFraming):
        peek(BytesSource(data).pread, 0, len(data) - 8, True, False, ends)


def test_references_by_position_are_seen_wherever_they_stand() -> None:
    tag = b"\x40\x00\x73\xdb"
    for at in (0, 17, CHUNK - 4, CHUNK - 3, CHUNK - 1, CHUNK, 2 * CHUNK + 5):
        assert refers_by_position(BytesSource(b"\xaa" * at + tag + b"\xaa" * 9))
    assert not refers_by_position(BytesSource(b"\xaa" * (2 * CHUNK) + tag[:3]))
    assert not refers_by_position(BytesSource(b""))


@pytest.mark.parametrize(("explicit", "undefined"), FORMS)
def test_every_cut_is_an_answer_or_a_typed_error(explicit: bool, undefined: bool) -> None:
    child = item(Head("NUM", "121033", "DCM", "CONTAINS"))
    data = encode(item(extra={0x0040A730: ("SQ", [child, child])}), explicit, undefined=undefined)
    data += header_bytes(0xFFFEE00D, "", 0)
    refused = 0
    for cut in range(len(data)):
        for delimited in (True, False):
            try:
                assert peek(BytesSource(data[:cut]).pread, 0, cut, explicit, delimited) is not None
            except BadFraming:
                refused += 1
        with pytest.raises(BadFraming):
            after_item(BytesSource(data[:cut]).pread, 0, cut, explicit)
        with pytest.raises(BadFraming):  # the source is shorter than whoever asks believes
            after_item(BytesSource(data[:cut]).pread, 0, len(data), explicit)
    assert refused > cut // 4


@pytest.mark.parametrize(("explicit", "undefined"), FORMS)
def test_mutations_raise_nothing_but_typed_errors(explicit: bool, undefined: bool) -> None:
    child = item(Head("CODE", "121032", "DCM", "HAS PROPERTIES"), extra={0x0040A168: ("SQ", [code("M")])})
    seed = encode(item(extra={0x0040A730: ("SQ", [child, child])}), explicit, undefined=undefined)
    seed += header_bytes(0xFFFEE00D, "", 0)
    dice = Random(20261123)
    answered = refused = 0
    for _ in range(4000):
        data = bytearray(seed)
        for _ in range(dice.randint(1, 4)):
            at = dice.randrange(len(data))
            kind = dice.randrange(4)
            if kind == 0:
                data[at] = dice.randrange(256)
            elif kind == 1:
                data[at : at + 4] = dice.choice((b"\xff" * 4, bytes(4), b"\xfe\xff\x00\xe0", b"\x40\x00\x43\xa0"))
            elif kind == 2:
                del data[at : at + dice.randint(1, 12)]
            else:
                data[at:at] = data[at : at + dice.randint(1, 40)]
            data = data or bytearray(1)
        source = BytesSource(bytes(data))
        for delimited in (True, False):
            try:
                head = peek(source.pread, 0, source.size, explicit, delimited)
                content_rules(()).verdict(head)
                answered += 1
            except TransformError:
                refused += 1
        try:
            assert after_item(source.pread, 0, source.size, explicit) <= source.size
        except TransformError:
            refused += 1
    assert answered > 500 and refused > 500
