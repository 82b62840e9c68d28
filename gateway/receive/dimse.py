"""The Storage and Verification SCP of one listener: who may call, and what a C-STORE is answered.

Rules of this file
* An AE title alone grants nothing: the certificate must be one that may use it (`ae_map`), PS3.15 B.12.
* 0x0000 leaves only after `pipeline.accept` returned. Every other way out of `finish` is a failure status.
* Statuses are PS3.4 Table B.2-1: A700 out of resources, A900 data set does not match, Cxxx cannot understand.
* Comments name a code, never a value of the data set.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from uuid import uuid4

from msgspec.structs import replace as changed

from gateway.audit.events import Party, PeerRefused
from gateway.config.schema import DimseLimits, Listener, Peer
from gateway.dimse.limits import MIN_PDU, Limits
from gateway.dimse.pdu import AssociateRequest
from gateway.dimse.service import Accept, AssociationEnd, Reject, StoreRequest, StoreResponse
from gateway.logs import fields
from gateway.model import CommitmentReport, CommitmentRequest, Origin
from gateway.pipeline import Claim, accept
from gateway.receive.commitment import Commitments, Reporters
from gateway.rulebook import Ruleset
from gateway.security.identity import permitted
from gateway.store.spool import Incoming, Spool
from gateway.writer.client import WriterClient
from gateway.writer.messages import Closed, Opened
from transforms.dataset import part10

log = logging.getLogger("receive")

# PS3.8 Table 9-21: result 1 (permanent), source 1 (service user), reason.
_REJECTIONS = {
    "called-ae-unknown": Reject(1, 1, 7),
    "calling-ae-refused": Reject(1, 1, 3),
    "calling-ae-malformed": Reject(1, 1, 3),
}
# Result 2 (transient), source 3 (service provider, presentation): local limit exceeded.
_FULL = Reject(2, 3, 2)

# Ends of an association that a healthy peer does not cause: each raises a security alert.
SUSPICIOUS = frozenset(
    {"pdu-unrecognized", "pdu-unexpected", "pdu-malformed", "pdu-too-long", "context-unknown"}
    | {"command-malformed", "command-too-long", "pdu-timeout", "too-slow"}
)


def limits_of(limits: DimseLimits, peer: Peer | None = None) -> Limits:
    """A listener's limits for the upper layer, with what the peers table says of this peer."""
    found = Limits(
        max_pdu=limits.max_pdu,
        associate_pdu=limits.associate_rq,
        object_size=limits.object_size,
        artim=limits.artim,
        idle=limits.idle,
        pdu_time=limits.pdu_time,
        stall=limits.stall,
        min_rate=limits.min_rate,
    )
    if peer is not None and peer.max_pdu:
        small = max(MIN_PDU, peer.max_pdu)
        found = replace(found, max_pdu=min(small, found.max_pdu), send_pdu=small)
    if peer is not None and peer.idle:
        found = replace(found, idle=peer.idle)
    return found


def _is_title(text: str) -> bool:
    """What an AE may hold (PS3.5 6.2): it goes into the ledger and before people's eyes. Empty is for lists."""
    return all(0x20 <= ord(char) < 0x7F and char != "\\" for char in text)


