"""Transactions of storage commitment in the ledger, in both roles, as statements (docs/commitment.md).

Rules of this file
* An item gets its outcome once. Only an item without one can confirm a delivery: a report that is said twice, or for a
  transaction that was asked anew since, changes nothing.
* It judges nothing and sends nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, and_, func, insert, select, text, update

from gateway.decide.commitment import Copy
from gateway.model import (
    CommitmentReport,
    CommitmentRequest,
    DeliveryState,
    Instance,
    InstanceState,
    Reference,
    Refused,
)
from gateway.store.prepared import Cursor
from gateway.store.schema import IS_TO_ASK, SUPERSEDED, commitment_items, commitments, deliveries, instances
from gateway.store.transitions import CommitmentState

AWAITED = "commitment-awaited"  # reason of a delivery whose commitment a transaction asks for
_instance = msgspec.msgpack.Decoder(Instance)
_TO_ASK = text(f"deliveries.{IS_TO_ASK}")  # only what is CONFIRMING has this reason
_SLICE = 5000  # values in one statement
_WAITING = [each.value for each in (CommitmentState.OPEN, CommitmentState.DUE, CommitmentState.SENDING)]


class CommitmentRow(NamedTuple):
    """One transaction as it is."""

    id: int
    role: str
    transaction_uid: str
    peer: str
    ae: str
    destination: str
    listener: str
    association: str
    state: str
    reason: str
    asked: float
    deadline: float
    next_try: float | None
    tries: int
    worker: str


class ToAsk(NamedTuple):
    """A delivery that was sent and whose commitment is to be asked for."""

    delivery: int
    sop_class: str
    sop_instance: str  # as sent


_ROW = select(*(commitments.c[name] for name in CommitmentRow._fields))


class CommitmentTable:
    """The transactions during one transaction of the database."""

    def __init__(self, connection: Connection, cursor: Cursor) -> None:
        self._do = connection.execute
        self._fast = cursor

    def find(self, role: str, transaction: str, peer: str) -> CommitmentRow | None:
        """One by its Transaction UID and the peer it is with."""
        row = self._do(
            _ROW.where(
                commitments.c.role == role,
                commitments.c.transaction_uid == transaction,
                commitments.c.peer == peer,
            )
        ).first()
        return CommitmentRow(*row) if row else None

    def waiting(self, peer: str | None = None) -> tuple[int, int]:
        """(transactions, their instances) that this peer, or anybody, has asked for and not taken the report of."""
        here = and_(commitments.c.role == "scp", commitments.c.state.in_(_WAITING))
        if peer is not None:
            here = and_(here, commitments.c.peer == peer)
        number = self._do(select(func.count()).select_from(commitments).where(here)).scalar() or 0
        joined = commitment_items.join(commitments, commitment_items.c.commitment == commitments.c.id)
        items = self._do(select(func.count()).select_from(joined).where(here)).scalar() or 0
        return number, items

    def get(self, number: int) -> CommitmentRow | None:
        """One by its number."""
        row = self._do(_ROW.where(commitments.c.id == number)).first()
        return CommitmentRow(*row) if row else None

    def insert(self, values: dict[str, Any], items: Iterable[tuple[str, str, int | None]]) -> int:
        """A new transaction with its (SOP class, SOP instance, delivery); its number."""
        found = self._do(insert(commitments).values(values)).inserted_primary_key
        assert found is not None
        number = int(found[0])
        rows = [
            {"commitment": number, "sop_class": c, "sop_instance": uid, "delivery": delivery, "outcome": None}
            for c, uid, delivery in items
        ]
        if rows:
            self._do(insert(commitment_items), rows)
        return number

    def change(self, number: int, **values: Any) -> None:
        """Columns by name; `state` is a CommitmentState."""
        self._do(update(commitments).where(commitments.c.id == number).values(values))

    def in_state(self, state: CommitmentState, now: float) -> list[CommitmentRow]:
        """Those of a state whose `next_try` has come, the first of them first."""
        query = _ROW.where(commitments.c.state == state.value, commitments.c.next_try <= now)
        order = (commitments.c.next_try, commitments.c.id)
        return [CommitmentRow(*row) for row in self._do(query.order_by(*order).limit(256))]

    def next_look(self) -> float | None:
        """When the first transaction or delivery is to be looked at; None where none is under way."""
        live = [CommitmentState.OPEN, CommitmentState.DUE, CommitmentState.SENDING, CommitmentState.ASKED]
        first = select(func.min(commitments.c.next_try)).where(commitments.c.state.in_([s.value for s in live]))
        second = select(func.min(deliveries.c.next_try)).where(_TO_ASK)
        moments = [m for m in (self._do(first).scalar(), self._do(second).scalar()) if m is not None]
        return min(moments, default=None)

    def of_worker(self, worker: str) -> list[int]:
        """Transactions that a worker has."""
        query = select(commitments.c.id).where(
            commitments.c.state == CommitmentState.SENDING.value, commitments.c.worker == worker
        )
        return list(self._do(query).scalars())

    def pending(self, number: int) -> list[tuple[str, str, int | None]]:
        """(SOP class, SOP instance, delivery) of the items without an outcome."""
        i = commitment_items
        query = select(i.c.sop_class, i.c.sop_instance, i.c.delivery).where(
            i.c.commitment == number, i.c.outcome.is_(None)
        )
        return [(row[0], row[1], row[2]) for row in self._do(query)]

    def decide(self, number: int, outcomes: dict[str, int]) -> None:
        """Items that have no outcome get theirs, by SOP instance."""
        by_outcome: dict[int, list[str]] = defaultdict(list)
        for uid, outcome in outcomes.items():
            by_outcome[outcome].append(uid)
        i = commitment_items
        for outcome, uids in by_outcome.items():
            for at in range(0, len(uids), _SLICE):
                here = and_(
                    i.c.commitment == number, i.c.outcome.is_(None), i.c.sop_instance.in_(uids[at : at + _SLICE])
                )
                self._do(update(i).where(here).values(outcome=outcome))

    def supersede(self, number: int) -> None:
        """What has no outcome gets none from this transaction any more."""
        i = commitment_items
        self._do(update(i).where(i.c.commitment == number, i.c.outcome.is_(None)).values(outcome=SUPERSEDED))

    def request(self, row: CommitmentRow) -> CommitmentRequest:
        """What a transaction asks for."""
        found = self._items(row.id)
        return CommitmentRequest(row.transaction_uid, tuple(Reference(c, uid) for c, uid, _ in found))

    def report(self, row: CommitmentRow) -> CommitmentReport:
        """What is to be reported of a transaction all of whose items are decided."""
        found = self._items(row.id)
        return CommitmentReport(
            row.transaction_uid,
            tuple(Reference(c, uid) for c, uid, outcome in found if outcome == 0),
            tuple(Refused(c, uid, outcome) for c, uid, outcome in found if outcome != 0),
        )

    def _items(self, number: int) -> list[tuple[str, str, int]]:
        i = commitment_items
        query = select(i.c.sop_class, i.c.sop_instance, i.c.outcome).where(i.c.commitment == number)
        return [(row[0], row[1], row[2]) for row in self._do(query)]

    def copies(self, uids: Sequence[str]) -> dict[str, list[Copy]]:
        """What is known of these SOP instances."""
        found: dict[str, list[Copy]] = defaultdict(list)
        for at in range(0, len(uids), _SLICE):
            here = instances.c.sop_instance.in_(uids[at : at + _SLICE])
            states: dict[int, set[DeliveryState]] = defaultdict(set)
            joined = deliveries.join(instances, deliveries.c.instance == instances.c.id)
            pairs = select(deliveries.c.instance, deliveries.c.state).select_from(joined).where(here)
            for owner, state in self._do(pairs):
                states[owner].add(DeliveryState(state))
            columns = (instances.c.id, instances.c.sop_instance, instances.c.state, instances.c.value)
            for number, uid, state, value in self._do(select(*columns).where(here)):
                instance = _instance.decode(value)
                found[uid].append(
                    Copy(
                        instance.identity.sop_class,
                        InstanceState(state),
                        instance.stored.sha256,
                        instance.decision.commit,
                        frozenset(states[number]),
                    )
                )
        return found

    def to_ask(self, now: float) -> dict[str, list[ToAsk]]:
        """By destination, all that waits to be asked for where the first of it is due."""
        d = deliveries
        due = select(d.c.destination).where(_TO_ASK, d.c.next_try <= now)  # DISTINCT would scan another index
        found: dict[str, list[ToAsk]] = {}
        for name in sorted(set(self._do(due).scalars())):
            query = (
                select(d.c.id, instances.c.sop_class, d.c.sent_instance)
                .select_from(d.join(instances, d.c.instance == instances.c.id))
                .where(_TO_ASK, d.c.destination == name)
                .order_by(d.c.id)
            )
            found[name] = [ToAsk(*row) for row in self._do(query)]
        return found

    def await_all(self, numbers: Sequence[int], until: float) -> None:
        """These deliveries are asked for by a transaction now."""
        for at in range(0, len(numbers), _SLICE):
            here = deliveries.c.id.in_(numbers[at : at + _SLICE])
            self._do(update(deliveries).where(here).values(reason=AWAITED, next_try=until))
