"""Storage commitment in both roles, within the desk's transaction (PS3.4 Annex J, docs/commitment.md).

As SCP: a request is durable before it is answered; its instances are judged until all are decided or its time is over;
then the report is sent until the peer takes it.
As SCU: what a destination was sent is asked for in transactions of ours; a delivery is confirmed by nothing but a
report of that peer that names its instance under a Transaction UID that asks for it now.

Rules of this file
* A transaction is in the ledger before its first message leaves. What a dead worker was sending is sent again.
* A report is taken once: repeated, late, of another peer, or about what was not asked, it changes nothing.
* Whatever does not come is asked for again, and held after the destination's `attempts`; nothing waits for ever.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable
from math import inf
from typing import Any, Final
from uuid import uuid4

from gateway.config.schema import DimseDestination, Retry
from gateway.decide.commitment import judge
from gateway.logs import fields
from gateway.model import DeliveryState, Failure, Refused
from gateway.store.commitments import CommitmentRow, ToAsk
from gateway.store.ledger import Row, Transaction
from gateway.store.retry import exhausted, pause
from gateway.store.schema import TO_ASK
from gateway.store.transitions import Cause, CommitmentState
from gateway.writer.dispatch import Dispatch
from gateway.writer.messages import (
    AskCommitment,
    CommitmentAsked,
    CommitmentReported,
    Failed,
    Ok,
    ReportCommitment,
    TaskDone,
)

log = logging.getLogger("commitment")

GATHER: Final = 2.0  # seconds that sent objects wait for others, to be asked for together
MOST_ASKED: Final = 1000  # instances in one transaction of ours
MOST_OPEN: Final = 1000  # transactions of one sender whose report it has not taken, and
MOST_ITEMS: Final = 100_000  # ... instances in them: two of the largest requests, and
MOST_IN_ALL: Final = 400_000  # ... of all senders
JUDGED: Final = 10_000  # instances looked at in a second (160 ms, for which everybody waits), half of them at once;
LONGEST_REST: Final = 60.0  # ... one request is looked at as a whole. A longer pause is a clock that was set back
LEASE: Final = 300.0  # seconds a worker has for one message
LOOKS: Final = (0.2, 15.0)  # first and longest pause between two looks at what we are asked for
REPORTING: Final = Retry()  # how long a report is tried

Tasks = dict[str, list["AskCommitment | ReportCommitment"]]
Confirmed = Callable[[Row], None]  # a delivery is confirmed; and one that is held, with its reason
Held = Callable[[Row, str, "int | None"], None]


class Commitments:
    """The transactions of storage commitment, during one transaction of the ledger."""

    def __init__(self, tx: Transaction, dispatch: Dispatch, now: float, confirmed: Confirmed, held: Held) -> None:
        self._tx = tx
        self._table = tx.commitments
        self._dispatch = dispatch
        self._now = now
        self._confirmed = confirmed
        self._held = held
        self.tasks: Tasks = defaultdict(list)

    # as SCP

    def asked(self, message: CommitmentAsked) -> Ok | Failed:
        """A peer asks. The same request again is answered alike and reported on again; another one is refused."""
        request = message.request
        known = self._table.find("scp", request.transaction, message.peer)
        if known is not None:
            if set(self._table.request(known).references) != set(request.references):
                return Failed("commitment-duplicate")
            if known.state in (CommitmentState.ENDED, CommitmentState.GIVEN_UP):
                self._set(known.id, CommitmentState.DUE, self._now, tries=0, association=message.association)
            return Ok()
        if self._too_many(message.peer, len(request.references)):
            log.warning(fields("commitment-too-many", count=len(request.references)))
            return Failed("commitment-too-many")
        self._table.insert(
            {
                "role": "scp",
                "transaction_uid": request.transaction,
                "peer": message.peer,
                "ae": message.ae,
                "listener": message.listener,
                "association": message.association,
                "state": CommitmentState.OPEN.value,
                "asked": self._now,
                "deadline": self._now + message.within,
                "next_try": self._now,
            },
            ((each.sop_class, each.sop_instance, None) for each in request.references),
        )
        self._dispatch.look_at_commitments(self._now)
        return Ok(len(request.references))

    def _too_many(self, peer: str, more: int) -> bool:
        number, items = self._table.waiting(peer)
        return number >= MOST_OPEN or items + more > MOST_ITEMS or self._table.waiting()[1] + more > MOST_IN_ALL

    def _judge_all(self) -> None:
        """What is open, those first that have waited longest for it."""
        spent = self._dispatch.judged_until - self._now
        if not 0 <= spent <= LONGEST_REST:
            spent = 0.0
        if spent < 0.5:
            for row in self._table.in_state(CommitmentState.OPEN, self._now):
                spent += self._judge(row) / JUDGED
                if spent >= 0.5:
                    break
        self._dispatch.judged_until = self._now + spent

    def _judge(self, row: CommitmentRow) -> int:
        """Decide what can be decided of what we were asked for; the report is due once nothing is left.

        How many instances were looked at.
        """
        pending = self._table.pending(row.id)
        copies = self._table.copies([uid for _, uid, _ in pending])
        late = self._now >= row.deadline
        outcomes: dict[str, int] = {}
        for sop_class, uid, _ in pending:
            judged = judge(sop_class, copies.get(uid, ()))
            if judged is not None or late:
                outcomes[uid] = Failure.PROCESSING if judged is None else judged
        self._table.decide(row.id, outcomes)
        if len(outcomes) == len(pending):
            self._set(row.id, CommitmentState.DUE, self._now, tries=0)
        else:
            first, longest = LOOKS
            when = min(row.deadline, self._now + min(longest, max(first, self._now - row.asked)))
            self._set(row.id, CommitmentState.OPEN, when)
        return len(pending)

    # as SCU

    def sent(self, row: Row) -> float:
        """A destination that has to commit was sent an object; when to ask it."""
        when = self._now + GATHER
        self._dispatch.look_at_commitments(when)
        return when

    def _ask(self, name: str, waiting: list[ToAsk]) -> None:
        """Transactions for what a destination was sent. An instance that it was sent twice is asked for twice, too."""
        block = self._dispatch.blocks.get(name)
        to = block.dimse if block else None
        ours: dict[str, ToAsk] = {}
        for each in waiting:
            ours.setdefault(each.sop_instance, each)
        items = list(ours.values())[:MOST_ASKED]
        within = (to or _NOWHERE).confirm_within
        self._table.insert(
            {
                "role": "scu",
                "transaction_uid": f"2.25.{uuid4().int}",
                "peer": to.ae if to else "",
                "ae": to.calling_ae if to else "",
                "destination": name,
                "state": CommitmentState.DUE.value,
                "asked": self._now,
                "deadline": self._now + within,
                "next_try": self._now,
            },
            ((each.sop_class, each.sop_instance, each.delivery) for each in items),
        )
        self._table.await_all([each.delivery for each in items], self._now + within)

    def reported(self, message: CommitmentReported) -> Ok | Failed:
        """A peer reports on a transaction of ours. Its own, and what it asks for now; nothing else counts."""
        report = message.report
        row = self._table.find("scu", report.transaction, message.peer)
        if row is None:
            log.warning(fields("commitment-unknown"))
            return Failed("commitment-unknown")
        pending = {(sop_class, uid): delivery for sop_class, uid, delivery in self._table.pending(row.id)}
        outcomes: dict[str, int] = {}
        for each in report.committed:
            delivery = pending.get((each.sop_class, each.sop_instance))
            if delivery is not None:
                outcomes[each.sop_instance] = 0
                self._commit(delivery)
        for refused in report.failed:
            delivery = pending.get((refused.sop_class, refused.sop_instance))
            if delivery is not None:
                outcomes[refused.sop_instance] = refused.reason
                self._refuse(delivery, refused)
        self._table.decide(row.id, outcomes)
        if len(outcomes) == len(pending):
            self._set(row.id, CommitmentState.ENDED, None)
        return Ok(len(outcomes))

    def _commit(self, delivery: int) -> None:
        row = self._tx.delivery(delivery)
        if row is not None and row.state is DeliveryState.CONFIRMING:
            self._confirmed(row)

    def _refuse(self, delivery: int, refused: Refused) -> None:
        """The destination has it not: sent again where that may help, else held."""
        row = self._tx.delivery(delivery)
        if row is None or row.state is not DeliveryState.CONFIRMING:
            return
        retry = self._dispatch.destination(row.destination).retry
        for_good = refused.reason in (Failure.CLASS_CONFLICT, Failure.CLASS_NOT_SUPPORTED)
        if for_good or exhausted(retry, row.attempts + 1):
            self._held(row, "commitment-refused", refused.reason)
            return
        when = self._now + pause(retry, row.attempts + 1)
        values = {"reason": "commitment-refused", "status": refused.reason, "attempts": row.attempts + 1}
        self._tx.change(row, Cause.TRY_AGAIN, self._now, next_try=when, **values)
        self._dispatch.look(row.destination, when)

    def _expire(self, row: CommitmentRow, reason: str) -> None:
        """No report came, or the peer would not be asked: what is left is asked for anew, or held."""
        left = self._table.pending(row.id)
        self._table.supersede(row.id)
        self._set(row.id, CommitmentState.GIVEN_UP, None, reason=reason)
        for _, _, number in left:
            delivery = self._tx.delivery(number) if number is not None else None
            if delivery is None or delivery.state is not DeliveryState.CONFIRMING:
                continue
            retry = self._dispatch.destination(delivery.destination).retry
            if exhausted(retry, delivery.attempts + 1):
                self._held(delivery, reason, None)
            else:
                when = self._now + pause(retry, delivery.attempts + 1)
                self._tx.ask_again(delivery, TO_ASK, when, self._now)
                self._dispatch.look_at_commitments(when)

    # both

    def done(self, message: TaskDone) -> Ok:
        """What came of a message that a worker was to send."""
        row = self._table.get(message.commitment)
        if row is None or row.state != CommitmentState.SENDING:
            return Ok()  # a report came first, or the lease was over
        if message.ok:
            if row.role == "scu":
                self._set(row.id, CommitmentState.ASKED, row.deadline, worker="", reason="")
            else:
                self._set(row.id, CommitmentState.ENDED, None, worker="", reason="")
            return Ok()
        self._again(row, message.reason)
        return Ok()

    def _again(self, row: CommitmentRow, reason: str) -> None:
        """A message did not get there."""
        tries = row.tries + 1
        if row.role == "scu":
            when = self._now + pause(self._dispatch.destination(row.destination).retry, tries)
            if when >= row.deadline:
                self._expire(row, reason)
                return
        else:
            when = self._now + pause(REPORTING, tries)
            if self._now > row.deadline + REPORTING.for_ and tries > 1:
                self._set(row.id, CommitmentState.GIVEN_UP, None, worker="", reason=reason)
                log.error(fields("commitment-not-reported", reason=reason))
                return
        self._set(row.id, CommitmentState.DUE, when, worker="", tries=tries, reason=reason)

    def gone(self, worker: str) -> None:
        """A worker died or drained: what it was sending is sent again."""
        for number in self._table.of_worker(worker):
            self._set(number, CommitmentState.DUE, self._now, worker="")

    def look(self) -> None:
        """Everything whose moment has come."""
        if not self._dispatch.commitments_due(self._now):
            return
        self._judge_all()
        for name, waiting in self._table.to_ask(self._now).items():
            self._ask(name, waiting)
        for row in self._table.in_state(CommitmentState.ASKED, self._now):
            self._expire(row, "commitment-timeout")
        for row in self._table.in_state(CommitmentState.SENDING, self._now):
            self._again(row, "commitment-not-sent")
        for row in self._table.in_state(CommitmentState.DUE, self._now):
            self._send(row)
        following = self._table.next_look()
        self._dispatch.commitments_at = inf if following is None else max(following, self._now + 0.05)

    def _send(self, row: CommitmentRow) -> None:
        """Lease a message to a worker, where there is one: the one that has the association on which we were asked."""
        worker = self._tx.worker_of(row.association) if row.association else ""
        if worker not in self._dispatch.workers:
            worker = min(self._dispatch.workers, default="")
        if not worker:
            self._set(row.id, CommitmentState.DUE, self._now + 1)
            return
        if row.role == "scu":
            self.tasks[worker].append(AskCommitment(row.id, row.destination, self._table.request(row)))
        else:
            report = self._table.report(row)
            where = (row.peer, row.ae, row.listener, row.association)
            self.tasks[worker].append(ReportCommitment(row.id, *where, report))
        self._set(row.id, CommitmentState.SENDING, self._now + LEASE, worker=worker)

    def _set(self, number: int, state: CommitmentState, when: float | None, **values: Any) -> None:
        self._table.change(number, state=state.value, next_try=when, **values)
        if when is not None:
            self._dispatch.look_at_commitments(when)


_NOWHERE = DimseDestination(host="", port=1, ae="-")  # a destination that the rule file has no longer
