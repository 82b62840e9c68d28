"""Routes in order, `mode: all`, `otherwise`, and that whatever goes wrong holds the object."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.config.load import examine_bytes
from gateway.config.schema import Config
from gateway.decide.explain import explain
from gateway.decide.facts import DictFacts, Values
from gateway.decide.routes import Rules, compile_rules, decide
from gateway.errors import ConfigRefused
from gateway.model import Decision, Verdict

HEAD = """\
version: 1
state: {dir: ./state}
listeners: [{id: a, dimse: {ae: GATEWAY, port: 0}, unsafe_plaintext: a test}]
destinations: {one: {folder: {dir: ./one}}, two: {folder: {dir: ./two}}, three: {folder: {dir: ./three}}}
deidentify: {trial: {key: env:KEY}, other: {key: env:KEY}}
routes:
"""


def rules(*routes: str) -> Rules:
    text = HEAD + "".join(f"  - {{id: {route}}}\n" for route in (*routes, "rest, otherwise: hold"))
    config, problems = examine_bytes(text.encode(), "rules.yaml", Path("/base"))
    assert config is not None, [str(each) for each in problems]
    return compile_rules(config)


def decided(found: Rules, **values: Any) -> Decision:
    return decide(found, DictFacts({key: (value,) for key, value in values.items()}, listener="a"))


def test_the_first_that_matches_decides() -> None:
    found = rules("x, match: {Modality: CT}, deliver: one", "y, match: {Modality: {exists: true}}, deliver: two")
    assert decided(found, Modality="CT") == Decision(Verdict.DELIVER, "x", destinations=("one",))
    assert decided(found, Modality="MR") == Decision(Verdict.DELIVER, "y", destinations=("two",))


def test_what_no_route_takes_is_held() -> None:
    assert decided(rules("x, match: {Modality: CT}, deliver: one")) == Decision(Verdict.HOLD, "rest", "no-route")


def test_hold_and_drop_say_why() -> None:
    found = rules("x, match: {Modality: SC}, hold: screenshots", "y, match: {Modality: PR}, drop: not kept here")
    assert decided(found, Modality="SC") == Decision(Verdict.HOLD, "x", "screenshots")
    assert decided(found, Modality="PR") == Decision(Verdict.DROP, "y", "not kept here")


def test_otherwise_may_drop_with_a_reason() -> None:
    text = HEAD + "  - {id: rest, otherwise: drop, reason: not for us}\n"
    config, _ = examine_bytes(text.encode(), "rules.yaml", Path())
    assert config is not None
    assert decided(compile_rules(config)) == Decision(Verdict.DROP, "rest", "not for us")


def test_a_missing_attribute_matches_neither_a_predicate_nor_its_not() -> None:
    found = rules(
        "x, match: {BodyPartExamined: HEAD}, deliver: one", "y, match: {not: {BodyPartExamined: HEAD}}, deliver: two"
    )
    assert decided(found).route == "rest"
    assert decided(found, BodyPartExamined="CHEST").route == "y"


def test_missing_hold_stops_there() -> None:
    found = rules(
        "x, match: {BodyPartExamined: {eq: HEAD, missing: hold}}, deliver: one",
        "y, match: {Modality: CT}, deliver: two",
    )
    decision = decided(found, Modality="CT")
    assert (decision.verdict, decision.route, decision.reason) == (Verdict.HOLD, "x", "rule-missing")
    assert decision.detail == "BodyPartExamined, eq, line 7 of the rules"


def test_a_wrong_value_holds_and_is_not_told() -> None:
    found = rules("x, match: {StudyDate: {lt: 20240101}}, deliver: one", "y, match: {Modality: CT}, deliver: two")
    decision = decided(found, StudyDate="Jane Doe", Modality="CT")
    assert (decision.verdict, decision.route, decision.reason) == (Verdict.HOLD, "x", "rule-type-error")
    assert decision.detail == "StudyDate, lt, line 7 of the rules"


def test_a_wrong_value_that_does_not_matter_does_not_hold() -> None:
    found = rules("x, match: {all: [{StudyDate: {lt: 20240101}}, {listener: b}]}, deliver: one")
    assert decided(found, StudyDate="Jane Doe").route == "rest"


def test_an_earlier_route_that_matched_comes_before_a_later_ones_trouble() -> None:
    found = rules("x, match: {Modality: CT}, deliver: one", "y, match: {StudyDate: {lt: 20240101}}, deliver: two")
    assert decided(found, StudyDate="soon", Modality="CT").route == "x"


class Broken:
    """Facts that cannot be read, with a patient in the error."""

    listener = called_ae = calling_ae = subject = ""

    def get(self, path: str) -> Values:
        raise OSError("/spool/DOE^JANE")


def test_facts_that_raise_hold_the_object_and_tell_nothing() -> None:
    found = rules("x, match: {Modality: CT}, deliver: one", "y, match: {Modality: {exists: false}}, drop: gone")
    decision = decide(found, Broken())
    assert (decision.verdict, decision.route, decision.reason) == (Verdict.HOLD, "x", "rule-error")
    assert "DOE" not in decision.detail
    told = explain(found, Broken(), values=True)
    assert told.decision == decision
    assert "DOE" not in told.as_text()
    assert "cannot be read, hold" in told.as_text()


class Hostile:
    """Not even facts."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("DOE^JANE")


