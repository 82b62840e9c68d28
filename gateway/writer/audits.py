"""The audit events of transfers, drawn from the ledger's rows, so that a crash cannot lose them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import msgspec

from gateway.audit.events import (
    AnyEvent,
    Exported,
    ObjectDiscarded,
    ObjectDropped,
    ObjectHeld,
    ObjectReleased,
    StudyFacts,
    TransferBegun,
    Transferred,
)
from gateway.model import Instance, Outcome
from gateway.store.ledger import Transaction
from gateway.writer.messages import Opened

encode = msgspec.msgpack.Encoder().encode
_opened = msgspec.msgpack.Decoder(Opened)


def begun_in(opened: bytes, instance: Instance, now: float) -> TransferBegun:
    """The first instance of a study on an inbound association."""
    told = _opened.decode(opened)
    facts = StudyFacts(instance.identity.study, instance.identity.patient_id, {instance.identity.sop_class: 1})
    return TransferBegun(when=now, source=told.source, destination=told.destination, study=facts, inbound=True)


def begun_out(opened: bytes, instance: Instance, outcome: Outcome, now: float) -> TransferBegun:
    """The first instance of a study that an outbound association delivered."""
    told = _opened.decode(opened)
    facts = StudyFacts(
        outcome.sent_study, instance.identity.patient_id, {instance.identity.sop_class: 1}, outcome.anonymized
    )
    return TransferBegun(when=now, source=told.source, destination=told.destination, study=facts, inbound=False)


def ended(tx: Transaction, association: str, kind: str, opened: bytes, orderly: bool, now: float) -> Iterator[AnyEvent]:
    """What an association moved, one event for each study."""
    told = _opened.decode(opened)
    studies: dict[tuple[str, str, bool], dict[str, int]] = defaultdict(dict)
    if kind == "in":
        for study, patient, sop_class, number in tx.brought(association):
            studies[study, patient, False][sop_class] = number
    else:
        for study, patient, sop_class, anonymized, number in tx.took(association):
            studies[study, patient, bool(anonymized)][sop_class] = number
    for (study, patient, anonymized), classes in studies.items():
        facts = StudyFacts(study, patient, classes, anonymized)
        if kind == "export":
            yield Exported(when=now, destination=told.destination, study=facts)
        else:
            yield Transferred(
                when=now,
                source=told.source,
                destination=told.destination,
                study=facts,
                inbound=kind == "in",
                orderly=orderly,
            )


def about(
    what: type[ObjectHeld] | type[ObjectReleased] | type[ObjectDropped] | type[ObjectDiscarded],
    instance: Instance,
    reason: str,
    now: float,
    destination: str = "",
    user: str = "",
) -> AnyEvent:
    """An event about one object."""
    identity = instance.identity
    return what(
        when=now,
        study=identity.study,
        patient_id=identity.patient_id,
        sop_class=identity.sop_class,
        sop_instance=identity.sop_instance,
        reason=reason,
        route=instance.decision.route,
        destination=destination,
        user=user,
    )
