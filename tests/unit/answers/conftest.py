"""Sets that several tests look at, made once."""

from __future__ import annotations

import pytest

from benchmarks.answers import make
from benchmarks.answers.plant import Made


@pytest.fixture(scope="session")
def basic() -> list[Made]:
    """The small set under the Basic Profile alone."""
    return list(make.made(make.Wanted()))


@pytest.fixture(scope="session")
def optioned() -> list[Made]:
    """Twenty objects under all options that a key may ask for."""
    return list(make.made(make.Wanted(count=20, options=frozenset(make.OPTIONS))))
