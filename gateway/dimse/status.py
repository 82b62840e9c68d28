"""What a C-STORE status means for a delivery: all 65,536 of them, by a table.

Rules of this file
* Only 0x0000, or a warning that the destination lists, is delivered (docs/adr/0002).
* `RETRY` is a failure that may pass by itself; `REFUSED` needs a person. What no table knows is refused.
* PS3.4 Table B.2-1 (Storage Service Class) goes before PS3.7 Annex C (general statuses).
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import NamedTuple


class Disposition(StrEnum):
    """What to do after an answer."""

    DELIVERED = "delivered"
    WARNING = "warning"  # delivered, with a word
    RETRY = "retry"
    REFUSED = "refused"


class Meaning(NamedTuple):
    """A disposition and its reason code, stable and for operators."""

    disposition: Disposition
    reason: str


class _Row(NamedTuple):
    first: int
    last: int
    disposition: Disposition
    reason: str


_R, _F, _W = Disposition.RETRY, Disposition.REFUSED, Disposition.WARNING

STORAGE_WARNINGS = (0xB000, 0xB006, 0xB007)

# The first row that holds a status decides.
_ROWS = (
    _Row(0x0000, 0x0000, Disposition.DELIVERED, "success"),
    # PS3.4 Table B.2-1
    _Row(0xA700, 0xA7FF, _R, "out-of-resources"),
    _Row(0xA900, 0xA9FF, _F, "data-set-does-not-match-sop-class"),
    _Row(0xB000, 0xB000, _W, "coercion-of-data-elements"),
    _Row(0xB006, 0xB006, _W, "elements-discarded"),
    _Row(0xB007, 0xB007, _W, "data-set-does-not-match-sop-class"),
    _Row(0xC000, 0xCFFF, _F, "cannot-understand"),
    # PS3.7 Annex C
    _Row(0x0001, 0x0001, _W, "optional-attributes-unsupported"),
    _Row(0x0105, 0x0105, _F, "no-such-attribute"),
    _Row(0x0106, 0x0106, _F, "invalid-attribute-value"),
    _Row(0x0107, 0x0107, _W, "attribute-list-error"),
    _Row(0x0110, 0x0110, _R, "processing-failure"),
    _Row(0x0111, 0x0111, _F, "duplicate-sop-instance"),
    _Row(0x0112, 0x0112, _F, "no-such-sop-instance"),
    _Row(0x0113, 0x0113, _F, "no-such-event-type"),
    _Row(0x0114, 0x0114, _F, "no-such-argument"),
    _Row(0x0115, 0x0115, _F, "invalid-argument-value"),
    _Row(0x0116, 0x0116, _W, "attribute-value-out-of-range"),
    _Row(0x0117, 0x0117, _F, "invalid-sop-instance"),
    _Row(0x0118, 0x0118, _F, "no-such-sop-class"),
    _Row(0x0119, 0x0119, _F, "class-instance-conflict"),
    _Row(0x0120, 0x0120, _F, "missing-attribute"),
    _Row(0x0121, 0x0121, _F, "missing-attribute-value"),
    _Row(0x0122, 0x0122, _F, "sop-class-not-supported"),
    _Row(0x0123, 0x0123, _F, "no-such-action"),
    _Row(0x0124, 0x0124, _F, "not-authorized"),
    _Row(0x0210, 0x0210, _R, "duplicate-invocation"),
    _Row(0x0211, 0x0211, _F, "unrecognized-operation"),
    _Row(0x0212, 0x0212, _F, "mistyped-argument"),
    _Row(0x0213, 0x0213, _R, "resource-limitation"),
    _Row(0xFE00, 0xFE00, _F, "cancel"),
    _Row(0xFF00, 0xFF01, _F, "pending"),
    # classes without a row of their own (PS3.7 C.4, C.5)
    _Row(0x0100, 0x02FF, _R, "failure-not-listed"),
    _Row(0xB000, 0xBFFF, _W, "warning-not-listed"),
    _Row(0xA000, 0xAFFF, _F, "failure-not-listed"),
    _Row(0x0000, 0xFFFF, _F, "status-unknown"),
)


def meaning(status: int, warnings: Collection[int] = STORAGE_WARNINGS) -> Meaning:
    """What `status` means where `warnings` count as delivered. Raises ValueError outside 16 bits."""
    if not 0 <= status <= 0xFFFF:
        raise ValueError("a status has 16 bits")
    row = next(row for row in _ROWS if row.first <= status <= row.last)
    if row.disposition is Disposition.WARNING and status not in warnings:
        return Meaning(Disposition.REFUSED, row.reason)
    return Meaning(row.disposition, row.reason)
