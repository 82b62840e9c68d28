"""Drives one destination: jobs in by study, sessions kept open, outcomes out.

Rules of this file
* One session per study and destination at a time, several studies in parallel (`lanes`): archives split studies that
  reach them on two associations. Within a study the order of arrival is kept.
* A lane is a thread that exists while there is work, plus `idle` seconds. A silent destination costs nothing.
* Three failures are kept apart: DestinationDown gives every waiting job of this destination back uncounted (the
  writer probes with one); an Answer is about one object; an exception of ours holds that object with `internal-error`.
* WaitObject is none of the three: the object needs something that is not there now. It waits, the others go on.
* An object is prepared to its end before its first byte leaves; while it is, its in-flight slot is set on disk.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

from msgspec.structs import replace

from gateway import __version__
from gateway.audit.events import Party
from gateway.deliver.contract import Answer, Carrier, Need, Session
from gateway.errors import DestinationDown, HoldObject, WaitObject
from gateway.logs import fields
from gateway.model import Job, Outcome, Result
from gateway.pipeline import Outgoing
from gateway.writer.client import WriterClient
from gateway.writer.messages import Closed, Opened

log = logging.getLogger("deliver")

Prepare = Callable[[Job], AbstractContextManager[Outgoing]]

_NEEDS = 60  # needs a session is opened for: two presentation contexts each, of 128 (PS3.8 9.3.2.2)


class Lanes:
    """All of one destination's work in this worker. `source` is us, for the audit trail."""

    def __init__(self, name: str, carrier: Carrier, source: Party, prepare: Prepare, writer: WriterClient) -> None:
        self.name = name
        self._carrier = carrier
        self._source = source
        self._prepare = prepare
        self._writer = writer
        self._changed = threading.Condition()
        self._studies: OrderedDict[str, deque[Job]] = OrderedDict()
        self._busy: set[str] = set()  # studies that a lane has
        self._taking = 0  # lanes that may still take work
        self._idle = 0  # of those, the ones that wait for it
        self._alive = 0  # lanes whose session is not closed yet
        self._needs: OrderedDict[Need, None] = OrderedDict()
        self._draining = False

    def put(self, jobs: Iterable[Job]) -> None:
        """Take leased jobs. Any thread."""
        with self._changed:
            if self._draining:
                self._writer.outcomes([Outcome(job.delivery, Result.GAVE_BACK) for job in jobs])
                return
            for job in jobs:
                self._studies.setdefault(job.instance.identity.study, deque()).append(job)
                self._learn(Need(job.instance.identity.sop_class, job.instance.syntax))
            free = sum(study not in self._busy for study in self._studies)
            for _ in range(min(free - self._idle, self._carrier.lanes - self._taking)):
                self._taking += 1
                self._alive += 1
                threading.Thread(target=self._lane, name=f"{self.name}-lane", daemon=True).start()
            self._changed.notify_all()

    def drain(self, timeout: float) -> None:
        """Give back all that waits, let what is being sent end, and return when it has or the time is over."""
        with self._changed:
            self._draining = True
            self._give_back()
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._alive == 0, timeout)

    def _learn(self, need: Need) -> None:
        self._needs[need] = None
        self._needs.move_to_end(need)
        while len(self._needs) > _NEEDS:
            self._needs.popitem(last=False)

    def _give_back(self) -> None:
        """All waiting jobs go back to the writer, nothing counted. Holds the lock."""
        jobs = [job for waiting in self._studies.values() for job in waiting]
        self._studies.clear()
        if jobs:
            self._writer.outcomes([Outcome(job.delivery, Result.GAVE_BACK) for job in jobs])

    def _lane(self) -> None:
        """One thread: study after study, until nothing comes for `idle` seconds."""
        session: Session | None = None
        study: str | None = None
        while (job := self._take(study)) is not None:
            if job.instance.identity.study != study:
                self._close(session)
                session, study = None, job.instance.identity.study
            session = self._run(job, session)
        self._close(session)
        with self._changed:
            self._alive -= 1
            self._changed.notify_all()

    def _take(self, study: str | None) -> Job | None:
        """The next job: of the lane's own study, else of one that no lane has; None ends the lane."""
        with self._changed:
            deadline = time.monotonic() + self._carrier.idle
            while not self._draining:
                if study is None or study not in self._studies:
                    other = next((s for s in self._studies if s not in self._busy), None)
                    if other is not None:
                        self._busy.discard(study or "")
                        self._busy.add(other)
                        study = other
                if study is not None and study in self._studies:
                    job = self._studies[study].popleft()
                    if not self._studies[study]:
                        del self._studies[study]
                    return job
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self._idle += 1
                self._changed.wait(left)
                self._idle -= 1
            if study is not None:
                self._busy.discard(study)
            self._taking -= 1
            return None

    def _run(self, job: Job, session: Session | None) -> Session | None:
        """One try of one job; what came of it goes to the writer. Returns the session, if it still lives."""
        try:
            with self._prepare(job) as outgoing:
                need = Need(outgoing.identity.sop_class, outgoing.syntax)
                if session is not None and not session.carries(need):
                    self._close(session)
                    session = None
                if session is None:
                    session = self._open(need)
                answer = session.send(outgoing)
                outcome = outcome_of(session.association, outgoing, answer)
        except HoldObject as error:
            outcome = Outcome(job.delivery, Result.HELD, reason=error.reason, detail=error.detail)
        except WaitObject as error:
            log.warning(fields("waits", destination=self.name, reason=error.reason, detail=error.detail))
            outcome = Outcome(job.delivery, Result.WAITS, reason=error.reason)
        except DestinationDown as error:
            log.warning(fields("destination-down", destination=self.name, reason=error.reason, detail=error.detail))
            outcome = down(job, error)
            self._close(session, orderly=False)
            session = None
            with self._changed:
                self._give_back()
        except Exception:
            log.exception(fields("internal-error", destination=self.name, delivery=job.delivery))
            outcome = Outcome(job.delivery, Result.HELD, reason="internal-error")
            self._close(session, orderly=False)
            session = None
        self._writer.outcomes([outcome])
        return session

    def _open(self, need: Need) -> Session:
        with self._changed:
            self._learn(need)
            needs = list(self._needs)
        session = self._carrier.open(needs)
        self._writer.opened(Opened(session.association, self._carrier.kind, self._source, self._carrier.party()))
        log.info(fields("session-opened", destination=self.name, association=session.association))
        return session

    def _close(self, session: Session | None, *, orderly: bool = True) -> None:
        if session is not None:
            session.close(orderly=orderly)
            self._writer.closed(Closed(session.association, orderly))


def down(job: Job, error: DestinationDown) -> Outcome:
    """The destination could not be reached, or said when to come again."""
    return Outcome(job.delivery, Result.DOWN, reason=error.reason, retry_after=error.retry_after)


def outcome_of(association: str, outgoing: Outgoing, answer: Answer) -> Outcome:
    """What came of an object that was sent on `association`, our id of it."""
    return Outcome(
        outgoing.job.delivery,
        answer.result,
        association=association,
        status=answer.status,
        reason=answer.reason,
        sent_instance=outgoing.identity.sop_instance,
        sent_study=outgoing.identity.study,
        sent_sha256=answer.sha256,
        steps=outgoing.steps,
        anonymized=outgoing.anonymized,
        evidence=replace(
            outgoing.evidence,
            syntax=answer.syntax,
            file=answer.file,
            file_sha256=answer.file_sha256,
            software=f"dicom-gateway {__version__}",
        ),
    )
