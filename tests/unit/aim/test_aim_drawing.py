"""Annotations on their image: from an SR and from the AIM made of it, the same marks and the same picture."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from typer.testing import CliRunner

from gateway.cli.main import command_line
from gateway.cli.render import draw
from tests.unit.aim.collections import collections
from tests.unit.aim.part21 import PET_IMAGE, SAMPLE
from transforms.aim.convert import aim_to_sr, load, sr_to_aim
from transforms.aim.drawing import Frame, Mark, marks_of_aim, marks_of_sr
from transforms.aim.model.annotation import ImageAnnotationCollection
from transforms.aim.model.datatypes import Real, Uid
from transforms.aim.model.markup import TwoDimensionCircle, TwoDimensionSpatialCoordinate
from transforms.aim.options import Options
from transforms.aim.to_sr import to_sr
from transforms.aim.write import write
from transforms.conversion import Given
from transforms.source import BytesSource
from transforms.sr.read import read_file

GIVEN = Given(datetime(2026, 11, 26, tzinfo=UTC))
ROW = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def circle(at: str, edge: str, label: str = "") -> ImageAnnotationCollection:
    """The sample with a circle on its image."""
    points = [(at, at), (edge, at)]
    shape = TwoDimensionCircle(
        unique_identifier=Uid("1.2.3"),
        shape_identifier=1,
        include_flag=True,
        image_reference_uid=Uid(PET_IMAGE),
        two_dimension_spatial_coordinate_collection=tuple(
            TwoDimensionSpatialCoordinate(coordinate_index=n, x=Real(x), y=Real(y)) for n, (x, y) in enumerate(points)
        ),
    )
    plain = replace(SAMPLE.image_annotations[0], segmentation_entity_collection=())
    annotation = replace(plain, markup_entity_collection=(shape,))
    return replace(SAMPLE, image_annotations=(annotation,))


@settings(max_examples=40, suppress_health_check=list(HealthCheck), phases=(Phase.reuse, Phase.generate))
@given(collections())
def test_an_sr_draws_what_its_aim_draws(collection: ImageAnnotationCollection) -> None:
    document = to_sr(collection, Options(), lambda _: None)
    for annotation in collection.image_annotations:
        for markup in annotation.markup_entity_collection:
            image = getattr(markup, "image_reference_uid", None)
            space = getattr(markup, "frame_of_reference_uid", "") or ""
            frame = Frame(image or "1.2", 1, space, (0.0, 0.0, 0.0), ROW, (1.0, 1.0), 1e7)
            ours = {(each.kind, each.points) for each in marks_of_aim(collection, frame, Options())}
            theirs = {(each.kind, each.points) for each in marks_of_sr(document, frame)}
            closed = {(kind, points) for kind, points in ours if kind not in ("POLYGON", "ELLIPSE")}
            assert closed <= theirs
            assert len(ours) == len(theirs)


def test_a_real_annotation_is_drawn_where_it_is(shared: Path, tmp_path: Path) -> None:
    folder = next((shared / "corpus" / "ncip-aim").rglob("SampleAIMAnnotationsAndImages"))
    xml = folder / "AIMAnnotations" / "Baseline" / "0022BaselineA.xml"
    image = folder / "Images" / "Baseline" / "0022Baseline.dcm"
    made = tmp_path / "made.dcm"
    made.write_bytes(aim_to_sr(xml.read_bytes(), GIVEN).data)
    back = tmp_path / "back.xml"
    back.write_bytes(sr_to_aim(made.read_bytes(), GIVEN).data)
    pictures = []
    for source in (xml, made, back):
        out = tmp_path / f"{source.name}.png"
        run = CliRunner().invoke(
            command_line("render"), ["render", str(source), "--image", str(image), "--out", str(out)]
        )
        assert run.exit_code == 0 and run.stdout == "1 shapes on frame 1\n", run.output
        assert out.stat().st_mode & 0o777 == 0o600
        pictures.append(out.read_bytes())
    assert pictures[0] == pictures[1] == pictures[2]
    frame = Frame("1.3.6.1.4.1.9328.50.1.10717")
    collection = load(xml.read_bytes())
    assert isinstance(collection, ImageAnnotationCollection)
    assert marks_of_aim(collection, frame, Options()) == [Mark("POLYLINE", ((143.0, 300.0), (92.0, 326.0)), "0022")]


def test_the_pixel_under_a_mark_is_the_pixel_that_it_names() -> None:
    """(0, 0) is the corner of the first pixel: the middle of pixel (3, 5) is at (3.5, 5.5)."""
    blank = np.zeros((16, 16, 3), dtype=np.uint8)
    drawn = np.asarray(draw(blank, [Mark("POLYLINE", ((3.5, 5.5), (9.5, 5.5)))], 1))
    assert np.argwhere(drawn.any(axis=2)).tolist() == [[5, column] for column in range(3, 10)]


def test_a_site_whose_origin_is_the_first_pixels_center_says_so() -> None:
    collection = circle("10", "14")
    site = Options(pixel_origin="center")
    frame = Frame(PET_IMAGE)
    (mark,) = marks_of_sr(to_sr(collection, site, lambda _: None), frame)
    assert mark.points == ((10.5, 10.5), (14.5, 10.5))
    assert marks_of_aim(collection, frame, site) == [mark]
    (corner,) = marks_of_sr(to_sr(collection, Options(), lambda _: None), frame)
    assert corner.points == ((10.0, 10.0), (14.0, 10.0))
    given = replace(GIVEN, options={"aim_pixel_origin": "center"})
    back = load(sr_to_aim(aim_to_sr(write(collection), given).data, given).data)
    assert isinstance(back, ImageAnnotationCollection)
    shape = back.image_annotations[0].markup_entity_collection[0]
    assert [(each.x, each.y) for each in shape.two_dimension_spatial_coordinate_collection] == [  # type: ignore[attr-defined]
        ("10", "10"),
        ("14", "10"),
    ]


def test_a_circle_and_an_ellipse_are_round() -> None:
    ring = Mark("CIRCLE", ((10.0, 10.0), (14.0, 10.0))).outline()
    assert all(abs((x - 10) ** 2 + (y - 10) ** 2 - 16) < 1e-9 for x, y in ring)
    ellipse = Mark("ELLIPSE", ((0.0, 10.0), (20.0, 10.0), (10.0, 5.0), (10.0, 15.0))).outline()
    assert all(abs(((x - 10) / 10) ** 2 + ((y - 10) / 5) ** 2 - 1) < 1e-9 for x, y in ellipse)


def test_a_shape_in_space_is_drawn_where_its_slice_is() -> None:
    frame = Frame("1.2", 1, "1.9", (-100.0, -50.0, 30.0), ROW, (0.5, 2.0), 4.0)
    assert frame.projected("1.9", [(-100.0, -50.0, 31.0)]) == ((0.5, 0.5),)
    assert frame.projected("1.9", [(-96.0, -49.0, 30.0)]) == ((2.5, 2.5),)
    assert frame.projected("1.9", [(-100.0, -50.0, 35.0)]) == ()  # another slice
    assert frame.projected("1.8", [(-100.0, -50.0, 30.0)]) == ()  # another frame of reference


def test_other_frames_and_images_are_not_drawn_on() -> None:
    collection = circle("10", "14")
    assert marks_of_aim(collection, Frame("1.2.3"), Options()) == []
    document = to_sr(collection, Options(), lambda _: None)
    assert marks_of_sr(document, Frame("1.2.3")) == []


@pytest.mark.parametrize("bad", [b"", b"<x/>", b"no image"])
def test_what_cannot_be_read_is_said_and_nothing_is_written(bad: bytes, tmp_path: Path) -> None:
    image, out = tmp_path / "image.dcm", tmp_path / "out.png"
    annotations = tmp_path / "a.xml"
    annotations.write_bytes(write(SAMPLE))
    image.write_bytes(bad)
    called = ["render", str(annotations), "--image", str(image), "--out", str(out)]
    run = CliRunner().invoke(command_line("render"), called)
    assert run.exit_code == 3 and not out.exists()
    out.write_bytes(b"mine")
    assert CliRunner().invoke(command_line("render"), called).exit_code == 2
    assert out.read_bytes() == b"mine"


def test_the_sr_of_a_file_draws_as_the_document(tmp_path: Path) -> None:
    data = aim_to_sr(write(circle("10", "14")), GIVEN).data
    assert len(marks_of_sr(read_file(BytesSource(data)), Frame(PET_IMAGE))) == 1
