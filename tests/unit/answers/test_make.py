"""The set: the same for the same wish, every class in every form, nobody's real name, a key that can be followed."""

from __future__ import annotations

import hashlib
import io
import re
from pathlib import Path

import pydicom
import pytest
from pydicom.datadict import tag_for_keyword

from benchmarks.answers import content, forms, leaks, make, people, phrases
from benchmarks.answers.key import ACTIONS
from benchmarks.answers.plant import CannotMake, Made, Planter
from profiles.confidentiality import load

# Of RELIABILITY.md section 4, by the words of this package
CLASSES = {
    "preamble and meta", "rim", "unknown and retired", "curves", "overlays", "private", "private creator",
    "UN-encoded sequence", "UTF-16 in UN", "original attributes", "header", "attachments", "documents",
    "depth x encoding x VR", "character sets", "dates", "UIDs with a record number", "content: PNAME", "observers",
}  # fmt: skip
IN_PATHS = {
    "free text", "free text, own script", "free text in items", "content: TEXT", "content: UIDREF", "content: DATETIME",
    "graphics", "frames", "ages", "references", "UIDs",
}  # fmt: skip


def test_the_same_wish_gives_the_same_bytes(basic: list[Made]) -> None:
    again = list(make.made(make.Wanted(count=10)))
    assert [each.content for each in again] == [each.content for each in basic[:10]]
    assert [each.row for each in again] == [each.row for each in basic[:10]]
    other = list(make.made(make.Wanted(count=10, seed=7)))
    assert all(a.content != b.content and a.row.patient != b.row.patient for a, b in zip(again, other, strict=True))


def test_every_class_is_there(basic: list[Made]) -> None:
    planted = {p.leak for made in basic for p in made.row.planted}
    assert planted >= CLASSES
    assert {a.leak for made in basic for a in made.row.answers} >= IN_PATHS
    assert {a.action for made in basic for a in made.row.answers} == set(ACTIONS) - {"pixels_hidden"}
    assert len({a.place for made in basic for a in made.row.answers}) > 400


def test_every_cell_of_depth_encoding_and_vr_is_there(basic: list[Made]) -> None:
    cells = {(p.depth, p.encoding, p.vr) for made in basic for p in made.row.planted if p.leak.startswith("depth x")}
    assert {tuple(each) for each in forms.combinations()} == cells and len(cells) > 300
    assert {depth for depth, _, _ in cells} == {0, 1, 2, 5, 31}
    assert {encoding for _, encoding, _ in cells} == set(forms.ENCODINGS) and len(forms.ENCODINGS) == 9


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_every_object_is_one_that_pydicom_reads(basic: list[Made]) -> None:
    for made in basic:
        data = pydicom.dcmread(io.BytesIO(made.content))
        data.decode()
        assert data.SOPInstanceUID == made.row.instance and data.PatientID == made.row.patient
    assert len({made.row.instance for made in basic}) == len(basic)
    assert len({made.row.ids[1] for made in basic}) == len(make.KINDS)
    assert len({made.row.patient for made in basic}) == 2


def test_only_invented_people() -> None:
    """Names are syllables; telephone and mail are reserved for nobody."""
    for number in range(50):
        person = people.person(1, number)
        for name in (person.family, person.given, person.physician, person.operator):
            lower = name.lower()
            assert {lower[n : n + 3] for n in range(0, 9, 3)} <= set(people.SYLLABLES)
        assert person.telephone.startswith("555-01") and person.mail.endswith("@example.org")
        assert person == people.person(1, number) != people.person(2, number)


def test_no_syllable_is_in_a_harmless_word() -> None:
    harmless = " ".join(phrases.HARMLESS).lower()
    assert [each for each in people.SYLLABLES if each in harmless] == []


def rows() -> dict[int, dict[str, str]]:
    """Table E.1-1: tag -> option -> letter."""
    basic = load("basic")
    return {
        int(row.tag, 16): dict(zip(basic.options, row.options, strict=True))
        for row in basic.rows
        if re.fullmatch("[0-9A-F]{8}", row.tag)
    }


def test_what_is_planted_is_what_profiles_remove_under_any_of_the_options() -> None:
    """A canary that nobody knows cannot stand where an option of the set keeps or only cleans."""
    table = rows()
    assert len(table) > 500
    for keyword in sorted({k for each in forms.REMOVED.values() for k in each} | {k for k, _ in leaks.HEADER}):
        tag = tag_for_keyword(keyword)
        assert tag in table or keyword in ("RetrieveURL", "RetrieveURI", "IssuerOfPatientID"), keyword
        assert {option for option, letter in table.get(tag, {}).items() if letter != "."} & set(make.OPTIONS) == set()


def test_descriptors_are_those_that_the_option_cleans() -> None:
    table = rows()
    for keyword in (*phrases.SHORT, *phrases.LONG):
        assert table[tag_for_keyword(keyword) or 0]["clean-descriptors"] == "C", keyword


def test_what_must_stay_is_in_no_row_of_the_table() -> None:
    assert [keyword for keyword in content.STAY if tag_for_keyword(keyword) in rows()] == []


def test_options_change_what_is_asked(basic: list[Made], optioned: list[Made]) -> None:
    for plain, cleaned in zip(basic, optioned, strict=False):
        before, after = ({(a.action, a.place) for a in made.row.answers} for made in (plain, cleaned))
        assert len(after) > len(before)
    leak = {a.leak for made in optioned for a in made.row.answers}
    assert "kept: descriptor" in leak and "kept: date" in leak
    assert "kept: descriptor" not in {a.leak for made in basic for a in made.row.answers}


def test_what_cannot_be_followed_or_found_is_not_made() -> None:
    person = people.person(1, 1)
    data = make.kinds.build("ct", 1, person)
    planter = Planter(data, person, people.random.Random(1), frozenset({"clean-descriptors"}))
    planter.text(planter.top, "ImageComments", "chest of Kelvaro", "chest of Kelvaro", [("Kelvaro", "name")], "x")
    with pytest.raises(CannotMake, match="part of a text to keep"):
        planter.finish("a.dcm")
    planter = Planter(make.kinds.build("ct", 1, person), person, people.random.Random(1), frozenset())
    planter.gone(planter.top.place(0x00204000), "Kelvaro", "x")
    with pytest.raises(CannotMake):
        planter.finish("a.dcm")
    with pytest.raises(CannotMake):
        make.Wanted(count=0)


def test_real_objects_take_an_invented_patient(shared: Path) -> None:
    folder = shared / "corpus"
    made = list(make.corpus.made(folder / "fo-dicom", 100, 42, frozenset()))
    assert len(made) > 5
    assert len({hashlib.sha256(each.content).digest() for each in made}) == len(made)
    for each in made:
        data = pydicom.dcmread(io.BytesIO(each.content))
        assert data.PatientID == each.row.patient and len(each.row.answers) > 100
