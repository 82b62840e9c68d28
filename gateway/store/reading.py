"""What `status`, `held` and `audit verify` show of the ledger: read-only, while the gateway serves or not."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, exists, func, or_, select

from gateway.config.schema import State
from gateway.decide.groups import Waits, judge
from gateway.errors import GatewayError
from gateway.model import DeliveryState, Instance, InstanceState
from gateway.store.engine import open_read_only
from gateway.store.groups import GroupRow, GroupTable
from gateway.store.prepared import Cursor
from gateway.store.schema import deliveries, instances, meta

_value = msgspec.msgpack.Decoder(Instance)
_SLICE = 5000  # values in one statement


class StatusRow(Struct, frozen=True):
    """One instance at one destination; `destination` is empty where no destination was decided."""

    instance_id: int
    sop_instance: str
    study: str
    route: str
    destination: str
    state: str
    reason: str
    detail: str
    attempts: int
    next_try: float | None
    sent_instance: str  # of what is delivered
    sent_sha256: str
    group: int | None  # number of the group its delivery waits for, or waited for


class GroupTold(Struct, frozen=True):
    """One open group, and what it waits for."""

    group: int
    route: str
    by: str  # study or series
    uid: str
    follow_up: int  # 0: the first of its study or series
    arrived: int  # different SOP instances so far, those of earlier groups of the study included
    expected: int  # 0: nobody said
    reason: str  # code of gateway/decide/groups.py: what it waits for; of a closed one, why it was closed
    until: float | None  # None: it is closed
    missing: tuple[str, ...] = ()  # SOP instances that its members refer to and that never came


class HeldRow(Struct, frozen=True):
    """One held instance or delivery."""

    instance_id: int
    sop_instance: str
    study: str
    route: str
    destination: str
    reason: str
    detail: str
    since: str
    listener: str
    calling_ae: str
    address: str


class Reader:
    """Questions to the last committed state."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._groups = GroupTable(connection, Cursor(connection))

    def counts(self) -> dict[str, int]:
        """How many deliveries are in each state, and how many instances are held or dropped as a whole."""
        counts = {state.value: 0 for state in DeliveryState}
        counts[InstanceState.DROPPED.value] = 0
        for state, number in self._connection.execute(
            select(deliveries.c.state, func.count()).group_by(deliveries.c.state)
        ):
            counts[state] += number
        whole = select(instances.c.state, func.count()).where(
            instances.c.state.in_([InstanceState.HELD, InstanceState.DROPPED, InstanceState.DISCARDED]),
            ~instances.c.id.in_(select(deliveries.c.instance)),
        )
        for state, number in self._connection.execute(whole.group_by(instances.c.state)):
            counts[state] += number
        return counts

    def groups(self, uid: str = "") -> list[GroupTold]:
        """Open groups, all or those of one study or series, and what each waits for now."""
        table = self._groups
        return [self._told(row) for row in table.open_groups(uid)]

    def all_groups(self, most: int) -> list[GroupTold]:
        """The newest first, open and closed, with what their members refer to and never came."""
        told = [self._told(row) for row in self._groups.newest_groups(most)]
        return [msgspec.structs.replace(each, missing=tuple(self._groups.missing(each.group))) for each in told]

    def _told(self, row: GroupRow) -> GroupTold:
        evidence = self._groups.evidence(row)
        reason, until = row.why, None
        if row.closed is None:
            now = time.time()
            judged = judge(row.quiet, row.max_wait, evidence, now)
            reason, until = (judged.reason, judged.until) if isinstance(judged, Waits) else ("group-closing", now)
        counted = (evidence.arrived, evidence.expected)
        return GroupTold(row.id, row.route, row.kind, row.uid, row.number, *counted, reason, until)

    def status(self, *, everything: bool, limit: int) -> list[StatusRow]:
        """The newest first: what is open, or everything."""
        d, i = deliveries, instances
        query = (
            select(i.c.id, i.c.value, i.c.state, i.c.reason, d.c.destination, d.c.state, d.c.reason, d.c.detail,
                   d.c.attempts, d.c.next_try, d.c.sent_instance, d.c.sent_sha256, d.c.grouped)
            .select_from(i.outerjoin(d, d.c.instance == i.c.id))
            .order_by(i.c.id.desc(), d.c.id)
            .limit(limit)
        )  # fmt: skip
        if not everything:
            query = query.where(i.c.state.in_([InstanceState.ACTIVE, InstanceState.HELD]))
        rows = []
        waiting = {told.group: told for told in self.groups()}
        for (
            number,
            value,
            whole,
            whole_reason,
            destination,
            state,
            reason,
            detail,
            attempts,
            next_try,
            sent_instance,
            sent_sha256,
            group,
        ) in self._connection.execute(query):
            instance = _value.decode(value)
            if state == DeliveryState.WAITING and next_try is None and group in waiting:
                told = waiting[group]
                reason, next_try, detail = told.reason, told.until, told_of(told)
            rows.append(
                StatusRow(
                    number,
                    instance.identity.sop_instance,
                    instance.identity.study,
                    instance.decision.route,
                    destination or "",
                    state or whole,
                    (reason if state else whole_reason) or "",
                    detail or "",
                    attempts or 0,
                    next_try if state == DeliveryState.WAITING else None,
                    sent_instance or "",
                    sent_sha256 or "",
                    group,
                )
            )
        return rows

    def held(self) -> list[HeldRow]:
        """Everything that waits for a person, the oldest first."""
        d, i = deliveries, instances
        found: list[HeldRow] = []
        whole = select(i.c.id, i.c.value, i.c.reason, i.c.received).where(i.c.state == InstanceState.HELD)
        for number, value, reason, received in self._connection.execute(whole):
            found.append(_held(number, _value.decode(value), "", (reason, ""), received))
        single = (
            select(i.c.id, i.c.value, d.c.destination, d.c.reason, d.c.detail, d.c.updated)
            .select_from(d.join(i, d.c.instance == i.c.id))
            .where(d.c.state == DeliveryState.HELD)
        )
        for number, value, destination, reason, detail, updated in self._connection.execute(single):
            found.append(_held(number, _value.decode(value), destination, (reason, detail), updated))
        return sorted(found, key=lambda row: (row.instance_id, row.destination))

    def held_instance(self, number: int) -> tuple[Instance, bool]:
        """A held instance, and whether it is held as a whole. Raises GatewayError where it is not held."""
        row = self._connection.execute(
            select(instances.c.value, instances.c.state).where(instances.c.id == number)
        ).first()
        if row is None:
            raise GatewayError("unknown-instance", "there is no instance of that number")
        if row.state == InstanceState.HELD:
            return _value.decode(row.value), True
        some = select(func.count()).where(deliveries.c.instance == number, deliveries.c.state == DeliveryState.HELD)
        if not self._connection.execute(some).scalar():
            raise GatewayError("not-held", "that instance is not held")
        return _value.decode(row.value), False

    def moving(self, studies: Sequence[str], since: float) -> set[str]:
        """Those of which something is not at its end, or came, left or was given up since then."""
        i, d = instances, deliveries
        recent = exists().where(d.c.instance == i.c.id, d.c.updated >= since)
        going = i.c.state.in_([InstanceState.ACTIVE, InstanceState.HELD])
        query = select(i.c.study).where(i.c.study.in_(studies), or_(going, i.c.received >= since, recent)).distinct()
        return set(self._connection.execute(query).scalars())

    def knows(self, spooled: Sequence[str]) -> bool:
        """Whether any instance was, or is, spooled under one of these names."""
        for at in range(0, len(spooled), _SLICE):
            query = select(instances.c.id).where(instances.c.spool.in_(spooled[at : at + _SLICE])).limit(1)
            if self._connection.execute(query).first() is not None:
                return True
        return False

    def audit_head(self) -> tuple[int, str]:
        """(number, hash) of the last record that the audit trail is known to have."""
        query = select(meta.c.key, meta.c.value).where(meta.c.key.in_(["audit_seq", "audit_hash"]))
        rows = {row.key: row.value for row in self._connection.execute(query)}
        return int(rows.get("audit_seq", "0")), rows.get("audit_hash", "0" * 64)


def told_of(group: GroupTold) -> str:
    """An open group in the words of `status`."""
    of = f" of {group.expected}" if group.expected else ""
    late = f", follow-up {group.follow_up}" if group.follow_up else ""
    return f"{group.by} has {group.arrived}{of}{late}"


@contextmanager
def read_only(state: State) -> Iterator[Reader]:
    """A Reader over one snapshot. Raises GatewayError where there is no ledger."""
    engine = open_read_only(state)
    try:
        with engine.connect() as connection:
            yield Reader(connection)
    finally:
        engine.dispose()


def _held(number: int, instance: Instance, destination: str, why: tuple[str, str], since: float) -> HeldRow:
    return HeldRow(
        number,
        instance.identity.sop_instance,
        instance.identity.study,
        instance.decision.route,
        destination,
        *why,
        datetime.fromtimestamp(since, UTC).strftime("%Y-%m-%d %H:%M:%SZ"),
        instance.origin.listener,
        instance.origin.calling_ae,
        instance.origin.address,
    )
