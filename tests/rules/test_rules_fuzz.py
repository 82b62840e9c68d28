"""Random rule files never crash the loader, and random objects never crash the rules; both end quickly."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.config.load import examine_bytes
from gateway.decide.check import problems as rule_problems
from gateway.decide.explain import explain
from gateway.decide.facts import DictFacts
from gateway.decide.predicates import PREDICATES
from gateway.decide.routes import compile_rules, decide
from gateway.model import Decision

EXAMPLE = (Path(__file__).parents[2] / "examples" / "demo" / "gateway.yaml").read_bytes()
HEAD: dict[str, Any] = {
    "version": 1,
    "state": {"dir": "state"},
    "listeners": [{"id": "a", "dimse": {"ae": "GATEWAY", "port": 0}, "unsafe_plaintext": "a test"}],
    "destinations": {"out": {"folder": {"dir": "out"}}},
}
KEYWORDS = ["Modality", "PatientName", "StudyDate", "StudyTime", "PatientAge", "SliceThickness", "Rows", "PixelData"]
KEYWORDS += ["AcquisitionDateTime", "SOPClassUID", "listener", "(0010,0010)", "Nonsense", "Modality[0].X", "all", "not"]
texts = st.text(max_size=12) | st.sampled_from(["CT", "20240101", "1", "*", "(a*)*", "0830", "[", "90Y", "A^B"])
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
operands = st.recursive(scalars, lambda each: st.lists(each, max_size=3), max_leaves=4)
asked = operands | st.dictionaries(st.sampled_from([*PREDICATES, "missing", "nonsense"]), operands, max_size=3)
good = st.sampled_from(
    [
        {"Modality": "CT"},
        {"Modality": {"in": ["CT", "1"], "missing": "hold"}},
        {"PatientName": {"like": "A*"}},
        {"PatientName": {"re": "(a*)*"}},
        {"StudyDate": {"lt": 20240102}},
        {"StudyTime": {"between": ["08", "0900"]}},
        {"PatientAge": {"gt": "1D"}},
        {"AcquisitionDateTime": "20240101"},
        {"SliceThickness": {"gt": 0.5}},
        {"Rows": {"vm": [0, 1]}},
        {"PixelData": {"exists": False}},
        {"listener": "a"},
    ]
)
combined = st.recursive(
    good,
    lambda each: (
        st.fixed_dictionaries({"all": st.lists(each, min_size=1, max_size=3)})
        | st.fixed_dictionaries({"any": st.lists(each, min_size=1, max_size=3)})
        | st.fixed_dictionaries({"not": each})
    ),
    max_leaves=8,
)
trees = st.recursive(
    st.dictionaries(st.sampled_from(KEYWORDS), asked, max_size=3),
    lambda each: (
        st.fixed_dictionaries({"all": st.lists(each, max_size=3)})
        | st.fixed_dictionaries({"any": st.lists(each, max_size=3)})
        | st.fixed_dictionaries({"not": each})
    ),
    max_leaves=8,
)
objects = st.dictionaries(
    st.sampled_from(KEYWORDS), st.none() | st.lists(texts, max_size=3).map(tuple), max_size=len(KEYWORDS)
)
quick = settings(max_examples=150, deadline=1000, suppress_health_check=[HealthCheck.too_slow])


@quick
@given(st.lists(trees, max_size=3), objects)
def test_random_matches_and_objects(matches: list[Any], values: Any) -> None:
    routes: list[Any] = [{"id": f"r{n}", "match": each, "deliver": "out"} for n, each in enumerate(matches)]
    file = {**HEAD, "routes": [*routes, {"id": "rest", "otherwise": "hold"}]}
    config, problems = examine_bytes(json.dumps(file).encode(), "f", Path(), (rule_problems,))
    if config is None or any(each.severity == "error" for each in problems):
        assert problems
        return
    rules = compile_rules(config)  # what `check` lets pass compiles
    facts = DictFacts(values, listener="a")
    decision = decide(rules, facts)
    assert isinstance(decision, Decision)
    assert decision.reason != "rule-error"
    assert explain(rules, facts).decision == decision
    assert json.dumps(explain(rules, facts, values=True).as_json())


@quick
@given(st.lists(combined, min_size=1, max_size=3), objects)
def test_random_objects_meet_good_rules(matches: list[Any], values: Any) -> None:
    routes: list[Any] = [{"id": f"r{n}", "match": each, "deliver": "out"} for n, each in enumerate(matches)]
    file = {**HEAD, "routes": [*routes, {"id": "rest", "otherwise": "hold"}]}
    config, problems = examine_bytes(json.dumps(file).encode(), "f", Path(), (rule_problems,))
    assert config is not None, [str(each) for each in problems]
    facts = DictFacts(values, listener="a")
    decision = decide(compile_rules(config), facts)
    assert decision.reason in ("", "no-route", "rule-missing", "rule-type-error")
    assert explain(compile_rules(config), facts).decision == decision


blocks = st.recursive(
    scalars,
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.sampled_from(KEYWORDS), each, max_size=3),
    max_leaves=6,
)


@quick
@given(
    st.dictionaries(
        st.sampled_from(
            ["version", "state", "listeners", "destinations", "deidentify", "routes", "cases", "peers", "x"]
        ),
        blocks | st.lists(st.fixed_dictionaries({"id": scalars, "match": trees, "deliver": operands}), max_size=3),
    )
)
def test_random_files_are_told_what_is_wrong(file: Any) -> None:
    config, problems = examine_bytes(json.dumps(file).encode(), "f", Path(), (rule_problems,))
    assert config is None
    assert problems


@quick
@given(st.binary(max_size=200))
def test_random_bytes_are_told_what_is_wrong(data: bytes) -> None:
    config, problems = examine_bytes(data, "f", Path(), (rule_problems,))
    assert config is None
    assert problems
    assert all(each.line >= 1 and each.column >= 1 for each in problems)


def test_mutations_and_truncations_of_a_good_file() -> None:
    chance = random.Random(42)
    for _ in range(150):
        data = bytearray(EXAMPLE)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(data))
            data[at] = chance.choice(b"{}[]:,-'\"*&!?|>#%@ \n\t\0\xff0aA")
        if chance.random() < 0.3:
            del data[chance.randrange(len(data)) :]
        config, problems = examine_bytes(bytes(data), "f", Path(), (rule_problems,))
        if config is None:
            assert problems


@pytest.mark.parametrize(
    "data",
    [
        b"a: " + b"[" * 200_000,
        b"{" * 200_000,
        b"- " * 50_000,
        b"a: &a [x]\nb: " + b"[*a, *a]\n",
        b'a: "' + b"x" * 900_000,
        b"x" * (2 << 20),
        b"a: " + b"9" * 100_000,
        b"? " * 5_000,
    ],
    ids=lambda data: data[:8].decode(),
)
def test_bombs_end_quickly(data: bytes) -> None:
    start = time.process_time()
    config, problems = examine_bytes(data, "f", Path(), (rule_problems,))
    assert config is None
    assert problems
    assert time.process_time() - start < 10
