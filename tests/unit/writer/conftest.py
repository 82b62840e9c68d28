"""The writer in this process, and its clock, for tests that ask for no other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.writer import process as process_module
from tests.unit.writer.inside import Clock, Inside
from tests.unit.writer.stage import Stage


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(process_module, "time", found)
    return found


@pytest.fixture
def it(tmp_path: Path) -> Iterator[Inside]:
    inside = Inside(Stage(tmp_path))
    yield inside
    inside.close()
