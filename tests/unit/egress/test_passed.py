"""What a study is known to hold is not looked at again, and nothing is missed by it."""

from __future__ import annotations

from random import Random

import pytest

from tests.unit.egress.outputs import EXPLICIT, IMPLICIT, clean_ct, ct, encoded, meta, parsed
from transforms.dataset import part10
from transforms.egress import check, passed, scanner
from transforms.egress.check import Study
from transforms.egress.harvest import Harvest
from transforms.source import BytesSource

NUMBERS = range(1, 7)


def studied(syntax: str = EXPLICIT) -> Study:
    """A study of which a few objects have left."""
    study = Study()
    for number in NUMBERS:
        original, output = (encoded(parsed(each(number)), syntax) for each in (ct, clean_ct))
        study.harvest(BytesSource(original), syntax)
        assert study.check(BytesSource(output), syntax, head=meta()) == ()
    return study


def searched(study: Study) -> passed.Passed:
    (state,) = study._searched.values()
    return state.clean


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_a_series_is_gone_past_in_runs(syntax: str) -> None:
    study = studied(syntax)
    known = searched(study)
    raw = encoded(parsed(clean_ct(9)), syntax)
    whole, rest = scanner.scan(BytesSource(raw), syntax), scanner.scan(BytesSource(raw), syntax, known)
    assert len(rest.chunks) < len(whole.chunks) // 3
    assert set(rest.chunks) <= set(whole.chunks)
    assert set(whole.chunks) - set(rest.chunks) <= known.elements


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
@pytest.mark.parametrize("seed", range(12))
def test_a_leak_within_a_run_is_found(syntax: str, seed: int) -> None:
    """Each time another element holds the patient's name: between elements that are known to be clean."""
    study = studied(syntax)
    dice = Random(seed)
    found = 0
    for _ in range(8):
        data = parsed(clean_ct(9))
        texts = [each for each in data if each.VR in ("LO", "SH", "ST", "LT", "UT") and each.tag.group != 0x7FE0]
        leaking = dice.choice(texts)
        leaking.value = "seen: Mustermann"
        raw = encoded(data, syntax)
        alone = Study(study.records)
        hits = study.check(BytesSource(raw), syntax)
        assert hits == alone.check(BytesSource(raw), syntax)
        found += bool(hits)  # but for a maker's name, a version, a code
    assert found > 1
    assert study.check(BytesSource(encoded(parsed(clean_ct(9)), syntax)), syntax) == ()


def test_what_was_clean_is_searched_again_when_the_study_grows() -> None:
    study = studied()
    data = parsed(clean_ct(9))
    word = str(data[0x0008, 0x0070].value)  # Manufacturer, in a run by now
    assert word and any(word.encode() in run.data for run in searched(study).runs.values())
    other = parsed(ct(9))
    other[0x0010, 0x0010].value = "Zyxwvut^Anna"
    data.ProtocolName = "for Zyxwvut"
    raw = encoded(data)
    for _ in range(4):
        assert study.check(BytesSource(raw), EXPLICIT) == ()  # nobody of that name is known
    study.harvest(BytesSource(encoded(other)), EXPLICIT)
    assert [hit.where for hit in study.check(BytesSource(raw), EXPLICIT)] == ["(0018,1030)"]


def test_a_uid_that_turns_out_an_original_is_found_where_it_was_clean() -> None:
    study = studied()
    uid = str(parsed(clean_ct(9))[0x0020, 0x0052].value)  # Frame of Reference UID: of the output
    original = parsed(ct(9))
    original[0x0020, 0x000E].value = uid
    study.harvest(BytesSource(encoded(original)), EXPLICIT)
    assert "(0020,0052)" in [hit.where for hit in study.check(BytesSource(clean_ct(9)), EXPLICIT)]


def test_file_meta_is_searched_each_time_it_is_another() -> None:
    study = studied()
    uid = str(parsed(ct(1))[0x0008, 0x0018].value)
    for _ in range(3):
        head = part10.meta("1.2.840.10008.5.1.4.1.1.2", uid, EXPLICIT)
        assert [hit.name for hit in study.check(BytesSource(clean_ct(9)), EXPLICIT, head=head)] == ["uid"]
        assert study.check(BytesSource(clean_ct(9)), EXPLICIT, head=meta()) == ()
        named = b"Mustermann".ljust(128, b"\0") + meta()[128:]
        assert [hit.name for hit in study.check(BytesSource(clean_ct(9)), EXPLICIT, head=named)] == ["patient-name"]


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_a_harvest_learns_the_same_whatever_came_before(syntax: str) -> None:
    """Objects of a study with other people in other places, and other character sets, in any order."""
    dice = Random(7)
    raws = []
    for number in range(40):
        data = parsed(ct(number % 3))
        if dice.random() < 0.5:
            data.ReferringPhysicianName = dice.choice(("Abendroth^Karl", "M\u00fcller^Ilse", "Zabel"))
        if dice.random() < 0.3:
            data.SpecificCharacterSet = dice.choice(("ISO_IR 100", "ISO_IR 192"))
        if dice.random() < 0.3:
            data.OperatorsName = f"Operator{dice.randrange(4)}^X"
        raws.append(encoded(data, syntax))
    together = Harvest()
    expected: set[tuple[str, str]] = set()
    for raw in raws:
        alone = Harvest()
        alone.take(BytesSource(raw), syntax)
        expected |= alone.identifiers.records
        together.take(BytesSource(raw), syntax)
        assert together.identifiers.records == expected
        assert alone.identifiers.uids.keys() <= together.identifiers.uids.keys()


def test_a_study_of_two_syntaxes() -> None:
    study = Study()
    for number in NUMBERS:
        for syntax in (EXPLICIT, IMPLICIT):
            original, output = (encoded(parsed(each(number)), syntax) for each in (ct, clean_ct))
            study.harvest(BytesSource(original), syntax)
            assert study.check(BytesSource(output), syntax) == ()
            assert study.check(BytesSource(original), syntax) != ()


def test_it_is_bounded() -> None:
    study = studied()
    dice = Random(3)
    for _ in range(150):
        data = parsed(clean_ct(9))
        for element in data:
            if element.VR in ("LO", "SH"):
                element.value = f"t{dice.randrange(1 << 20):06x}"
        study.check(BytesSource(encoded(data)), EXPLICIT)
    known = searched(study)
    assert len(known.elements) < check._CLEAN + 400 and len(known.runs) <= passed._MOST
    assert all(len(run.data) <= passed._LONGEST for run in known.runs.values())
    assert all(element in known.elements for run in known.runs.values() for element in run.elements)
