"""Association negotiation: A-ASSOCIATE-RQ + policy -> the acceptance or a rejection. Pure. PS3.8 7.1, PS3.7 Annex D.

Rules of this file
* One transfer syntax per context: the first the peer proposes that can be stored. The first is what it holds; taking
  a later one would make it recompress, and may lose pixels.
* Storage SOP classes of the standard (also retired) and Verification are accepted; others by `accept: any` or by name.
* What the standard knows to be another service is refused even by `any`: accepting it would promise a service.
* The requestor is the SCU; of Storage Commitment, where it is served, it may be the SCP (PS3.4 J.3.3: a report on an
  association of its own). Asynchronous operations and extended negotiations are understood and not taken up, which by
  PS3.7 D.3.3.3 means one operation at a time and by PS3.4 B.3.1 storage as by default.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from gateway.dimse.commitment import PUSH_MODEL, SYNTAXES
from gateway.dimse.items import ContextAnswer, ProposedContext, RoleSelection, UserInformation
from gateway.dimse.limits import MIN_PDU, Limits
from gateway.dimse.pdu import AssociateAccept, AssociateRequest, Rejection
from gateway.dimse.uids import APPLICATION_CONTEXT, OTHER_CLASSES, STORABLE_SYNTAXES, VERIFICATION, is_storage
from transforms.dataset.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

ACCEPTED, USER_REJECTION, NO_REASON, ABSTRACT_NOT_SUPPORTED, SYNTAXES_NOT_SUPPORTED = range(5)  # PS3.8 Table 9-18

# PS3.8 Table 9-21
PROTOCOL_VERSION = Rejection(1, 2, 2)
APPLICATION_CONTEXT_NAME = Rejection(1, 1, 2)
CALLING_AE = Rejection(1, 1, 3)
CALLED_AE = Rejection(1, 1, 7)


@dataclass(frozen=True, slots=True)
class AcceptancePolicy:
    """Which SOP classes and transfer syntaxes a listener takes."""

    accept: Literal["known", "any"] = "known"
    extra_sop_classes: frozenset[str] = frozenset()
    storable: frozenset[str] = STORABLE_SYNTAXES
    commitment: bool = False  # Storage Commitment Push Model, either role

    def takes(self, sop_class: str) -> bool:
        """This abstract syntax is accepted."""
        if sop_class == PUSH_MODEL:
            return self.commitment
        if sop_class == VERIFICATION or is_storage(sop_class) or sop_class in self.extra_sop_classes:
            return True
        return self.accept == "any" and sop_class not in OTHER_CLASSES


class Context(NamedTuple):
    """An accepted presentation context."""

    id: int
    abstract: str
    syntax: str


@dataclass(frozen=True, slots=True)
class Negotiated:
    """The acceptance, and what it means for the messages."""

    accept: AssociateAccept
    contexts: dict[int, Context]
    peer_max_pdu: int  # bytes of a P-DATA-TF's variable field that we may send


def precheck(request: AssociateRequest) -> Rejection | None:
    """What is rejected whoever asks: protocol version, application context, unusable AE titles."""
    if not request.protocol_version & 1:  # PS3.8 Table 9-11: only bit 0 is tested
        return PROTOCOL_VERSION
    if request.application_context != APPLICATION_CONTEXT:
        return APPLICATION_CONTEXT_NAME
    if not _usable(request.called_ae):
        return CALLED_AE
    if not _usable(request.calling_ae):
        return CALLING_AE
    if peer_max_pdu(request.user.max_pdu, MIN_PDU) < 64:  # an answer would be cut to crumbs
        return Rejection(1, 1, 1)
    return None


def _usable(title: str) -> bool:
    """PS3.5 6.2, VR AE."""
    return bool(title) and all(0x20 <= ord(c) < 0x7F and c != "\\" for c in title)


def peer_max_pdu(announced: int, ours: int) -> int:
    """PS3.8 D.1: 0 means no limit; then ours is the limit."""
    return min(announced, ours) if announced else ours


def negotiate(request: AssociateRequest, policy: AcceptancePolicy, limits: Limits) -> Negotiated:
    """Answer every proposed context; `precheck` has passed."""
    not_scu = {r.sop_class for r in request.user.roles if not r.scu and not (r.scp and r.sop_class == PUSH_MODEL)}
    answers = tuple(_answer(context, policy, not_scu) for context in request.contexts)
    abstract = {context.id: context.abstract for context in request.contexts}
    contexts = {a.id: Context(a.id, abstract[a.id], a.syntax) for a in answers if a.result == ACCEPTED}
    # PS3.7 D.3.3.4: an answer never grants more than was proposed; the only SCU that we are here is that of commitment.
    taken = {context.abstract for context in contexts.values()}
    roles = tuple(
        RoleSelection(r.sop_class, r.scu, r.scp and r.sop_class == PUSH_MODEL)
        for r in request.user.roles
        if r.sop_class in taken
    )
    user = UserInformation(limits.max_pdu, IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, roles=roles)
    accept = AssociateAccept(answers, user, APPLICATION_CONTEXT, request.echoed)
    return Negotiated(accept, contexts, peer_max_pdu(request.user.max_pdu, limits.send_pdu))


def _answer(context: ProposedContext, policy: AcceptancePolicy, not_scu: set[str]) -> ContextAnswer:
    first = context.syntaxes[0]  # a refusal names one, too, and it is not significant
    if not policy.takes(context.abstract):
        return ContextAnswer(context.id, ABSTRACT_NOT_SUPPORTED, first)
    if context.abstract in not_scu:
        return ContextAnswer(context.id, USER_REJECTION, first)
    for syntax in context.syntaxes:
        if syntax in (SYNTAXES if context.abstract == PUSH_MODEL else policy.storable):
            return ContextAnswer(context.id, ACCEPTED, syntax)
    return ContextAnswer(context.id, SYNTAXES_NOT_SUPPORTED, first)
