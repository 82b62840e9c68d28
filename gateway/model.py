"""The frozen types that flow through the gateway, from a peer's bytes to a delivery.

Rules of this file
* Values only. They cross the Unix socket between worker and writer (msgspec), so every field is plain data.
* Words are the standard's (SOP Instance, Study, calling AE title) or an operator's (`DeliveryState`).
* Nothing here is a configuration (gateway/config) and nothing here does anything.

`Identity.patient_id` identifies a patient: it may be in the ledger and in the audit fields that PS3.15 A.5.3
asks for, and nowhere else (no log line, file name or metric).
"""

from __future__ import annotations

from enum import IntEnum, StrEnum

from msgspec import Struct


class Origin(Struct, frozen=True):
    """Where an object came from, as far as TLS and the association can tell."""

    listener: str  # id of the listener in gateway.yaml
    association: str  # our own id of the association, 32 hex digits
    address: str  # the peer's IP address
    calling_ae: str = ""
    called_ae: str = ""
    subject: str = ""  # RFC 4514 subject of the client certificate; empty on plaintext


class Identity(Struct, frozen=True):
    """What the ledger and the audit trail know of an object. Empty where the object does not say."""

    sop_class: str
    sop_instance: str
    study: str = ""
    series: str = ""
    patient_id: str = ""
    modality: str = ""


class Stored(Struct, frozen=True):
    """A spooled file: Part 10, with file meta of ours and the data set exactly as received from `offset` on."""

    name: str  # opaque, made by the spool; the only name a file of ours ever has
    offset: int  # of the data set's first byte in the file
    size: int  # bytes of the data set
    sha256: str  # of the data set's bytes, 64 hex digits


class Verdict(StrEnum):
    """What the rule file says is to be done with an object."""

    DELIVER = "deliver"
    HOLD = "hold"
    DROP = "drop"


class Grouping(Struct, frozen=True):
    """What an object's deliveries wait for before they begin: that its study or series is complete (docs/groups.md)."""

    by: str  # "study" or "series"
    uid: str  # of the study or series, as received
    quiet: float  # seconds without an arrival
    max_wait: float  # seconds after which it is closed whatever is missing
    expected: int = 0  # instances that this object or the rule says there are; 0: not known


class Decision(Struct, frozen=True):
    """The outcome of the rules for one object, pinned when it was received (a reload does not change it)."""

    verdict: Verdict
    route: str  # id of the route; "" where no route could be decided
    reason: str = ""  # code of a hold or drop
    destinations: tuple[str, ...] = ()
    rules_hash: str = ""  # SHA-256 of the configuration's normal form
    key_ids: tuple[str, ...] = ()  # one per step, "" where a step has no key: another key is never used by mistake
    detail: str = ""  # for people; never a value of the data set
    on_conflict: str = "hold"  # the listener's word on a known UID with other bytes: hold, or deliver
    group: Grouping | None = None
    commit: str = ""  # when a sender who asks gets storage commitment: after-delivery, after-commitment, "" never
    recipe: str = ""  # digest of all that decides what the steps make of it (rulebook.py); "" where there are none


class Instance(Struct, frozen=True):
    """One received object: durable bytes, who it is, whence it came and what shall be done with it."""

    identity: Identity
    origin: Origin
    stored: Stored
    syntax: str  # transfer syntax UID of the spooled bytes
    received: float  # seconds since the epoch, UTC
    decision: Decision


class DeliveryState(StrEnum):
    """The states of one instance at one destination, in the words an operator sees."""

    WAITING = "waiting"  # may be sent from `next_try` on
    SENDING = "sending"  # leased to a worker
    CONFIRMING = "confirming"  # sent and answered with success; its storage commitment is awaited
    DELIVERED = "delivered"  # confirmed by the destination
    HELD = "held"  # needs a person; `reason` says why
    DISCARDED = "discarded"  # a person gave it up; audited


class InstanceState(StrEnum):
    """The states of one received instance as a whole, derived when its deliveries change."""

    ACTIVE = "active"  # some delivery is not at its end
    HELD = "held"  # held before any delivery (no route, conflict, rule error)
    DONE = "done"  # every delivery is at its end; the spooled bytes may go
    DROPPED = "dropped"  # a route said `drop`, with a reason; audited
    DISCARDED = "discarded"  # a person gave it up; audited


