"""What happens in the gateway that must be audited, as facts. messages.py maps each onto PS3.15 A.5.3.

Values only; the writer stores them in the audit outbox in the same transaction as the state they tell of.
"""

from __future__ import annotations

from msgspec import Struct


class Party(Struct, frozen=True):
    """One end of a transfer."""

    ae: str  # AE title; "" for a folder
    address: str  # IP address or host name; a folder's URI
    subject: str = ""  # of the certificate it showed


class StudyFacts(Struct, frozen=True):
    """One study within one transfer."""

    study: str
    patient_id: str
    sop_classes: dict[str, int]  # SOP Class UID -> number of instances
    anonymized: bool = False  # every instance went through a de-identification that ran to its end


class Event(Struct, frozen=True, tag=True, kw_only=True):
    """Base of all events."""

    when: float  # seconds since the epoch, UTC


class ApplicationStarted(Event, frozen=True, kw_only=True):
    """A.5.3.1, (110120, DCM, "Application Start")."""

    aes: tuple[str, ...]
    rules_hash: str


class ApplicationStopped(Event, frozen=True, kw_only=True):
    """A.5.3.1, (110121, DCM, "Application Stop"). `orderly` is false where a crash was found at the next start."""

    aes: tuple[str, ...]
    orderly: bool = True


class TransferBegun(Event, frozen=True, kw_only=True):
    """A.5.3.3: the first instance of this study on this association."""

    source: Party
    destination: Party
    study: StudyFacts
    inbound: bool


class Transferred(Event, frozen=True, kw_only=True):
    """A.5.3.7: what one association moved of one study, told when it ended."""

    source: Party
    destination: Party
    study: StudyFacts
    inbound: bool
    failed: int = 0  # instances of this study that were refused
    orderly: bool = True  # released, not aborted


class Exported(Event, frozen=True, kw_only=True):
    """A.5.3.4: instances of one study left to a folder or a medium."""

    destination: Party
    study: StudyFacts


class PeerRefused(Event, frozen=True, kw_only=True):
    """A.5.3.11 Security Alert, (110126, DCM, "Node Authentication"): no or wrong certificate, wrong AE, bad PDU."""

    listener: str
    address: str
    reason: str  # code of errors.RefusePeer
    calling_ae: str = ""
    called_ae: str = ""
    subject: str = ""


class ObjectEvent(Event, frozen=True, kw_only=True):
    """Base of events about one object for which A.5.3 has no event: our own event types (docs/audit.md)."""

    study: str
    patient_id: str
    sop_class: str
    sop_instance: str
    reason: str
    route: str = ""
    destination: str = ""
    user: str = ""  # who decided; "" for the gateway itself


class ObjectHeld(ObjectEvent, frozen=True, kw_only=True):
    """The object waits for a person."""


class ObjectReleased(ObjectEvent, frozen=True, kw_only=True):
    """A person let it go on."""


class ObjectDropped(ObjectEvent, frozen=True, kw_only=True):
    """A route said `drop`, with a reason."""


class ObjectDiscarded(ObjectEvent, frozen=True, kw_only=True):
    """A person gave it up."""


class ManifestMade(Event, frozen=True, kw_only=True):
    """A signed manifest of what was delivered of a study is about to get its name (docs/manifests.md)."""

    study: str  # as it was sent
    destination: str
    objects: int
    sha256: str  # of what the manifest says
    user: str


class GroupClosed(Event, frozen=True, kw_only=True):
    """A person let what had come of a study or series go, before it was complete (docs/groups.md)."""

    study: str  # "" where none of it is known any more
    series: str  # "" of a group of a study
    route: str
    objects: int  # that had come
    expected: int  # that somebody had announced; 0: nobody
    reason: str
    user: str


class RowsForgotten(Event, frozen=True, kw_only=True):
    """The ledger has forgotten instances that were at their end, by `state.keep`."""

    instances: int
    before: float  # seconds since the epoch: the last change of each is older


class Reidentified(Event, frozen=True, kw_only=True):
    """An object's encrypted attributes are about to be put back (PS3.15 E.1.2, docs/reidentification.md)."""

    study: str  # as it was de-identified
    sop_class: str
    sop_instance: str  # as it was de-identified
    recipient: str  # SHA-256 of the officer's public key
    user: str


AnyEvent = (
    ApplicationStarted
    | ApplicationStopped
    | TransferBegun
    | Transferred
    | Exported
    | PeerRefused
    | ObjectHeld
    | ObjectReleased
    | ObjectDropped
    | ObjectDiscarded
    | ManifestMade
    | GroupClosed
    | RowsForgotten
    | Reidentified
)
