"""Truth tables of all / any / not, and laws that hold for every tree."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.document import Positions
from gateway.decide.facts import DictFacts
from gateway.decide.tree import MAX_DEPTH, MAX_NODES, All, AnyOf, Compiler, Node, Not, Truth, leaves

T, F, U, H, E = Truth.TRUE, Truth.FALSE, Truth.UNKNOWN, Truth.HOLD, Truth.ERROR

# One attribute for each answer, so that a tree over them is a tree over answers.
PARTS: dict[Truth, dict[str, Any]] = {
    T: {"Modality": "CT"},
    F: {"Modality": "MR"},
    U: {"PatientID": "1"},
    H: {"PatientID": {"eq": "1", "missing": "hold"}},
    E: {"StudyDate": {"lt": 20240101}},
}
FACTS = DictFacts({"Modality": ("CT",), "StudyDate": ("soon",)})


def compiled(match: Any) -> Node:
    compiler = Compiler(Positions("rules"))
    node = compiler.match(match, ())
    assert node is not None, [str(each) for each in compiler.problems]
    return node


def answer(match: Any) -> Truth:
    return compiled(match).answer(FACTS)


@pytest.mark.parametrize("truth", Truth)
def test_the_parts_answer_as_named(truth: Truth) -> None:
    assert answer(PARTS[truth]) is truth


ALL = {
    (T, T): T, (T, F): F, (T, U): U, (T, H): H, (T, E): E,
    (F, F): F, (F, U): F, (F, H): F, (F, E): F,
    (U, U): U, (U, H): H, (U, E): E, (H, H): H, (H, E): E, (E, E): E,
}  # fmt: skip
ANY = {
    (T, T): T, (T, F): T, (T, U): T, (T, H): T, (T, E): T,
    (F, F): F, (F, U): U, (F, H): H, (F, E): E,
    (U, U): U, (U, H): H, (U, E): E, (H, H): H, (H, E): E, (E, E): E,
}  # fmt: skip
NOT = {T: F, F: T, U: U, H: H, E: E}


@pytest.mark.parametrize(("one", "other"), list(product(Truth, Truth)))
def test_all_and_any_in_both_orders(one: Truth, other: Truth) -> None:
    key = (one, other) if (one, other) in ALL else (other, one)
    assert answer({"all": [PARTS[one], PARTS[other]]}) is ALL[key]
    assert answer({"any": [PARTS[one], PARTS[other]]}) is ANY[key]


@pytest.mark.parametrize("truth", Truth)
def test_not(truth: Truth) -> None:
    assert answer({"not": PARTS[truth]}) is NOT[truth]


def test_keys_of_one_map_must_all_hold() -> None:
    assert answer({**PARTS[T], "StudyDate": {"exists": True}}) is T
    assert answer({**PARTS[F], "StudyDate": {"exists": True}}) is F
    assert answer({"not": PARTS[F], "any": [PARTS[T]], "Modality": "CT"}) is T


trees = st.recursive(
    st.sampled_from(list(PARTS.values())),
    lambda each: (
        st.lists(each, min_size=1, max_size=3).map(lambda parts: {"all": parts})
        | st.lists(each, min_size=1, max_size=3).map(lambda parts: {"any": parts})
        | each.map(lambda part: {"not": part})
    ),
    max_leaves=12,
)


@given(trees)
def test_not_not_is_nothing(tree: Any) -> None:
    assert answer({"not": {"not": tree}}) is answer(tree)


@given(st.lists(trees, min_size=1, max_size=4))
def test_de_morgan(parts: list[Any]) -> None:
    assert answer({"not": {"all": parts}}) is answer({"any": [{"not": each} for each in parts]})


@given(st.lists(trees, min_size=1, max_size=4), st.randoms())
def test_order_does_not_matter(parts: list[Any], chance: Any) -> None:
    mixed = list(parts)
    chance.shuffle(mixed)
    for how in ("all", "any"):
        assert answer({how: mixed}) is answer({how: parts})


@given(trees)
def test_what_is_known_decides(tree: Any) -> None:
    """A tree that answers yes or no answers the same whatever its unknown parts would have been."""
    found = answer(tree)
    if found in (T, F):
        node = compiled(tree)
        for modality in ({"PatientID": ("1",)}, {"PatientID": ("2",)}):
            for date in ("20230101", "20250101"):
                facts = DictFacts({"Modality": ("CT",), "StudyDate": (date,), **modality})
                assert node.answer(facts) is found


def test_too_deep_and_too_many() -> None:
    deep: dict[str, Any] = {"Modality": "CT"}
    for _ in range(MAX_DEPTH + 1):
        deep = {"not": deep}
    compiler = Compiler(Positions("rules"))
    assert compiler.match(deep, ()) is None
    assert "deep" in str(compiler.problems[0])
    compiler = Compiler(Positions("rules"))
    assert compiler.match({"any": [{"Modality": "CT"}] * (MAX_NODES + 1)}, ()) is None
    assert len(compiler.problems) == 1


def test_leaves_are_in_the_order_of_the_file() -> None:
    node = compiled({"any": [{"Modality": "CT"}, {"not": {"PatientID": "1"}}, {"all": [{"StudyDate": 20240101}]}]})
    assert isinstance(node, AnyOf)
    assert [each.path for each in leaves(node)] == ["Modality", "PatientID", "StudyDate"]
    assert isinstance(compiled({"not": PARTS[T]}), Not)
    assert isinstance(compiled({"all": [PARTS[T], PARTS[F]]}), All)
