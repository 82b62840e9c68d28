"""Rows of the ledger whose work is done, forgotten after a time (docs/operations.md): statements, some rows at a time.

Rules of this file
* Only what is at its end goes: instances that are done, dropped or discarded and whose last change is older, with their
  deliveries; transactions of storage commitment that are over; closed groups and associations that nothing refers to.
* What is held, waits, or is awaited stays, whatever its age.
"""

from __future__ import annotations

from sqlalchemy import Connection, and_, delete, exists, select

from gateway.model import InstanceState
from gateway.store.schema import (
    associations,
    bringing,
    commitment_items,
    commitments,
    deliveries,
    group_references,
    groups,
    instances,
)
from gateway.store.transitions import CommitmentState

_ENDED = [each.value for each in (InstanceState.DONE, InstanceState.DROPPED, InstanceState.DISCARDED)]
_OVER = [CommitmentState.ENDED.value, CommitmentState.GIVEN_UP.value]


def prune(connection: Connection, before: float, most: int) -> int:
    """Forget what ended before this moment, at most that many instances; how many they were."""
    do = connection.execute
    recent = exists().where(deliveries.c.instance == instances.c.id, deliveries.c.updated >= before)
    query = select(instances.c.id).where(instances.c.state.in_(_ENDED), instances.c.received < before, ~recent)
    numbers = list(do(query.order_by(instances.c.id).limit(most)).scalars())
    if numbers:
        do(delete(deliveries).where(deliveries.c.instance.in_(numbers)))
        do(delete(instances).where(instances.c.id.in_(numbers)))
    over = select(commitments.c.id).where(commitments.c.state.in_(_OVER), commitments.c.deadline < before).limit(most)
    transactions = list(do(over).scalars())
    if transactions:
        do(delete(commitment_items).where(commitment_items.c.commitment.in_(transactions)))
        do(delete(commitments).where(commitments.c.id.in_(transactions)))
    if len(numbers) < most:  # the last batch: what they were in, and came on
        _orphans(connection, before, most)
    return len(numbers)


def _orphans(connection: Connection, before: float, most: int) -> None:
    """Closed groups without members, ended associations that brought and took nothing that is left."""
    do = connection.execute
    member = exists().where(deliveries.c.grouped == groups.c.id)
    empty = list(do(select(groups.c.id).where(groups.c.closed < before, ~member).limit(most)).scalars())
    for table in (group_references, bringing):
        do(delete(table).where(table.c.grouped.in_(empty)))
    do(delete(groups).where(groups.c.id.in_(empty)))
    moved = (
        exists().where(instances.c.association == associations.c.id),
        exists().where(deliveries.c.association == associations.c.id),
        exists().where(bringing.c.association == associations.c.id),
        exists().where(commitments.c.association == associations.c.id),
    )
    unused = and_(associations.c.open == 0, *(~each for each in moved))
    gone = select(associations.c.id).where(unused).limit(most)
    do(delete(associations).where(associations.c.id.in_(gone)))
