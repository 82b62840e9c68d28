"""Puts deliveries into groups as they come, and lets them go when their group is closed. Within the desk's transaction.

Rules of this file
* An instance that comes again is an arrival too: whoever says a study once more is still sending it.
* What comes after a group was closed opens the next group of the same study or series, on the same route.
* References of its members to objects that never came hold nothing up: they are kept, for people to see.
* A person may close one: what comes later follows it, as after any other end.
* Judging is gateway/decide/groups.py; it is asked when the clock says so, or an association has ended.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from math import inf

from gateway.audit.events import GroupClosed
from gateway.decide.groups import BY_HAND, Closed, judge
from gateway.errors import GatewayError
from gateway.logs import fields
from gateway.model import Instance
from gateway.store.groups import GroupRow
from gateway.store.ledger import Transaction
from gateway.writer.dispatch import Dispatch

log = logging.getLogger("groups")


class Groups:
    """The groups during one transaction. `now` is one moment for all of it."""

    def __init__(self, tx: Transaction, dispatch: Dispatch, now: float) -> None:
        self._tx = tx
        self._dispatch = dispatch
        self._now = now

    def join(self, instance: Instance, refers: Sequence[str] = ()) -> int | None:
        """The group that the deliveries of a new instance wait for; None where its route groups nothing."""
        grouping = instance.decision.group
        if grouping is None:
            return None
        route = instance.decision.route
        newest = self._tx.groups.newest(route, grouping.uid)
        if newest is None or newest.closed is not None:
            number = 0 if newest is None else newest.number + 1
            group = self._tx.groups.open(route, grouping, number, self._now)
            if number:
                log.info(fields("follow-up-group", route=route, group=group, count=number))
        else:
            group = newest.id
            self._tx.groups.touch(newest, grouping, self._now)
        self._tx.groups.brought(group, instance.origin.association)
        self._tx.groups.refers(group, refers)
        self._dispatch.look_at_groups(self._now + grouping.quiet)
        return group

    def came_again(self, instance: Instance) -> None:
        """A known instance was sent once more: its group, if it is open, is still being sent."""
        grouping = instance.decision.group
        newest = self._tx.groups.newest(instance.decision.route, grouping.uid) if grouping else None
        if grouping is not None and newest is not None and newest.closed is None:
            self._tx.groups.touch(newest, grouping, self._now)
            self._tx.groups.brought(newest.id, instance.origin.association)

    def association_ended(self, association: str) -> None:
        """What it brought may be complete now."""
        self._tx.groups.association_ended(association)
        self._dispatch.look_at_groups(self._now)

    def close_complete(self) -> None:
        """Judge what is to be judged."""
        if not self._dispatch.groups_due(self._now):
            return
        for row in self._tx.groups.due(self._now):
            judged = judge(row.quiet, row.max_wait, self._tx.groups.evidence(row), self._now)
            if isinstance(judged, Closed):
                self._close(row, judged.why)
            else:
                self._tx.groups.look(row, judged.until, self._now)
        following = self._tx.groups.next_look()
        self._dispatch.groups_at = inf if following is None else following

    def close_by_hand(self, number: int, reason: str, user: str) -> GroupClosed:
        """What has come of an open group may go. Raises GatewayError where it is not open."""
        row = self._tx.groups.row(number)
        if row is None:
            raise GatewayError("unknown-group", "there is no group of that number")
        if row.closed is not None:
            raise GatewayError("group-closed", "it is closed already")
        arrived, study = self._tx.groups.arrived(row), self._tx.groups.study_of(row)
        self._close(row, BY_HAND)
        self._dispatch.look_at_groups(self._now)
        series = row.uid if row.kind == "series" else ""
        return GroupClosed(
            when=self._now,
            study=study,
            series=series,
            route=row.route,
            objects=arrived,
            expected=row.expected,
            reason=reason,
            user=user,
        )

    def _close(self, row: GroupRow, why: str) -> None:
        for name in self._tx.groups.close(row, why, self._now):
            self._dispatch.look(name)
        missing = self._tx.groups.unresolved(row.id)
        log.info(fields("group-closed", route=row.route, group=row.id, count=row.number, reason=why, failed=missing))
