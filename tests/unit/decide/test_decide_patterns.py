"""`re` and `like`: agreement with Python's own engine, and time that no value can blow up."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.decide.patterns import MAX_PATTERN, PatternError, like, regular

atoms = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", "[a-c]", r"\d", r"\w", r"\.", "(a|b)", "(ab|)", "(a*b)"])
repeats = st.sampled_from(["", "", "*", "+", "?", "{2}", "{0,2}", "{1,}"])
patterns = st.lists(st.tuples(atoms, repeats).map("".join), max_size=5).map("".join)
values = st.text(alphabet="abc1. ", max_size=12)


@settings(max_examples=400)
@given(st.lists(patterns, min_size=1, max_size=2).map("|".join), values)
def test_the_same_answer_as_pythons_engine(pattern: str, value: str) -> None:
    assert regular(pattern)(value) == bool(re.fullmatch(pattern, value, re.ASCII | re.DOTALL))


@settings(max_examples=300)
@given(st.text(alphabet="ab*?.[", max_size=8), st.text(alphabet="ab.[", max_size=10))
def test_like_is_star_and_question_mark_only(pattern: str, value: str) -> None:
    wanted = "".join({"*": ".*", "?": "."}.get(each, re.escape(each)) for each in pattern)
    assert like(pattern)(value) == bool(re.fullmatch(wanted, value, re.DOTALL))


@settings(max_examples=400)
@given(st.text(max_size=30) | st.text(alphabet="()[]{}*+?|\\^$-,0123a", max_size=30))
def test_any_text_is_a_pattern_or_a_pattern_error(pattern: str) -> None:
    try:
        matches = regular(pattern)
    except PatternError as error:
        assert str(error)
    else:
        assert matches("a") in (True, False)


@pytest.mark.parametrize("pattern", ["(a*)*b", "(a|a)*b", "(a|aa)+b", "a*a*a*a*a*a*b", "(.*)*(.*)*(.*)*b", "(a?){99}b"])
def test_what_makes_backtracking_explode_does_not_here(pattern: str) -> None:
    start = time.process_time()
    assert regular(pattern)("a" * 16_000) is False
    assert time.process_time() - start < 2


@pytest.mark.parametrize(
    "pattern",
    ["^a", "a$", "(?=a)", "(?P<x>a)", r"\1", r"\bx", "a**", "a*?", "a++", "*a", "(a", "a)", "[a", "[]", "[b-a]",
     "a{2,1}", "a{1000}", "a{x}", "{", "a\\", "((a{99}){99}){99}", "((((){999}){999}){999}){999}", "(" * 40 + ")" * 40,
     "a" * (MAX_PATTERN + 1)],
)  # fmt: skip
def test_refused_with_a_sentence(pattern: str) -> None:
    with pytest.raises(PatternError) as caught:
        regular(pattern)
    assert len(str(caught.value)) > 10
