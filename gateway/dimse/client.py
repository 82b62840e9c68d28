"""The SCU side: an association that verifies and stores. Blocking, one operation at a time, not for two threads.

Rules of this file
* Whatever ends the association before its answer is DestinationDown: no object has lost an attempt.
* An object is read in pieces of the peer's maximum PDU and never held.
* An answer must be the answer: message ID, context and command field are those of the request (PS3.7 9.3.1.2).
* After any error the association is closed; `alive` says so.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Sequence
from types import TracebackType
from typing import NoReturn, Self

from gateway.dimse import messages, pdu
from gateway.dimse.acceptor import told_by_abort
from gateway.dimse.connection import Connection
from gateway.dimse.contexts import MAX_CONTEXTS, ProposedContext, contexts_for
from gateway.dimse.dial import dial, explain, tls_down
from gateway.dimse.faults import FAULTS
from gateway.dimse.items import ProposedContext as ProposedItem
from gateway.dimse.items import RoleSelection, UserInformation
from gateway.dimse.limits import Limits
from gateway.dimse.messages import Command
from gateway.dimse.negotiation import (
    ACCEPTED,
    peer_max_pdu,
)
from gateway.dimse.pdu import COMMAND, LAST, AssociateRequest
from gateway.dimse.service import StoreResponse
from gateway.dimse.states import EVENT_OF_PDU, Action, Event, Machine, State
from gateway.dimse.uids import APPLICATION_CONTEXT, DEFLATED, VERIFICATION
from gateway.errors import DestinationDown, HoldObject, RefusePeer
from transforms.dataset.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from transforms.source import ByteSource

__all__ = ["Association", "ProposedContext", "contexts_for"]

_RESULTS = {1: "rejected-permanent", 2: "rejected-transient"}
# PS3.8 Table 9-21: (source, reason) -> words
_REJECTIONS = {
    (1, 1): "no reason given",
    (1, 2): "application context name not supported",
    (1, 3): "calling AE title not recognized",
    (1, 7): "called AE title not recognized",
    (2, 1): "no reason given",
    (2, 2): "protocol version not supported",
    (3, 1): "temporary congestion",
    (3, 2): "local limit exceeded",
}
_TLS_ALERT = 0x15  # first byte of a TLS alert record, where a PDU type was awaited


class Association:
    """An established association. Use `open`; then `store` and `echo`; then `release` or `abort`."""

    def __init__(self, connection: Connection, machine: Machine) -> None:
        self.accepted: dict[tuple[str, str], int] = {}  # (abstract syntax, transfer syntax) -> presentation context id
        self._abstract: dict[int, str] = {}
        self._syntax: dict[int, str] = {}
        self._connection = connection
        self._machine = machine
        self._max_pdu = 0  # bytes of a P-DATA-TF's variable field that the peer takes
        self._message_id = 0
        self.alive = True

    @classmethod
    def open(
        cls,
        address: tuple[str, int],
        ssl_context: ssl.SSLContext | None = None,
        server_hostname: str | None = None,
        *,
        calling_ae: str,
        called_ae: str,
        contexts: Sequence[ProposedContext],
        timeout: float = 60.0,
        max_pdu: int = 131072,
        limits: Limits | None = None,
        roles: Sequence[RoleSelection] = (),
    ) -> Self:
        """Connect and negotiate. `timeout` (seconds) bounds each answer; `limits` says all of it and goes first.

        `roles` are proposed where ours is not that of the SCU (PS3.7 D.3.3.4).

        Raises DestinationDown; ValueError where the contexts or titles cannot be proposed at all.
        """
        if not 1 <= len(contexts) <= MAX_CONTEXTS:
            raise ValueError(f"an association proposes 1 to {MAX_CONTEXTS} presentation contexts")
        limits = limits or Limits(max_pdu=max_pdu, send_pdu=max_pdu, artim=timeout, pdu_time=timeout, answer=timeout)
        items = tuple(ProposedItem(2 * i + 1, c.abstract, tuple(c.transfer_syntaxes)) for i, c in enumerate(contexts))
        user = UserInformation(
            limits.max_pdu, IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, roles=tuple(roles)
        )
        request = pdu.encode_associate_rq(AssociateRequest(called_ae, calling_ae, items, user, APPLICATION_CONTEXT))
        sock = dial(address, ssl_context, server_hostname, limits.artim)
        return cls.over(sock, request, items, limits)

    @classmethod
    def over(cls, sock: socket.socket, request: bytes, items: Sequence[ProposedItem], limits: Limits) -> Self:
        """Negotiate over a connected socket, which it closes where that fails. Raises DestinationDown."""
        connection = Connection(sock, limits)
        machine = Machine(State.Sta4, requestor=True)
        opening = cls(connection, machine)
        machine.on(Event.Evt2)
        try:
            connection.send(request)
            if connection.wait(limits.artim) and connection.peek() == _TLS_ALERT:
                opening._close()
                raise explain("peer-speaks-tls")
            kind, body = opening._read(limits.artim)
            action = machine.on(EVENT_OF_PDU[kind])
            if action is Action.AE_4:
                opening._close()
                raise _rejected(body)
            if action is not Action.AE_3:
                raise RefusePeer("pdu-unexpected", f"PDU of type {kind} for an association request")
            accept = pdu.decode_associate_ac(bytes(body))
            proposed = {item.id: item for item in items}
            for answer in accept.contexts:
                item = proposed.get(answer.id)
                if answer.result != ACCEPTED:
                    continue
                if item is None or answer.syntax not in item.syntaxes:
                    raise RefusePeer("pdu-malformed", "a context or syntax is accepted that was not proposed")
                opening.accepted.setdefault((item.abstract, answer.syntax), item.id)
                opening._abstract[item.id] = item.abstract
                opening._syntax[item.id] = answer.syntax
            opening._max_pdu = peer_max_pdu(accept.user.max_pdu, limits.send_pdu)
            if pdu.fragment_size(opening._max_pdu) < 2:
                raise RefusePeer("pdu-malformed", "maximum length leaves no room for a fragment")
        except RefusePeer as error:
            opening._fail(error)
        return opening

    def echo(self) -> int:
        """C-ECHO; the status (PS3.7 9.3.5). Raises DestinationDown."""
        context = next((number for number, abstract in self._abstract.items() if abstract == VERIFICATION), None)
        if context is None:
            raise ValueError("no presentation context for Verification")
        try:
            number = self._next()
            self._send_command(context, messages.c_echo_rq(number))
            status = self._answer(context, messages.C_ECHO_RSP, number).status
        except RefusePeer as error:
            self._fail(error)
        assert status is not None
        return status

    def store(
        self,
        sop_class: str,
        sop_instance: str,
        context_id: int,
        source: ByteSource,
        move_originator: tuple[str, int] | None = None,
    ) -> StoreResponse:
        """C-STORE the data set that `source` holds in the context's transfer syntax; what the peer answered.

        Raises DestinationDown; HoldObject for an object that no peer could take; whatever `source.pread` raises (the
        association is then aborted: half an object went).
        """
        if self._abstract.get(context_id) != sop_class:
            raise ValueError("this presentation context was not accepted for the SOP class")
        odd = source.size % 2 == 1
        if odd and self._syntax[context_id] != DEFLATED:
            # A fragment is even (PS3.8 E.1): a peer would abort, which is not the peer's fault.
            raise HoldObject("odd-length", "the data set has an odd number of bytes")
        number = self._next()
        try:
            self._send_command(context_id, messages.c_store_rq(number, sop_class, sop_instance, move_originator))
            self._send_data(context_id, source, pad=odd)
            answer = self._answer(context_id, messages.C_STORE_RSP, number)
        except RefusePeer as error:
            self._fail(error)
        except BaseException:
            self.abort()
            raise
        assert answer.status is not None
        return StoreResponse(answer.status, answer.comment, answer.error_id, answer.offending)

    def release(self) -> None:
        """A-RELEASE; every way out closes the connection. Never raises: all that matters has been answered."""
        if not self.alive:
            return
        connection = self._connection
        try:
            self._machine.on(Event.Evt11)
            connection.send(pdu.RELEASE_RQ)
            deadline = time.monotonic() + connection.limits.answer
            while self._machine.state is not State.Sta1:
                kind, _body = connection.read_pdu(max(0.001, deadline - time.monotonic()), "answer-timeout")
                if self._machine.on(EVENT_OF_PDU[kind]) is Action.AR_8:  # both asked at once: PS3.8 7.2.2
                    self._machine.on(Event.Evt14)
                    connection.send(pdu.RELEASE_RP)
                elif self._machine.state is State.Sta13:
                    raise RefusePeer("pdu-unexpected")
        except RefusePeer as error:
            self._tell(error.reason)
        finally:
            self._close()

    def abort(self) -> None:
        """A-ABORT and close. Never raises."""
        if self.alive:
            self._tell("aborted-here")
            self._close()

    def __enter__(self) -> Association:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.release()
        else:
            self.abort()

    def _next(self) -> int:
        if not self.alive:
            raise DestinationDown("connection-lost", "the association has ended")
        self._message_id = self._message_id % 0xFFFF + 1
        return self._message_id

    def _send_command(self, context: int, command: bytes) -> None:
        self._machine.on(Event.Evt9)
        self._connection.send(messages.command_pdus(context, command, self._max_pdu))

    def _send_data(self, context: int, source: ByteSource, *, pad: bool) -> None:
        """The data set in P-DATA-TFs as long as the peer takes; the last one says so, also where it is empty.

        `pad`: a deflated stream of odd length gets its NUL (PS3.5 A.5).
        """
        step = pdu.fragment_size(self._max_pdu)
        at, size = 0, source.size
        send = self._connection.send_with_header
        while True:
            part = source.pread(at, min(step, size - at))
            if len(part) != min(step, size - at):
                raise OSError("source became shorter while it was sent")
            at += len(part)
            if pad and at == size:
                part += b"\0"
            self._machine.on(Event.Evt9)
            send(pdu.p_data_header(context, LAST if at == size else 0, len(part)), part)
            if at == size:
                return

    def _read(self, seconds: float) -> tuple[int, memoryview]:
        kind, body = self._connection.read_pdu(seconds, "answer-timeout")
        if kind == pdu.PduType.ABORT:
            raise RefusePeer("aborted-by-peer", told_by_abort(body))
        return kind, body

    def _answer(self, context: int, field: int, number: int) -> Command:
        """The response to message `number`. Raises RefusePeer for anything else."""
        assembly = messages.CommandAssembly(self._connection.limits.command)
        found: Command | None = None
        deadline = time.monotonic() + self._connection.limits.answer
        while found is None:
            kind, body = self._read(max(0.001, deadline - time.monotonic()))
            if self._machine.on(EVENT_OF_PDU[kind]) is not Action.DT_2:
                raise RefusePeer("pdu-unexpected", f"PDU of type {kind} where an answer is due")
            for value in pdu.pdvs(body):
                if found is not None or not value.control & COMMAND:
                    raise RefusePeer("data-set-unexpected", "more than a command where an answer is due")
                if value.context != context:
                    raise RefusePeer("answer-unexpected", "the answer comes in another presentation context")
                found = assembly.feed(value.context, value.fragment, bool(value.control & LAST))
        if found.field != field or found.responded_to != number or found.has_data_set:
            raise RefusePeer("answer-unexpected", "the answer is not that of this request")
        return found

    def _fail(self, error: RefusePeer) -> NoReturn:
        """End the association for `error` and say so as DestinationDown."""
        if self.alive:
            self._tell(error.reason)
            self._close()
        cause = error.__cause__
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, TimeoutError):
            raise tls_down(cause) from error
        raise DestinationDown(error.reason, error.detail) from error

    def _tell(self, reason: str) -> None:
        said = FAULTS.get(reason, FAULTS["aborted-here"])
        if said is not None:
            try:
                self._connection.send(pdu.abort(*said))
            except RefusePeer:
                pass

    def _close(self) -> None:
        self.alive = False
        self._connection.close()


def _rejected(body: memoryview) -> DestinationDown:
    """A-ASSOCIATE-RJ in words (PS3.8 Table 9-21)."""
    result, source, reason = body[1], body[2], body[3]
    words = _REJECTIONS.get((source, reason), f"source {source}, reason {reason}")
    return DestinationDown(_RESULTS.get(result, "rejected"), words)
