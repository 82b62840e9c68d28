"""Drives one destination that takes whole groups: units in, sessions one at a time, an outcome for each member out.

Rules of this file
* A unit comes whole or not at all: the writer leases all of its members to one worker, in one message.
* A member that cannot be prepared is held by itself, and the unit is made of the others. One that has to wait makes
  the whole unit wait: what is made of a group is not made twice because a service was away.
* DestinationDown gives every member back uncounted. An exception of ours holds the members that have no answer.
* While a unit is made its in-flight slot is set on disk: three processes that die in it hold its members.
* Units of one destination are made one after the other; a thread exists while there is work.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from itertools import groupby

from msgspec.structs import replace as changed

from gateway.audit.events import Party
from gateway.deliver.contract import Answer, Need, UnitCarrier, UnitSession
from gateway.deliver.lanes import Prepare, down, outcome_of
from gateway.errors import DestinationDown, HoldObject, WaitObject
from gateway.logs import fields
from gateway.model import Job, Outcome, Result, Unit
from gateway.pipeline import Outgoing
from gateway.writer.client import WriterClient
from gateway.writer.messages import Closed, Opened
from transforms.source import BytesSource

log = logging.getLogger("deliver")

Marked = Callable[[int], AbstractContextManager[None]]  # a unit's slot on disk, by one of its deliveries


class Units:
    """All of one destination's work in this worker. `source` is us, for the audit trail."""

    def __init__(
        self, name: str, carrier: UnitCarrier, source: Party, prepare: Prepare, writer: WriterClient, marked: Marked
    ) -> None:
        self.name = name
        self._carrier = carrier
        self._source = source
        self._prepare = prepare
        self._writer = writer
        self._marked = marked
        self._changed = threading.Condition()
        self._waiting: deque[list[Job]] = deque()
        self._running = False
        self._draining = False

    def put(self, jobs: Sequence[Job]) -> None:
        """Take leased units. Any thread."""
        with self._changed:
            if self._draining:
                self._give_back(jobs)
                return
            self._waiting.extend(list(members) for _, members in groupby(jobs, _unit_of))
            if not self._running:
                self._running = True
                threading.Thread(target=self._work, name=f"{self.name}-units", daemon=True).start()

    def drain(self, timeout: float) -> None:
        """Give back all that waits, let the unit that is being made end, and return when it has or the time is over."""
        with self._changed:
            self._draining = True
            while self._waiting:
                self._give_back(self._waiting.popleft())
            self._changed.wait_for(lambda: not self._running, timeout)

    def _give_back(self, jobs: Sequence[Job]) -> None:
        self._writer.outcomes([Outcome(job.delivery, Result.GAVE_BACK) for job in jobs])

    def _work(self) -> None:
        while True:
            with self._changed:
                if not self._waiting:
                    self._running = False
                    self._changed.notify_all()
                    return
                jobs = self._waiting.popleft()
            with self._marked(jobs[0].delivery):
                self._make(jobs)

    def _make(self, jobs: list[Job]) -> None:
        """One unit; what came of each member goes to the writer before the session's end does: it is audited by it."""
        members = _Members(jobs, self._prepare)
        answers: Mapping[int, Answer] = {}
        otherwise = Outcome(0, Result.HELD, reason="internal-error")  # for members without an answer
        session: UnitSession | None = None
        try:
            needs = dict.fromkeys(Need(job.instance.identity.sop_class, job.instance.syntax) for job in jobs)
            session = self._carrier.open(list(needs))
            self._writer.opened(Opened(session.association, self._carrier.kind, self._source, self._carrier.party()))
            members.association = session.association
            answers = session.send(jobs[0].unit or _NO_UNIT, iter(members))
        except WaitObject as error:
            log.warning(fields("waits", destination=self.name, reason=error.reason, detail=error.detail))
            otherwise = Outcome(0, Result.GAVE_BACK)
        except DestinationDown as error:
            log.warning(fields("destination-down", destination=self.name, reason=error.reason, detail=error.detail))
            otherwise = down(jobs[0], error)
        except HoldObject as error:
            otherwise = Outcome(0, Result.HELD, reason=error.reason, detail=error.detail)
        except Exception:
            log.exception(fields("internal-error", destination=self.name))
        self._writer.outcomes([members.outcome(job, answers, otherwise) for job in jobs])
        if session is not None:
            orderly = bool(answers)
            session.close(orderly=orderly)
            self._writer.closed(Closed(session.association, orderly))


class _Members:
    """The members of a unit, prepared one after the other, each only until the next is asked for."""

    def __init__(self, jobs: Sequence[Job], prepare: Prepare) -> None:
        self.association = ""
        self._jobs = jobs
        self._prepare = prepare
        self._prepared: dict[int, Outgoing] = {}  # without their bytes
        self._ended: dict[int, Outcome] = {}  # what never got to the destination

    def __iter__(self) -> Iterator[Outgoing]:
        """Raises WaitObject where one has to wait."""
        for job in self._jobs:
            try:
                with self._prepare(job) as outgoing:
                    self._prepared[job.delivery] = replace(outgoing, source=_NOTHING)
                    yield outgoing
            except HoldObject as error:
                self._end(job, Outcome(job.delivery, Result.HELD, reason=error.reason, detail=error.detail))
            except WaitObject as error:
                self._end(job, Outcome(job.delivery, Result.WAITS, reason=error.reason))
                raise
            except Exception:
                log.exception(fields("internal-error", delivery=job.delivery))
                self._end(job, Outcome(job.delivery, Result.HELD, reason="internal-error"))

    def _end(self, job: Job, outcome: Outcome) -> None:
        self._prepared.pop(job.delivery, None)
        self._ended[job.delivery] = outcome

    def outcome(self, job: Job, answers: Mapping[int, Answer], otherwise: Outcome) -> Outcome:
        """What came of a member: its own end, its answer, else what came of the whole."""
        number = job.delivery
        if number in self._ended:
            return self._ended[number]
        if number in self._prepared and number in answers:
            return outcome_of(self.association, self._prepared[number], answers[number])
        return changed(otherwise, delivery=number)


_NOTHING = BytesSource(b"")
_NO_UNIT = Unit(0, "", "study", "", 0, "", 0)  # never asked for: the writer leases units to this destination


def _unit_of(job: Job) -> int:
    return job.unit.group if job.unit else 0
