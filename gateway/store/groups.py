"""The groups of the ledger: studies and series whose deliveries wait until they are complete, as statements.

Rules of this file
* A delivery that waits for its group has no `next_try`: nothing leases it, nothing wakes it but `close`.
* A group that is closed stays closed. What comes later opens the next one of its study or series (`number` counts).
* `look` is when a group is to be judged again; what could change the judgement earlier sets it to zero.
* It judges nothing (gateway/decide/groups.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, bindparam, distinct, exists, func, insert, or_, select, update
from sqlalchemy.dialects import sqlite

from gateway.decide.groups import Evidence
from gateway.model import DeliveryState, Grouping, Instance, InstanceState, Job, Member, Unit
from gateway.store.prepared import Cursor, Prepared
from gateway.store.schema import associations, bringing, deliveries, group_references, groups, instances

_instance = msgspec.msgpack.Decoder(Instance)


class GroupRow(NamedTuple):
    """One group as it is."""

    id: int
    route: str
    kind: str  # "study" or "series"
    uid: str
    number: int  # 0 is the first, n the n-th follow-up
    opened: float
    last: float
    quiet: float
    max_wait: float
    expected: int
    closed: float | None
    why: str


_ROW = select(*(groups.c[name] for name in GroupRow._fields))
_NEWEST = Prepared(
    _ROW.where(groups.c.route == bindparam("route"), groups.c.uid == bindparam("uid"))
    .order_by(groups.c.number.desc())
    .limit(1)
)
_OPEN = Prepared(insert(groups), [column.name for column in groups.c if column.name != "id"])
_TOUCH = Prepared(
    update(groups)
    .where(groups.c.id == bindparam("number"))
    .values(last=bindparam("to_last"), look=bindparam("to_look"), expected=bindparam("to_expected"))
)
_BRING = sqlite.insert(bringing).on_conflict_do_nothing()
_REFERS = sqlite.insert(group_references).on_conflict_do_nothing()
_DUE = _ROW.where(
    groups.c.closed.is_(None),
    # What came last in the future came before the clock was set back.
    or_(groups.c.look <= bindparam("now"), groups.c.last > bindparam("now")),
)
_NEXT = Prepared(select(func.min(groups.c.look)).where(groups.c.closed.is_(None)))
_WAITING = and_(deliveries.c.destination == bindparam("destination"), deliveries.c.state == DeliveryState.WAITING.value)
_BROUGHT = select(bringing.c.grouped).where(bringing.c.association == bindparam("association"))
_BROUGHT_OF_STUDY = select(instances.c.study).where(instances.c.association == bindparam("association"))
_ASSOCIATION_ENDED = (
    update(groups)
    .where(
        groups.c.closed.is_(None),
        or_(groups.c.id.in_(_BROUGHT), and_(groups.c.kind == "study", groups.c.uid.in_(_BROUGHT_OF_STUDY))),
    )
    .values(look=0.0)
)


class GroupTable:
    """The groups during one transaction."""

    def __init__(self, connection: Connection, cursor: Cursor) -> None:
        self._do = connection.execute
        self._fast = cursor

    def newest(self, route: str, uid: str) -> GroupRow | None:
        """The last group of a study or series on a route, open or closed."""
        row = self._fast.first(_NEWEST, route=route, uid=uid)
        return GroupRow(*row) if row else None

    def row(self, number: int) -> GroupRow | None:
        """The group of that number, open or closed."""
        row = self._do(_ROW.where(groups.c.id == number)).first()
        return GroupRow(*row) if row else None

    def study_of(self, row: GroupRow) -> str:
        """The Study Instance UID of its members; "" where none is known any more."""
        if row.kind == "study":
            return row.uid
        query = select(instances.c.study).join(deliveries, deliveries.c.instance == instances.c.id)
        return str(self._do(query.where(deliveries.c.grouped == row.id).limit(1)).scalar() or "")

    def open(self, route: str, grouping: Grouping, number: int, now: float) -> int:
        """A new group; its number in the ledger."""
        return self._fast.insert(
            _OPEN,
            {
                "route": route,
                "kind": grouping.by,
                "uid": grouping.uid,
                "number": number,
                "opened": now,
                "last": now,
                "quiet": grouping.quiet,
                "max_wait": grouping.max_wait,
                "expected": grouping.expected,
                "look": now + grouping.quiet,
                "closed": None,
                "why": "",
            },
        )

    def touch(self, row: GroupRow, grouping: Grouping, now: float) -> None:
        """Something of it arrived, perhaps not for the first time."""
        expected = max(row.expected, grouping.expected)
        look = min(now + row.quiet, row.opened + row.max_wait)  # the cap comes, however much arrives
        given = {"number": row.id, "to_last": now, "to_look": look, "to_expected": expected}
        self._fast.change(_TOUCH, given)

    def brought(self, group: int, association: str) -> None:
        """This association brings it; saying it again changes nothing."""
        self._do(_BRING, {"grouped": group, "association": association})

    def refers(self, group: int, uids: Sequence[str]) -> None:
        """A member refers to these SOP instances."""
        if uids:
            self._do(_REFERS, [{"grouped": group, "sop_instance": uid[:64]} for uid in uids])

    def unresolved(self, group: int) -> int:
        """Forget the references to what has come by now; how many are left."""
        came = exists().where(instances.c.sop_instance == group_references.c.sop_instance)
        self._do(group_references.delete().where(group_references.c.grouped == group, came))
        return len(self.missing(group))

    def missing(self, group: int) -> list[str]:
        """What members of a group refer to and never came."""
        came = exists().where(instances.c.sop_instance == group_references.c.sop_instance)
        query = select(group_references.c.sop_instance).where(group_references.c.grouped == group, ~came)
        return list(self._do(query.order_by(group_references.c.sop_instance)).scalars())

    def association_ended(self, association: str) -> None:
        """What it brought is to be judged anew."""
        self._do(_ASSOCIATION_ENDED, {"association": association})

    def due(self, now: float) -> list[GroupRow]:
        """Open groups that are to be judged now."""
        return [GroupRow(*row) for row in self._do(_DUE, {"now": now})]

    def open_groups(self, uid: str = "") -> list[GroupRow]:
        """All that are open, or those of one study or series."""
        query = _ROW.where(groups.c.closed.is_(None))
        return [GroupRow(*row) for row in self._do(query.where(groups.c.uid == uid) if uid else query)]

    def newest_groups(self, most: int) -> list[GroupRow]:
        """Open and closed, the newest first."""
        return [GroupRow(*row) for row in self._do(_ROW.order_by(groups.c.id.desc()).limit(most))]

    def next_look(self) -> float | None:
        """When the first open group is to be judged; None where none is open."""
        found = self._fast.first(_NEXT)
        return found[0] if found else None

    def evidence(self, row: GroupRow) -> Evidence:
        """What is known of an open group."""
        return Evidence(row.opened, row.last, self.arrived(row), row.expected, self._being_brought(row))

    def arrived(self, row: GroupRow) -> int:
        """Different SOP instances of its study or series on its route, whichever of its groups they are in."""
        query = (
            select(func.count(distinct(instances.c.sop_instance)))
            .select_from(
                groups.join(deliveries, deliveries.c.grouped == groups.c.id).join(
                    instances, deliveries.c.instance == instances.c.id
                )
            )
            .where(groups.c.route == row.route, groups.c.uid == row.uid)
        )
        return int(self._do(query).scalar() or 0)

    def _being_brought(self, row: GroupRow) -> bool:
        """Whether an association is open that brought something of it, or of its study on another route."""
        is_open = and_(associations.c.open == 1, associations.c.kind == "in")
        found = exists().where(is_open, bringing.c.association == associations.c.id, bringing.c.grouped == row.id)
        if row.kind == "study":
            brought = and_(instances.c.association == associations.c.id, instances.c.study == row.uid)
            found = or_(found, exists().where(is_open, brought))  # type: ignore[assignment]
        return bool(self._do(select(found)).scalar())

    def look(self, row: GroupRow, when: float, now: float) -> None:
        """It stays open: judge it again then."""
        values = {"look": when, "last": min(row.last, now), "opened": min(row.opened, now)}
        self._do(update(groups).where(groups.c.id == row.id).values(values))

    def close(self, row: GroupRow, why: str, now: float) -> list[str]:
        """It is complete, or its time is over: its deliveries may go. The destinations they go to."""
        self._do(update(groups).where(groups.c.id == row.id).values(closed=now, why=why))
        self._do(bringing.delete().where(bringing.c.grouped == row.id))
        waiting = and_(
            deliveries.c.grouped == row.id,
            deliveries.c.state == DeliveryState.WAITING.value,
            deliveries.c.next_try.is_(None),
        )
        names = list(self._do(select(deliveries.c.destination).where(waiting).distinct()).scalars())
        self._do(update(deliveries).where(waiting).values(next_try=now, reason=""))
        return names

    def ready(self, destination: str, now: float, latest: float, most: int) -> list[int | None]:
        """Closed groups of which everything that waits for this destination may go now; None for what has no group."""
        may = or_(deliveries.c.next_try <= now, deliveries.c.next_try > latest)
        query = (
            select(deliveries.c.grouped)
            .where(_WAITING)
            .group_by(deliveries.c.grouped)
            .having(func.count() == func.count().filter(may))
            .order_by(func.min(deliveries.c.id))
            .limit(most)
        )
        return list(self._do(query, {"destination": destination}).scalars())

    def unit(self, destination: str, group: int | None) -> list[Job]:
        """What waits of a closed group for a destination, as one unit; of what has no group, its oldest alone."""
        query = (
            select(deliveries.c.id, deliveries.c.instance, deliveries.c.attempts, instances.c.value)
            .select_from(deliveries.join(instances, deliveries.c.instance == instances.c.id))
            .where(_WAITING, deliveries.c.grouped.is_(None) if group is None else deliveries.c.grouped == group)
            .order_by(deliveries.c.id)
        )
        found = self._do(query.limit(1) if group is None else query, {"destination": destination}).all()
        jobs = [Job(row[0], row[1], _instance.decode(row[3]), destination, row[2], group=group or 0) for row in found]
        unit = self._unit(group, jobs)
        return [msgspec.structs.replace(job, unit=unit) for job in jobs]

    def series(self, group: int, uid: str) -> tuple[list[Member], bool]:
        """The members of a closed group that are of this series, and whether an earlier group had some of it."""
        row = GroupRow(*self._do(_ROW.where(groups.c.id == group)).one())
        found = [
            Member(each.stored, each.syntax, each.received, state in (InstanceState.ACTIVE, InstanceState.HELD))
            for state, each in self._instances(groups.c.id == group)
            if each.identity.series == uid and state != InstanceState.DISCARDED
        ]
        same = and_(groups.c.route == row.route, groups.c.uid == row.uid, groups.c.number < row.number)
        return found, any(each.identity.series == uid for _, each in self._instances(same))

    def _instances(self, which: ColumnElement[bool]) -> Iterator[tuple[str, Instance]]:
        """The instances of some groups with their states, each once."""
        joined = groups.join(deliveries, deliveries.c.grouped == groups.c.id).join(
            instances, deliveries.c.instance == instances.c.id
        )
        query = select(instances.c.id, instances.c.state, instances.c.value).select_from(joined).where(which)
        for _, state, value in self._do(query.distinct().order_by(instances.c.id)):
            yield state, _instance.decode(value)

    def over(self, numbers: Sequence[int]) -> set[int]:
        """Those of these groups of which nothing waits, is being sent or is held any more; and what is no group."""
        going = deliveries.c.state.not_in([DeliveryState.DELIVERED.value, DeliveryState.DISCARDED.value])
        query = select(deliveries.c.grouped).where(deliveries.c.grouped.in_(numbers), going).distinct()
        return set(numbers) - set(self._do(query).scalars())

    def _unit(self, group: int | None, jobs: Sequence[Job]) -> Unit:
        if group is None:  # decided under rules that did not group
            first = jobs[0].instance
            return Unit(0, first.decision.route, "study", first.identity.study, 0, "", len(jobs))
        row = GroupRow(*self._do(_ROW.where(groups.c.id == group)).one())
        return Unit(row.id, row.route, row.kind, row.uid, row.number, row.why, len(jobs))
