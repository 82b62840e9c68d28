"""The scorer has power: a copy scores nothing, an empty object keeps nothing, each single fault is found in its place.

The outputs are made from the key by perfect.py, not by the product.
"""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pydicom
import pytest
from pydicom.dataset import Dataset

from benchmarks.answers import score, told
from benchmarks.answers.key import BadKey
from benchmarks.answers.plant import Made
from tests.conftest import ROOT

from .perfect import find, fresh, perfect, save, tables

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
COUNT = 10


class Place(NamedTuple):
    out: Path
    mapping: Path

    def score(self, made: list[Made]) -> score.Score:
        uids, patients = (score.table(self.mapping / name) for name in score.TABLES)
        return score.score([each.row for each in made], self.out, uids, patients)


def place(tmp_path: Path, made: list[Made], *, same: bool = False) -> Place:
    (tmp_path / "out").mkdir()
    tables(tmp_path / "mapping", [each.row for each in made], same=same)
    return Place(tmp_path / "out", tmp_path / "mapping")


@pytest.fixture(params=["basic", "optioned"])
def made(request: pytest.FixtureRequest) -> list[Made]:
    found: list[Made] = request.getfixturevalue(request.param)
    return found[:COUNT]


def test_the_key_can_be_followed_to_the_letter(made: list[Made], tmp_path: Path) -> None:
    where = place(tmp_path, made)
    for each in made:
        save(perfect(each), where.out)
    result = where.score(made)
    assert result.wrong == [] and result.passes(keep=1.0)
    assert result.share() == result.removal == result.keeping == 1.0 and result.survivors == 0


def test_a_copy_scores_nothing_on_removal(made: list[Made], tmp_path: Path) -> None:
    where = place(tmp_path, made, same=True)
    for each in made:
        (where.out / each.name).write_bytes(each.content)
    result = where.score(made)
    for action in ("text_removed", "date_shifted", "uid_changed"):
        assert result.actions[action].passed == 0 and result.actions[action].total > 0
    assert result.removal == 0 and not result.passes()
    assert {tally.passed for tally in result.planted.values()} == {0}, "every planted pattern is found in a copy"
    marks = sum(a.leak == "marking" for each in made for a in each.row.answers)
    tails = sum(a.action == "pixels_retained" for each in made for a in each.row.answers)
    kept = sum(result.actions[a].failed + result.actions[a].blank for a in score.KEEPING)
    assert kept == marks + tails, "all that must stay is there, but for marks and cut pixels"


def test_what_removes_everything_keeps_nothing(made: list[Made], tmp_path: Path) -> None:
    where = place(tmp_path, made)
    for each in made:
        empty = perfect(each)
        for element in list(empty):
            if element.keyword not in ("SOPInstanceUID", "SOPClassUID"):
                del empty[element.tag]
        save(empty, where.out)
    result = where.score(made)
    assert result.removal == 1.0 and result.survivors == 0
    assert result.keeping < 0.5 and not result.passes()
    assert result.actions["pixels_retained"].passed == 0 and result.actions["tag_retained"].passed == 0


def test_what_gives_nothing_out_fails(made: list[Made], tmp_path: Path) -> None:
    result = place(tmp_path, made).score(made)
    assert result.absent == COUNT and result.keeping == 0 and result.removal == 1 and not result.passes()
    assert not score.Score().passes(), "an empty key passes nothing"


def restore(action: str, leak: str, depth: int = 0) -> Callable[[Dataset, Made], str]:
    """A fault: the original value stands where this answer is asked; tells its path."""

    def fault(out: Dataset, made: Made) -> str:
        source = pydicom.dcmread(io.BytesIO(made.content))
        for answer in made.row.answers:
            if (
                answer.action != action
                or answer.leak != leak
                or answer.place.count("[") != depth
                or '"' in answer.place
            ):
                continue
            there, tag = find(source, answer.place)
            target, _ = find(out, answer.place, make=True)
            target[tag] = there[tag]
            return answer.place
        pytest.fail(f"the key asks for no {action} of {leak} at depth {depth}")

    return fault


def drop(keyword: str) -> Callable[[Dataset, Made], str]:
    def fault(out: Dataset, made: Made) -> str:
        tag = out[keyword].tag
        del out[keyword]
        return f"<({tag.group:04x},{tag.element:04x})>"

    return fault


def change(keyword: str, value: object, place: str) -> Callable[[Dataset, Made], str]:
    def fault(out: Dataset, made: Made) -> str:
        setattr(out, keyword, value)
        return place

    return fault


def private(out: Dataset, made: Made) -> str:
    answer = next(a for a in made.row.answers if a.leak == "private" and '"ACME ONE",01' in a.place)
    out.private_block(0x0009, "ACME ONE", create=True).add_new(1, "LO", answer.value)
    return "<(0009,*,01)>"


FAULTS: dict[str, tuple[Callable[[Dataset, Made], str], str]] = {
    "a name stays": (restore("text_removed", "header"), "text_removed"),
    "a name stays in an item": (restore("text_removed", "original attributes", 1), "text_removed"),
    "a name stays two items deep": (restore("text_removed", "original attributes", 2), "text_removed"),
    "a descriptor is not cleaned": (restore("text_removed", "free text"), "text_removed"),
    "a date is not shifted": (restore("date_shifted", "dates"), "date_shifted"),
    "a UID is not replaced": (restore("uid_changed", "UIDs in items", 0), "uid_changed"),
    "a private element stays": (private, "text_removed"),
    "another Patient ID": (change("PatientID", "SOMEBODY", "<(0010,0020)>"), "patid_consistent"),
    "another study": (change("StudyInstanceUID", "2.25.4", "<(0020,000d)>"), "uid_consistent"),
    "rows are gone": (drop("Rows"), "text_retained"),
    "a tube voltage is another": (change("KVP", "80", "<(0018,0060)>"), "text_retained"),
    "a type 2 element is gone": (drop("StudyID"), "tag_retained"),
    "a study without UID": (drop("StudyInstanceUID"), "text_notnull"),
    "it is not marked": (drop("PatientIdentityRemoved"), "text_retained"),
}
FAULTS["a UID is not replaced"] = (
    lambda out, made: (setattr(out, "FrameOfReferenceUID", f"1.2.276.99.{made.row.patient[4:]}.4"), "<(0020,0052)>")[1],
    "uid_changed",
)


