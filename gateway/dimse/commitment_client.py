"""An association that we open for storage commitment: to ask (SCU) or to report (SCP), PS3.4 J.3. Blocking.

Rules of this file
* Who reports on an association of its own is its requestor and the SCP: it proposes that role (PS3.7 D.3.3.4). Peers
  that take the context and say nothing of roles get the report all the same.
* After asking, a report that comes on the same association is taken for a while; afterwards it comes on another.
* What the peer answers is its status; whatever ends the association before is DestinationDown.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from typing import Self

from gateway.dimse import messages
from gateway.dimse.client import Association
from gateway.dimse.commitment import (
    MOST_BYTES,
    PUSH_MODEL,
    PUSH_MODEL_INSTANCE,
    REQUEST_COMMITMENT,
    SYNTAXES,
    BadCommitment,
    event_type,
    read_report,
    write_report,
    write_request,
)
from gateway.dimse.contexts import ProposedContext
from gateway.dimse.gathering import INVALID_ARGUMENT
from gateway.dimse.items import RoleSelection
from gateway.dimse.messages import N_ACTION_RSP, N_EVENT_REPORT_RQ, N_EVENT_REPORT_RSP, Command
from gateway.dimse.pdu import COMMAND, LAST, RELEASE_RP, pdvs
from gateway.dimse.states import EVENT_OF_PDU, Action, Event
from gateway.errors import DestinationDown, RefusePeer
from gateway.model import CommitmentReport, CommitmentRequest

_UNRECOGNIZED = 0x0211  # PS3.7 C.5.29


class CommitmentAssociation(Association):
    """Use `to`; then `ask` and `hear`, or `report`; then `release` or `abort`."""

    @classmethod
    def to(
        cls,
        address: tuple[str, int],
        context: ssl.SSLContext | None,
        *,
        calling_ae: str,
        called_ae: str,
        timeout: float,
        reporting: bool,
    ) -> Self:
        """Connect and negotiate; `reporting`: as the SCP. Raises DestinationDown, also where it is not taken."""
        found = cls.open(
            address,
            context,
            calling_ae=calling_ae,
            called_ae=called_ae,
            contexts=[ProposedContext(PUSH_MODEL, SYNTAXES)],
            timeout=timeout,
            roles=(RoleSelection(PUSH_MODEL, False, True),) if reporting else (),
        )
        if not found.accepted:
            found.release()
            raise DestinationDown("commitment-not-supported", "the peer does not take Storage Commitment")
        return found

    def ask(self, request: CommitmentRequest) -> int:
        """N-ACTION; its status. Raises DestinationDown."""

        def command(number: int) -> bytes:
            return messages.n_action_rq(number, PUSH_MODEL, PUSH_MODEL_INSTANCE, REQUEST_COMMITMENT)

        return self._say(command, lambda syntax: write_request(request, syntax), N_ACTION_RSP)

    def report(self, report: CommitmentReport) -> int:
        """N-EVENT-REPORT; its status. Raises DestinationDown."""

        def command(number: int) -> bytes:
            return messages.n_event_report_rq(number, PUSH_MODEL, PUSH_MODEL_INSTANCE, event_type(report))

        return self._say(command, lambda syntax: write_report(report, syntax), N_EVENT_REPORT_RSP)

    def _say(self, command: Callable[[int], bytes], data: Callable[[str], bytes], field: int) -> int:
        (context,) = self.accepted.values()
        try:
            number = self._next()
            self._send_command(context, command(number))
            self._machine.on(Event.Evt9)
            self._connection.send(messages.data_set_pdus(context, data(self._syntax[context]), self._max_pdu))
            status = self._answer(context, field, number).status
        except RefusePeer as error:
            self._fail(error)
        assert status is not None
        return status

    def hear(self, seconds: float, take: Callable[[CommitmentReport], int]) -> bool:
        """Wait for one report, give it to `take`, answer with the status it returns. False where none came.

        Never raises what the peer can cause: what it asked for has been answered before.
        """
        deadline = time.monotonic() + seconds
        try:
            if not self._connection.wait(seconds):
                return False
            command, data = self._message(deadline)
            if command is None:
                return False
            status = self._taken(command, data, take)
            (context,) = self.accepted.values()
            self._send_command(context, messages.response(command, status))
            return status == 0
        except RefusePeer as error:
            if self.alive:
                self._tell(error.reason)
                self._close()
            return False

    def _message(self, deadline: float) -> tuple[Command | None, bytes]:
        """A request with its data set; None where the peer released or aborted instead. Raises RefusePeer."""
        assembly = messages.CommandAssembly(self._connection.limits.command)
        command: Command | None = None
        gathered = bytearray()
        while True:
            kind, body = self._read(max(0.001, deadline + self._connection.limits.answer - time.monotonic()))
            action = self._machine.on(EVENT_OF_PDU[kind])
            if action is not Action.DT_2:
                if action is Action.AR_2:
                    self._machine.on(Event.Evt14)
                    self._connection.send(RELEASE_RP)
                self._close()
                return None, b""
            for value in pdvs(body):
                if value.control & COMMAND:
                    if command is not None:
                        raise RefusePeer("command-unexpected", "a command within a data set")
                    command = assembly.feed(value.context, value.fragment, bool(value.control & LAST))
                    if command is not None and not command.has_data_set:
                        return command, b""
                    continue
                gathered += value.fragment
                if command is None or len(gathered) > MOST_BYTES:
                    raise RefusePeer("data-set-unexpected", "a data set without its command, or too long a one")
                if value.control & LAST:
                    return command, bytes(gathered)

    def _taken(self, command: Command, data: bytes, take: Callable[[CommitmentReport], int]) -> int:
        """The status to answer with."""
        if command.is_response:
            raise RefusePeer("answer-unexpected", "an answer to nothing")
        if command.field != N_EVENT_REPORT_RQ or command.sop_class != PUSH_MODEL:
            return _UNRECOGNIZED
        (context,) = self.accepted.values()
        try:
            return take(read_report(data, self._syntax[context], command.type_id or 0))
        except BadCommitment:
            return INVALID_ARGUMENT
