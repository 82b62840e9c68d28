"""A Storage SCP as a destination: C-STORE over TLS, one persistent association a lane (PS3.4 Annex B, PS3.7 9.1.1).

Rules of this file
* An object leaves in its own transfer syntax where the peer takes it; else uncompressed objects are converted between
  Implicit and Explicit VR little endian, and nothing else is.
* Delivered is 0x0000 or a warning that the destination lists; with `confirm` that is sent, and delivered is what it has
  committed to (gateway/writer/commitments.py). Every other status is looked up in dimse/status.py.
* It does not decompress: a compressed object that the peer will not take is held with that reason.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from typing import Literal
from uuid import uuid4

from gateway.audit.events import Party
from gateway.config.schema import Destination, DimseDestination, Peer
from gateway.deliver.contract import Answer, Need
from gateway.deliver.hashed import Hashed
from gateway.dimse.client import Association, contexts_for
from gateway.dimse.status import Disposition, meaning
from gateway.model import Result
from gateway.pipeline import Outgoing
from transforms.dataset import convert, syntax
from transforms.errors import TransformError
from transforms.source import ByteSource

RESULTS = {
    Disposition.DELIVERED: Result.DELIVERED,
    Disposition.WARNING: Result.DELIVERED,
    Disposition.RETRY: Result.REFUSED,
    Disposition.REFUSED: Result.HELD,
}
_CONVERTED = {syntax.EXPLICIT_LE: convert.to_explicit_le, syntax.IMPLICIT_LE: convert.to_implicit_le}


class DimseCarrier:
    """One `dimse:` destination of gateway.yaml."""

    kind = "out"
    whole: Literal[False] = False

    def __init__(self, destination: Destination, peers: dict[str, Peer], context: ssl.SSLContext | None) -> None:
        assert destination.dimse is not None
        self._to: DimseDestination = destination.dimse
        self._context = context
        self._peer = peers.get(self._to.ae)
        self.lanes = self._to.associations
        self.idle = self._to.idle

    def party(self) -> Party:
        return Party(self._to.ae, self._to.host)

    def open(self, needs: Sequence[Need]) -> DimseSession:
        wanted = [need for need in needs if not self._to.uncompressed_only or syntax.lookup(need.syntax).uncompressed]
        limit = self._to.max_pdu
        if self._peer is not None and self._peer.max_pdu:
            limit = min(limit, self._peer.max_pdu)
        association = Association.open(
            (self._to.host, self._to.port),
            self._context,
            calling_ae=self._to.calling_ae,
            called_ae=self._to.ae,
            contexts=contexts_for((need.sop_class, need.syntax) for need in wanted),
            timeout=self._to.timeout,
            max_pdu=limit,
        )
        return DimseSession(association, frozenset(needs), self._to)


class DimseSession:
    """One association to the destination."""

    def __init__(self, association: Association, needs: frozenset[Need], to: DimseDestination) -> None:
        self.association = uuid4().hex
        self._association = association
        self._needs = needs
        self._to = to

    def carries(self, need: Need) -> bool:
        return need in self._needs

    def send(self, outgoing: Outgoing) -> Answer:
        found = self._context_for(outgoing)
        if isinstance(found, Answer):
            return found
        context, source, uid = found
        sent = Hashed(source)
        response = self._association.store(outgoing.identity.sop_class, outgoing.identity.sop_instance, context, sent)
        disposition, reason = meaning(response.status, self._to.warnings)
        result = RESULTS[disposition]
        if result is Result.DELIVERED and self._to.confirm:
            result = Result.SENT
        return Answer(result, response.status, reason, sent.sha256(), uid)

    def close(self, *, orderly: bool = True) -> None:
        if orderly:
            self._association.release()
        else:
            self._association.abort()

    def _context_for(self, outgoing: Outgoing) -> tuple[int, ByteSource, str] | Answer:
        """The presentation context to use, the object in its syntax, and which that is; or why there is none."""
        accepted = self._association.accepted
        sop_class, own = outgoing.identity.sop_class, outgoing.syntax
        known = syntax.lookup(own)
        if self._to.uncompressed_only and not known.uncompressed:
            return Answer(Result.HELD, None, "needs-decompression")
        if (sop_class, own) in accepted:
            return accepted[sop_class, own], outgoing.source, own
        if known.uncompressed:
            try:
                for uid, made in _CONVERTED.items():
                    if (sop_class, uid) in accepted:
                        return accepted[sop_class, uid], made(outgoing.source, own), uid
            except TransformError as error:
                return Answer(Result.HELD, None, error.reason)
        elif any((sop_class, uid) in accepted for uid in (syntax.EXPLICIT_LE, syntax.IMPLICIT_LE)):
            return Answer(Result.HELD, None, "needs-decompression")
        return Answer(Result.HELD, None, "no-presentation-context")