@pytest.mark.parametrize("name", FAULTS)
def test_a_single_fault_is_found_in_its_place(name: str, basic: list[Made], tmp_path: Path) -> None:
    made, where = basic[:3], place(tmp_path, basic[:3])
    fault, action = FAULTS[name]
    expected = ""
    for number, each in enumerate(made):
        out = perfect(each)
        path = fault(out, each) if number == 0 else ""
        expected = path or expected
        save(out, where.out)
    result = where.score(made)
    assert not result.passes(keep=1.0)
    wrong = [each for each in result.wrong if each.row == 1 and each.action == action]
    assert [each.place for each in wrong] == [expected], result.wrong
    assert {each.row for each in result.wrong} == {1}
    assert {each.place for each in result.wrong if each.action != score.NOT_THERE} == {expected}


def test_a_changed_pixel_is_found(basic: list[Made], tmp_path: Path) -> None:
    where = place(tmp_path, basic[:1])
    out = perfect(basic[0])
    out.PixelData = out.PixelData[:-1] + bytes([out.PixelData[-1] ^ 1])
    save(out, where.out)
    assert [each.action for each in where.score(basic[:1]).wrong] == ["pixels_retained"]


@pytest.mark.parametrize("leak", ["preamble and meta", "rim", "attachments", "UN-encoded sequence", "UTF-16 in UN",
                                  "curves", "depth x encoding x VR", "private creator"])  # fmt: skip
def test_planted_bytes_anywhere_are_found(leak: str, basic: list[Made], tmp_path: Path) -> None:
    """Behind the last element, where no path leads."""
    where = place(tmp_path, basic[:1])
    path = save(perfect(basic[0]), where.out)
    (planted, *_) = (p for p in basic[0].row.planted if p.leak == leak)
    path.write_bytes(path.read_bytes() + b"\xfc\xff\xfc\xffOB\0\0\x40\0\0\0" + planted.pattern.ljust(64, b"\0"))
    result = where.score(basic[:1])
    assert not result.passes() and result.survivors >= 1
    assert [w.action for w in result.wrong] == [score.NOT_THERE] * len(result.wrong)
    assert any(w.leak.startswith(leak) for w in result.wrong)


def test_strangers_doubles_and_rubbish_forbid_a_pass(basic: list[Made], tmp_path: Path) -> None:
    where = place(tmp_path, basic[:2])
    paths = [save(perfect(each), where.out) for each in basic[:2]]
    assert where.score(basic[:2]).passes(keep=1.0)
    (where.out / "again.dcm").write_bytes(paths[0].read_bytes())
    assert where.score(basic[:2]).doubles == 1 and not where.score(basic[:2]).passes()
    (where.out / "again.dcm").write_bytes(b"rubbish" * 50)
    assert where.score(basic[:2]).unreadable == 1 and not where.score(basic[:2]).passes()
    stranger = perfect(basic[2])
    stranger.SOPInstanceUID = "2.25.1"
    (where.out / "again.dcm").unlink()
    save(stranger, where.out)
    assert where.score(basic[:2]).strangers == 1 and not where.score(basic[:2]).passes()
    assert where.score(basic[:1]).strangers == 2, "one nobody mapped, one that the key does not speak of"


def test_a_row_of_a_series_speaks_of_all_its_objects(basic: list[Made], tmp_path: Path) -> None:
    from dataclasses import replace

    where = place(tmp_path, basic[:1])
    save(perfect(basic[0]), where.out)
    row = replace(basic[0].row, scope="Series", planted=())
    uids, patients = (score.table(where.mapping / name) for name in score.TABLES)
    result = score.score([row], where.out, uids, patients)
    assert result.absent == 0 and result.share() == 1.0


def test_mapping_tables_are_read_strictly(tmp_path: Path) -> None:
    path = tmp_path / "uid.csv"
    for content in ("a,b\n1,2\n", "id_old,id_new\n1.2.4711\n", "id_old,id_new\n1.2.4711,9\n1.2.4712,9\n", ""):
        path.write_text(content)
        with pytest.raises(BadKey) as caught:
            score.table(path)
        assert "4711" not in str(caught.value)
    with pytest.raises(BadKey):
        score.table(tmp_path / "none.csv")


def test_nothing_told_holds_a_value(made: list[Made], tmp_path: Path) -> None:
    where = place(tmp_path, made, same=True)
    for each in made:
        (where.out / each.name).write_bytes(each.content)
    result = where.score(made)
    page = told.page(result, {}, most=10**6) + str(told.numbers(result, 1.0))
    assert len(page) > 10000
    for each in made:
        for planted in each.row.planted:
            assert planted.pattern.decode("latin-1") not in page
        assert not any(answer.text in page for answer in each.row.answers if len(answer.text) > 9)
        assert each.row.instance not in page and fresh(each.row.instance) not in page


def test_the_scorer_does_not_import_what_it_judges() -> None:
    code = (
        "import sys, benchmarks.answers.__main__\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('transforms', 'gateway', 'profiles')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"
