"""Applies what workers and operators say to the ledger, within one transaction of the writer. No socket, no commit.

Rules of this file
* What must happen outside the transaction (jobs to push, files to delete, whether names must be synced) is collected
  in `Effects` and done by process.py only after the commit.
* An event goes into the outbox in the transaction of the state it tells of.
* All but `Received` may come twice: a second time changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

import msgspec

from gateway.audit.events import AnyEvent, ObjectDiscarded, ObjectDropped, ObjectHeld, ObjectReleased, RowsForgotten
from gateway.decide import again
from gateway.errors import GatewayError
from gateway.model import DeliveryState, Instance, InstanceState, Job, Outcome, Result, Verdict
from gateway.store import kept_answers, previews
from gateway.store.inflight import UNIT
from gateway.store.ledger import Known, Row, Transaction
from gateway.store.retry import exhausted, expired, pause, waiting
from gateway.store.spool import Spool
from gateway.store.transitions import ENDS, Cause
from gateway.writer import audits
from gateway.writer.commitments import Commitments
from gateway.writer.dispatch import Dispatch
from gateway.writer.groups import Groups
from gateway.writer.messages import (
    AskCommitment,
    AskMembers,
    Closed,
    CloseGroup,
    Committed,
    Discard,
    Failed,
    Found,
    Hello,
    Members,
    Ok,
    Opened,
    Outcomes,
    Received,
    Release,
    ReportCommitment,
    Sought,
)
from transforms.dataset import syntax
from transforms.errors import TransformError

MAX_CRASHES = 3
FORGET_STEP = 500  # instances a turn
COMPARED = 64 << 20  # bytes; larger twins in another syntax are a conflict: everybody would wait for the comparison
_THERE = frozenset({Result.DELIVERED, Result.SENT})  # a fact, whoever has the lease by now
_AT_HAND = frozenset({InstanceState.ACTIVE.value, InstanceState.DONE.value})
_ARRIVED = frozenset({DeliveryState.DELIVERED, DeliveryState.CONFIRMING})
_instance = msgspec.msgpack.Decoder(Instance)


@dataclass(slots=True)
class Effects:
    """What is done after the commit, and only then."""

    jobs: dict[str, list[Job]] = field(default_factory=lambda: defaultdict(list))
    unlink: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)  # must be gone before the next request is heard
    remove: list[Path] = field(default_factory=list)
    decided: set[str] = field(default_factory=set)  # groups of images that nothing is held for any more
    tasks: dict[str, list[AskCommitment | ReportCommitment]] = field(default_factory=dict)
    sync: bool = False  # names in the spool must be durable before the commit
    events: list[AnyEvent] = field(default_factory=list)


class Desk:
    """One transaction's worth of work. `now` is one moment for all of it.

    `lingers`: seconds for which the bytes of what is done stay in the spool (`state.keep_spooled`).
    """

    def __init__(
        self,
        tx: Transaction,
        dispatch: Dispatch,
        spool: Spool,
        crashed: Callable[[str], list[int]],
        now: float,
        lingers: float = 0.0,
    ) -> None:
        self._tx = tx
        self._dispatch = dispatch
        self._spool = spool
        self._crashed = crashed
        self._now = now
        self._lingers = lingers
        self._groups = Groups(tx, dispatch, now)
        self.commitments = Commitments(tx, dispatch, now, self._committed, self._not_committed)
        self.effects = Effects(tasks=self.commitments.tasks)

    def received(self, worker: str, message: Received) -> Committed | Failed:
        """A spooled object: new, known, or in conflict with what is known under its UID.

        What was discarded, or dropped by rules that now say otherwise, is as if it had never come. What is known goes
        where it has not been yet, if its route says so now (docs/adr/0016).
        """
        instance = message.instance
        dropping = instance.decision.verdict is Verdict.DROP
        known = [
            k
            for k in self._tx.known(instance.identity.sop_instance)
            if k.state != InstanceState.DISCARDED and (dropping or k.state != InstanceState.DROPPED)
        ]
        twins = [k for k in known if self._same(k, instance)]
        if twins:
            itself = any(k.spool == instance.stored.name for k in twins)  # said twice against the rule
            rest = None if itself else again.left(instance, [self._before(k) for k in twins])
            if rest is None:
                if not itself:
                    self.effects.unlink.append(instance.stored.name)
                self._groups.came_again(instance)
                return Committed("duplicate", twins[0].id)
            instance = msgspec.structs.replace(instance, decision=rest)
        if not self._spool.has(instance.stored):
            return Failed("spool-missing", storage=True)
        self.effects.sync = True
        clash = self._clash(instance, [k for k in known if k not in twins])
        first = not self._tx.study_seen(instance.origin.association, instance.identity.study)
        number = self._insert(worker, instance, message.refers, clash)
        if first and (opened := self._tx.association(instance.origin.association)) is not None:
            self.effects.events.append(audits.begun_in(opened[1], instance, self._now))
        return Committed("conflict" if clash else "stored", number)

    def _before(self, known: Known) -> again.Before:
        rows = self._tx.deliveries_of(known.id)
        there = frozenset(row.destination for row in rows)
        return again.Before(InstanceState(known.state), _instance.decode(known.value), there)

    def _clash(self, instance: Instance, known: list[Known]) -> str:
        """Why it is kept beside what is there and held; "" where it is not, or its source may do so (`on_conflict`).

        A UID with other bytes: sent again with headers that somebody coerced, or moved to another study. A study that
        another patient has, a series that another study has: merged, or mistaken. What a rule drops is noise and only
        hides a change of what is kept.
        """
        if instance.decision.on_conflict != "hold":
            return ""
        if any(k.state != InstanceState.DROPPED for k in known):
            return "conflict"
        of = instance.identity
        if not of.study or instance.decision.verdict is Verdict.DROP:
            return ""
        if of.patient_id and self._tx.other_patient(of.study, of.patient_id):
            return "study-of-another-patient"
        if of.series and self._tx.other_study(of.series, of.study):
            return "series-of-another-study"
        return ""

    def _same(self, known: Known, instance: Instance) -> bool:
        """Equal bytes; or, while the first is still spooled, equal content in another uncompressed syntax."""
        if known.sha256 == instance.stored.sha256:
            return True
        other = _instance.decode(known.value)
        if (
            other.syntax == instance.syntax
            or max(other.stored.size, instance.stored.size) > COMPARED
            or not all(syntax.lookup(uid).uncompressed for uid in (other.syntax, instance.syntax))
        ):
            return False
        from transforms.dataset.convert import canonical_sha256  # rare, and no small import

        try:
            with self._spool.open(other.stored) as first, self._spool.open(instance.stored) as second:
                return canonical_sha256(first, other.syntax) == canonical_sha256(second, instance.syntax)
        except (GatewayError, TransformError):
            return False  # cannot be shown to be equal: a conflict, which keeps both

    def _insert(self, worker: str, instance: Instance, refers: tuple[str, ...], clash: str) -> int:
        decision = instance.decision
        if clash:
            number = self._tx.insert_instance(instance, InstanceState.HELD, clash)
            self._tell(ObjectHeld, instance, clash)
        elif decision.verdict is Verdict.HOLD:
            number = self._tx.insert_instance(instance, InstanceState.HELD, decision.reason)
            self._tell(ObjectHeld, instance, decision.reason)
        elif decision.verdict is Verdict.DROP:
            number = self._tx.insert_instance(instance, InstanceState.DROPPED, decision.reason)
            self._tell(ObjectDropped, instance, decision.reason)
            self.effects.unlink.append(instance.stored.name)
        else:
            number = self._tx.insert_instance(instance, InstanceState.ACTIVE, "")
            self._deliver(worker, number, instance, refers)
        return number

    def _deliver(self, worker: str, number: int, instance: Instance, refers: tuple[str, ...] = ()) -> None:
        """One delivery for each destination, leased at once where that can be."""
        study = instance.identity.study
        group = self._groups.join(instance, refers)
        for name in instance.decision.destinations:
            there = self._dispatch.destination(name)
            at_once = there.look_at == inf and group is None and not there.whole
            chosen = self._dispatch.place(study, name, self._now, worker) if at_once else ""
            if group is not None:
                self._tx.insert_delivery(number, name, study, self._now, group=group)
            elif chosen:
                delivery = self._tx.insert_delivery(number, name, study, self._now, worker=chosen)
                self._dispatch.leased(study, name, chosen)
                self.effects.jobs[chosen].append(Job(delivery, number, instance, name, 0))
            else:
                when = max(self._now, there.down_until)
                self._tx.insert_delivery(number, name, study, self._now, next_try=when, reason=there.reason)
                self._dispatch.look(name, when)

    def lease_due(self) -> None:
        """Lease what waits and may go: groups that are complete, retries, backlog, probes."""
        self._groups.close_complete()
        self.commitments.look()
        for name, there in self._dispatch.destinations.items():
            if self._dispatch.awake(name, self._now):
                lease = self._lease_units if there.whole else self._lease
                there.look_at = lease(name, there.longest)

    def _lease(self, name: str, longest: float) -> float:
        """Lease what one destination and its workers have room for; when to look again.

        Where nothing more fits, the next outcome makes us look again, and a second does, whatever happens.
        """
        room = self._dispatch.room(name)
        if not room:
            return self._now + 1
        found = self._tx.due(name, self._now, self._now + longest, room, self._dispatch.stuck(name))
        leases: dict[str, list[Job]] = defaultdict(list)
        for job in found:
            study = job.instance.identity.study
            chosen = self._dispatch.place(study, name, self._now)
            if chosen:
                self._dispatch.leased(study, name, chosen)
                leases[chosen].append(job)
        for worker, jobs in leases.items():
            self._tx.lease([job.delivery for job in jobs], worker, self._now)
            self.effects.jobs[worker].extend(jobs)
        if len(found) == room:  # there may be more, of studies that still have room
            return self._now if leases and self._dispatch.room(name) else self._now + 1
        next_due = self._tx.next_due(name)
        if next_due is None:
            return inf
        return next_due if next_due > self._now else self._now + 1

    def _lease_units(self, name: str, longest: float) -> float:
        """As `_lease`, for a destination that takes whole groups."""
        ready = self._tx.groups.ready(name, self._now, self._now + longest, self._dispatch.room(name))
        for group in ready:
            chosen = self._dispatch.place_unit(name, self._now)
            if not chosen:
                return self._now + 1
            jobs = self._tx.groups.unit(name, group)
            self._tx.lease([job.delivery for job in jobs], chosen, self._now)
            for job in jobs:
                self._dispatch.leased(job.instance.identity.study, name, chosen)
            self.effects.jobs[chosen].extend(jobs)
        next_due = self._tx.next_due(name)
        if next_due is None:
            return inf
        return next_due if next_due > self._now else self._now + 1

    def outcomes(self, worker: str, message: Outcomes) -> Ok:
        """What came of jobs."""
        for outcome in message.outcomes:
            row = self._tx.delivery(outcome.delivery)
            if row is None:
                continue
            ours = row.state is DeliveryState.SENDING and row.worker == worker
            if not ours and not (outcome.result in _THERE and row.state not in _ARRIVED):
                continue  # said before, or the lease was taken back
            if row.state is DeliveryState.DISCARDED:
                continue
            found = self._tx.instance(row.instance)
            assert found is not None
            if row.state is DeliveryState.SENDING:  # by `worker`, or by another that has been given it since
                self._dispatch.ended(row.study, row.destination, row.worker)
                self._dispatch.look(row.destination, self._now)
            self._settle(row, found[0], outcome)
        return Ok(len(message.outcomes))

    def _settle(self, row: Row, instance: Instance, outcome: Outcome) -> None:
        """One outcome of one delivery (docs/adr/0002)."""
        there = self._dispatch.destination(row.destination)
        answered = outcome.result in _THERE or outcome.status is not None
        if answered and self._dispatch.up(row.destination):
            self._tx.wake(row.destination, self._now)
            self._dispatch.look(row.destination, self._now)
        if outcome.result is Result.DELIVERED:
            self._begun(instance, outcome)
            self._tx.confirmed(row, outcome, self._now)
            self._finish(row.instance, instance)
        elif outcome.result is Result.SENT:
            self._begun(instance, outcome)
            self._tx.sent(row, outcome, self._now, self.commitments.sent(row))
        elif outcome.result is Result.GAVE_BACK:
            when = max(self._now, there.down_until)
            self._tx.change(row, Cause.GIVEN_BACK, self._now, next_try=when, reason=there.reason)
            self._dispatch.look(row.destination, when)
        elif outcome.result is Result.DOWN:
            when = self._dispatch.down(row.destination, outcome.reason, self._now, outcome.retry_after)
            if row.first_try is not None and expired(there.retry, row.first_try, self._now):
                self._hold(row, instance, outcome.reason, Cause.CANNOT, outcome.status)
            else:
                self._tx.change(row, Cause.DESTINATION_DOWN, self._now, next_try=when, reason=outcome.reason)
                self._dispatch.look(row.destination, when)
        elif outcome.result is Result.WAITS:
            since = self._now if row.first_try is None else row.first_try
            if expired(there.retry, since, self._now):
                self._hold(row, instance, outcome.reason, Cause.CANNOT)
            else:
                when = self._now + waiting(there.retry, since, self._now)
                self._tx.change(row, Cause.TRY_AGAIN, self._now, next_try=when, reason=outcome.reason)
                self._dispatch.look(row.destination, when)
        elif outcome.result is Result.REFUSED and not exhausted(there.retry, row.attempts + 1):
            when = self._now + pause(there.retry, row.attempts + 1)
            self._tx.change(
                row,
                Cause.TRY_AGAIN,
                self._now,
                next_try=when,
                reason=outcome.reason,
                attempts=row.attempts + 1,
                status=outcome.status,
            )
            self._dispatch.look(row.destination, when)
        else:
            more: dict[str, int | str] = {"attempts": row.attempts + 1, "detail": outcome.detail[:256]}
            self._hold(row, instance, outcome.reason, Cause.CANNOT, outcome.status, **more)

    def _hold(
        self, row: Row, instance: Instance, reason: str, cause: Cause, status: int | None = None, **values: int | str
    ) -> None:
        self._tx.change(row, cause, self._now, reason=reason, status=status, next_try=None, **values)
        self._tell(ObjectHeld, instance, reason, row.destination)

    def _committed(self, row: Row) -> None:
        """The destination has committed to what it was sent."""
        self._tx.change(row, Cause.CONFIRMED, self._now, reason="", next_try=None)
        found = self._tx.instance(row.instance)
        assert found is not None
        self._finish(row.instance, found[0])

    def _not_committed(self, row: Row, reason: str, status: int | None) -> None:
        """Nor will it."""
        found = self._tx.instance(row.instance)
        assert found is not None
        self._hold(row, found[0], reason, Cause.CANNOT, status)

    def _begun(self, instance: Instance, outcome: Outcome) -> None:
        """The first instance of a study on an outbound association."""
        opened = self._tx.association(outcome.association) if outcome.association else None
        if opened is None or opened[0] != "out":
            return
        if not self._tx.study_taken(outcome.association, outcome.sent_study):
            self.effects.events.append(audits.begun_out(opened[1], instance, outcome, self._now))

    def _finish(self, number: int, instance: Instance) -> None:
        states = self._tx.states(number)
        if states <= ENDS:
            given_up = states == {DeliveryState.DISCARDED}  # then it may be sent again, as if it had never come
            self._tx.settle(number, InstanceState.DISCARDED if given_up else InstanceState.DONE)
            if given_up or not self._lingers:  # else the sweep takes it, when its time is over
                self.effects.unlink.append(instance.stored.name)

    def sought(self, message: Sought) -> Found:
        """What of these is in the spool and no person has to look at; several of one UID where they conflicted."""
        known = [k for uid in message.sop_instances for k in self._tx.known(uid) if k.state in _AT_HAND]
        instances = (_instance.decode(k.value) for k in known)
        return Found(tuple(each for each in instances if self._spool.has(each.stored)))

    def opened(self, worker: str, message: Opened) -> Ok:
        """An association began."""
        self._tx.open_association(message.association, message.kind, audits.encode(message), worker)
        return Ok()

    def closed(self, message: Closed) -> Ok:
        """An association ended."""
        self._close(message.association, message.orderly)
        return Ok()

    def _close(self, association: str, orderly: bool) -> None:
        found = self._tx.close_association(association)
        if found is not None:
            kind, opened = found
            if kind == "in":
                self._groups.association_ended(association)
            self.effects.events.extend(audits.ended(self._tx, association, kind, opened, orderly, self._now))

    def hello(self, message: Hello) -> Ok:
        """A worker is here, with what it still has; leases that it does not know of are taken back."""
        self._dispatch.present.add(message.worker)
        if message.takes_jobs:
            self._dispatch.workers.add(message.worker)
            self._dispatch.look_everywhere()
        running = set(message.running)
        for row in self._tx.leased_to(message.worker):
            if row.id not in running:
                self._dispatch.ended(row.study, row.destination, message.worker)
                self._tx.change(row, Cause.GIVEN_BACK, self._now, next_try=self._now)
        return Ok()

    def gone(self, worker: str) -> None:
        """A worker died or drained: its leases are taken back, its crashes counted, its associations closed."""
        self._dispatch.workers.discard(worker)
        self._dispatch.present.discard(worker)
        self._dispatch.look_everywhere()
        crashed = set(self._crashed(worker))
        leased = self._tx.leased_to(worker)
        units = {(row.grouped, row.destination) for row in leased if row.id | UNIT in crashed}
        for row in leased:
            self._dispatch.ended(row.study, row.destination, worker)
            if row.id not in crashed and (row.grouped, row.destination) not in units:
                self._tx.change(row, Cause.GIVEN_BACK, self._now, next_try=self._now)
            elif row.crashes + 1 < MAX_CRASHES:
                self._tx.change(row, Cause.CRASHED, self._now, next_try=self._now, crashes=row.crashes + 1)
            else:
                found = self._tx.instance(row.instance)
                assert found is not None
                reason = "crashed-while-processing"
                self._hold(row, found[0], reason, Cause.CRASHED_TOO_OFTEN, crashes=row.crashes + 1)
        self.commitments.gone(worker)
        for association, _ in self._tx.open_associations(worker):
            self._close(association, orderly=False)

    def release(self, message: Release) -> Ok:
        """An operator lets a held instance, or its held deliveries, go on. Raises GatewayError where none is held."""
        found = self._tx.instance(message.instance_id)
        if found is None:
            raise GatewayError("unknown-instance", "there is no instance of that number")
        instance, state = found
        if state is InstanceState.HELD:
            if message.decision is None or message.decision.verdict is not Verdict.DELIVER:
                raise GatewayError("still-held", "the rule file does not deliver it")
            instance = msgspec.structs.replace(instance, decision=message.decision)
            self._tx.replace(message.instance_id, instance)
            self._tx.settle(message.instance_id, InstanceState.ACTIVE)
            self._deliver("", message.instance_id, instance)
            self._tell(ObjectReleased, instance, "released", user=message.user)
            return Ok(1)
        held = [row for row in self._tx.deliveries_of(message.instance_id) if row.state is DeliveryState.HELD]
        if not held:
            raise GatewayError("not-held", "that instance is not held")
        for row in held:
            self._tx.change(
                row,
                Cause.RELEASED,
                self._now,
                reason="",
                attempts=0,
                crashes=0,
                next_try=self._now,
                first_try=None,
            )
            self._dispatch.look(row.destination)
            self._tell(ObjectReleased, instance, row.reason, row.destination, message.user)
        return Ok(len(held))

    def discard(self, message: Discard) -> Ok:
        """An operator gives a held instance up. Raises GatewayError where none is held."""
        found = self._tx.instance(message.instance_id)
        if found is None:
            raise GatewayError("unknown-instance", "there is no instance of that number")
        instance, state = found
        held = [row for row in self._tx.deliveries_of(message.instance_id) if row.state is DeliveryState.HELD]
        if state is InstanceState.HELD:
            self._tx.settle(message.instance_id, InstanceState.DISCARDED, message.reason[:64])
            self.effects.unlink.append(instance.stored.name)
        elif held:
            groups = previews.groups(self._tx.details(previews.UNKNOWN, message.instance_id))
            for row in held:
                self._tx.change(row, Cause.DISCARDED, self._now, reason=message.reason[:64], next_try=None)
            self._finish(message.instance_id, instance)
            if groups:
                self.effects.decided |= groups - previews.groups(self._tx.details(previews.UNKNOWN))
        else:
            raise GatewayError("not-held", "that instance is not held")
        self._tell(ObjectDiscarded, instance, message.reason, user=message.user)
        return Ok(max(1, len(held)))

    def members(self, message: AskMembers) -> Members:
        """One series of a closed group. Raises GatewayError (plugin-late) where an earlier group had some of it."""
        found, late = self._tx.groups.series(message.group, message.series)
        if late:
            raise GatewayError("plugin-late", "the series was complete before this object came")
        return Members(tuple(found))

    def close_group(self, message: CloseGroup) -> Ok:
        """An operator lets go what has come of a group. Raises GatewayError where none of that number is open."""
        event = self._groups.close_by_hand(message.group, message.reason, message.user)
        self.effects.events.append(event)
        return Ok(event.objects)

    def recover(self, fresh: bool) -> None:
        """At start: what the ledger says is leased. `fresh`: no worker can be alive."""
        self._dispatch.clear()
        for worker in self._tx.leasing_workers():
            for row in self._tx.leased_to(worker):
                self._dispatch.leased(row.study, row.destination, worker)
        if fresh:
            self.absent()

    def absent(self) -> None:
        """The ledger's workers that are not here are gone: the time to come back to a new writer is over."""
        known = self._tx.leasing_workers() | {worker for _, worker in self._tx.open_associations()}
        for worker in known - self._dispatch.present:
            self.gone(worker)

    def forget(self, keep: float) -> bool:
        """Rows of what ended longer ago than that go, some of them; whether there are more. Audited."""
        before = self._now - keep
        count = self._tx.forget(before, FORGET_STEP)
        if count:
            self.effects.events.append(RowsForgotten(when=self._now, instances=count, before=before))
        return count == FORGET_STEP

    def orphans(self, names: list[str]) -> None:
        """Of these old files, those that the ledger does not need, and that no request of this batch has brought."""
        if names:
            needed = self._tx.needed(names, self._now - self._lingers)
            self.effects.orphans = [name for name in names if name not in needed]

    def answers(self, state: Path) -> None:
        """What hosted programs made for groups that have come to their end, and what they left when they died; pictures
        that nobody has to look at any more."""
        self.effects.remove = [*kept_answers.ended(state, self._tx.groups.over), *kept_answers.left(state)]
        self.effects.remove += previews.over(state, previews.groups(self._tx.details(previews.UNKNOWN)))

    def _tell(
        self,
        what: type[ObjectHeld] | type[ObjectReleased] | type[ObjectDropped] | type[ObjectDiscarded],
        instance: Instance,
        reason: str,
        destination: str = "",
        user: str = "",
    ) -> None:
        self.effects.events.append(audits.about(what, instance, reason, self._now, destination, user))