class Intake:
    """The service behind one association. Made by the worker when its A-ASSOCIATE-RQ is complete."""

    def __init__(
        self,
        listener: Listener,
        ruleset: Ruleset,
        spool: Spool,
        writer: WriterClient,
        peers: Mapping[str, Peer],
        address: str,
        subject: str,
        clock: Callable[[], float],
        admitted: Callable[[], bool] = lambda: True,
        reporters: Reporters | None = None,
    ) -> None:
        """`admitted`: whether there is room for one more association; may wait. `reporters`: of this worker."""
        self._admitted = admitted
        assert listener.dimse is not None
        self._listener = listener
        self._dimse = listener.dimse
        self._ruleset = ruleset
        self._spool = spool
        self._writer = writer
        self._peers = peers
        self._clock = clock
        self._origin = Origin(listener.id, uuid4().hex, address, subject=subject)
        self._opened = False
        self._commitments = Commitments(
            writer, reporters or Reporters(), listener.id, listener.dimse.commit_within, self.alert
        )

    def associate(self, request: AssociateRequest) -> Accept | Reject:
        """Who may call. A refusal is audited as a security alert."""
        dimse = self._dimse
        self._origin = changed(self._origin, calling_ae=request.calling_ae, called_ae=request.called_ae)
        refused = ""
        if request.called_ae not in dimse.ae:
            refused = "called-ae-unknown"
        elif not _is_title(request.calling_ae):
            refused = "calling-ae-malformed"
        elif (dimse.calling_ae and request.calling_ae not in dimse.calling_ae) or not permitted(
            dimse.ae_map, self._origin.subject, request.calling_ae
        ):
            refused = "calling-ae-refused"
        if refused:
            self.alert(refused)
            return _REJECTIONS[refused]
        if not self._admitted():  # asked last: who may not call at all takes nobody's place
            return _FULL
        return Accept(limits_of(dimse.limits, self._peers.get(request.calling_ae)))

    def alert(self, reason: str) -> None:
        """A Security Alert about this peer (PS3.15 A.5.3.11)."""
        origin = self._origin
        self._writer.note(
            PeerRefused(
                when=self._clock(),
                listener=origin.listener,
                address=origin.address,
                reason=reason,
                calling_ae=origin.calling_ae,
                called_ae=origin.called_ae,
                subject=origin.subject,
            )
        )

    def echo(self) -> int:
        """C-ECHO: the association is there, so is the gateway."""
        return 0x0000

    def begin(self, request: StoreRequest) -> _Sink:
        """A C-STORE-RQ has come; its data set goes to the returned sink."""
        self._open()
        claim = Claim(request.sop_class, request.sop_instance, request.transfer_syntax)
        return _Sink(self, claim)

    def commit(self, request: CommitmentRequest) -> int:
        """An N-ACTION that asks for storage commitment."""
        self._open()
        return self._commitments.asked(self._origin, request)

    def committed(self, report: CommitmentReport) -> int:
        """An N-EVENT-REPORT: a destination has committed, or not."""
        return self._commitments.reported(self._origin, report)

    def reports(self) -> CommitmentReport | None:
        """A report of ours that goes out on this association."""
        return self._commitments.next(self._origin)

    def reported(self, report: CommitmentReport, status: int) -> None:
        """The peer's answer to it."""
        self._commitments.answered(status)

    def _open(self) -> None:
        """The first message that moves something: the association is in the ledger from here on."""
        if not self._opened:
            origin = self._origin
            self._opened = True
            self._writer.opened(
                Opened(
                    origin.association,
                    "in",
                    Party(origin.calling_ae, origin.address, origin.subject),
                    Party(origin.called_ae, "", ""),
                )
            )

    def ended(self, end: AssociationEnd) -> None:
        """The association is over; what it moved is audited."""
        if end.reason in SUSPICIOUS:
            self.alert(end.reason)
        self._commitments.ended(self._origin)
        if self._opened:
            self._writer.closed(Closed(self._origin.association, end.orderly))
        log.info(
            fields(
                "association-ended",
                listener=self._listener.id,
                association=self._origin.association,
                reason=end.reason,
                stored=end.stored,
                failed=end.failed,
            )
        )

    def _create(self, claim: Claim) -> Incoming:
        self._writer.check()
        return self._spool.create(part10.meta(claim.sop_class, claim.sop_instance, claim.syntax))

    def _accept(self, incoming: Incoming, claim: Claim) -> str:
        here = self._listener
        committed = accept(
            incoming, claim, self._origin, self._ruleset, self._writer, here.on_bad_framing, here.on_conflict
        )
        return committed.outcome


class _Sink:
    """One data set on its way to the spool."""

    def __init__(self, intake: Intake, claim: Claim) -> None:
        self._intake = intake
        self._claim = claim
        self._incoming = intake._create(claim)

    def write(self, chunk: memoryview) -> None:
        """More bytes of the data set. Raises StorageFailed on a full disk. The upper layer holds the limit of size."""
        self._incoming.write(chunk)

    def finish(self) -> StoreResponse:
        """All bytes are here: make them durable, then answer."""
        outcome = self._intake._accept(self._incoming, self._claim)
        return StoreResponse(0x0000, "" if outcome == "stored" else outcome)

    def abort(self) -> None:
        """The data set did not arrive whole: nothing of it stays."""
        self._incoming.abort()