class Unit(Struct, frozen=True):
    """The members of one closed group that go to one destination as a whole."""

    group: int  # number of the group in the ledger
    route: str
    by: str  # "study" or "series"
    uid: str  # of the study or series, as received
    follow_up: int  # 0: the first of this study or series; n: the n-th group of what came late
    closed: str  # why it was closed: groups.QUIET, groups.EXPECTED or groups.CAP
    members: int  # jobs of this unit; those of a group that were delivered before, or are held, are not among them


class Member(Struct, frozen=True):
    """One object of a closed group, as whoever works on a whole series needs it."""

    stored: Stored
    syntax: str
    received: float
    here: bool  # its bytes are still spooled


class Job(Struct, frozen=True):
    """One delivery leased to a worker: everything the worker needs, without a database handle."""

    delivery: int
    instance_id: int
    instance: Instance
    destination: str
    attempts: int  # tries of this object that count, before this one
    unit: Unit | None = None  # only where the destination takes whole groups
    group: int = 0  # number of the closed group it waited for; 0 where its route groups nothing


class Result(StrEnum):
    """What came of one try to deliver. Three failures are kept apart (docs/adr/0002)."""

    DELIVERED = "delivered"
    SENT = "sent"  # answered with success by a destination that has to commit to it before it counts
    DOWN = "down"  # the destination: no attempt is lost
    REFUSED = "refused"  # the object was answered with a failure that may pass: try again, counted
    HELD = "held"  # the object cannot go there as it is: a person must look
    WAITS = "waits"  # something it needs beside the destination is not there: tried again, not counted
    GAVE_BACK = "gave-back"  # the worker drains: back to waiting, nothing counted


class Evidence(Struct, frozen=True):
    """What was done to one object and what left, told by the process that did it (docs/manifests.md)."""

    syntax: str = ""  # transfer syntax UID as sent
    file: str = ""  # where it lies beneath a folder destination: a name of ours
    file_sha256: str = ""  # of that whole file
    received: str = ""  # keyed digest of the data set as received; "" where no de-identification ran
    methods: tuple[str, ...] = ()  # CID 7050, as claimed in the object
    egress: str = ""  # version of the egress check that found nothing; "" where none ran
    software: str = ""


class Outcome(Struct, frozen=True):
    """The end of one try of one job."""

    delivery: int
    result: Result
    association: str = ""  # our id of the outbound association; "" where none was made
    status: int | None = None  # DIMSE status or HTTP code, as answered
    reason: str = ""  # code; shown to operators
    detail: str = ""  # of a hold, for people; never a value of the data set
    sent_instance: str = ""  # SOP Instance UID as sent (differs after de-identification)
    sent_study: str = ""
    sent_sha256: str = ""  # of the data set as sent
    steps: tuple[str, ...] = ()  # the steps that ran to their end on this object
    anonymized: bool = False  # a de-identification step ran to its end
    evidence: Evidence = Evidence()
    retry_after: float = 0.0  # of a destination that is down: seconds, as it asked


class Failure(IntEnum):
    """Why an SOP instance is not committed: Failure Reason (0008,1197), PS3.3 C.14.1.1."""

    PROCESSING = 0x0110
    NO_SUCH_INSTANCE = 0x0112
    CLASS_CONFLICT = 0x0119
    CLASS_NOT_SUPPORTED = 0x0122
    DUPLICATE_TRANSACTION = 0x0131
    RESOURCES = 0x0213


class Reference(Struct, frozen=True):
    """One SOP instance of a storage commitment."""

    sop_class: str
    sop_instance: str


class Refused(Struct, frozen=True):
    """One SOP instance that was not committed, and why: a Failure, or another number that a peer gave."""

    sop_class: str
    sop_instance: str
    reason: int


class CommitmentRequest(Struct, frozen=True):
    """What is asked to be committed (PS3.4 J.3.2). Nothing twice."""

    transaction: str
    references: tuple[Reference, ...]


class CommitmentReport(Struct, frozen=True):
    """What became of a request (PS3.4 J.3.3)."""

    transaction: str
    committed: tuple[Reference, ...]
    failed: tuple[Refused, ...] = ()
