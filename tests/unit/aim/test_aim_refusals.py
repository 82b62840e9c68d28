"""What is refused, with which reason, and that no value of the document is in the message."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree  # type: ignore[import-untyped]

from tests.unit.aim.part21 import SAMPLE
from transforms.aim.convert import aim_to_sr, collection_with_losses, load, sr_to_aim
from transforms.aim.lift import _Element
from transforms.aim.model.annotation import AnnotationOfAnnotation, AnnotationOfAnnotationCollection
from transforms.aim.model.datatypes import Attribute, Code, Real, St, Stamp, Uid
from transforms.aim.model.markup import (
    ThreeDimensionPoint,
    ThreeDimensionSpatialCoordinate,
    TwoDimensionCircle,
    TwoDimensionPoint,
    TwoDimensionSpatialCoordinate,
)
from transforms.aim.options import Options, options
from transforms.aim.read import MAX_MARKUPS, read
from transforms.aim.to_sr import to_sr
from transforms.aim.write import write
from transforms.conversion import Given
from transforms.dataset.syntax import EXPLICIT_LE
from transforms.errors import TransformError
from transforms.source import BytesSource
from transforms.sr.model import Item
from transforms.sr.read import read as sr_read
from transforms.sr.values import Num
from transforms.sr.write import write as sr_write
from transforms.sr.write import write_file

XML = write(SAMPLE).decode()
GIVEN = Given(datetime(2026, 11, 26, tzinfo=UTC))


def reason(text: str) -> str:
    with pytest.raises(TransformError) as caught:
        read(text.encode())
    for value in ("Doe", "CM-1", "AN5678AIM", "2.25."):
        assert value not in str(caught.value)
    return caught.value.reason


@pytest.mark.parametrize(
    ("pattern", "instead", "expected"),
    [
        (r"<\?xml[^>]*>", '<!DOCTYPE x [<!ENTITY e "v">]>', "aim-dtd"),
        (r"<\?xml[^>]*>", '<!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd">', "aim-dtd"),
        (r"<\?xml[^>]*>", '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>', "aim-dtd"),
        (r"<person>", "<person><nickname value='x'/>", "aim-unknown-element"),
        (r"<person>", "<person>words", "aim-unknown-element"),
        (r"<person>", "<person><name xmlns='urn:other' value='x'/>", "aim-unknown-element"),
        (r'<name value="Doe\^Jane"/>', '<name value="Doe^Jane" other="1"/>', "aim-unknown-attribute"),
        (r'<name value="Doe\^Jane"/>', '<name value="Doe^Jane"/><name value="Doe^John"/>', "aim-repeated-element"),
        (r'<segmentNumber value="1"/>', "", "aim-missing-element"),
        (r'<segmentNumber value="1"/>', '<segmentNumber nullFlavor="NI"/>', "aim-missing-element"),
        (r'<segmentNumber value="1"/>', '<segmentNumber value="1.5"/>', "aim-bad-value"),
        (r'<segmentNumber value="1"/>', '<segmentNumber value="99999999999"/>', "aim-bad-value"),
        (r'aimVersion="AIMv4_2"', 'aimVersion="AIMv9"', "aim-version"),
        (r'root="2.25.80159168229010751652502576830057032194"', 'root="1.02.3"', "aim-bad-uid"),
        (r'root="2.25.80159168229010751652502576830057032194"', f'root="1.{"2" * 64}"', "aim-bad-uid"),
        (r'root="2.25.80159168229010751652502576830057032194"', 'root="../../etc"', "aim-bad-uid"),
        (r'<dateTime value="20170201180043"/>', '<dateTime value="yesterday"/>', "aim-bad-value"),
        (r'xsi:type="CompactCalculationResult"', 'xsi:type="Other"', "aim-unknown-type"),
        (r'xsi:type="CompactCalculationResult"', "", "aim-unknown-type"),
        (r'type="Scalar"', 'type="Tensor"', "aim-bad-value"),
        (r"ImageAnnotationCollection", "ImageAnnotationCollections", "aim-not-aim"),
        (r"AIM\"", 'AIM/other"', "aim-not-aim"),
        (r"</ImageAnnotationCollection>", "", "aim-not-xml"),
    ],
)  # fmt: skip
def test_a_bad_document_is_refused(pattern: str, instead: str, expected: str) -> None:
    changed = re.sub(pattern, lambda _: instead, XML)
    assert changed != XML
    assert reason(changed) == expected


def shape(x: str, **more: Any) -> TwoDimensionPoint:
    given: dict[str, Any] = {
        "unique_identifier": Uid("1.2.3"),
        "shape_identifier": 1,
        "include_flag": True,
        "image_reference_uid": Uid("2.25.319214308104243787945491694789635628411"),
        "two_dimension_spatial_coordinate_collection": (
            TwoDimensionSpatialCoordinate(coordinate_index=0, x=Real(x), y=Real("1")),
        ),
    }
    return TwoDimensionPoint(**{**given, **more})


def drawn(*markup: Any) -> Any:
    annotation = replace(SAMPLE.image_annotations[0], markup_entity_collection=markup)
    return replace(SAMPLE, image_annotations=(annotation,))


@pytest.mark.parametrize("number", ["NaN", "INF", "-Infinity", "1e999", "0x10", "1_0", "١", ""])
def test_a_coordinate_that_is_no_finite_number_is_refused(number: str) -> None:
    assert reason(write(drawn(shape(number))).decode()) in ("aim-bad-value", "aim-missing-element")


def test_ten_thousand_markups_are_refused() -> None:
    assert reason(write(drawn(*(shape("1") for _ in range(10_000)))).decode()) == "aim-too-large"
    assert len(
        read(write(drawn(*(shape("1") for _ in range(MAX_MARKUPS))))).image_annotations[0].markup_entity_collection
    )  # type: ignore[attr-defined]


def converted(collection: Any) -> str:
    with pytest.raises(TransformError) as caught:
        to_sr(collection, Options(), lambda _: None)
    return caught.value.reason


def test_what_refers_to_nothing_is_refused() -> None:
    assert converted(drawn(shape("1", image_reference_uid=Uid("1.2.3.4")))) == "aim-missing-reference"
    point = ThreeDimensionSpatialCoordinate(coordinate_index=0, x=Real("1"), y=Real("1"), z=Real("1"))
    floating = ThreeDimensionPoint(
        unique_identifier=Uid("1.2"),
        shape_identifier=1,
        include_flag=True,
        three_dimension_spatial_coordinate_collection=(point,),
    )
    assert converted(drawn(floating)) == "aim-missing-reference"
    segment = replace(SAMPLE.image_annotations[0].segmentation_entity_collection[0], series_instance_uid=None)  # type: ignore[call-arg]
    annotation = replace(SAMPLE.image_annotations[0], segmentation_entity_collection=(segment,))
    assert converted(replace(SAMPLE, image_annotations=(annotation,))) == "aim-missing-reference"


def test_a_shape_with_the_wrong_number_of_points_is_refused() -> None:
    circle = TwoDimensionCircle(
        unique_identifier=Uid("1.2"),
        shape_identifier=1,
        include_flag=True,
        image_reference_uid=Uid("2.25.319214308104243787945491694789635628411"),
        two_dimension_spatial_coordinate_collection=(
            TwoDimensionSpatialCoordinate(coordinate_index=0, x=Real("1"), y=Real("1")),
        ),
    )
    assert converted(drawn(circle)) == "aim-bad-value"
    assert converted(drawn(shape("1e50"))) == "aim-bad-value"  # no 32-bit float
    assert converted(drawn(shape("1", referenced_frame_number=0))) == "aim-bad-value"


def test_annotations_of_annotations_have_no_form_in_tid_1500() -> None:
    about = AnnotationOfAnnotation(
        unique_identifier=Uid("1.2"), type_code=(Code("1", "DCM", "x"),), date_time=Stamp("2017"), name=St("n")
    )
    collection = AnnotationOfAnnotationCollection(
        aim_version=Attribute("AIMv4_0"),
        unique_identifier=Uid("1.3"),
        date_time=Stamp("2017"),
        annotation_of_annotations=(about,),
    )
    assert read(write(collection)) == collection
    assert converted(collection) == "aim-not-image-annotations"


def test_an_sr_of_another_template_is_refused() -> None:
    document = to_sr(SAMPLE, Options(), lambda _: None)
    value = replace(document.root.value, template=replace(document.root.value.template, identifier="2000"))  # type: ignore[type-var,union-attr,arg-type]
    other = replace(document, root=replace(document.root, value=value))
    with pytest.raises(TransformError) as caught:
        sr_to_aim(write_file(other), GIVEN)
    assert caught.value.reason == "sr-wrong-template"
    empty = replace(document, root=replace(document.root, children=document.root.children[:4]))
    with pytest.raises(TransformError) as caught:
        sr_to_aim(write_file(empty), GIVEN)
    assert caught.value.reason == "sr-no-measurements"
    nowhere = replace(document, general=replace(document.general, current_evidence=()))
    with pytest.raises(TransformError) as caught:
        sr_to_aim(write_file(nowhere), GIVEN)
    assert caught.value.reason == "sr-missing-evidence"


def test_options_are_checked() -> None:
    assert options({"aim_version": 4.0, "other": 1}) == Options(version="4.0")
    for bad in ({"aim_version": "3"}, {"aim_colour": "red"}, {"aim_fields": ["x"]}):
        with pytest.raises(TransformError) as caught:
            options(bad)
        assert caught.value.reason == "conversion-options"


@given(st.integers(0, len(XML) - 1), st.binary(max_size=4), st.integers(0, 40))
def test_damaged_documents_are_read_or_refused(at: int, put: bytes, cut: int) -> None:
    data = XML.encode()
    damaged = data[:at] + put + data[at + cut :]
    for convert in (load, lambda data: aim_to_sr(data, GIVEN)):
        try:
            convert(damaged)
        except TransformError as error:
            assert "\n" not in str(error)


@given(st.binary(max_size=200))
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(TransformError):
        load(data)


@pytest.mark.parametrize("decimal", ["1E99999999", "-1e999999999999", "1E-99999999", "1E301"])
def test_a_number_that_no_float_holds_is_refused_and_not_written_out(decimal: str) -> None:
    document = sr_read(BytesSource(sr_write(to_sr(SAMPLE, Options(), lambda _: None))), EXPLICIT_LE)

    def other(item: Item) -> Item:
        value = replace(item.value, decimal=decimal, floating=None) if isinstance(item.value, Num) else item.value
        return replace(item, value=value, children=tuple(map(other, item.children)))

    changed = replace(document, root=other(document.root))
    with pytest.raises(TransformError, match="aim-does-not-fit"):
        collection_with_losses(changed, Options(), lambda _: None)


def test_the_numbers_of_version_3_are_bounded_like_those_of_4() -> None:
    element = etree.fromstring(b'<a x="1E999999" y="2.5E2" z="x"/>')
    source = _Element(element)
    assert source.number("y") == "2.5E2"
    for name in ("x", "z"):
        with pytest.raises(TransformError, match="aim-bad-value"):
            source.number(name)
