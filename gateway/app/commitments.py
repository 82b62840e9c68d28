"""Sends the messages of storage commitment that the writer leased to this worker, each on a thread of its own.

Rules of this file
* A report goes on the association on which it was asked for, while that is open and the peers table has no address of
  the peer; else on a new one to that address, secured as the listener was, or as the table says.
* A request goes on a new association to the destination, secured as that is. A report that comes on it is taken.
* Whatever happens, the writer is told: it tries again.
"""

from __future__ import annotations

import logging
import ssl
import threading
from collections.abc import Sequence

from gateway.config.schema import Config, Tls
from gateway.dimse.commitment_client import CommitmentAssociation
from gateway.errors import DestinationDown, GatewayError, StorageFailed
from gateway.logs import fields
from gateway.model import CommitmentReport
from gateway.receive.commitment import INVALID_ARGUMENT, Reporters
from gateway.security.tls import client_context
from gateway.writer.client import WriterClient
from gateway.writer.messages import AskCommitment, CommitmentReported, ReportCommitment, TaskDone

log = logging.getLogger("commitment")

LISTEN = 5.0  # seconds that a report on the asking association is waited for
_AT_ONCE = 8  # messages


class CommitmentSender:
    """Of one worker."""

    def __init__(self, config: Config, writer: WriterClient, reporters: Reporters) -> None:
        self._config = config
        self._writer = writer
        self._reporters = reporters
        self._room = threading.Semaphore(_AT_ONCE)
        self._listeners = {each.id: each for each in config.listeners}

    def take(self, tasks: Sequence[AskCommitment | ReportCommitment]) -> None:
        """Leased messages. Any thread; returns at once."""
        for task in tasks:
            if isinstance(task, ReportCommitment) and not self._address(task.peer) and self._reporters.put(task):
                continue
            threading.Thread(target=self._do, args=(task,), name="commitment", daemon=True).start()

    def _do(self, task: AskCommitment | ReportCommitment) -> None:
        reason = "internal-error"
        try:
            with self._room:
                reason = self._ask(task) if isinstance(task, AskCommitment) else self._report(task)
        except GatewayError as error:
            reason = error.reason
        except Exception:
            log.exception("internal-error")
        if reason:
            log.warning(fields("commitment-not-sent", reason=reason))
        self._writer.done(TaskDone(task.commitment, not reason, reason))

    def _ask(self, task: AskCommitment) -> str:
        """N-ACTION to a destination; "" or why it was not taken. Raises GatewayError."""
        block = self._config.destinations.get(task.destination)
        if block is None or block.dimse is None:
            return "destination-gone"
        to = block.dimse
        association = CommitmentAssociation.to(
            (to.host, to.port),
            self._context(block.tls),
            calling_ae=to.calling_ae,
            called_ae=to.ae,
            timeout=to.timeout,
            reporting=False,
        )
        with association:
            if association.ask(task.request) != 0:
                return "commitment-request-refused"
            self._writer.done(TaskDone(task.commitment, True))
            association.hear(LISTEN, lambda report: self._taken(to.ae, report))
        return ""

    def _taken(self, peer: str, report: CommitmentReport) -> int:
        """The status that a report on our own association is answered with."""
        try:
            return INVALID_ARGUMENT if self._writer.commitment(CommitmentReported(peer, report)) else 0
        except StorageFailed:
            return 0x0213  # PS3.7 C.5.25, resource limitation

    def _report(self, task: ReportCommitment) -> str:
        """N-EVENT-REPORT on a new association; "" or why it was not taken. Raises GatewayError."""
        address = self._address(task.peer)
        if address is None:
            return "commitment-peer-unknown"
        peer, listener = self._config.peers[task.peer], self._listeners.get(task.listener)
        tls = peer.tls or (listener.tls if listener else None)
        if tls is None and (listener is None or listener.unsafe_plaintext is None):
            return "commitment-peer-unsecured"
        association = CommitmentAssociation.to(
            address,
            self._context(tls),
            calling_ae=task.ae,
            called_ae=task.peer,
            timeout=60.0,
            reporting=True,
        )
        with association:
            return "" if association.report(task.report) == 0 else "commitment-report-refused"

    def _address(self, title: str) -> tuple[str, int] | None:
        peer = self._config.peers.get(title)
        return (peer.host, peer.port) if peer and peer.host and peer.port else None

    def _context(self, tls: Tls | None) -> ssl.SSLContext | None:
        """Raises DestinationDown where the peer's certificate could not be checked."""
        if tls is None:
            return None
        identity = tls.identity or self._config.identity
        if tls.trust is None or identity is None:
            raise DestinationDown("commitment-peer-unsecured", "no anchors to check the peer's certificate by")
        return client_context(tls, identity)