def test_what_is_no_facts_holds_too() -> None:
    decision = decide(rules("x, match: {Modality: CT}, deliver: one"), Hostile())
    assert decision == Decision(Verdict.HOLD, "", "rule-error", detail="RuntimeError")


def test_no_rules_at_all_hold() -> None:
    assert decided(Rules((), "rules")).verdict is Verdict.HOLD


class TestModeAll:
    """Several routes for one object."""

    def test_destinations_are_put_together_where_the_steps_are_the_same(self) -> None:
        found = rules(
            "x, match: {Modality: CT}, mode: all, deliver: [one, two]",
            "y, match: {PatientID: '1'}, mode: all, deliver: [two, three]",
            "z, match: {PatientID: '2'}, deliver: three",
        )
        assert decided(found, Modality="CT", PatientID="1") == Decision(
            Verdict.DELIVER, "x", destinations=("one", "two", "three")
        )
        assert decided(found, Modality="CT") == Decision(Verdict.DELIVER, "x", destinations=("one", "two"))
        assert decided(found, Modality="MR", PatientID="2").route == "z"

    def test_different_steps_cannot_be_one_decision(self) -> None:
        found = rules(
            "x, match: {Modality: CT}, mode: all, deliver: one",
            "y, match: {PatientID: '1'}, steps: [{deidentify: trial}], deliver: two",
        )
        decision = decided(found, Modality="CT", PatientID="1")
        assert (decision.verdict, decision.reason, decision.destinations) == (Verdict.HOLD, "several-routes", ())

    def test_hold_wins_over_what_was_gathered(self) -> None:
        found = rules("x, match: {Modality: CT}, mode: all, deliver: one", "y, match: {PatientID: '1'}, hold: look")
        assert decided(found, Modality="CT", PatientID="1") == Decision(Verdict.HOLD, "y", "look")

    def test_a_later_trouble_holds_all_of_it(self) -> None:
        found = rules(
            "x, match: {Modality: CT}, mode: all, deliver: one", "y, match: {StudyDate: 20240101}, deliver: two"
        )
        assert decided(found, Modality="CT", StudyDate="soon").reason == "rule-type-error"

    def test_drop_after_a_delivery_only_ends_the_asking(self) -> None:
        found = rules("x, match: {Modality: CT}, mode: all, deliver: one", "y, match: {PatientID: '1'}, drop: no")
        assert decided(found, Modality="CT", PatientID="1").destinations == ("one",)
        assert decided(found, PatientID="1").verdict is Verdict.DROP


