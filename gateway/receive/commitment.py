"""Storage commitment over associations that peers open: what they ask for, what they report, what they get (PS3.4 J).

    Reporters   reports that wait for the association on which they were asked for
    Commitments the part of one association's Intake

Rules of this file
* 0x0000 leaves only after the writer has committed; statuses are PS3.7 Annex C.
* A report that is no answer to a question of ours raises a security alert: somebody guesses, or forges.
"""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Final

from gateway.model import CommitmentReport, CommitmentRequest, Origin
from gateway.writer.client import WriterClient
from gateway.writer.messages import CommitmentAsked, CommitmentReported, ReportCommitment, TaskDone

PROCESSING_FAILURE: Final = 0x0110  # PS3.7 C.5.19
INVALID_ARGUMENT: Final = 0x0115  # PS3.7 C.5.9
RESOURCE_LIMITATION: Final = 0x0213  # PS3.7 C.5.25


class Reporters:
    """Of one worker: which associations are open on which a report may go, and what waits for them. Any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: set[str] = set()
        self._waiting: dict[str, deque[ReportCommitment]] = defaultdict(deque)

    def begin(self, association: str) -> None:
        """It is open and has asked."""
        with self._lock:
            self._open.add(association)

    def put(self, task: ReportCommitment) -> bool:
        """Whether the task's association is open; then it takes it."""
        with self._lock:
            if task.association not in self._open:
                return False
            self._waiting[task.association].append(task)
            return True

    def take(self, association: str) -> ReportCommitment | None:
        """The next report for it."""
        with self._lock:
            waiting = self._waiting.get(association)
            return waiting.popleft() if waiting else None

    def end(self, association: str) -> list[ReportCommitment]:
        """It is over; what was not taken."""
        with self._lock:
            self._open.discard(association)
            return list(self._waiting.pop(association, ()))


class Commitments:
    """What one association says and hears of storage commitment."""

    def __init__(
        self, writer: WriterClient, reporters: Reporters, listener: str, within: float, alert: Callable[[str], None]
    ) -> None:
        """`within`: seconds after which a sender is told what has still not got there. `alert`: of a forged report."""
        self._writer = writer
        self._reporters = reporters
        self._listener = listener
        self._within = within
        self._alert = alert
        self._going: ReportCommitment | None = None

    def asked(self, origin: Origin, request: CommitmentRequest) -> int:
        """An N-ACTION; its status. Raises StorageFailed."""
        self._reporters.begin(origin.association)
        ours = (origin.calling_ae, origin.called_ae, self._listener, origin.association)
        refused = self._writer.commitment(CommitmentAsked(*ours, self._within, request))
        if refused == "commitment-too-many":
            return RESOURCE_LIMITATION
        return PROCESSING_FAILURE if refused else 0x0000

    def reported(self, origin: Origin, report: CommitmentReport) -> int:
        """An N-EVENT-REPORT to us; its status. Raises StorageFailed."""
        refused = self._writer.commitment(CommitmentReported(origin.calling_ae, report))
        if refused:
            self._alert(refused)
            return INVALID_ARGUMENT
        return 0x0000

    def next(self, origin: Origin) -> CommitmentReport | None:
        """A report that goes out on this association now."""
        self._going = self._reporters.take(origin.association)
        return self._going.report if self._going else None

    def answered(self, status: int) -> None:
        """The peer's answer to it."""
        task, self._going = self._going, None
        if task is not None:
            self._writer.done(
                TaskDone(task.commitment, status == 0, "" if status == 0 else "commitment-report-refused")
            )

    def ended(self, origin: Origin) -> None:
        """The association is over: what it did not take goes another way."""
        left = self._reporters.end(origin.association)
        if self._going is not None:
            left.append(self._going)
        for task in left:
            self._writer.done(TaskDone(task.commitment, False, "connection-lost"))
