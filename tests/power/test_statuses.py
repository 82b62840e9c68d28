"""P9: each of the 65,536 statuses that a destination may answer, through the carrier to what the writer is told."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.config.schema import DimseDestination
from gateway.deliver.dimse import DimseSession
from gateway.model import Identity, Result
from gateway.pipeline import Outgoing
from tests.unit.writer.stage import CT
from transforms.source import BytesSource

LE = "1.2.840.10008.1.2.1"

# By hand, from PS3.4 Table B.2-1 and PS3.7 Annex C: what may pass by itself. All other failures need a person.
PASSING = {*range(0xA700, 0xA800), 0x0110, 0x0210, 0x0213} | {
    status
    for status in range(0x0100, 0x0300)  # "01xx, 02xx: failure" without a meaning of its own
    if status not in {0x0105, 0x0106, 0x0107, *range(0x0110, 0x011A), *range(0x0120, 0x0125), *range(0x0210, 0x0214)}
}


def answered(warnings: tuple[int, ...]) -> dict[int, Any]:
    """What `send` makes of each status."""
    found = {}
    to = DimseDestination(host="h", port=1, ae="X", warnings=warnings)
    said = SimpleNamespace(status=0)
    association: Any = SimpleNamespace(accepted={(CT, LE): 1}, store=lambda *arguments: said)
    session = DimseSession(association, frozenset(), to)
    job: Any = None
    outgoing = Outgoing(job, BytesSource(b""), LE, Identity(CT, "1.2"))
    for status in range(0x10000):
        said.status = status
        answer = session.send(outgoing)
        assert answer.status == status and answer.reason
        found[status] = answer.result
    return found


@pytest.mark.parametrize("warnings", [(), (0xB000, 0xB006, 0xB007)])
def test_every_status_is_delivered_tried_again_or_held_by_the_table(warnings: tuple[int, ...]) -> None:
    found = answered(warnings)
    assert {s for s, result in found.items() if result is Result.DELIVERED} == {0, *warnings}
    assert {s for s, result in found.items() if result is Result.REFUSED} == PASSING
    assert Counter(found.values()) == {
        Result.DELIVERED: 1 + len(warnings),
        Result.REFUSED: len(PASSING),
        Result.HELD: 0x10000 - 1 - len(warnings) - len(PASSING),
    }
