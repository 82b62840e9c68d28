"""One PKI: keys are slow to make."""

from __future__ import annotations

import pytest
from officers import Officers


@pytest.fixture(scope="session")
def officers(tmp_path_factory: pytest.TempPathFactory) -> Officers:
    return Officers(tmp_path_factory.mktemp("officers"))
