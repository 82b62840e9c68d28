"""Each option's golden pair is what the product makes today; each option has one and does something."""

from __future__ import annotations

import pytest

from tests.golden.pairs import HERE, pair
from transforms.deidentify.options import OPTIONS


@pytest.mark.parametrize("option", OPTIONS)
def test_the_pair_is_as_it_was(option: str) -> None:
    golden = (HERE / f"{option}.txt").read_text(encoding="utf-8")
    assert pair(option) == golden, "if this is meant: python -m tests.golden.pairs, and read the diff"


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_does_something_and_no_name_comes_through(option: str) -> None:
    golden = (HERE / f"{option}.txt").read_text(encoding="utf-8")
    changed = [line for line in golden.splitlines() if " -> " in line and not line.startswith("#")]
    assert len(changed) > 2  # the method codes alone are two
    for line in changed:
        after = line.rsplit(" -> ", 1)[1]
        if option != "retain-institution-identity":  # a hospital may be called after a saint
            assert "Erika" not in after
        assert "Mustermann" not in after and "4711" not in after and "Befund" not in after


def test_no_pair_without_an_option() -> None:
    assert {path.stem for path in HERE.iterdir()} == set(OPTIONS)
