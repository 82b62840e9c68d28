"""One PKI: keys are slow to make."""

from __future__ import annotations

import pytest

from tests.unit.security.pki import Issued, Pki


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("signatures"))


@pytest.fixture(scope="session")
def signer(pki: Pki) -> Issued:
    return pki.issue("signer", pki.ca, kind="rsa2048", eku=("email",), usage=("digital_signature",))
