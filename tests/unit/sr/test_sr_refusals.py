"""What is no proper report is refused with a reason and a position, never with a value, and never with a crash."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset, dcmread

from transforms.dataset.syntax import EXPLICIT_LE
from transforms.errors import TransformError
from transforms.source import BytesSource
from transforms.sr import read as reading
from transforms.sr.context import settled
from transforms.sr.header import Equipment, General, Patient, PatientIdentifier, Series, Study
from transforms.sr.model import Document, Item
from transforms.sr.read import read, read_dataset, read_file
from transforms.sr.values import (
    ByReference,
    Code,
    Coded,
    Composite,
    Container,
    Image,
    Num,
    SCoord,
    SCoord3D,
    SopReference,
    TCoord,
    Text,
)
from transforms.sr.write import write, write_file

SECRET = "Rumpelstilzchen"
NAME = Code("121", "99T", "Thing")
MM = Code("mm", "UCUM", "mm")


def report(*children: Item) -> Document:
    """A report with these items, named by a secret that no message may hold."""
    root = settled(Item("", Code("126000", "DCM", "Imaging Measurement Report"), Container("SEPARATE"), children))
    patient = Patient(f"{SECRET}^A", PatientIdentifier(SECRET))
    return Document("1.2.840.10008.5.1.4.1.1.88.34", "2.25.7", patient, Study(), Series(), Equipment(), General(), root)


def item(value: object, *children: Item) -> Item:
    return Item("CONTAINS", NAME, value, children)  # type: ignore[arg-type]


def dataset(*children: Item) -> Dataset:
    return dcmread(BytesIO(write_file(report(*children))))


IMAGE = item(Image(SopReference("1.2.840.10008.5.1.4.1.1.2", "2.25.9")))
BREAKS: dict[str, tuple[str, Item, Callable[[Dataset], object]]] = {
    "no value type": ("sr-value-type", item(Text(SECRET)), lambda each: delattr(each, "ValueType")),
    "unknown value type": ("sr-value-type", item(Text(SECRET)), lambda each: setattr(each, "ValueType", "NOVEL")),
    "no relationship": ("sr-relationship", item(Text(SECRET)), lambda each: delattr(each, "RelationshipType")),
    "odd relationship": (
        "sr-relationship",
        item(Text(SECRET)),
        lambda each: setattr(each, "RelationshipType", "KNOWS"),
    ),
    "no name": ("sr-name-missing", item(Text(SECRET)), lambda each: delattr(each, "ConceptNameCodeSequence")),
    "empty name": (
        "sr-code",
        item(Text(SECRET)),
        lambda each: setattr(each.ConceptNameCodeSequence[0], "CodeMeaning", ""),
    ),
    "no text": ("sr-value-missing", item(Text(SECRET)), lambda each: delattr(each, "TextValue")),
    "no code": ("sr-code", item(Coded(NAME)), lambda each: delattr(each, "ConceptCodeSequence")),
    "no scheme": (
        "sr-code",
        item(Coded(NAME)),
        lambda each: delattr(each.ConceptCodeSequence[0], "CodingSchemeDesignator"),
    ),
    "two codes": (
        "sr-code",
        item(Coded(NAME)),
        lambda each: each.ConceptCodeSequence.append(each.ConceptNameCodeSequence[0]),
    ),
    "no unit": (
        "sr-code",
        item(Num("3", MM)),
        lambda each: delattr(each.MeasuredValueSequence[0], "MeasurementUnitsCodeSequence"),
    ),
    "no instance": (
        "sr-reference",
        IMAGE,
        lambda each: delattr(each.ReferencedSOPSequence[0], "ReferencedSOPInstanceUID"),
    ),
    "no reference": ("sr-reference", item(Composite(SopReference("1.2", "2.25.9"))), lambda each: each.clear()),
    "half a point": (
        "sr-coordinates",
        item(SCoord("POINT", (1.0, 2.0))),
        lambda each: setattr(each, "GraphicData", [1.0, 2.0, 3.0]),
    ),
    "too few points": (
        "sr-coordinates",
        item(SCoord("CIRCLE", (1.0, 2.0, 1.0, 3.0))),
        lambda each: setattr(each, "GraphicData", [1.0, 2.0]),
    ),
    "no number": (
        "sr-number",
        item(SCoord("POINT", (1.0, 2.0))),
        lambda each: setattr(each, "GraphicData", [1.0, float("nan")]),
    ),
    "odd graphic": (
        "sr-coordinates",
        item(SCoord("POINT", (1.0, 2.0))),
        lambda each: setattr(each, "GraphicType", "SPLINE"),
    ),
    "no frame of reference": (
        "sr-value-missing",
        item(SCoord3D("POINT", (1.0, 2.0, 3.0), "2.25.3")),
        lambda each: delattr(each, "ReferencedFrameOfReferenceUID"),
    ),
    "no time": ("sr-coordinates", item(TCoord("POINT", (1,))), lambda each: delattr(each, "ReferencedSamplePositions")),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_item_is_refused_with_its_position(name: str) -> None:
    reason, broken, damage = BREAKS[name]
    found = dataset(item(Container("SEPARATE"), item(Text("fine")), broken))
    assert read_dataset(found)
    inner = found.ContentSequence[0].ContentSequence[1]
    kept = {keyword: inner[keyword] for keyword in ("RelationshipType", "ValueType", "ConceptNameCodeSequence")}
    damage(inner)
    if not inner:
        for keyword, element in kept.items():
            inner[keyword] = element
    with pytest.raises(TransformError) as caught:
        read_dataset(found)
    assert caught.value.reason == reason
    assert "1.1.2" in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("digits", ["", "NaN", "1,5", "1.2.3", "0x10", "٣"])
def test_a_number_is_a_decimal(digits: str) -> None:
    raw = write_file(report(item(Num("777", MM))))
    with pytest.raises(TransformError, match=r"sr-number|undecodable-text"):
        read_file(BytesSource(replaced(raw, b"777 ", digits.encode())))


def replaced(raw: bytes, old: bytes, new: bytes) -> bytes:
    """The bytes with a value of four bytes in place of another; what is longer is cut."""
    assert raw.count(old) == 1
    return raw.replace(old, new.ljust(4)[:4])


@pytest.mark.parametrize("target", [(1,), (1, 1), (1, 1, 2), (1, 9), (2,), (1, 2)])
def test_a_reference_leads_somewhere_else(target: tuple[int, ...]) -> None:
    link = Item("INFERRED FROM", None, ByReference(target))
    other = Item("INFERRED FROM", None, ByReference((1, 1)))
    raw = write_file(report(item(Text("a"), item(Text("b")), link), other))
    with pytest.raises(TransformError, match=r"sr-reference-(cycle|dangling).*1\."):
        read_file(BytesSource(raw))


def test_references_in_a_circle_are_refused() -> None:
    first = item(Text("a"), Item("INFERRED FROM", None, ByReference((1, 2))))
    second = item(Text("b"), Item("INFERRED FROM", None, ByReference((1, 1))))
    with pytest.raises(TransformError, match="sr-reference-cycle"):
        read_file(BytesSource(write_file(report(first, second))))


def test_references_that_meet_are_no_circle() -> None:
    shared = item(Text("c"))
    first = item(Text("a"), Item("INFERRED FROM", None, ByReference((1, 2))))
    raw = write_file(report(first, shared, Item("INFERRED FROM", None, ByReference((1, 2)))))
    document = read_file(BytesSource(raw))
    assert document.follow(document.root.children[2]).value == Text("c")


def test_what_is_no_report_is_refused() -> None:
    found = dataset(item(Text("a")))
    found.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    with pytest.raises(TransformError, match="sr-not-a-report"):
        read_dataset(found)


def test_budgets_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    many = write_file(report(*[item(Text("a"))] * 20))
    monkeypatch.setattr(reading, "ITEMS", 20)
    with pytest.raises(TransformError, match="sr-too-many-items"):
        read_file(BytesSource(many))
    monkeypatch.setattr(reading, "LONGEST", 100)
    with pytest.raises(TransformError, match="sr-too-large"):
        read_file(BytesSource(many))


def test_a_deep_tree_is_refused_not_walked() -> None:
    deep = item(Text("a"))
    for _ in range(70):
        deep = item(Container("SEPARATE"), deep)
    with pytest.raises(TransformError, match="depth"):
        read_file(BytesSource(write_file(report(deep))))


WHOLE = write(report(item(Container("SEPARATE"), item(Num("3", MM)), IMAGE, item(Text("Zürich"))), item(Coded(NAME))))


@given(st.integers(0, len(WHOLE) - 1))
def test_truncated_reports_are_refused(size: int) -> None:
    try:
        read(BytesSource(WHOLE[:size]), EXPLICIT_LE)
    except TransformError:
        return
    assert WHOLE[:size].rstrip(b"\0 ") != WHOLE  # cut between two attributes of the top: a whole, smaller data set


@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_damaged_reports_read_or_are_refused(damage: list[tuple[int, int]]) -> None:
    raw = bytearray(WHOLE)
    for at, byte in damage:
        raw[at] = byte
    try:
        document = read(BytesSource(bytes(raw)), EXPLICIT_LE)
    except TransformError as error:
        assert SECRET not in str(error)
    else:
        assert read_file(BytesSource(write_file(document))).root == document.root
