"""The SCP side of one association: C-ECHO and C-STORE over a socket whose A-ASSOCIATE-RQ has been read.

Its life
1. The request is decoded, checked, put to the service; an acceptance, a rejection or an abort goes out.
2. Messages are served one after the other (reception.py).
3. It ends by release, by an abort from either side, by the clock, or by `drain` after the message under way.

Rules of this file
* PS3.8 Table 9-10 (states.py) says what each PDU means in each state; faults.py what an A-ABORT says.
* What the peer does wrong ends the association; what an object has wrong is answered.
* Nothing is logged but reason codes and counts.
"""

from __future__ import annotations

import logging
import socket
import time

from gateway.dimse import pdu
from gateway.dimse.connection import Connection
from gateway.dimse.faults import FAULTS, REASONS, SOURCES
from gateway.dimse.limits import Limits
from gateway.dimse.negotiation import AcceptancePolicy, negotiate, precheck
from gateway.dimse.pace import Pace
from gateway.dimse.pdu import HEADER, PduType
from gateway.dimse.reception import Reception
from gateway.dimse.service import AssociationEnd, Reject, StorageService
from gateway.dimse.states import EVENT_OF_PDU, Action, Event, Machine, State
from gateway.errors import RefusePeer

log = logging.getLogger("dimse")

_TICK = 1.0  # seconds between looks at `drain` while the association idles
_GRACE = 1.0  # seconds for a release to come after the last message of a drained association


class Acceptor:
    """Serves one association on the calling thread."""

    def __init__(
        self,
        sock: socket.socket,
        request: bytes,
        policy: AcceptancePolicy,
        service: StorageService,
        limits: Limits,
    ) -> None:
        """`request` is the whole A-ASSOCIATE-RQ PDU, as pdu.AssociateReader gave it."""
        self._connection = Connection(sock, limits)
        self._request = request
        self._policy = policy
        self._service = service
        self._machine = Machine(State.Sta2, requestor=False)
        self._reception: Reception | None = None
        self._draining = False

    def drain(self) -> None:
        """From any thread: end after the message under way."""
        self._draining = True

    def hurry(self) -> None:
        """From any thread: where all is said (Sta13), do not wait for the peer to close. Others need its place."""
        if self._machine.state is State.Sta13:
            self._connection.cut()

    def run(self) -> AssociationEnd:
        """Serve until the end, close the socket, tell the service. Raises nothing that a peer can cause."""
        reason, detail, orderly = "internal-error", "", False
        try:
            reason, detail, orderly = self._serve()
        except RefusePeer as error:
            reason, detail = error.reason, error.detail
            self._abort(reason)
        except Exception:
            # Ours: told without the error's text, which might quote what came.
            log.exception("association failed")
            self._abort(reason)
        finally:
            if self._reception is not None:
                self._reception.drop()
            if self._machine.state is State.Sta13:
                self._connection.linger()
            self._connection.close()
            moved = self._reception
            end = AssociationEnd(
                reason,
                detail,
                orderly,
                moved.stored if moved else 0,
                moved.failed if moved else 0,
                moved.octets if moved else 0,
            )
            self._service.ended(end)
        return end

    def _serve(self) -> tuple[str, str, bool]:
        """From A-ASSOCIATE-RQ to the end: reason, detail, orderly."""
        if not self._establish():
            return "rejected", "", False
        reception = self._reception
        assert reception is not None
        pace = Pace(self._connection.limits, time.monotonic)
        while True:
            if reception.busy:
                idle, left = self._connection.limits.idle, pace.waiting()
                kind, body = self._connection.read_pdu(min(idle, left), "too-slow" if left < idle else "idle-timeout")
                pace.came()
            else:
                self._await_message(reception)
                pace.begin()
                kind, body = self._connection.read_pdu(self._connection.limits.idle)
            action = self._machine.on(EVENT_OF_PDU[kind])
            if action is Action.DT_2:
                for context, control, fragment in pdu.pdvs(body):
                    pace.earned(len(fragment))
                    answer = reception.feed(context, control, fragment)
                    if answer:
                        self._connection.send(answer)
            elif action is Action.AR_2:
                self._machine.on(Event.Evt14)  # AR-4
                self._connection.send(pdu.RELEASE_RP)
                return "released", "", not reception.busy
            elif action is Action.AA_3:
                return "aborted-by-peer", told_by_abort(body), False
            else:  # AA-8
                raise RefusePeer("pdu-unexpected", f"PDU of type {kind} in an established association")

    def _establish(self) -> bool:
        """AE-6, then AE-7 or AE-8. Raises RefusePeer where the request is none."""
        connection = self._connection
        kind, length = HEADER.unpack_from(self._request)
        if kind != PduType.ASSOCIATE_RQ or length != len(self._request) - HEADER.size:
            raise RefusePeer("pdu-unexpected", "the first PDU is not an association request")
        request = pdu.decode_associate_rq(self._request[HEADER.size :])
        self._request = b""
        self._machine.on(Event.Evt6)
        rejection = precheck(request)
        if rejection is not None:
            self._machine.rejected()
            connection.send(pdu.associate_rj(*rejection))
            return False
        verdict = self._service.associate(request)
        if isinstance(verdict, Reject):
            self._machine.on(Event.Evt8)
            connection.send(pdu.associate_rj(verdict.result, verdict.source, verdict.reason))
            return False
        if verdict.limits is not None:
            connection.limit(verdict.limits)
        found = negotiate(request, self._policy, connection.limits)
        self._machine.on(Event.Evt7)
        connection.send(pdu.encode_associate_ac(found.accept))
        self._reception = Reception(self._service, found.contexts, found.peer_max_pdu, connection.limits)
        return True

    def _await_message(self, reception: Reception) -> None:
        """Between two messages: wait for the next byte, but look at `drain` and for what we have to report."""
        deadline = time.monotonic() + self._connection.limits.idle
        while not self._draining:
            left = deadline - time.monotonic()
            if left <= 0:
                raise RefusePeer("idle-timeout")
            if not self._connection.buffered and (ours := reception.report()) is not None:
                self._machine.on(Event.Evt9)
                self._connection.send(ours)
            if self._connection.wait(min(_TICK, left)):
                return
        # Everything that came is answered. A peer that is done releases now; another one is told.
        if self._connection.wait(_GRACE):
            kind = self._connection.peek()
            if kind in (PduType.RELEASE_RQ, PduType.ABORT):
                return
        raise RefusePeer("shutting-down")

    def _abort(self, reason: str) -> None:
        """AA-1 or AA-8 where there is somebody to tell."""
        said = FAULTS.get(reason, FAULTS["internal-error"])
        if said is None:
            self._machine.on(Event.Evt17)
            return
        self._machine.on(Event.Evt15 if said.source == 0 else Event.Evt19)
        try:
            self._connection.send(pdu.abort(*said))
        except RefusePeer:
            self._machine.on(Event.Evt17)


def told_by_abort(body: memoryview) -> str:
    """What an A-ABORT says, in words (PS3.8 Table 9-26)."""
    source, reason = body[2], body[3]
    words = f"A-ABORT from {SOURCES.get(source, f'source {source}')}"
    return f"{words}: {REASONS.get(reason, f'reason {reason}')}" if source == 2 else words
