"""Serves the messages of one association: PDVs in, answers out, data sets to a Sink. No socket, no clock.

Rules of this file
* One message at a time (no asynchronous window is ever granted); its fragments all come in one context.
* A fragment of a data set goes to the Sink as the view it is: nothing is joined or kept.
* A Sink that failed is aborted once, the rest of its data set is thrown away, and the failure is the answer.
* RefuseObject answers its own status, StorageFailed 0xA700, anything else 0x0110.
* A request for another service is answered 0x0211; what is no request at all ends the association.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from gateway.dimse.commitment import PUSH_MODEL, PUSH_MODEL_INSTANCE, REQUEST_COMMITMENT, event_type, write_report
from gateway.dimse.gathering import CommitmentSink
from gateway.dimse.limits import Limits
from gateway.dimse.messages import (
    C_CANCEL_RQ,
    C_ECHO_RQ,
    C_STORE_RQ,
    N_ACTION_RQ,
    N_EVENT_REPORT_RQ,
    N_EVENT_REPORT_RSP,
    REQUESTS,
    Command,
    CommandAssembly,
    command_pdus,
    data_set_pdus,
    is_uid,
    n_event_report_rq,
    response,
)
from gateway.dimse.negotiation import Context
from gateway.dimse.pdu import COMMAND, LAST
from gateway.dimse.service import Sink, StorageService, StoreRequest, StoreResponse
from gateway.dimse.status import STORAGE_WARNINGS
from gateway.dimse.uids import VERIFICATION
from gateway.errors import GatewayError, RefuseObject, RefusePeer, StorageFailed
from gateway.model import CommitmentReport

log = logging.getLogger("dimse")

OUT_OF_RESOURCES = 0xA700  # PS3.4 Table B.2-1
PROCESSING_FAILURE = 0x0110  # PS3.7 C.5.14
INVALID_INSTANCE = 0x0117
NO_SUCH_INSTANCE = 0x0112
CLASS_NOT_SUPPORTED = 0x0122
NO_SUCH_ACTION = 0x0123
UNRECOGNIZED_OPERATION = 0x0211
MISTYPED_ARGUMENT = 0x0212


def failure(error: Exception) -> StoreResponse:
    """The answer to what a service raised. Its text goes out only where it is ours and made for it."""
    if isinstance(error, RefuseObject):
        return StoreResponse(error.status, error.detail or error.reason)
    if isinstance(error, StorageFailed):
        return StoreResponse(OUT_OF_RESOURCES, error.reason)
    # Neither traceback nor text: either may quote the data set.
    place = error.reason if isinstance(error, GatewayError) else type(error).__name__
    log.error("storing failed error=%s", place)
    return StoreResponse(PROCESSING_FAILURE, "processing failure")


class Reception:
    """The message layer of one association, acceptor's side."""

    __slots__ = (
        "_answer",
        "_answer_context",
        "_assembly",
        "_contexts",
        "_data_context",
        "_limits",
        "_max_pdu",
        "_report",
        "_reports",
        "_request",
        "_service",
        "_sink",
        "_size",
        "failed",
        "octets",
        "stored",
    )

    def __init__(
        self, service: StorageService, contexts: Mapping[int, Context], peer_max_pdu: int, limits: Limits
    ) -> None:
        self._service = service
        self._contexts = contexts
        self._max_pdu = peer_max_pdu
        self._limits = limits
        self._assembly = CommandAssembly(limits.command)
        self._data_context = 0  # whose data set is awaited or under way; 0 is no context
        self._answer_context = 0  # of the message under way
        self._request: Command | None = None
        self._sink: Sink | None = None
        self._answer: StoreResponse | None = None  # decided before the data set has come whole
        self._size = 0
        self._report: CommitmentReport | None = None  # of ours, that the peer has not answered yet
        self._reports = 0  # message ID of the last one
        self.stored = self.failed = self.octets = 0

    @property
    def busy(self) -> bool:
        """Within a message."""
        return self._data_context != 0 or self._assembly.begun

    def feed(self, context: int, control: int, fragment: memoryview) -> bytes | None:
        """One PDV; the PDUs to answer with, if it ended a message. Raises RefusePeer."""
        if control & COMMAND:
            if self._data_context:
                raise RefusePeer("command-unexpected", "a command within a data set")
            if context not in self._contexts:
                raise RefusePeer("context-unknown")
            command = self._assembly.feed(context, fragment, bool(control & LAST))
            return None if command is None else self._command(self._contexts[context], command)
        if not self._data_context or context != self._data_context:
            if context not in self._contexts:
                raise RefusePeer("context-unknown")
            raise RefusePeer("data-set-unexpected", "a data set without its command")
        return self._data(fragment, bool(control & LAST))

    def drop(self) -> None:
        """The association is over: what is under way did not arrive."""
        if self._data_context and self._request is not None and self._request.field == C_STORE_RQ:
            self.failed += 1
        self._data_context = 0
        self._drop_sink()

    def _command(self, context: Context, command: Command) -> bytes | None:
        if command.field == C_CANCEL_RQ:  # PS3.7 9.3.2.3: crosses the last answer; has none of its own
            return None
        if command.field == N_EVENT_REPORT_RSP and self._report is not None:
            self._reported(command)
            return None
        if command.field not in REQUESTS:
            raise RefusePeer("command-unexpected", f"command field {command.field:04X}H")
        self._request = command
        self._answer_context = context.id
        self._answer = None
        self._size = 0
        if command.field == C_ECHO_RQ:
            if command.has_data_set or context.abstract != VERIFICATION:
                raise RefusePeer("command-unexpected", "a C-ECHO with a data set or outside Verification")
            return self._respond(StoreResponse(self._service.echo()))
        if command.field == C_STORE_RQ:
            self._begin(context, command)
        elif context.abstract == PUSH_MODEL and command.field in (N_ACTION_RQ, N_EVENT_REPORT_RQ):
            self._begin_commitment(context, command)
        else:
            self._answer = StoreResponse(UNRECOGNIZED_OPERATION, "no such service on this presentation context")
        if command.has_data_set:
            self._data_context = context.id
            return None
        return self._ended()

    def _begin(self, context: Context, command: Command) -> None:
        """PS3.7 9.3.1.1. What the command itself has wrong is answered once its data set has passed."""
        if context.abstract in (VERIFICATION, PUSH_MODEL) or command.sop_class != context.abstract:
            self._answer = StoreResponse(CLASS_NOT_SUPPORTED, "SOP class is not that of the presentation context")
        elif not is_uid(command.sop_instance):
            self._answer = StoreResponse(INVALID_INSTANCE, "affected SOP instance UID is none")
        elif not command.has_data_set:
            self._answer = StoreResponse(MISTYPED_ARGUMENT, "a C-STORE has a data set")
        else:
            store = StoreRequest(
                command.sop_class,
                command.sop_instance,
                context.syntax,
                command.message_id or 0,
                context.id,
                command.move_originator,
                command.move_originator_id,
            )
            try:
                self._sink = self._service.begin(store)
            except Exception as error:
                self._answer = failure(error)

    def _begin_commitment(self, context: Context, command: Command) -> None:
        """PS3.7 10.1.1.1, 10.1.4.1, PS3.4 J.3.2 and J.3.3."""
        if command.sop_class != PUSH_MODEL:
            self._answer = StoreResponse(CLASS_NOT_SUPPORTED, "SOP class is not that of the presentation context")
        elif command.sop_instance != PUSH_MODEL_INSTANCE:
            self._answer = StoreResponse(NO_SUCH_INSTANCE, "not the well-known instance of storage commitment")
        elif command.field == N_ACTION_RQ and command.type_id != REQUEST_COMMITMENT:
            self._answer = StoreResponse(NO_SUCH_ACTION, "no such action")
        elif not command.has_data_set:
            self._answer = StoreResponse(MISTYPED_ARGUMENT, "a storage commitment has a data set")
        else:
            self._sink = CommitmentSink(self._service, command, context.syntax)

    def report(self) -> bytes | None:
        """The PDUs of a report that is to go out now, between two messages; None where there is none."""
        context = next((c for c in self._contexts.values() if c.abstract == PUSH_MODEL), None)
        if context is None or self._report is not None or self.busy:
            return None
        self._report = self._service.reports()
        if self._report is None:
            return None
        self._reports = self._reports % 0xFFFF + 1
        command = n_event_report_rq(self._reports, PUSH_MODEL, PUSH_MODEL_INSTANCE, event_type(self._report))
        data = write_report(self._report, context.syntax)
        return command_pdus(context.id, command, self._max_pdu) + data_set_pdus(context.id, data, self._max_pdu)

    def _reported(self, command: Command) -> None:
        """The peer's answer to our report."""
        if command.responded_to != self._reports or command.has_data_set:
            raise RefusePeer("answer-unexpected", "the answer is not that of our report")
        report, self._report = self._report, None
        assert report is not None and command.status is not None
        self._service.reported(report, command.status)

    def _data(self, fragment: memoryview, last: bool) -> bytes | None:
        self._size += len(fragment)
        if self._sink is not None and len(fragment):
            if self._size > self._limits.object_size:
                self._answer = StoreResponse(OUT_OF_RESOURCES, "object is larger than is taken here")
                self._drop_sink()
            else:
                try:
                    self._sink.write(fragment)
                except Exception as error:
                    self._answer = failure(error)
                    self._drop_sink()
        if not last:
            return None
        self.octets += self._size
        self._data_context = 0
        return self._ended()

    def _ended(self) -> bytes:
        """The message has come whole: finish it and answer."""
        answer = self._answer
        if self._sink is not None:
            try:
                answer = self._sink.finish()
                self._sink = None
            except Exception as error:
                answer = failure(error)
                self._drop_sink()
        assert answer is not None
        if self._request is not None and self._request.field == C_STORE_RQ:
            if answer.status == 0 or answer.status in STORAGE_WARNINGS:
                self.stored += 1
            else:
                self.failed += 1
        return self._respond(answer)

    def _respond(self, answer: StoreResponse) -> bytes:
        assert self._request is not None
        request, self._request = self._request, None
        return command_pdus(self._answer_context, response(request, answer.status, answer.comment), self._max_pdu)

    def _drop_sink(self) -> None:
        sink, self._sink = self._sink, None
        if sink is not None:
            try:
                sink.abort()
            except Exception as error:
                log.error("dropping a partial object failed error=%s", type(error).__name__)