def test_compiling_tells_every_problem_with_its_place() -> None:
    text = (
        HEAD + "  - {id: x, match: {Modalty: CT}, deliver: one}\n  - {id: y, match: {StudyDate: soon}, deliver: one}\n"
    )
    config, _ = examine_bytes((text + "  - {id: rest, otherwise: hold}\n").encode(), "rules.yaml", Path())
    assert config is not None
    with pytest.raises(ConfigRefused) as caught:
        compile_rules(config)
    assert [str(each) for each in caught.value.problems] == [
        "rules.yaml:7:21: unknown attribute 'Modalty' (did you mean 'Modality'?)",
        "rules.yaml:8:32: 'soon' is not a date: write 20241231 or 2024-12-31",
    ]


def test_rules_without_an_otherwise_do_not_compile() -> None:
    text = HEAD + "  - {id: x, match: {Modality: CT}, deliver: one}\n"
    config, _ = examine_bytes(text.encode(), "rules.yaml", Path())
    assert config is not None
    with pytest.raises(ConfigRefused):
        compile_rules(config)


def test_a_configuration_that_was_read_back_decides_the_same() -> None:
    text = (
        HEAD
        + "  - {id: x, match: {StudyDate: {between: [2024-01-01, 20241231]}}, deliver: one}\n"
        + "  - {id: r, otherwise: hold}\n"
    )
    config, _ = examine_bytes(text.encode(), "rules.yaml", Path("/base"))
    assert config is not None
    again = Config.model_validate_json(config.model_dump_json(by_alias=True))
    for date in ("20240601", "20250601", "soon"):
        first, second = decided(compile_rules(config), StudyDate=date), decided(compile_rules(again), StudyDate=date)
        assert (first.verdict, first.route, first.reason) == (second.verdict, second.route, second.reason)


class TestExplain:
    """Why, predicate by predicate."""

    found = rules(
        "x, match: {all: [{Modality: {in: [CT]}}, {not: {PatientName: DOE^JANE}}]}, deliver: one",
        "y, match: {Modality: MR, PatientID: {exists: true}}, steps: [{deidentify: trial}], deliver: two",
    )
    facts = DictFacts({"Modality": ("MR",), "PatientName": ("DOE^JANE",), "PatientID": ()}, listener="a")

    def test_as_text(self) -> None:
        assert explain(self.found, self.facts).as_text().splitlines() == [
            "deliver: route y to two",
            "x (line 7): false",
            "  all: false",
            "    Modality in: false  [line 7]",
            "    not: false",
            "      PatientName eq: true  [line 7]",
            "y (line 8): true",
            "  all: true",
            "    Modality eq: true  [line 8]",
            "    PatientID exists: true  [line 8]",
            "rest (line 9): not asked",
        ]

    def test_values_only_where_asked_for(self) -> None:
        silent = explain(self.found, self.facts)
        assert "DOE" not in silent.as_text() + str(silent.as_json())
        spoken = explain(self.found, self.facts, values=True)
        assert "DOE^JANE: true, is DOE^JANE" in spoken.as_text()

    def test_missing_and_empty_are_told_apart(self) -> None:
        found = rules("x, match: {PatientID: '1', PatientSex: F}, deliver: one")
        text = explain(found, self.facts).as_text()
        assert "PatientID eq: unknown (empty)" in text
        assert "PatientSex eq: unknown (missing)" in text

    def test_steps_of_the_route_that_delivers(self) -> None:
        assert [step.deidentify for step in explain(self.found, self.facts).route_steps] == ["trial"]
        assert explain(self.found, DictFacts()).route_steps == ()

    def test_control_characters_do_not_reach_a_terminal(self) -> None:
        found = rules("x, match: {PatientID: '1'}, deliver: one")
        assert "\x1b" not in explain(found, DictFacts({"PatientID": ("\x1b[2J",)}), values=True).as_text()
