"""A site's exceptions: of the items of one sequence, of makers' attributes, and for some objects only."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.config.load import examine_bytes
from gateway.errors import ConfigRefused, HoldObject
from gateway.overrides import Tables
from tests.unit.deidentify.building import Elements, encode, image, parsed, run
from tests.unit.deidentify.test_profile import Line
from transforms.dataset.syntax import EXPLICIT_LE, IMPLICIT_LE
from transforms.deidentify.profile import compile_profile
from transforms.source import BytesSource

CSA = '(0029,"SIEMENS CSA HEADER",10)'
OWN = '(0019,"OUR CODE",01)'


def left(lines: tuple[Line, ...], extra: Elements, *, explicit: bool = True, options: tuple[str, ...] = ()) -> Any:
    done = run(encode(image(extra), explicit), explicit, table=compile_profile("basic", options, lines))
    return parsed(b"".join(done.plan.chunks()), explicit), done


@pytest.mark.parametrize("explicit", [True, False])
def test_a_line_with_a_sequence_holds_in_its_items_and_nowhere_else(explicit: bool) -> None:
    values: Elements = {0x00080070: ("LO", b"ACME"), 0x00081090: ("LO", b"X1")}
    extra = values | {0x00081115: ("SQ", [values]), 0x00400275: ("SQ", [values | {0x00081115: ("SQ", [values])}])}
    found, done = left((Line("ReferencedSeriesSequence.Manufacturer", "remove"),), extra, explicit=explicit)
    assert found.Manufacturer == "ACME"
    assert "Manufacturer" not in found.ReferencedSeriesSequence[0]
    assert found.ReferencedSeriesSequence[0].ManufacturerModelName == "X1"
    assert done.codes == ("113100",)


def test_a_line_with_a_sequence_holds_however_deep_the_sequence_stands() -> None:
    inner: Elements = {0x00080070: ("LO", b"ACME")}
    middle: Elements = {0x00081115: ("SQ", [inner]), 0x00080070: ("LO", b"ACME")}
    found, _ = left((Line("ReferencedSeriesSequence.Manufacturer", "empty"),), {0x00081250: ("SQ", [middle])})
    item = found.RelatedSeriesSequence[0]
    assert item.Manufacturer == "ACME" and item.ReferencedSeriesSequence[0].Manufacturer == ""


def test_a_line_for_items_wins_over_one_for_everywhere() -> None:
    values: Elements = {0x00080070: ("LO", b"ACME")}
    lines = (Line("Manufacturer", "remove"), Line("ReferencedSeriesSequence.Manufacturer", "empty"))
    found, _ = left(lines, values | {0x00081115: ("SQ", [values])})
    assert "Manufacturer" not in found and found.ReferencedSeriesSequence[0].Manufacturer == ""


def test_a_looser_line_for_items_costs_the_claim_only_where_it_had_an_effect() -> None:
    line = Line("ReferencedSeriesSequence.PatientAge", "keep", allow_looser=True)
    age: Elements = {0x00101010: ("AS", b"044Y")}
    found, done = left((line,), age | {0x00081115: ("SQ", [age])})
    assert found.get("PatientAge", "") == "" and found.ReferencedSeriesSequence[0].PatientAge == "044Y"
    assert done.codes == ()
    assert left((line,), age)[1].codes == ("113100",)


def private(value: bytes, creator: bytes = b"OUR CODE", vr: str = "LO") -> Elements:
    return {0x00190010: ("LO", creator), 0x00191001: (vr, value), 0x00191002: ("LO", b"another")}


@pytest.mark.parametrize("explicit", [True, False])
def test_a_makers_attribute_that_is_named_stays_and_nothing_beside_it(explicit: bool) -> None:
    found, done = left((Line(OWN, "keep", allow_looser=True, vr="LO"),), private(b"protocol 7"), explicit=explicit)
    assert found[0x00191001].value in ("protocol 7", b"protocol 7") and 0x00191002 not in found
    assert found[0x00190010].value == "OUR CODE"
    assert done.codes == ()


def test_it_is_known_by_its_creator_not_by_its_tag() -> None:
    line = Line(OWN, "keep", allow_looser=True, vr="LO")
    assert not [each for each in left((line,), private(b"x", b"THEIR CODE"))[0] if each.tag.is_private]
    moved: Elements = {0x00190020: ("LO", b"OUR CODE"), 0x00192001: ("LO", b"protocol 7")}
    assert left((line,), moved)[0][0x00192001].value == "protocol 7"
    nested = {0x00081115: ("SQ", [{0x00191001: ("LO", b"no creator here")}])}
    assert 0x00191001 not in left((line,), private(b"x") | nested)[0].ReferencedSeriesSequence[0]


def test_under_another_vr_than_the_lines_it_goes() -> None:
    line = Line(OWN, "keep", allow_looser=True, vr="DS")
    assert 0x00191001 not in left((line,), private(b"DOE^JANE", vr="PN"))[0]


def test_a_byte_string_stays_where_a_site_says_so() -> None:
    extra: Elements = {0x00290010: ("LO", b"SIEMENS CSA HEADER"), 0x00291010: ("OB", b"SV10\4\3\2\1")}
    found, done = left((Line(CSA, "keep", allow_looser=True),), extra)
    assert found[0x00291010].value == b"SV10\4\3\2\1" and done.codes == ()


def test_text_of_a_maker_is_cleaned_where_a_site_says_so() -> None:
    line = Line(OWN, "clean", allow_looser=True, vr="LO")
    found, _ = left((line,), private(b"protocol of DOE JANE"), options=("clean-descriptors",))
    assert "DOE" not in str(found[0x00191001].value) and "protocol" in str(found[0x00191001].value)


def test_a_safe_attribute_can_be_taken_back() -> None:
    safe: Elements = {0x00190010: ("LO", b"GEMS_ACQU_01"), 0x00191023: ("DS", b"1.5"), 0x00191024: ("DS", b"2.5")}
    line = Line('(0019,"GEMS_ACQU_01",23)', "remove")
    found, done = left((line,), safe, options=("retain-safe-private",))
    assert 0x00191023 not in found and found[0x00191024].value == 2.5
    assert "113111" in done.codes


YOUNG = {"PatientAge": {"lt": "90Y"}}


def table(age: bytes | None, *lines: Line, explicit: bool = True) -> Any:
    extra: Elements = {0x00101010: ("AS", age)} if age is not None else {}
    data = encode(image(extra), explicit)
    found = Tables("basic", (), lines).of(BytesSource(data), EXPLICIT_LE if explicit else IMPLICIT_LE)
    return parsed(b"".join(run(data, explicit, table=found).plan.chunks()), explicit), found


@pytest.mark.parametrize("explicit", [True, False])
def test_a_condition_decides_for_each_object(explicit: bool) -> None:
    line = Line("PatientAge", "keep", when=YOUNG, allow_looser=True)
    assert table(b"044Y", line, explicit=explicit)[0].PatientAge == "044Y"
    assert "PatientAge" not in table(b"091Y", line, explicit=explicit)[0]


def test_without_the_attribute_the_stricter_side_counts() -> None:
    looser = Line("PatientSex", "keep", when=YOUNG, allow_looser=True)
    stricter = Line("PatientSex", "remove", when=YOUNG)
    kept = Line("PatientSex", "keep", allow_looser=True)
    sex: Elements = {0x00100040: ("CS", b"F")}
    data = encode(image(sex), True)

    def sex_left(*lines: Line) -> Any:
        found = Tables("basic", (), lines).of(BytesSource(data), EXPLICIT_LE)
        return parsed(b"".join(run(data, table=found).plan.chunks())).get("PatientSex")

    assert sex_left(kept) == "F"
    assert sex_left(looser) != "F"
    assert sex_left(kept, stricter) is None


@pytest.mark.parametrize("age", [b"old", b"044Y\\045Y\\xxxx"])
def test_a_condition_that_cannot_be_answered_holds_the_object(age: bytes) -> None:
    with pytest.raises(HoldObject) as caught:
        table(age, Line("PatientAge", "keep", when=YOUNG, allow_looser=True))
    assert caught.value.reason == "override-unanswered"
    assert age.decode() not in str(caught.value)


def test_objects_of_a_study_agree_in_their_uids_whatever_holds_for_them() -> None:
    line = Line("PatientAge", "keep", when=YOUNG, allow_looser=True)
    (one, first), (two, second) = table(b"044Y", line), table(b"091Y", line)
    assert first is not second and first.generation == second.generation
    assert one.StudyInstanceUID == two.StudyInstanceUID
    assert first.generation != compile_profile("basic", (), (Line("PatientAge", "keep", allow_looser=True),)).generation


def test_a_condition_is_checked_when_it_is_compiled() -> None:
    with pytest.raises(ConfigRefused, match="PatientAgee"):
        Tables("basic", (), (Line("PatientSex", "remove", when={"PatientAgee": "090Y"}),))


def test_the_rule_file_tells_the_place_of_what_is_wrong() -> None:
    text = """\
version: 1
state: {dir: ./state}
listeners: [{id: a, dimse: {ae: GATEWAY, port: 2762}, unsafe_plaintext: a test}]
deidentify:
  trial:
    key: file:project.key
    override:
      - {at: PatientSex, do: remove, why: few women, when: {PatientAgee: {lt: 90Y}}}
      - {at: RequestAttributesSequenze.StudyComments, do: remove, why: free text}
      - {at: '(0029,"SIEMENS CSA HEADER",10)', do: keep, why: gradients, allow_looser: true}
routes: [{id: rest, otherwise: hold}]
"""
    from pathlib import Path

    from gateway.decide.check import problems

    _, found = examine_bytes(text.encode(), "gateway.yaml", Path("/base"), (problems,))
    told = [str(each) for each in found if each.severity == "error"]
    assert [each.split(" ")[0] for each in told] == ["gateway.yaml:8:61:", "gateway.yaml:9:10:"]
    assert "PatientAge" in told[0] and "RequestAttributesSequence" in told[1]
