"""Fixtures of the whole-process tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.system.harness import Gateway, Sink, Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A folder with PKI and key."""
    return Site(tmp_path)


@pytest.fixture
def sinks() -> Iterator[Callable[..., Sink]]:
    """Makes sinks and closes them."""
    made: list[Sink] = []

    def make(*arguments: object, **options: object) -> Sink:
        made.append(Sink(*arguments, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for sink in made:
        sink.close()


@pytest.fixture
def gateways() -> Iterator[Callable[..., Gateway]]:
    """Makes gateways and sees to it that none outlives its test."""
    made: list[Gateway] = []

    def make(site: Site, name: str = "gateway.yaml") -> Gateway:
        made.append(Gateway(site, name))
        return made[-1]

    make.made = made  # type: ignore[attr-defined]
    yield make
    for gateway in made:
        if gateway.process is not None and gateway.process.poll() is None:
            gateway.kill()
