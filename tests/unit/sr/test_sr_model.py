"""The model's few functions: walking, positions, references, where evidence lies."""

from __future__ import annotations

from transforms.sr.header import Equipment, Evidence, General, Patient, Series, Study
from transforms.sr.model import Document, Item
from transforms.sr.values import ByReference, Code, Container, SCoord, SopReference, Text


def _text(text: str, *children: Item, position: tuple[int, ...]) -> Item:
    return Item("CONTAINS", Code("1", "99T", "One"), Text(text), children, position)


LEAF = _text("leaf", position=(1, 1, 1))
FIRST = _text("first", LEAF, position=(1, 1))
SECOND = Item("HAS PROPERTIES", None, ByReference((1, 1, 1)), position=(1, 2))
ROOT = Item("", Code("126000", "DCM", "Imaging Measurement Report"), Container("SEPARATE"), (FIRST, SECOND))


def document(**general: tuple[Evidence, ...]) -> Document:
    return Document("1.2", "1.2.3", Patient(), Study(), Series(), Equipment(), General(**general), ROOT)  # type: ignore[arg-type]


def test_a_walk_tells_items_in_document_order() -> None:
    assert [item.position for item in ROOT.walk()] == [(1,), (1, 1), (1, 1, 1), (1, 2)]


def test_a_position_leads_to_its_item_or_nowhere() -> None:
    assert ROOT.at((1, 1, 1)) is LEAF
    assert [ROOT.at(position) for position in ((), (2,), (1, 3), (1, 0), (1, 1, 1, 1))] == [None] * 5


def test_a_reference_is_followed_and_a_value_is_itself() -> None:
    assert document().follow(SECOND) is LEAF
    assert document().follow(FIRST) is FIRST
    assert (SECOND.value_type, LEAF.value_type) == ("", "TEXT")


def test_current_evidence_goes_before_other() -> None:
    here, there = (Evidence(study, "1.5", SopReference("1.1", "1.9")) for study in ("1.7", "1.8"))
    assert document(current_evidence=(here,), other_evidence=(there,)).evidence() == {"1.9": here}


def test_codes_are_the_same_whatever_they_are_called() -> None:
    assert Code("1", "DCM", "One").same(Code("1", "DCM", "Un", version="2", form="long"))
    assert not Code("1", "DCM", "One").same(Code("1", "SCT", "One"))


def test_points_are_pairs() -> None:
    assert SCoord("POLYLINE", (1.0, 2.0, 3.0, 4.0)).points == ((1.0, 2.0), (3.0, 4.0))
