"""Every TID 1500 SR and every AIM file of ../shared/corpus, both ways: equal item by item, or in the loss report."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from lxml import etree  # type: ignore[import-untyped]

from transforms.aim import canonical
from transforms.aim.convert import aim_to_sr, load, sr_to_aim
from transforms.aim.from_sr import from_sr
from transforms.aim.model.annotation import ImageAnnotationCollection
from transforms.aim.model.calculation import CompactCalculationResult
from transforms.aim.options import Options
from transforms.aim.read import read
from transforms.aim.to_sr import to_sr
from transforms.conversion import Given
from transforms.errors import TransformError
from transforms.loss import Fate, Losses
from transforms.source import BytesSource
from transforms.sr.read import read_file
from transforms.sr.templates import template_of

GIVEN = Given(datetime(2026, 11, 26, tzinfo=UTC))


def nothing(_: str) -> None:
    return None


def v3_files(shared: Path) -> list[Path]:
    found = sorted((shared / "corpus" / "ncip-aim").rglob("*.xml"))
    assert len(found) == 24
    return found


def test_every_v3_document_becomes_an_sr_and_loses_nothing(shared: Path) -> None:
    for path in v3_files(shared):
        there = aim_to_sr(path.read_bytes(), GIVEN)
        assert {line.fate for line in there.losses.lines} == {Fate.DEFAULTED}, path.name
        back = sr_to_aim(there.data, GIVEN)
        assert back.losses.lines == (), path.name
        lifted = load(path.read_bytes())
        losses = Losses()
        canonical.compare(canonical.of_aim(lifted), canonical.of_aim(read(back.data)), losses)
        assert losses.lines == (), path.name


def test_a_v3_sr_and_its_xml_twin_lift_to_the_same_annotation(shared: Path) -> None:
    twins = 0
    for path in v3_files(shared):
        twin = path.with_suffix(".dcm")
        if not twin.exists():
            continue
        twins += 1
        ours = read(sr_to_aim(twin.read_bytes(), GIVEN).data)
        theirs = load(path.read_bytes())
        assert isinstance(ours, ImageAnnotationCollection) and isinstance(theirs, ImageAnnotationCollection)
        one, other = ours.image_annotations[0], theirs.image_annotations[0]
        for name in ("type_code", "name", "unique_identifier"):
            assert getattr(one, name) == getattr(other, name), path.name
        assert _shapes(one) == _shapes(other)
        assert _seen(one) == _seen(other)
        assert _values(one) == _values(other)
        assert ours.user == theirs.user
    assert twins == 12


def _shapes(annotation: object) -> list[object]:
    return [
        (type(each).__name__, [(c.x, c.y) for c in each.two_dimension_spatial_coordinate_collection])
        for each in annotation.markup_entity_collection  # type: ignore[attr-defined]
    ]


def _seen(annotation: object) -> list[object]:
    return [
        (each.type_code[0].code, [c.type_code[0].code for c in each.imaging_observation_characteristic_collection])
        for each in annotation.imaging_observation_entity_collection  # type: ignore[attr-defined]
    ]


def _values(annotation: object) -> list[object]:
    """The toolkit wrote eight digits into its SRs."""
    return [
        (each.type_code[0].code, result.unit_of_measure, f"{float(result.value):.5g}")
        for each in annotation.calculation_entity_collection  # type: ignore[attr-defined]
        for result in each.calculation_result_collection
        if isinstance(result, CompactCalculationResult)
    ]


def test_every_tid_1500_sr_becomes_aim_and_what_is_lost_is_told(corpus_files: list[Path]) -> None:
    converted = 0
    for path in corpus_files:
        try:
            document = read_file(BytesSource(path.read_bytes()))
        except TransformError:
            continue
        if template_of(document).tid != "1500":
            continue
        converted += 1
        made = sr_to_aim(path.read_bytes(), GIVEN)
        collection = read(made.data)
        told = {line.where for line in made.losses.lines}
        before = canonical.of_sr(document)
        after = canonical.of_sr(to_sr(collection, Options(), nothing))
        for key, row in before.items():
            same = key in after and after[key].value == row.value
            assert same or any(row.where == place or row.where.startswith(place + ".") for place in told), path.name
        kept = ("number", "unit", "Observation UID")
        numbers = {key: row.value for key, row in before.items() if _measured(key) and key[-1] in kept}
        assert numbers and all(after[key].value == value for key, value in numbers.items()), path.name
        assert made.losses.lines  # every one of them has a header that AIM has no place for
        assert collection.unique_identifier != document.sop_instance
        again = from_sr(to_sr(collection, Options(), nothing), Options(), nothing)
        assert canonical.of_aim(again) == canonical.of_aim(collection), path.name
    assert converted >= 5


def _measured(key: canonical.Key) -> bool:
    return any(each.startswith("CONTAINER DCM 125007") for each in key)


def test_aim_4_0_out_is_valid_by_its_schema(shared: Path) -> None:
    schema = etree.XMLSchema(etree.parse(shared / "standard" / "schemas" / "aim" / "AIM_v4_rv44_XML.xsd"))
    given = replace(GIVEN, options={"aim_version": "4.0"})
    for path in v3_files(shared):
        data = sr_to_aim(aim_to_sr(path.read_bytes(), GIVEN).data, given).data
        schema.assertValid(etree.fromstring(data))
    bad = etree.fromstring(data)
    bad.remove(bad[0])
    assert not schema.validate(bad)
