"""What workers, operators and the writer say to each other over the Unix socket (msgspec, MessagePack).

A frame is 4 bytes of length, big endian, then a `Request` or a `Reply`. `id` pairs a reply with its request; the
writer pushes `Work` and `Tasks` with id 0. Requests are applied in the order they came and answered once they are
durable; what a worker has not seen answered it says again, so all but `Received` may come twice.
"""

from __future__ import annotations

import struct

from msgspec import Struct

from gateway.audit.events import AnyEvent, Party
from gateway.model import CommitmentReport, CommitmentRequest, Decision, Instance, Job, Member, Outcome

LENGTH = struct.Struct(">L")
MAX_FRAME = 16 << 20


class Hello(Struct, frozen=True, tag=True):
    """First word of a worker: it can take jobs. Answered by `Ok`. Said again after the writer was away."""

    worker: str  # unique name of this worker process
    pid: int
    running: tuple[int, ...] = ()  # deliveries it still has
    takes_jobs: bool = True  # False: it only receives (a web server, a watcher of folders)


class Received(Struct, frozen=True, tag=True):
    """A spooled, fdatasynced and renamed object. Answered by `Committed` once all of it is durable."""

    instance: Instance
    refers: tuple[str, ...] = ()  # SOP instances that it refers to, where its route groups


class Opened(Struct, frozen=True, tag=True):
    """An association (or export session) began; needed to audit it even if the worker dies."""

    association: str
    kind: str  # "in", "out" or "export"
    source: Party
    destination: Party


class Closed(Struct, frozen=True, tag=True):
    """The association ended; the writer audits what it moved, per study."""

    association: str
    orderly: bool


class Outcomes(Struct, frozen=True, tag=True):
    """What came of jobs."""

    outcomes: tuple[Outcome, ...]


class Note(Struct, frozen=True, tag=True):
    """An event that changes no state but must be audited."""

    event: AnyEvent


class Release(Struct, frozen=True, tag=True):
    """An operator lets a held instance (with its new decision) or its held deliveries go on. Answered."""

    instance_id: int
    decision: Decision | None
    user: str


class Discard(Struct, frozen=True, tag=True):
    """An operator gives a held instance up. Answered."""

    instance_id: int
    reason: str
    user: str


class Sought(Struct, frozen=True, tag=True):
    """Which objects of these SOP Instance UIDs have their bytes in the spool? Answered by `Found`; changes nothing."""

    sop_instances: tuple[str, ...]


class CloseGroup(Struct, frozen=True, tag=True):
    """An operator lets go what has come of an open group. Answered."""

    group: int
    reason: str
    user: str


class Drain(Struct, frozen=True, tag=True):
    """This worker takes no more jobs."""


class Configure(Struct, frozen=True, tag=True):
    """The supervisor has taken a new rule file; `rules` is the hash it is kept by. Answered."""

    rules: str


class CommitmentAsked(Struct, frozen=True, tag=True):
    """A peer asks for storage commitment (N-ACTION). Answered by `Ok` once it is durable, or by `Failed`."""

    peer: str  # calling AE title
    ae: str  # called AE title
    listener: str
    association: str
    within: float  # seconds after which what is still not there is reported as failed
    request: CommitmentRequest


class CommitmentReported(Struct, frozen=True, tag=True):
    """A peer reports on a transaction of ours (N-EVENT-REPORT). `Failed("commitment-unknown")` where it is none."""

    peer: str  # AE title
    report: CommitmentReport


class TaskDone(Struct, frozen=True, tag=True):
    """What came of a task. `ok`: the peer took the request or the report."""

    commitment: int
    ok: bool
    reason: str = ""


class AskMembers(Struct, frozen=True, tag=True):
    """Who is of this series in a closed group. Answered by `Members`, or by `Failed` where some of it went before."""

    group: int
    series: str  # Series Instance UID as received


AnyRequest = (
    Hello
    | Received
    | Opened
    | Closed
    | Outcomes
    | Note
    | Release
    | Discard
    | Sought
    | CloseGroup
    | Drain
    | Configure
    | CommitmentAsked
    | CommitmentReported
    | TaskDone
    | AskMembers
)


class Request(Struct, frozen=True):
    """One frame to the writer."""

    id: int
    body: AnyRequest


class Ok(Struct, frozen=True, tag=True):
    """Done and durable."""

    count: int = 0


class Committed(Struct, frozen=True, tag=True):
    """The answer to `Received`: `stored`, `duplicate` (nothing new) or `conflict` (stored beside, held)."""

    outcome: str
    instance_id: int


class Found(Struct, frozen=True, tag=True):
    """The answer to `Sought`: those that are delivered or on their way; not what is held, dropped or discarded."""

    instances: tuple[Instance, ...]


class Work(Struct, frozen=True, tag=True):
    """Jobs leased to this worker."""

    jobs: tuple[Job, ...]


class AskCommitment(Struct, frozen=True, tag=True):
    """Ask a destination to commit to what it was sent. Answered by `TaskDone`, as is the next."""

    commitment: int
    destination: str
    request: CommitmentRequest


class ReportCommitment(Struct, frozen=True, tag=True):
    """Report to a peer what became of what it asked for: on the association on which it asked, or on a new one."""

    commitment: int
    peer: str
    ae: str
    listener: str
    association: str
    report: CommitmentReport


class Tasks(Struct, frozen=True, tag=True):
    """Messages of storage commitment that this worker is to send."""

    tasks: tuple[AskCommitment | ReportCommitment, ...]


class Failed(Struct, frozen=True, tag=True):
    """Nothing was done. `storage` says that the disk failed or is full: answer 0xA700 and stop promising."""

    reason: str
    storage: bool = False


class Members(Struct, frozen=True, tag=True):
    """The objects of one series of a closed group, in the order in which they came; not what a person has given up."""

    members: tuple[Member, ...]


AnyReply = Ok | Committed | Found | Work | Tasks | Failed | Members


class Reply(Struct, frozen=True):
    """One frame from the writer."""

    id: int
    body: AnyReply
