"""The runner of `cases:`: passes what is so, and tells each expectation that is not."""

from __future__ import annotations

from pathlib import Path

from gateway.config.load import examine_bytes
from gateway.config.schema import Case, Route
from gateway.decide.cases import Effects, Outcome, run
from gateway.decide.facts import DictFacts, Facts
from gateway.decide.routes import compile_rules
from gateway.errors import GatewayError, HoldObject

HEAD = """\
version: 1
state: {dir: ./state}
listeners: [{id: a, dimse: {ae: GATEWAY, port: 0}, unsafe_plaintext: a test}]
destinations: {one: {folder: {dir: ./one}}, two: {folder: {dir: ./two}}}
deidentify: {trial: {key: env:KEY}}
routes:
  - {id: ct, match: {Modality: CT}, steps: [{deidentify: trial}], deliver: [one, two]}
  - {id: rest, otherwise: hold, reason: no-route}
cases:
"""
BEFORE = {"PatientID": ("1",), "PatientAddress": ("street",), "Modality": ("CT",), "PatientName": ("A^B",)}
AFTER = {"PatientID": ("x",), "Modality": ("CT",), "PatientName": ()}


def facts_of(case: Case) -> Facts:
    if case.given.file and case.given.file.name == "gone.dcm":
        raise GatewayError("case-file", "gone.dcm: No such file or directory")
    return DictFacts(case.given.set, case.given.listener or "a")


def transform(case: Case, route: Route) -> Effects:
    assert route.id == "ct"
    if case.name == "held":
        raise HoldObject("empty-patient-id")
    return Effects(BEFORE.get, AFTER.get, pixels_identical=case.name != "burnt")


def ran(*cases: str) -> tuple[Outcome, ...]:
    text = HEAD + "".join(f"  - {{{case}}}\n" for case in cases)
    config, problems = examine_bytes(text.encode(), "rules.yaml", Path())
    assert config is not None, [str(each) for each in problems]
    return run(config, compile_rules(config), facts_of, transform)


CT = "given: {file: ct.dcm, set: {Modality: CT}}"


def test_what_is_so_passes() -> None:
    outcomes = ran(
        "name: n1, given: {set: {Modality: CT}}, expect: {route: ct, verdict: deliver, destinations: [two, one]}",
        "name: n2, given: {set: {Modality: MR}}, expect: {route: rest, verdict: hold, reason: no-route}",
        f"name: n3, {CT}, expect: {{removed: PatientAddress, changed: [PatientID, PatientName], kept: [Modality]}}",
        f"name: n4, {CT}, expect: {{pixels: identical}}",
    )
    assert [each.name for each in outcomes if not each.passed] == []
    assert [each.line for each in outcomes] == [10, 11, 12, 13]


def test_each_expectation_that_fails_is_told_with_its_line() -> None:
    outcomes = ran(
        "name: n1, given: {set: {Modality: MR}}, expect: {route: ct, verdict: deliver, reason: x, destinations: [one]}",
        f"name: n2, {CT}, expect: {{removed: [PatientID, Modality], changed: [Modality, PatientAddress], "
        "kept: [PatientName]}",
        f"name: n3, {CT}, expect: {{removed: [PatientBirthName]}}",
        f"name: burnt, {CT}, expect: {{pixels: identical}}",
        f"name: held, {CT}, expect: {{removed: [PatientID]}}",
        "name: n6, given: {file: ct.dcm}, expect: {pixels: identical}",
        "name: n7, given: {file: gone.dcm}, expect: {route: ct}",
    )
    assert not any(each.passed for each in outcomes)
    told = [str(problem) for each in outcomes for problem in each.failures]
    assert [each.split(": ", 1)[1] for each in told] == [
        "expected route 'ct', got 'rest'",
        "expected verdict 'deliver', got 'hold'",
        "expected reason 'x', got 'no-route'",
        "expected destinations one; got none",
        "expected PatientID removed, it was changed",
        "expected Modality removed, it was kept",
        "expected Modality changed, it was kept",
        "expected PatientAddress changed, it was removed",
        "expected PatientName kept, it was emptied",
        "PatientBirthName is not in the object: expecting it removed proves nothing",
        "expected the same pixel data, it differs",
        "a step held the object: empty-patient-id",
        "nothing leaves: the verdict is hold (no-route)",
        "case-file: gone.dcm: No such file or directory",
    ]
    assert told[0].startswith("rules.yaml:10:")
    assert told[-1].startswith("rules.yaml:16:")


def test_no_value_is_told() -> None:
    told = str(ran(f"name: n, {CT}, expect: {{kept: [PatientAddress, PatientID], removed: [PatientName]}}"))
    assert "street" not in told
    assert "A^B" not in told
