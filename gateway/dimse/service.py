"""What the acceptor asks of whoever stores: the port between the upper layer and gateway/receive. Types only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from gateway.dimse.limits import Limits
from gateway.dimse.pdu import AssociateRequest
from gateway.model import CommitmentReport, CommitmentRequest


class Accept(NamedTuple):
    """The association may be. `limits` are this peer's, where it has its own."""

    limits: Limits | None = None


class Reject(NamedTuple):
    """A-ASSOCIATE-RJ (PS3.8 Table 9-21). 1, 1, 7: called AE title not recognized; 1, 1, 3: calling AE title."""

    result: int
    source: int
    reason: int


class StoreRequest(NamedTuple):
    """One C-STORE-RQ; its UIDs are digits and dots, its class is that of its presentation context."""

    sop_class: str
    sop_instance: str
    transfer_syntax: str
    message_id: int
    context_id: int
    move_originator: str = ""
    move_originator_id: int | None = None


class StoreResponse(NamedTuple):
    """The answer to one C-STORE. `comment` of ours holds no value of a data set; a peer's may: never log it."""

    status: int
    comment: str = ""
    error_id: int | None = None
    offending: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class AssociationEnd:
    """How an association ended. `reason` is `released`, `rejected` or one of faults.FAULTS."""

    reason: str
    detail: str = field(default="", repr=False)  # for people; names no value
    orderly: bool = False  # released between two messages
    stored: int = 0  # C-STOREs answered with success or a warning
    failed: int = 0  # C-STOREs answered otherwise, or cut off
    octets: int = 0  # of data sets received


class Sink(Protocol):
    """Takes the data set of one C-STORE. After any failure `abort` is called once; it must not raise."""

    def write(self, chunk: memoryview) -> None:
        """The next bytes; the view is valid only during the call."""
        ...

    def finish(self) -> StoreResponse:
        """All bytes have come: make them durable and answer. RefuseObject and StorageFailed are understood."""
        ...

    def abort(self) -> None:
        """Forget what came."""
        ...


class StorageService(Protocol):
    """Decides and stores for one association. What stands under commitment is asked only where the policy serves it."""

    def associate(self, request: AssociateRequest) -> Accept | Reject:
        """AE titles, caps, user identity; presentation contexts are the policy's."""
        ...

    def begin(self, store: StoreRequest) -> Sink:
        """A data set is about to come. RefuseObject and StorageFailed are understood."""
        ...

    def echo(self) -> int:
        """The status of a C-ECHO (PS3.7 9.1.5)."""
        ...

    def commit(self, request: CommitmentRequest) -> int:
        """The status of an N-ACTION that asks for storage commitment; 0x0000 only where it is durably taken."""
        ...

    def committed(self, report: CommitmentReport) -> int:
        """The status of an N-EVENT-REPORT to us; 0x0000 only where it is durably taken."""
        ...

    def reports(self) -> CommitmentReport | None:
        """A report that is to go to the peer on this association now, once. Called between two messages."""
        ...

    def reported(self, report: CommitmentReport, status: int) -> None:
        """What the peer answered to a report of ours; a report without answer when the association ends was none."""
        ...

    def ended(self, end: AssociationEnd) -> None:
        """The connection is closed. Called exactly once, also where `associate` never was."""
        ...
