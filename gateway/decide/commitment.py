"""Whether a sender that asks for storage commitment gets it: values in, values out (PS3.4 Annex J, docs/commitment.md).

Rules of this file
* Committed means: every destination of the object's route has it, in the way its `commit` says, under its own UIDs.
  What was dropped, held or given up is never committed, and no route without `commit` commits; one whose steps change
  what leaves cannot have it (config/commitment.py).
* Every object that came under the SOP Instance UID counts: while one is held, the sender must keep its own. One without
  `commit` takes nothing from equal bytes that another route commits to.
* Reasons are those of PS3.3 C.14.1.1.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from gateway.model import DeliveryState, Failure, InstanceState

_GONE = (InstanceState.DISCARDED, InstanceState.DROPPED)
_FAILED = frozenset({DeliveryState.HELD, DeliveryState.DISCARDED})


class Copy(NamedTuple):
    """One object that came under a SOP Instance UID."""

    sop_class: str
    state: InstanceState
    sha256: str  # of its data set
    commit: str  # of its decision
    deliveries: frozenset[DeliveryState]


def judge(sop_class: str, copies: Iterable[Copy]) -> int | None:
    """0 where the instance is committed, a Failure where it never is as things are, None where it is not yet known."""
    copies = list(copies)
    here = [copy for copy in copies if copy.state not in _GONE]
    if not here:
        dropped = any(copy.state is InstanceState.DROPPED for copy in copies)
        return Failure.PROCESSING if dropped else Failure.NO_SUCH_INSTANCE
    if any(copy.sop_class != sop_class for copy in here):
        return Failure.CLASS_CONFLICT
    if any(copy.state is InstanceState.HELD or copy.deliveries & _FAILED for copy in here):
        return Failure.PROCESSING
    committing = [copy for copy in here if copy.commit]
    if {copy.sha256 for copy in here} != {copy.sha256 for copy in committing}:
        return Failure.PROCESSING
    done = all(copy.deliveries == {DeliveryState.DELIVERED} for copy in committing)
    return 0 if done else None
