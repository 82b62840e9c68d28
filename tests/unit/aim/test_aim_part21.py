"""PS3.21 A.7, both ways: the sample annotation and its SR. What differs is said and explained here."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.unit.aim.part21 import SAMPLE, TREE
from transforms.aim.convert import aim_to_sr, sr_to_aim
from transforms.aim.read import read
from transforms.aim.write import write
from transforms.conversion import Given
from transforms.loss import Fate
from transforms.source import BytesSource
from transforms.sr.model import Document, Item
from transforms.sr.read import read_file
from transforms.sr.values import Coded, Date, Image, Num, PName, Text, Time, UidRef

GIVEN = Given(datetime(2026, 11, 26, tzinfo=UTC))
# A.7.2 says which examination it was; A.6.1.2 has AIM say nothing of it, and "Imaging procedure" written.
EXPLAINED = {"121058": ("44136-0", "363679005")}


def document() -> Document:
    return read_file(BytesSource(aim_to_sr(write(SAMPLE), GIVEN).data))


def said(item: Item) -> str:
    """The value of an item in the words of A.7.2."""
    match item.value:
        case Text(text=words) | Num(decimal=words) | PName(name=words) | UidRef(uid=words):
            return words
        case Date(value=words) | Time(value=words):
            return words
        case Coded(code=code):
            return code.value
        case Image(reference=reference):
            return reference.sop_instance
    return ""


def test_the_tree_is_that_of_the_standard() -> None:
    found = [
        (
            len(item.position) - 1,
            item.relationship,
            item.value_type,
            item.name.value if item.name is not None else "",
            said(item),
            item.observation_uid,
        )
        for item in document().root.walk()
    ]
    wanted = []
    for depth, relationship, kind, name, value, uid in TREE:
        before, after = EXPLAINED.get(name, (value, value))
        assert value == before
        wanted.append((depth, relationship, kind, name, after, uid))
    assert found == wanted


def test_the_header_is_that_of_the_standard() -> None:
    made = document()
    assert made.sop_class == "1.2.840.10008.5.1.4.1.1.88.22"
    assert made.sop_instance == SAMPLE.unique_identifier  # nothing was lost: it is the same document
    assert (made.study.instance, made.series.instance) == (SAMPLE.study_instance_uid, SAMPLE.series_instance_uid)
    assert (made.study.date, made.study.time, made.study.accession.value) == ("", "", "AN5678AIM")
    assert (made.general.content_date, made.general.content_time) == ("20170201", "180043")
    assert (made.general.completion, made.general.verification) == ("COMPLETE", "UNVERIFIED")
    assert made.series.number == "7291"
    assert made.general.authors[0].person.name == "Doe^Jane"
    assert (made.equipment.manufacturer, made.equipment.software) == ("Acme Medical Systems", ("36.00",))
    assert (made.patient.name, made.patient.birth_date, made.patient.sex) == ("CM-1-111-000000", "19600101", "M")
    where = {each.reference.sop_instance: (each.study, each.series) for each in made.general.current_evidence}
    assert where == {
        "2.25.319214308104243787945491694789635628411": (
            "2.25.52186905385055707830834793159643714079",
            "2.25.263500776851326986665835510707132143772",
        ),
        "2.25.134884066033959077306435705240550195701": (
            "2.25.19202292006231006756726546749423641172",
            "2.25.225493840038502954753967211679094249480",
        ),
    }
    item = made.root.at((1, 6, 1))
    assert item is not None and item.observed_at == "20170201180043"


def test_nothing_is_lost_either_way() -> None:
    there = aim_to_sr(write(SAMPLE), GIVEN)
    assert {line.fate for line in there.losses.lines} == {Fate.DEFAULTED}  # language and procedure
    back = sr_to_aim(there.data, GIVEN)
    assert back.losses.lines == ()
    found = read(back.data)
    assert found.unique_identifier == SAMPLE.unique_identifier
    again = aim_to_sr(back.data, GIVEN)
    assert again.data == there.data
