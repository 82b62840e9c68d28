"""Every change of state, as statements inside one transaction that the writer began. No clock, no commit, no socket.

Rules of this file
* A state changes only by transitions.py. An instance that is done is a row that says so, until retention.py forgets it.
* Methods say what they found, never what to do about it; events and dispatching are gateway/writer's.
* Statements are made once (above the class), and those that run for every object are prepared (prepared.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from math import inf
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnDefault, Connection, and_, bindparam, exists, func, insert, or_, select, update
from sqlalchemy.dialects import sqlite

from gateway.model import DeliveryState, Instance, InstanceState, Job, Outcome
from gateway.store.commitments import CommitmentTable
from gateway.store.groups import GroupTable
from gateway.store.prepared import Cursor, Prepared
from gateway.store.retention import prune
from gateway.store.schema import TO_ASK, associations, deliveries, instances, meta, outbox
from gateway.store.transitions import Cause, after

_encode = msgspec.msgpack.Encoder().encode
_instance = msgspec.msgpack.Decoder(Instance)


class Known(NamedTuple):
    """An instance that is there already under the same SOP Instance UID."""

    id: int
    sha256: str
    state: str
    spool: str
    value: bytes


class Row(NamedTuple):
    """One delivery as it is."""

    id: int
    instance: int
    destination: str
    study: str
    state: DeliveryState
    reason: str
    attempts: int
    crashes: int
    first_try: float | None
    worker: str
    grouped: int | None


_ROW = select(*(deliveries.c[name] for name in Row._fields))
_ONE = Prepared(_ROW.where(deliveries.c.id == bindparam("number")))
_SIBLINGS = Prepared(_ROW.where(deliveries.c.instance == bindparam("number")))
_LEASED_TO = _ROW.where(deliveries.c.worker == bindparam("worker"), deliveries.c.state == DeliveryState.SENDING.value)
_LEASING = select(deliveries.c.worker).where(deliveries.c.state == DeliveryState.SENDING.value).distinct()
_STATES = Prepared(select(deliveries.c.state).where(deliveries.c.instance == bindparam("number")).distinct())
_KNOWN = Prepared(
    select(instances.c.id, instances.c.sha256, instances.c.state, instances.c.spool, instances.c.value).where(
        instances.c.sop_instance == bindparam("uid")
    )
)
_INSTANCE = Prepared(select(instances.c.value, instances.c.state).where(instances.c.id == bindparam("number")))
_SEEN = Prepared(
    select(instances.c.id)
    .where(instances.c.association == bindparam("association"), instances.c.study == bindparam("study"))
    .limit(1)
)
_KEPT = and_(
    instances.c.state != InstanceState.DISCARDED.value,
    instances.c.state != InstanceState.DROPPED.value,
)
_OF_STUDY = (
    select(instances.c.id).where(instances.c.study == bindparam("study"), instances.c.patient_id != "", _KEPT).limit(1)
)
_OF_SERIES = (
    select(instances.c.id).where(instances.c.series == bindparam("series"), instances.c.study != "", _KEPT).limit(1)
)
# Two seeks in one index, where `!=` would read a whole study or series
_OTHER_PATIENT = (
    Prepared(_OF_STUDY.where(instances.c.patient_id < bindparam("patient"))),
    Prepared(_OF_STUDY.where(instances.c.patient_id > bindparam("patient"))),
)
_OTHER_STUDY = (
    Prepared(_OF_SERIES.where(instances.c.study < bindparam("study"))),
    Prepared(_OF_SERIES.where(instances.c.study > bindparam("study"))),
)
_TOOK_STUDY = Prepared(
    select(deliveries.c.id)
    .where(deliveries.c.association == bindparam("association"), deliveries.c.sent_study == bindparam("study"))
    .limit(1)
)
_WAITING = and_(deliveries.c.destination == bindparam("destination"), deliveries.c.state == DeliveryState.WAITING.value)
_DUE = (
    select(deliveries.c.id, deliveries.c.instance, deliveries.c.attempts, instances.c.value, deliveries.c.grouped)
    .select_from(deliveries.join(instances, deliveries.c.instance == instances.c.id))
    .where(
        _WAITING,
        # What waits longer than any pause lasts was put off by a clock that has been set back since.
        or_(deliveries.c.next_try <= bindparam("now"), deliveries.c.next_try > bindparam("latest")),
    )
    .order_by(deliveries.c.id)
    .limit(bindparam("most"))
)
_DUE_WITHOUT = _DUE.where(deliveries.c.study.not_in(bindparam("without", expanding=True)))
_DUE_OF_ALL = Prepared(_DUE)
_NEXT_DUE = Prepared(select(func.min(deliveries.c.next_try)).where(_WAITING))
_ASSOCIATION = Prepared(
    select(associations.c.kind, associations.c.value).where(associations.c.id == bindparam("number"))
)
_OPEN = instances.c.state.in_([InstanceState.ACTIVE.value, InstanceState.HELD.value])
_LINGERS = and_(  # done, but not for long: its bytes stay for a while (`state.keep_spooled`)
    instances.c.state == InstanceState.DONE.value,
    exists().where(deliveries.c.instance == instances.c.id, deliveries.c.updated > bindparam("since")),
)
_NEEDED = select(instances.c.spool).where(
    instances.c.spool.in_(bindparam("names", expanding=True)), or_(_OPEN, _LINGERS)
)
_SETTING = Prepared(select(meta.c.value).where(meta.c.key == bindparam("name")))
_POSTED = Prepared(select(outbox.c.seq, outbox.c.message).order_by(outbox.c.seq))
_SET = Prepared(update(meta).where(meta.c.key == bindparam("name")).values(value=bindparam("to_value")))
_TAKEN = Prepared(outbox.delete().where(outbox.c.seq <= bindparam("upto")))
_WAKE = Prepared(
    update(deliveries)
    .where(
        deliveries.c.destination == bindparam("there"),
        deliveries.c.state == DeliveryState.WAITING.value,
        deliveries.c.attempts == 0,
        deliveries.c.next_try.is_not(None),  # what waits for its group is not woken by its destination
    )
    .values(next_try=bindparam("to_next_try"), reason="")
)

_POST = Prepared(insert(outbox), ["seq", "message"])
_OPENING = Prepared(  # twice is no fault
    sqlite.insert(associations).on_conflict_do_nothing(), [column.name for column in associations.c]
)
_OPENED = Prepared(
    select(associations.c.kind, associations.c.value).where(
        associations.c.id == bindparam("number"), associations.c.open == 1
    )
)
_CLOSE = Prepared(update(associations).where(associations.c.id == bindparam("number")).values(open=0))
_MOVED = (instances.c.study, instances.c.patient_id, instances.c.sop_class)
_BROUGHT = Prepared(
    select(*_MOVED, func.count()).where(instances.c.association == bindparam("association")).group_by(*_MOVED)
)
_INSERT_INSTANCE = Prepared(insert(instances), [column.name for column in instances.c if column.name != "id"])
_NEW_DELIVERY: dict[str, Any] = {
    column.name: column.default.arg if isinstance(column.default, ColumnDefault) else None
    for column in deliveries.c
    if column.name != "id"
}
_INSERT_DELIVERY = Prepared(insert(deliveries), list(_NEW_DELIVERY))
_SETTLE = Prepared(
    update(instances)
    .where(instances.c.id == bindparam("number"))
    .values(state=bindparam("to_state"), reason=bindparam("to_reason"))
)
_LEASE = (
    update(deliveries)
    .where(deliveries.c.id.in_(bindparam("numbers", expanding=True)), deliveries.c.state == DeliveryState.WAITING.value)
    .values(
        state=DeliveryState.SENDING.value,
        worker=bindparam("to_worker"),
        updated=bindparam("now"),
        first_try=func.coalesce(deliveries.c.first_try, bindparam("now")),
    )
)


@cache
def _changing(names: tuple[str, ...]) -> Prepared:
    """One delivery gets new values in these columns (a handful of combinations)."""
    values: dict[str, Any] = {name: bindparam(f"to_{name}") for name in names}
    return Prepared(update(deliveries).where(deliveries.c.id == bindparam("number")).values(values))


class Transaction:
    """The ledger during one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._do = connection.execute
        self._fast = Cursor(connection)
        self.groups = GroupTable(connection, self._fast)
        self.commitments = CommitmentTable(connection, self._fast)

    def known(self, sop_instance: str) -> list[Known]:
        """What is there under this SOP Instance UID."""
        return [Known(*row) for row in self._fast.all(_KNOWN, uid=sop_instance)]

    def study_seen(self, association: str, study: str) -> bool:
        """Whether this association has brought an instance of this study before."""
        return self._fast.first(_SEEN, association=association, study=study) is not None

    def other_patient(self, study: str, patient_id: str) -> bool:
        """Whether this study has an instance of a patient with another Patient ID."""
        return any(self._fast.first(each, study=study, patient=patient_id) is not None for each in _OTHER_PATIENT)

    def other_study(self, series: str, study: str) -> bool:
        """Whether this series has an instance of another study; nothing is known of rows older than its column."""
        return any(self._fast.first(each, series=series, study=study) is not None for each in _OTHER_STUDY)

    def insert_instance(self, instance: Instance, state: InstanceState, reason: str) -> int:
        """A new instance; its number."""
        identity = instance.identity
        return self._fast.insert(
            _INSERT_INSTANCE,
            {
                "sop_instance": identity.sop_instance,
                "sha256": instance.stored.sha256,
                "association": instance.origin.association,
                "study": identity.study,
                "series": identity.series,
                "sop_class": identity.sop_class,
                "patient_id": identity.patient_id,
                "spool": instance.stored.name,
                "state": state.value,
                "reason": reason,
                "received": instance.received,
                "value": _encode(instance),
            },
        )

    def insert_delivery(
        self,
        instance: int,
        destination: str,
        study: str,
        now: float,
        *,
        worker: str = "",
        next_try: float = 0.0,
        reason: str = "",
        group: int | None = None,
    ) -> int:
        """A new delivery: leased to `worker`, or waiting until `next_try` or until `group` is closed; its number."""
        state = after(DeliveryState.WAITING, Cause.LEASED) if worker else DeliveryState.WAITING
        return self._fast.insert(
            _INSERT_DELIVERY,
            _NEW_DELIVERY
            | {
                "instance": instance,
                "destination": destination,
                "study": study,
                "state": state.value,
                "reason": reason,
                "worker": worker,
                "next_try": None if group is not None else next_try or now,
                "first_try": now if worker else None,
                "updated": now,
                "grouped": group,
            },
        )

    def due(self, destination: str, now: float, latest: float, most: int, without: Sequence[str] = ()) -> list[Job]:
        """What may be sent there now, the oldest first; not what belongs to the studies `without`.

        `latest`: the latest moment that a pause begun now could end; what waits longer is due too.
        """
        asked = {"destination": destination, "now": now, "latest": latest, "most": most}
        found: Iterable[Any] = (
            self._do(_DUE_WITHOUT, {**asked, "without": without}) if without else self._fast.all(_DUE_OF_ALL, **asked)
        )
        return [
            Job(number, owner, _instance.decode(value), destination, attempts, group=group or 0)
            for number, owner, attempts, value, group in found
        ]

    def next_due(self, destination: str) -> float | None:
        """When the first waiting delivery may be sent; None where none waits."""
        found = self._fast.first(_NEXT_DUE, destination=destination)
        return found[0] if found else None

    def lease(self, numbers: Sequence[int], worker: str, now: float) -> None:
        """Waiting deliveries become a worker's."""
        after(DeliveryState.WAITING, Cause.LEASED)
        self._do(_LEASE, {"numbers": numbers, "to_worker": worker, "now": now})

    def delivery(self, number: int) -> Row | None:
        """One delivery; None where there is none of that number."""
        row = self._fast.first(_ONE, number=number)
        return _row(row) if row else None

    def leased_to(self, worker: str) -> list[Row]:
        """What a worker has."""
        return [_row(row) for row in self._do(_LEASED_TO, {"worker": worker})]

    def leasing_workers(self) -> set[str]:
        """Every worker that has a lease."""
        return set(self._do(_LEASING).scalars())

    def change(self, row: Row, cause: Cause, now: float, **values: Any) -> DeliveryState:
        """One delivery changes its state; further columns by name. Raises Impossible. The new state."""
        state = after(row.state, cause)
        if state is not DeliveryState.SENDING:
            values.setdefault("worker", "")
        if "reason" in values:
            values.setdefault("detail", "")
        values |= {"state": state.value, "updated": now}
        given = {f"to_{name}": value for name, value in values.items()}
        self._fast.change(_changing(tuple(sorted(values))), {"number": row.id, **given})
        return state

    def wake(self, destination: str, now: float) -> None:
        """The destination is back: what waited only for it may go at once."""
        self._fast.change(_WAKE, {"there": destination, "to_next_try": now})

    def confirmed(self, row: Row, outcome: Outcome, now: float) -> DeliveryState:
        """The destination has it."""
        return self._left(row, Cause.CONFIRMED, outcome, now, reason="", next_try=None)

    def sent(self, row: Row, outcome: Outcome, now: float, ask_at: float) -> DeliveryState:
        """The destination says that it has it, and has to commit to it; when to ask for that."""
        return self._left(row, Cause.SENT, outcome, now, reason=TO_ASK, next_try=ask_at)

    def _left(self, row: Row, cause: Cause, outcome: Outcome, now: float, **values: Any) -> DeliveryState:
        return self.change(
            row,
            cause,
            now,
            **values,
            status=outcome.status,
            association=outcome.association,
            sent_instance=outcome.sent_instance,
            sent_study=outcome.sent_study,
            sent_sha256=outcome.sent_sha256,
            steps=",".join(outcome.steps),
            anonymized=int(outcome.anonymized),
            evidence=_encode(outcome.evidence),
        )

    def ask_again(self, row: Row, reason: str, when: float, now: float) -> None:
        """A delivery stays CONFIRMING; it is to be asked for once more, then."""
        values = {"reason": reason, "next_try": when, "attempts": row.attempts + 1, "updated": now}
        self._do(update(deliveries).where(deliveries.c.id == row.id).values(values))

    def worker_of(self, association: str) -> str:
        """The worker that has an open association; "" where none has."""
        query = select(associations.c.worker).where(associations.c.id == association, associations.c.open == 1)
        return self._do(query).scalar() or ""

    def states(self, instance: int) -> set[DeliveryState]:
        """The states that the deliveries of an instance are in."""
        return {DeliveryState(state) for (state,) in self._fast.all(_STATES, number=instance)}

    def settle(self, instance: int, state: InstanceState, reason: str = "") -> None:
        """The state of an instance as a whole."""
        self._fast.change(_SETTLE, {"number": instance, "to_state": state.value, "to_reason": reason})

    def instance(self, number: int) -> tuple[Instance, InstanceState] | None:
        """An instance and its state."""
        row = self._fast.first(_INSTANCE, number=number)
        return (_instance.decode(row[0]), InstanceState(row[1])) if row else None

    def replace(self, number: int, instance: Instance) -> None:
        """An operator's release gives an instance a new decision."""
        self._do(update(instances).where(instances.c.id == number).values(value=_encode(instance)))

    def deliveries_of(self, instance: int) -> list[Row]:
        """Every delivery of one instance."""
        return [_row(row) for row in self._fast.all(_SIBLINGS, number=instance)]

    def details(self, reason: str, instance: int | None = None) -> list[str]:
        """What is told to people of deliveries that are held for this reason; of one instance, or of all."""
        held = and_(deliveries.c.state == DeliveryState.HELD.value, deliveries.c.reason == reason)
        query = select(deliveries.c.detail).where(held).distinct()
        return list(self._do(query if instance is None else query.where(deliveries.c.instance == instance)).scalars())

    def open_association(self, number: str, kind: str, value: bytes, worker: str) -> None:
        """An association began. Telling it twice is no fault: a worker repeats after the writer was away."""
        given = {"id": number, "kind": kind, "value": value, "worker": worker, "open": 1}
        self._fast.change(_OPENING, given)

    def close_association(self, number: str) -> tuple[str, bytes] | None:
        """(kind, value) of an association that was open until now; None where it was not."""
        row = self._fast.first(_OPENED, number=number)
        if row is None:
            return None
        self._fast.change(_CLOSE, {"number": number})
        return row[0], row[1]

    def open_associations(self, worker: str | None = None) -> list[tuple[str, str]]:
        """(id, worker) of what was not closed."""
        query = select(associations.c.id, associations.c.worker).where(associations.c.open == 1)
        if worker is not None:
            query = query.where(associations.c.worker == worker)
        return [(row.id, row.worker) for row in self._do(query)]

    def association(self, number: str) -> tuple[str, bytes] | None:
        """(kind, value) of an association, open or not."""
        row = self._fast.first(_ASSOCIATION, number=number)
        return (row[0], row[1]) if row else None

    def study_taken(self, association: str, study: str) -> bool:
        """Whether this association has delivered an instance of this study (as it was sent) before."""
        return self._fast.first(_TOOK_STUDY, association=association, study=study) is not None

    def brought(self, association: str) -> list[tuple[str, str, str, int]]:
        """(study, patient id, SOP class, number) that an inbound association stored."""
        found = self._fast.all(_BROUGHT, association=association)
        return [(study, patient, sop_class, number) for study, patient, sop_class, number in found]

    def took(self, association: str) -> list[tuple[str, str, str, int, int]]:
        """(study as sent, patient id as received, SOP class, anonymized, number) that an outbound one delivered."""
        columns = (deliveries.c.sent_study, instances.c.patient_id, instances.c.sop_class, deliveries.c.anonymized)
        query = (
            select(*columns, func.count())
            .select_from(deliveries.join(instances, deliveries.c.instance == instances.c.id))
            .where(
                deliveries.c.association == association,
                deliveries.c.state.in_([DeliveryState.DELIVERED.value, DeliveryState.CONFIRMING.value]),
            )
            .group_by(*columns)
        )
        return [tuple(row) for row in self._do(query)]

    def spooled(self, since: float = inf) -> set[str]:
        """Names of the files that the ledger still needs, and of those whose work was done after `since`."""
        found = set(self._do(select(instances.c.spool).where(_OPEN)).scalars())
        return found | set(self._do(select(instances.c.spool).where(_LINGERS), {"since": since}).scalars())

    def needed(self, names: Sequence[str], since: float = inf) -> set[str]:
        """Of these files of the spool, those that the ledger still needs, or whose work was done after `since`."""
        return set(self._do(_NEEDED, {"names": names, "since": since}).scalars())

    def forget(self, before: float, most: int) -> int:
        """Rows of at most so many instances that were at their end before this moment go; how many they were."""
        return prune(self._connection, before, most)

    def setting(self, key: str) -> str | None:
        """A value of the meta table."""
        row = self._fast.first(_SETTING, name=key)
        return row[0] if row else None

    def set(self, key: str, value: str) -> None:
        """Write a value of the meta table."""
        if self._fast.change(_SET, {"name": key, "to_value": value}) == 0:
            self._do(insert(meta).values(key=key, value=value))

    def post(self, messages: Iterable[tuple[int, bytes]]) -> None:
        """Audit messages into the outbox, with their numbers."""
        for seq, message in messages:
            self._fast.change(_POST, {"seq": seq, "message": message})

    def posted(self) -> list[tuple[int, bytes]]:
        """The outbox in order."""
        return [(row[0], row[1]) for row in self._fast.all(_POSTED)]

    def taken(self, upto: int) -> None:
        """The trail has them."""
        self._fast.change(_TAKEN, {"upto": upto})


def _row(row: Any) -> Row:
    return Row(row[0], row[1], row[2], row[3], DeliveryState(row[4]), *row[5:])
