"""All 65,536 statuses, with pynetdicom's category table as the judge of classes."""

from __future__ import annotations

from collections import Counter

import pytest
from pynetdicom.status import code_to_category

from gateway.dimse.status import STORAGE_WARNINGS, Disposition, meaning

DELIVERED = (Disposition.DELIVERED, Disposition.WARNING)


def test_only_success_and_listed_warnings_are_delivered() -> None:
    delivered = {status for status in range(0x10000) if meaning(status).disposition in DELIVERED}
    assert delivered == {0x0000, 0xB000, 0xB006, 0xB007}
    assert {s for s in range(0x10000) if meaning(s, ()).disposition in DELIVERED} == {0}


def test_a_destination_may_list_other_warnings_but_no_failure() -> None:
    listed = (0xB00B, 0x0107, 0xA700, 0xC000, 0x0110, 0xFF00)
    delivered = {status for status in range(0x10000) if meaning(status, listed).disposition in DELIVERED}
    assert delivered == {0, 0xB00B, 0x0107}


def test_no_failure_of_the_judge_is_delivered() -> None:
    kinds = Counter()
    for status in range(0x10000):
        category, found = code_to_category(status), meaning(status, range(0x10000)).disposition
        kinds[category] += 1
        if category in ("Failure", "Cancel", "Pending"):
            assert found not in DELIVERED
        elif category == "Success":
            assert found is Disposition.DELIVERED
        elif category == "Warning":
            assert found is Disposition.WARNING
    assert kinds["Failure"] > 1000
    assert kinds["Warning"] >= 3


@pytest.mark.parametrize(
    ("status", "disposition", "reason"),
    [
        (0xA700, Disposition.RETRY, "out-of-resources"),
        (0xA7FF, Disposition.RETRY, "out-of-resources"),
        (0xA900, Disposition.REFUSED, "data-set-does-not-match-sop-class"),
        (0xC000, Disposition.REFUSED, "cannot-understand"),
        (0xCFFF, Disposition.REFUSED, "cannot-understand"),
        (0xB000, Disposition.WARNING, "coercion-of-data-elements"),
        (0xB001, Disposition.REFUSED, "warning-not-listed"),
        (0x0110, Disposition.RETRY, "processing-failure"),
        (0x01FF, Disposition.RETRY, "failure-not-listed"),
        (0x0122, Disposition.REFUSED, "sop-class-not-supported"),
        (0x0124, Disposition.REFUSED, "not-authorized"),
        (0x0213, Disposition.RETRY, "resource-limitation"),
        (0xA800, Disposition.REFUSED, "failure-not-listed"),
        (0xFE00, Disposition.REFUSED, "cancel"),
        (0xFF00, Disposition.REFUSED, "pending"),
        (0x1234, Disposition.REFUSED, "status-unknown"),
        (0xFFFF, Disposition.REFUSED, "status-unknown"),
    ],
)
def test_what_a_status_means(status: int, disposition: Disposition, reason: str) -> None:
    assert meaning(status) == (disposition, reason)


@pytest.mark.parametrize("status", [-1, 0x10000])
def test_more_than_16_bits_is_no_status(status: int) -> None:
    with pytest.raises(ValueError):
        meaning(status)


def test_the_default_warnings_are_those_of_the_configuration() -> None:
    from gateway.config.schema import DimseDestination

    assert DimseDestination(host="h", port=1, ae="X").warnings == STORAGE_WARNINGS
