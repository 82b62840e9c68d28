"""What a sender that asks for storage commitment is answered, by what the writer says (PS3.7 10.1.4)."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from gateway.model import CommitmentRequest, Origin, Reference
from gateway.receive.commitment import Commitments, Reporters


@pytest.mark.parametrize(
    ("said", "status"), [("", 0x0000), ("commitment-duplicate", 0x0110), ("commitment-too-many", 0x0213)]
)
def test_each_refusal_has_its_status(said: str, status: int) -> None:
    writer = SimpleNamespace(commitment=lambda _: said)
    here = Commitments(writer, Reporters(), "hospital", 3600.0, lambda _: None)  # type: ignore[arg-type]
    request = CommitmentRequest("2.25.1", (Reference("1.2.840.10008.5.1.4.1.1.2", "1.2"),))
    assert here.asked(Origin("hospital", "a" * 32, "127.0.0.1", "CT1", "GW"), request) == status
