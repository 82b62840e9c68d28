"""What PS3.21's tables give no place: the link of TID 1420, time points of TID 1502; told, and nothing else is lost."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from profiles.aim import concepts
from tests.unit.aim.part21 import SAMPLE
from transforms.aim import tree
from transforms.aim.convert import collection_with_losses, document_with_losses
from transforms.aim.options import Options
from transforms.aim.to_sr import to_sr
from transforms.conversion import nothing
from transforms.loss import Fate
from transforms.sr.context import settled
from transforms.sr.model import Document, Item
from transforms.sr.values import Num

DOCUMENT = to_sr(SAMPLE, Options(), nothing)
(MEASUREMENTS,) = tree.named(DOCUMENT.root.children, concepts.MEASUREMENTS)
(GROUP,) = tree.named(MEASUREMENTS.children, concepts.GROUP)


def with_measurements(container: Item) -> Document:
    children = (*(each for each in DOCUMENT.root.children if each is not MEASUREMENTS), container)
    return replace(DOCUMENT, root=settled(replace(DOCUMENT.root, children=children)))


def test_groups_that_a_number_is_derived_from_are_annotations_and_the_link_is_told() -> None:
    """TID 1420: PS3.21 maps the groups as those of TID 1410 and 1411, and gives the number no row."""
    volume = Num("12.5", tree.concept(("mm3", "UCUM", "mm3")))
    assert Decimal(volume.decimal) == Decimal("12.5")
    derived = tree.container(concepts.DERIVED, tree.item(tree.CONTAINS, ("118565006", "SCT", "Volume"), volume, GROUP))
    collection, losses = collection_with_losses(with_measurements(derived), Options(), nothing)
    number, group = collection.image_annotations
    assert (number.type_code[0].code, number.type_code[0].scheme) == concepts.DERIVED[:2]
    assert [len(each.calculation_entity_collection) for each in (number, group)] == [1, 4]
    assert group.unique_identifier == SAMPLE.image_annotations[0].unique_identifier
    assert [(line.fate, line.what) for line in losses.lines] == [(Fate.LEFT_OUT, "CONTAINER (125007, DCM)")]
    back, more = document_with_losses(collection, Options(), nothing)
    assert [line for line in more.lines if line.fate is not Fate.DEFAULTED] == []
    assert [len(list(tree.named(back.root.children, each))) for each in (concepts.MEASUREMENTS, concepts.DERIVED)] == [
        1,
        1,
    ]


def test_time_points_have_no_place_and_are_told() -> None:
    """TID 1502: seven rows, none of them with an element of AIM."""
    time_point = tree.text(tree.OBSERVATION, ("C2348792", "UMLS", "Time Point"), "baseline")
    dated = replace(MEASUREMENTS, children=(replace(GROUP, children=(*GROUP.children, time_point)),))
    _, losses = collection_with_losses(with_measurements(dated), Options(), nothing)
    assert [(line.fate, line.what) for line in losses.lines] == [(Fate.LEFT_OUT, "TEXT (C2348792, UMLS)")]
