"""Table E.3.4-1 row by row, every combination that the options make of a row, and what holds where it is silent."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import pytest

from profiles.confidentiality import generate, load
from profiles.confidentiality import structured_content as table
from transforms.deidentify import dummies
from transforms.deidentify.content import (
    MACROS,
    PINNED,
    SEQUENCES,
    ContentAction,
    Verdict,
    content_rules,
    value_rules,
)
from transforms.deidentify.content_items import Head
from transforms.deidentify.content_values import (
    ANNOTATION,
    CODE,
    DATE,
    MEASURED,
    NUMERIC,
    OWN,
    PERSON_NAME,
    TAGS,
    TEXT,
    UID,
)
from transforms.deidentify.options import How
from transforms.deidentify.rules import Action

BASIC = content_rules(())
REFERENCES = ("IMAGE", "COMPOSITE", "WAVEFORM")
# The chosen options never contradict: full or modified dates
CHOICES = [
    tuple(option for option in chosen if option)
    for chosen in product(
        ("", "retain-uids"),
        ("", "retain-device-identity"),
        ("", "retain-institution-identity"),
        ("", "retain-patient-characteristics"),
        ("", "retain-full-dates", "retain-modified-dates"),
        ("", "clean-descriptors"),
    )
]


def own(verdict: Verdict, value_type: str) -> set[tuple[Action, How | None]]:
    rules = value_rules(verdict)
    return {(rules[tag].action, rules[tag].how) for tag in OWN.get(value_type, ())}


def test_the_table_is_the_standards(shared: Path) -> None:
    facts = json.loads((shared / "standard" / "ps3.15-structured-content.json").read_text())
    written = (Path(generate.__file__).parent / "structured_content.py").read_text()
    assert written == generate.structured_content(shared / "standard")
    assert facts["_meta"]["edition"] == table.EDITION and len(table.ROWS) == facts["_meta"]["rows"] == 214
    for (code, scheme, meaning, value_type, action, options), fact in zip(table.ROWS, facts["rows"], strict=True):
        assert (code, scheme, meaning) == (fact["code"], fact["scheme"], fact["meaning"])
        assert (value_type, action) == (fact["value_type"], fact["basic"])
        assert options == "".join(fact[column] or "." for column in facts["_meta"]["columns"])
        assert not fact["retired"]


def test_options_are_those_of_the_rule_files() -> None:
    assert set(table.OPTIONS) < set(load("basic").options)


@pytest.mark.parametrize("row", table.ROWS, ids=lambda row: f"{row[0]}-{row[3]}")
def test_every_row_under_every_choice_of_options(row: tuple[str, str, str, str, str, str]) -> None:
    code, scheme, _, value_type, action, letters = row
    for chosen in CHOICES:
        verdict = content_rules(chosen).verdict(Head(value_type, code, scheme, "CONTAINS"))
        cells = {option: letter for option, letter in zip(table.OPTIONS, letters, strict=True) if option in chosen}
        assert f"({code}, {scheme}) {value_type}" in verdict.source
        assert set(value_rules(verdict)) == TAGS
        if "C" in cells.values():
            assert verdict.action is ContentAction.CLEAN
            how = How.TEXT if value_type == "TEXT" else How.SHIFT
            assert own(verdict, value_type) == {(Action.CLEAN, how)}
        elif "K" in cells.values():
            assert verdict.action is ContentAction.KEEP
            assert own(verdict, value_type) <= {(Action.KEEP, None)}
        elif action == "X":
            assert verdict.action is ContentAction.REMOVE_ITEM
        elif value_type in REFERENCES:
            assert verdict.action is ContentAction.KEEP, "walked: the UIDs in it are replaced"
        else:
            assert verdict.action is ContentAction.CLEAN and not verdict.blank
            wanted = Action.UID if value_type == "UIDREF" else Action.DUMMY
            assert own(verdict, value_type) == {(wanted, None)}


def test_the_observer_is_gone_from_the_report() -> None:
    """Observer context (TID 1002-1004), told one by one: what the table says of it, and not only that we follow it."""
    gone = ContentAction.REMOVE_ITEM
    for code, value_type in (
        ("128774", "TEXT"),  # Person Observer's Login Name
        ("128775", "TEXT"),  # Identifier within Person Observer's Role
        ("121009", "TEXT"),  # Person Observer's Organization Name
        ("121013", "TEXT"),  # Device Observer Name
        ("121016", "TEXT"),  # ... Serial Number
        ("121017", "TEXT"),  # ... Physical Location During Observation
        ("121022", "TEXT"),  # Accession Number
        ("121018", "UIDREF"),  # Procedure Study Instance UID
        ("121031", "DATE"),  # Subject Birth Date
        ("121032", "CODE"),  # Subject Sex
        ("121033", "NUM"),  # Subject Age
    ):
        assert BASIC.verdict(Head(value_type, code, "DCM")).action is gone, code
    assert own(BASIC.verdict(Head("PNAME", "121008", "DCM")), "PNAME") == {(Action.DUMMY, None)}
    assert own(BASIC.verdict(Head("UIDREF", "121012", "DCM")), "UIDREF") == {(Action.UID, None)}
    kept = content_rules(("retain-device-identity", "retain-patient-characteristics"))
    assert kept.verdict(Head("TEXT", "121016", "DCM")).action is ContentAction.KEEP
    assert kept.verdict(Head("UIDREF", "121012", "DCM")).action is ContentAction.KEEP
    assert kept.verdict(Head("CODE", "121032", "DCM")).action is ContentAction.KEEP
    assert kept.verdict(Head("PNAME", "121008", "DCM")).action is ContentAction.CLEAN
    assert kept.verdict(Head("DATE", "121031", "DCM")).action is gone, "no option retains a birth date"


def test_cleaning_wins_over_keeping() -> None:
    both = content_rules(("retain-device-identity", "clean-descriptors"))
    verdict = both.verdict(Head("TEXT", "121122", "DCM"))  # Equipment Identification: K and C
    assert own(verdict, "TEXT") == {(Action.CLEAN, How.TEXT)}


@pytest.mark.parametrize("scheme", ["SRT", "SNM3", "99SDM", "srt"])
def test_retired_snomed_codes_are_recognised(scheme: str) -> None:
    assert BASIC.verdict(Head("TEXT", "F-02455", scheme)).source == "E.3.4-1 (160476009, SCT) TEXT"  # Social History
    for old, new in table.SNOMED_RT.items():
        for value_type in ("TEXT", "DATETIME", "COMPOSITE"):
            then, now = (BASIC.verdict(Head(value_type, *each)) for each in ((old, scheme), (new, "SCT")))
            assert then == now
    assert BASIC.verdict(Head("NUM", "F-99999", scheme)).action is ContentAction.KEEP


@pytest.mark.parametrize(
    ("head", "under"),
    [
        (Head("DATE", "21112-8", "LN"), "121031"),
        (Head("CODE", "263495000", "SCT"), "121032"),
        (Head("NUM", "30525-0", "LN"), "121033"),
        (Head("NUM", "121033", ""), "121033"),
        (Head("NUM", "121033", "dcm"), "121033"),
    ],
)
def test_other_codes_of_the_same_concept(head: Head, under: str) -> None:
    verdict = content_rules(("retain-full-dates",)).verdict(head)
    assert verdict.action is ContentAction.REMOVE_ITEM and under in verdict.source


def test_where_the_table_is_silent_the_value_type_decides() -> None:
    silent = ("99999", "TEST")
    for value_type in ("NUM", "CODE", "CONTAINER", "IMAGE", "COMPOSITE", "WAVEFORM", "SCOORD", "TCOORD", "TABLE"):
        assert BASIC.verdict(Head(value_type, *silent)).action is ContentAction.KEEP, value_type
    for value_type, wanted in (
        ("TEXT", (Action.DUMMY, None)),
        ("PNAME", (Action.DUMMY, None)),
        ("DATE", (Action.DUMMY, None)),
        ("TIME", (Action.DUMMY, None)),
        ("DATETIME", (Action.DUMMY, None)),
        ("UIDREF", (Action.UID, None)),
    ):
        verdict = BASIC.verdict(Head(value_type, *silent))
        assert verdict.action is ContentAction.CLEAN and own(verdict, value_type) == {wanted}
        assert BASIC.verdict(Head(value_type)).action is ContentAction.CLEAN, "without a concept name, too"
    for option, value_type, action, how in (
        ("clean-descriptors", "TEXT", Action.CLEAN, How.TEXT),
        ("retain-modified-dates", "DATETIME", Action.CLEAN, How.SHIFT),
        ("retain-full-dates", "TIME", Action.KEEP, None),
        ("retain-uids", "UIDREF", Action.KEEP, None),
    ):
        assert own(content_rules((option,)).verdict(Head(value_type, *silent)), value_type) == {(action, how)}
    every = content_rules(tuple(option for option in table.OPTIONS if option != "retain-modified-dates"))
    assert own(every.verdict(Head("PNAME", *silent)), "PNAME") == {(Action.DUMMY, None)}, "no option keeps a name"


def test_no_value_attribute_passes_under_another_value_type() -> None:
    """Text in an item that says NUM; a name in one that says nothing; and in one whose own value an option keeps."""
    for head in (Head("NUM", "1", "99TEST"), Head("CODE", "1", "99TEST"), Head("CONTAINER"), Head("XYZZY"), Head()):
        rules = value_rules(BASIC.verdict(head))
        assert rules[TEXT].action is rules[PERSON_NAME].action is rules[DATE].action is Action.DUMMY, head
        assert rules[UID].action is Action.UID
        assert rules[CODE].action is rules[NUMERIC].action is Action.KEEP
    kept = content_rules(("retain-device-identity",)).verdict(Head("TEXT", "121016", "DCM"))
    assert value_rules(kept)[TEXT].action is Action.KEEP
    assert value_rules(kept)[PERSON_NAME].action is value_rules(kept)[DATE].action is Action.DUMMY


def test_a_listed_identifier_in_another_value_type_is_one_all_the_same() -> None:
    for value_type in ("NUM", "CODE", "PNAME", "UIDREF"):
        assert BASIC.verdict(Head(value_type, "113871", "DCM")).action is ContentAction.REMOVE_ITEM  # Person ID
        assert own(BASIC.verdict(Head(value_type, "121030", "DCM")), value_type) <= {  # Subject ID: X/D
            (Action.DUMMY, None), (Action.UID, None), (Action.EMPTY, None)
        }  # fmt: skip
    assert own(content_rules(("clean-descriptors",)).verdict(Head("TEXT", "113870", "DCM")), "TEXT") == {
        (Action.DUMMY, None)  # Person Name as TEXT: no dictionary knows every name
    }
    assert BASIC.verdict(Head("CODE", "121071", "DCM")).action is ContentAction.KEEP  # Finding: only its TEXT is listed
    assert BASIC.verdict(Head("CONTAINER", "121111", "DCM")).action is ContentAction.KEEP  # Summary as a section


@pytest.mark.parametrize("value_type", ["", "XYZZY", "TEXT\\NUM"])
def test_a_listed_concept_of_no_known_value_type_is_gone(value_type: str) -> None:
    assert BASIC.verdict(Head(value_type, "121033", "DCM")).action is ContentAction.REMOVE_ITEM
    assert BASIC.verdict(Head(value_type, "1", "99TEST")).action is ContentAction.KEEP


def test_named_by_position_nothing_goes_and_everything_below_is_blank() -> None:
    device = Head("CONTAINER", "121000", "DCM")  # Unique Device Identifiers
    assert BASIC.verdict(device).action is ContentAction.REMOVE_ITEM
    parent = BASIC.verdict(device, pinned=True)
    assert parent.action is ContentAction.KEEP and parent.blank
    for row in table.ROWS:
        verdict = BASIC.verdict(Head(row[3], row[0], row[1]), pinned=True)
        assert verdict.action is not ContentAction.REMOVE_ITEM
        assert Action.KEEP not in {action for action, _ in own(verdict, row[3])}
    for head in (Head("TEXT"), Head("CODE", "1", "99TEST"), Head("NUM", "1", "99TEST"), device):
        below = BASIC.verdict(head, parent, pinned=True)
        assert below.blank and below.action is not ContentAction.REMOVE_ITEM
        assert {rule.action for rule in value_rules(below).values()} == {Action.DUMMY, Action.UID, Action.EMPTY}
    assert value_rules(BASIC.verdict(Head("NUM", "121033", "DCM"), pinned=True))[MEASURED].action is Action.EMPTY


def test_the_root_is_kept_whatever_its_title() -> None:
    for head in (Head("CONTAINER", "121000", "DCM"), Head(), Head("TEXT", "121022", "DCM")):
        verdict = BASIC.root(head)
        assert verdict.action is not ContentAction.REMOVE_ITEM and not verdict.blank
        assert value_rules(verdict)[TEXT].action is Action.DUMMY


def test_identifiers_that_tell_things_apart_are_marked() -> None:
    marked = {
        row[2]
        for row in table.ROWS
        if BASIC.verdict(Head(row[3], row[0], row[1])).identifier == f"content {row[0]} {row[1]}"
    }
    assert marked == {
        "Component ID", "Degree of Freedom ID", "Fetus ID", "Intervention attempt identifier", "Mating Feature ID",
        "Mating Feature Set ID", "Parent Specimen Identifier", "Procedure Action ID", "Subject ID",
    }  # fmt: skip


def test_the_sequences_are_those_with_the_letter_in_table_e_1_1() -> None:
    profile = load("basic")
    column = profile.options.index("clean-structured-content")
    assert {int(row.tag, 16) for row in profile.rows if row.options[column] == "C"} == set(SEQUENCES)
    assert not MACROS & set(SEQUENCES) and PINNED <= MACROS


def test_the_macro_sequences_are_those_of_the_iods(shared: Path) -> None:
    pytest.importorskip("highdicom")
    from pydicom.datadict import tag_for_keyword

    found = json.loads((generate._highdicom() / "module_attribute_map.json").read_text())
    holding = {
        tag_for_keyword(each["path"][-1])
        for listed in found.values()
        for each in listed
        if each["path"] and each["keyword"] == "ValueType"
    }
    assert holding <= MACROS | set(SEQUENCES)


def test_every_rule_can_be_carried_out() -> None:
    """A dummy for each VR, and the verdicts are made once."""
    for chosen in CHOICES:
        rules = content_rules(chosen)
        for row in table.ROWS:
            verdict = rules.verdict(Head(row[3], row[0], row[1]))
            assert verdict is rules.verdict(Head(row[3], row[0], row[1], "CONTAINS"))
            assert all(rule.how is not None for rule in value_rules(verdict).values() if rule.action is Action.CLEAN)
    assert {"UT", "PN", "DA", "TM", "DT", "ST", "DS", "FD", "SL", "UL"} <= set(dummies.BY_VR)


def test_items_of_the_other_sequences_are_content_items_too() -> None:
    """Acquisition context has no relationship; a waveform annotation has no value type, and its text elsewhere."""
    assert BASIC.verdict(Head("TEXT", "109054", "DCM")).action is ContentAction.REMOVE_ITEM  # Patient State
    assert BASIC.verdict(Head("NUM", "109055", "DCM")).action is ContentAction.KEEP
    assert BASIC.verdict(Head("TEXT", "121041", "DCM"), pinned=True).action is ContentAction.CLEAN  # of a specimen step
    annotation = BASIC.verdict(Head("", "1", "99TEST"))
    assert annotation.action is ContentAction.KEEP
    assert value_rules(annotation)[ANNOTATION].action is Action.DUMMY
    assert value_rules(annotation)[NUMERIC].action is value_rules(annotation)[CODE].action is Action.KEEP
    cleaned = content_rules(("clean-descriptors",)).verdict(Head())
    assert value_rules(cleaned)[ANNOTATION].how is How.TEXT
    assert BASIC.verdict(Head("", "122173", "DCM")).action is ContentAction.REMOVE_ITEM  # ST Elevation Onset DateTime


def test_makers_and_models_stay_as_the_header_has_them() -> None:
    for code in ("121014", "121015", "113878", "113879", "121194", "121195"):
        verdict = BASIC.verdict(Head("TEXT", code, "DCM"))
        assert verdict.action is ContentAction.KEEP and own(verdict, "TEXT") == {(Action.KEEP, None)}
        assert value_rules(verdict)[PERSON_NAME].action is Action.DUMMY
        assert BASIC.verdict(Head("TEXT", code, "99TEST")).action is ContentAction.CLEAN
    rows = {row.tag for row in load("basic").rows}
    assert not rows & {"00080070", "00081090"}, "Table E.1-1 keeps Manufacturer and Manufacturer's Model Name"


def test_text_of_a_private_concept_is_never_let_through() -> None:
    """Dose reports in the field carry a physician's name as TEXT under a concept of the maker's own."""
    cleaning = content_rules(("clean-descriptors",))
    for head in (Head("TEXT", "027", "99PHI"), Head("NUM", "1", "99TEST"), Head("", "1", "99TEST")):
        rules = value_rules(cleaning.verdict(head))
        assert rules[TEXT].action is rules[ANNOTATION].action is Action.DUMMY
        assert rules[NUMERIC].action is Action.KEEP
    assert cleaning.verdict(Head("TEXT", "027", "99PHI")).action is ContentAction.CLEAN
    assert (
        value_rules(cleaning.verdict(Head("TEXT", "F-99999", "99SDM")))[TEXT].how is How.TEXT
    )  # SNOMED's, no private one
