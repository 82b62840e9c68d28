"""Recipients and signers of every kind, made once."""

from __future__ import annotations

import pytest
from parties import Parties


@pytest.fixture(scope="session")
def parties(tmp_path_factory: pytest.TempPathFactory) -> Parties:
    return Parties(tmp_path_factory.mktemp("cms"))
