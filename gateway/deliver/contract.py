"""What every destination obeys; tests/contracts runs each of them through it.

* A `Carrier` is one configured destination. It opens sessions and keeps no state between them.
* A `Session` is one association (or folder batch) that sends Outgoings one after another.
* `send` returns an `Answer` for what the other side said of this object, and raises DestinationDown for everything
  that says nothing about the object: refused, lost, timed out. It never reports DELIVERED without a confirmation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from gateway.audit.events import Party
from gateway.model import Result
from gateway.pipeline import Outgoing


class Answer(NamedTuple):
    """What the destination said of one object, and what it was given."""

    result: Result  # DELIVERED, REFUSED or HELD
    status: int | None = None
    reason: str = ""
    sha256: str = ""  # of the data set as sent; where it was DELIVERED, with `syntax`
    syntax: str = ""
    file: str = ""  # beneath the destination's folder; with `file_sha256`
    file_sha256: str = ""


class Need(NamedTuple):
    """What a session must be able to carry: learnt from waiting jobs before it is opened."""

    sop_class: str
    syntax: str


class Session(Protocol):
    """One open way to a destination."""

    association: str  # our id of it, 32 hex digits

    def carries(self, need: Need) -> bool:
        """Whether this session was opened with that need in mind; if not, the lane opens another."""
        ...

    def send(self, outgoing: Outgoing) -> Answer:
        """Send one object and wait for the answer. Raises DestinationDown; the session is then dead."""
        ...

    def close(self, *, orderly: bool = True) -> None:
        """End it. Never raises."""
        ...


class Carrier(Protocol):
    """One configured destination."""

    kind: str  # "out" or "export": how its sessions are audited
    lanes: int  # studies in parallel, per worker
    idle: float  # seconds an unused session is kept

    def open(self, needs: Sequence[Need]) -> Session:
        """A new session. Raises DestinationDown."""
        ...

    def party(self) -> Party:
        """The other side, for the audit trail."""
        ...
