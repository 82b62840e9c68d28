"""Compiling a profile: what it refuses, and what an override does and costs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from profiles.confidentiality import load
from tests.unit.deidentify.building import encode, image, parsed, run
from transforms.deidentify.dummies import BY_VR, ITEMS
from transforms.deidentify.profile import compile_profile
from transforms.deidentify.rules import REFERENCES, allowed_vrs
from transforms.errors import TransformError


@dataclass(frozen=True)
class Line:
    at: str
    do: str
    why: str = "protocol 4.2"
    when: dict[str, Any] | None = None
    allow_looser: bool = False
    vr: str | None = None


@dataclass(frozen=True)
class Refused:
    lines: tuple[Line, ...]
    reason: str
    options: tuple[str, ...] = field(default=())
    profile: str = "basic"


@pytest.mark.parametrize(
    "case",
    [
        Refused((), "profile-unknown", profile="nothing"),
        Refused((), "option-unknown", options=("clean-everything",)),
        Refused((), "options-contradict", options=("retain-full-dates", "retain-modified-dates")),
        Refused((Line("PixelAspectRatio", "clean"),), "override-clean"),
        Refused((Line("PatientAge", "keep"),), "override-looser"),
        Refused((Line("StudyInstanceUIDx", "remove"),), "override-unknown"),
        Refused((Line("0008,FFFE", "remove"),), "override-unknown"),
        Refused((Line("(0009,1001)", "keep", allow_looser=True),), "override-private"),
        Refused((Line("PatientID", "keep", allow_looser=True),), "override-essential"),
        Refused((Line("SOPInstanceUID", "remove"),), "override-essential"),
        Refused((Line("PatientAge", "keep", when={"PatientAge": {"lt": "90Y"}}),), "override-looser"),
        Refused((Line("ReferencedStudySequence.PatientID", "keep"),), "override-looser"),
        Refused((Line("ReferencedStudySequence.RequestAttributesSequence.PatientID", "empty"),), "override-path"),
        Refused((Line("ReferencedStudySequence[0].PatientID", "empty"),), "override-path"),
        Refused((Line("PatientID.PatientSex", "empty"),), "override-path"),
        Refused((Line("Manufacturer", "keep", vr="LO"),), "override-vr"),
        Refused((Line('(0029,"SIEMENS CSA HEADER",10)', "keep"),), "override-looser"),
        Refused((Line('(0029,"NOBODY KNOWS",10)', "keep", allow_looser=True),), "override-vr"),
        Refused((Line('(0028,"SIEMENS CSA HEADER",10)', "keep", allow_looser=True),), "override-private"),
        Refused((Line('(0029,"SIEMENS CSA HEADER",10)', "empty"),), "override-private"),
        Refused((Line('(0029,"SIEMENS CSA HEADER",10)', "clean", allow_looser=True),), "override-clean"),
        Refused((Line("PatientSize", "uid"),), "override-looser"),
        Refused((Line("Manufacturer", "uid"),), "override-looser"),
        Refused((Line("Manufacturer", "remove", why=" "),), "override-why"),
        Refused((Line("ReferencedSeriesSequence", "dummy"),), "override-dummy"),
    ],
    ids=lambda case: f"{case.reason}-{len(case.lines)}",
)
def test_refused(case: Refused) -> None:
    with pytest.raises(TransformError) as error:
        compile_profile(case.profile, case.options, case.lines)
    assert error.value.reason == case.reason


def test_a_stricter_override_holds_at_every_depth_and_keeps_the_claim() -> None:
    table = compile_profile("basic", (), (Line("Manufacturer", "remove"), Line("(0008,1090)", "empty")))
    values = {0x00080070: ("LO", b"ACME"), 0x00081090: ("LO", b"X1")}
    done = run(encode(image(values | {0x00081115: ("SQ", [values])}), True), table=table, trace=True)
    dataset = parsed(b"".join(done.plan.chunks()))
    for level in (dataset, dataset.ReferencedSeriesSequence[0]):
        assert "Manufacturer" not in level and level.ManufacturerModelName == ""
    assert done.codes == ("113100",)
    assert {element.source for element in done.elements if element.tag == 0x00080070} == {"override 1"}


def test_a_looser_override_costs_the_claim_where_it_had_an_effect() -> None:
    table = compile_profile("basic", (), (Line("PatientAge", "keep", allow_looser=True),))
    with_age = run(encode(image({0x00101010: ("AS", b"044Y")}), True), table=table)
    dataset = parsed(b"".join(with_age.plan.chunks()))
    assert dataset.PatientAge == "044Y" and with_age.codes == ()
    assert "DeidentificationMethodCodeSequence" not in dataset and "1 site exceptions" in dataset.DeidentificationMethod
    assert dataset.LongitudinalTemporalInformationModified == "REMOVED"
    without = run(encode(image(), True), table=table)
    assert without.codes == ("113100",)


def test_a_date_kept_by_exception_is_told() -> None:
    table = compile_profile("basic", (), (Line("StudyDate", "keep", allow_looser=True),))
    for extra, told in (({0x00080020: ("DA", b"20200101")}, "UNMODIFIED"), ({}, "REMOVED")):
        done = run(encode(image(extra), True), table=table)
        assert parsed(b"".join(done.plan.chunks())).LongitudinalTemporalInformationModified == told


def test_the_generation_follows_what_is_left_not_how_it_is_said() -> None:
    def generation(*lines: Line) -> str:
        return compile_profile("basic", (), lines).generation

    one, two = Line("Manufacturer", "remove"), Line("PatientSex", "remove")
    assert generation() != generation(one) != generation(one, two)
    assert generation(one, two) == generation(two, one) == generation(Line("(0008,0070)", "remove", why="x"), two)


def test_lines_of_the_table_are_made_when_asked_for_and_hostile_ones_never() -> None:
    level = compile_profile("basic").top("2.25.4711")  # of a class that nobody else asks for
    assert not level.explicit and not level.implicit
    rows, columns = b"\x28\0\x10\0", b"\x28\0\x11\0"
    assert level.explicit[rows + b"US"] >> 4 == level.implicit[rows] >> 4 == 0x00280010
    for key in (
        columns + b"UI",
        columns + b"\xff\xff",
        b"\x09\0\x10\0LO",
        b"\x08\0\xff\xffLO",
        columns + b"U",
        b"\x28",
        b"",
    ):
        assert level.explicit[key] == -1
    for key in (b"\x09\0\x10\0", b"\x08\0\xff\xff", b"\x28\0\x11", b""):
        assert level.implicit[key] == -1
    assert list(level.explicit) == [rows + b"US"] and list(level.implicit) == [rows]


def test_every_action_of_the_table_can_be_carried_out() -> None:
    """A dummy exists for every row that may ask for one (missing ones would stop an object at run time)."""
    for row in load("basic").rows:
        if "D" in row.action and row.tag != "private" and "x" not in row.tag:
            tag = int(row.tag, 16)
            vrs = allowed_vrs(tag)
            assert vrs, row
            assert (vrs == ("SQ",) and (tag in ITEMS or tag in REFERENCES)) or all(
                vr in BY_VR or vr == "UI" for vr in vrs
            ), row
