"""The four stages of one object, on one screen: receive, decide, transform, deliver.

    accept    bytes of a peer, in the spool's incoming folder  ->  framed, identified, decided, durable
              (`examine`, then `seal`, then the writer's word: for who makes several objects durable at a time)
    prepare   one leased job                                   ->  an Outgoing: plan finished, nothing sent yet
    (deliver) gateway/deliver sends an Outgoing and turns the answer into an Outcome

Rules of this file
* `accept` returns only after the writer has committed; whoever called it may then, and only then, answer 0x0000.
* `prepare` either finishes the whole edit plan or raises HoldObject: not one byte of a half-made object can leave.
* A decision is pinned: `prepare` uses the rules, and checks the keys, that the object was received under.
* It knows no protocol. What a C-STORE answers to an error stands in receive/dimse.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from msgspec.structs import replace as changed

from gateway.at_hand import FRESH, AtHand, Seek
from gateway.config.kinds import Kind
from gateway.config.schema import OnConflict
from gateway.decide.facts import ObjectFacts
from gateway.decide.routes import decide
from gateway.egress import Egress
from gateway.errors import HoldObject, RefuseObject
from gateway.model import Decision, Evidence, Identity, Instance, Job, Member, Origin, Stored, Verdict
from gateway.pixels.series import Series
from gateway.rulebook import Rulebook, Ruleset
from gateway.steps.contract import Around, Passing
from gateway.steps.table import fitted, run_all
from gateway.store.spool import Incoming, Spool
from gateway.writer.client import WriterClient
from gateway.writer.messages import Committed
from transforms.dataset import convert, framing, syntax, values
from transforms.errors import BadFraming, TransformError
from transforms.references import referenced
from transforms.source import ByteSource

Members = Callable[[int, str], Sequence[Member]]  # of a group, by Series Instance UID


@dataclass(frozen=True, slots=True)
class Claim:
    """What a peer said it would send, before it sent it (C-STORE-RQ, a part's Content-Type)."""

    sop_class: str
    sop_instance: str
    syntax: str
    study: str = ""  # that it must belong to; "" for any


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An object ready to leave: every byte of it is decided. `syntax` is "" where it is no data set (`kind`)."""

    job: Job
    source: ByteSource
    syntax: str
    identity: Identity
    steps: tuple[str, ...] = ()
    anonymized: bool = False
    evidence: Evidence = field(default_factory=Evidence)
    kind: Kind = Kind.DICOM


@dataclass(frozen=True, slots=True)
class Examined:
    """A received object that is framed, identified and decided. Nothing of it is durable yet."""

    incoming: Incoming
    identity: Identity
    origin: Origin
    syntax: str
    decision: Decision
    refers: frozenset[str]  # SOP instances, where its route groups


def accept(
    incoming: Incoming,
    claim: Claim,
    origin: Origin,
    ruleset: Ruleset,
    writer: WriterClient,
    on_bad_framing: Literal["refuse", "hold"] = "refuse",
    on_conflict: OnConflict = "hold",
) -> Committed:
    """Make one received object durable and decided. The caller aborts `incoming` where this raises.

    Raises RefuseObject (nothing is stored) or StorageFailed (nothing may be promised).
    """
    examined = examine(incoming, claim, origin, ruleset, on_bad_framing, on_conflict)
    return writer.received(seal(examined), examined.refers)


def examine(
    incoming: Incoming,
    claim: Claim,
    origin: Origin,
    ruleset: Ruleset,
    on_bad_framing: Literal["refuse", "hold"] = "refuse",
    on_conflict: OnConflict = "hold",
) -> Examined:
    """The first half of `accept`: who it is and what is to become of it. Raises RefuseObject, StorageFailed."""
    refers: frozenset[str] = frozenset()
    incoming.flush()
    source = incoming.source()
    identity = Identity(claim.sop_class, claim.sop_instance)
    try:
        index = framing.check(source, claim.syntax)
        identity = _identified(claim, values.identity(source, index))
        decision = _decided(ruleset, ObjectFacts(origin, source, index))
        refers = referenced(source, index) if decision.group else frozenset()
    except BadFraming as error:
        if on_bad_framing == "refuse":
            raise RefuseObject(error.reason, 0xC000, f"data set does not frame: {error.reason}") from error
        decision = Decision(Verdict.HOLD, "", error.reason, rules_hash=ruleset.digest)
    except TransformError as error:
        decision = Decision(Verdict.HOLD, "", error.reason, rules_hash=ruleset.digest)
    else:
        if ruleset.deidentifications:
            _learnt(ruleset.egress, identity, source, claim.syntax)
    return Examined(incoming, identity, origin, claim.syntax, changed(decision, on_conflict=on_conflict), refers)


def seal(examined: Examined) -> Instance:
    """Its bytes are durable and in their place; the promise is the writer's to give. Raises StorageFailed."""
    stored = examined.incoming.seal()
    return Instance(examined.identity, examined.origin, stored, examined.syntax, time.time(), examined.decision)


def _identified(claim: Claim, found: dict[str, str]) -> Identity:
    """The object's own identity, which must be what the peer announced (PS3.4 B.2.3: 0xA900)."""
    if found.get("SOPClassUID") != claim.sop_class:
        raise RefuseObject("sop-class-mismatch", 0xA900, "SOP Class UID differs between command and data set")
    if found.get("SOPInstanceUID") != claim.sop_instance:
        raise RefuseObject("sop-instance-mismatch", 0xA900, "SOP Instance UID differs between command and data set")
    if claim.study and found.get("StudyInstanceUID") != claim.study:
        raise RefuseObject("study-mismatch", 0xA900, "Study Instance UID is not the one it was sent to")
    return Identity(
        claim.sop_class,
        claim.sop_instance,
        study=found.get("StudyInstanceUID", ""),
        series=found.get("SeriesInstanceUID", ""),
        patient_id=found.get("PatientID", ""),
        modality=found.get("Modality", ""),
    )


def _learnt(egress: Egress, identity: Identity, source: ByteSource, uid: str) -> None:
    """What identifies this object, for the egress check of the whole study. What is deflated is read when it leaves."""
    known = syntax.lookup(uid)
    if known.deflated:
        return
    with suppress(TransformError):  # an object that cannot be converted cannot leave by a de-identifying route either
        if not known.little_endian:
            source, uid = convert.to_explicit_le(source, uid), syntax.EXPLICIT_LE
        egress.learn(identity.study, source, uid)


def _decided(ruleset: Ruleset, facts: ObjectFacts) -> Decision:
    """The rules' word, pinned to this ruleset and its keys."""
    decision = decide(ruleset.rules, facts)
    return changed(
        decision,
        rules_hash=ruleset.digest,
        key_ids=ruleset.key_ids(decision.route),
        recipe=ruleset.recipe(decision.route, facts.listener),
    )


def redecide(instance: Instance, spool: Spool, ruleset: Ruleset) -> Decision:
    """Match a held instance anew, under the rules as they are now. Raises HoldObject where its bytes do not frame."""
    with spool.open(instance.stored) as source:
        try:
            return _decided(ruleset, ObjectFacts(instance.origin, source, framing.check(source, instance.syntax)))
        except TransformError as error:
            raise HoldObject(error.reason, error.detail) from error


@contextmanager
def prepare(
    job: Job, spool: Spool, rulebook: Rulebook, seek: Seek | None = None, members: Members | None = None
) -> Iterator[Outgoing]:
    """Run the steps of the job's route over its object. Raises HoldObject, WaitObject; what it yields is complete.

    `seek` asks the writer for other objects that are in the spool, `members` for those of a series in a closed group.
    """
    instance = job.instance
    decision = instance.decision
    ruleset = rulebook.get(decision.rules_hash)
    route = ruleset.routes.get(decision.route)
    if route is None:
        raise HoldObject("route-gone", "the route this object was decided for is not in its rules")
    if ruleset.key_ids(decision.route) != decision.key_ids:
        raise HoldObject("key-changed", "a key of this route is not the one the object was received under")
    _verified(spool, instance.stored, instance.received)
    look = partial(AtHand, seek=seek, spool=spool) if seek is not None else None
    with ExitStack() as held:  # what the steps put down, and the object itself: until it has left

        def scratch(data: Iterable[bytes]) -> ByteSource:
            return held.enter_context(spool.scratch(data))

        series = _series(job, spool, members)
        around = Around(ruleset, ruleset.egress, scratch, instance, look=look, series=series)
        spooled = held.enter_context(spool.open(instance.stored))
        made = run_all(Passing(spooled, instance.syntax, instance.identity), route.steps, around)
        made = fitted(made, ruleset.config.destinations.get(job.destination), around)
        yield Outgoing(
            job, made.source, made.syntax, made.identity, made.done, made.anonymized, made.evidence, made.kind
        )


def _verified(spool: Spool, stored: Stored, received: float) -> None:
    if time.time() - received > FRESH:
        spool.verify(stored)


def _series(job: Job, spool: Spool, members: Members | None) -> Series | None:
    """What the object leaves with, where it has waited for the rest of its study or series."""
    if not job.group or members is None:
        return None
    uid = job.instance.identity.series

    @contextmanager
    def opened(member: Member) -> Iterator[ByteSource]:
        _verified(spool, member.stored, member.received)
        with spool.open(member.stored) as source:
            yield source

    return Series(job.group, uid, job.instance.stored.name, job.delivery, partial(members, job.group, uid), opened)
