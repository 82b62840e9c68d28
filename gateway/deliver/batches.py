"""Lanes whose sessions take some objects of a study at once: as lanes.py, with a batch where it has one job.

Rules of this file
* What waits of the lane's study goes together, up to the carrier's limits; nobody waits for a batch to fill.
* Each object is prepared with its slot on disk set, and held by itself where that fails. All are prepared before the
  first byte of any leaves.
* Where one cannot be read while it is sent, that one is held, and the others go again, nothing counted.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Protocol, runtime_checkable

from gateway.audit.events import Party
from gateway.deliver.contract import Answer, Carrier, Need, Session
from gateway.deliver.lanes import Lanes, Prepare, down, outcome_of
from gateway.errors import DestinationDown, HoldObject, WaitObject
from gateway.logs import fields
from gateway.model import Job, Outcome, Result
from gateway.pipeline import Outgoing
from gateway.writer.client import WriterClient

log = logging.getLogger("deliver")


class BatchSession(Session, Protocol):
    """A session that takes some objects at once."""

    reading: int | None  # which of them was being read when something was raised

    def send_all(self, outgoings: Sequence[Outgoing]) -> list[Answer]:
        """An answer each, in their order. Raises DestinationDown; whatever reading one of them raises goes through."""
        ...


@runtime_checkable
class BatchCarrier(Carrier, Protocol):
    """A destination whose sessions are BatchSessions."""

    batch: int  # objects at once
    batch_bytes: int  # of them together, as they were received


class BatchLanes(Lanes):
    """All of one destination's work in this worker."""

    def __init__(self, name: str, carrier: BatchCarrier, source: Party, prepare: Prepare, writer: WriterClient) -> None:
        super().__init__(name, carrier, source, prepare, writer)
        self._limits = carrier.batch, carrier.batch_bytes

    def _run(self, job: Job, session: Session | None) -> Session | None:
        """One try of a job and of what waits behind it."""
        outcomes: list[Outcome] = []
        outgoings: list[Outgoing] = []
        sent: BatchSession | None = session  # type: ignore[assignment]  # of our carrier
        with ExitStack() as prepared:
            for each in (job, *self._behind(job)):
                try:
                    outgoings.append(prepared.enter_context(self._prepare(each)))
                except HoldObject as error:
                    outcomes.append(Outcome(each.delivery, Result.HELD, reason=error.reason, detail=error.detail))
                except WaitObject as error:
                    log.warning(fields("waits", destination=self.name, reason=error.reason, detail=error.detail))
                    outcomes.append(Outcome(each.delivery, Result.WAITS, reason=error.reason))
                except Exception:
                    log.exception(fields("internal-error", destination=self.name, delivery=each.delivery))
                    outcomes.append(Outcome(each.delivery, Result.HELD, reason="internal-error"))
            if outgoings:
                sent = self._sent(outgoings, sent, outcomes)
        self._writer.outcomes(outcomes)
        return sent

    def _behind(self, job: Job) -> list[Job]:
        """What waits of the same study and fits beside it."""
        most, room = self._limits
        study = job.instance.identity.study
        room -= job.instance.stored.size
        found: list[Job] = []
        with self._changed:
            waiting = self._studies.get(study)
            while waiting and len(found) < most - 1 and waiting[0].instance.stored.size <= room:
                room -= waiting[0].instance.stored.size
                found.append(waiting.popleft())
            if waiting is not None and not waiting:
                del self._studies[study]
        return found

    def _sent(
        self, outgoings: list[Outgoing], session: BatchSession | None, outcomes: list[Outcome]
    ) -> BatchSession | None:
        """Send them; their outcomes are added. Returns the session, if it still lives."""
        try:
            if session is None:
                first = outgoings[0]
                session = self._open(Need(first.identity.sop_class, first.syntax))  # type: ignore[assignment]
            assert session is not None
            answers = session.send_all(outgoings)
            pairs = zip(outgoings, answers, strict=True)
            outcomes += [outcome_of(session.association, outgoing, answer) for outgoing, answer in pairs]
            return session
        except DestinationDown as error:
            log.warning(fields("destination-down", destination=self.name, reason=error.reason, detail=error.detail))
            outcomes += [down(each.job, error) for each in outgoings]
            with self._changed:
                self._give_back()
        except Exception as error:
            at = session.reading if session is not None else None
            reason, detail = "internal-error", ""
            if isinstance(error, HoldObject):
                reason, detail = error.reason, error.detail
            else:
                log.exception(fields("internal-error", destination=self.name))
            for number, each in enumerate(outgoings):
                if at is None or number == at:
                    outcomes.append(Outcome(each.job.delivery, Result.HELD, reason=reason, detail=detail))
                else:
                    outcomes.append(Outcome(each.job.delivery, Result.GAVE_BACK))
        self._close(session, orderly=False)
        return None
