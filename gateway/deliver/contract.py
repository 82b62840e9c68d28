"""What every destination obeys; tests/contracts runs each of them through it.

* A `Carrier` is one configured destination. It opens sessions and keeps no state between them.
* A `Session` is one association (or folder batch) that sends Outgoings one after another.
* A `UnitCarrier` wants whole groups (docs/groups.md): its `UnitSession` gets the members of one closed group and makes
  one thing of them, which is there whole or not at all. `whole` says which of the two a carrier is; the rule file's
  `Destination.whole` says the same, for the writer.
* `send` returns an `Answer` for what the other side said of this object, and raises DestinationDown for everything
  that says nothing about the object: refused, lost, timed out. It never reports DELIVERED without a confirmation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

from gateway.audit.events import Party
from gateway.model import Result, Unit
from gateway.pipeline import Outgoing


class Answer(NamedTuple):
    """What the destination said of one object, and what it was given."""

    result: Result  # DELIVERED, SENT (it is there, and delivered once it has committed to it), REFUSED or HELD
    # ... and of a unit that went in part: DOWN, WAITS
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
    whole: Literal[False]
    lanes: int  # studies in parallel, per worker
    idle: float  # seconds an unused session is kept

    def open(self, needs: Sequence[Need]) -> Session:
        """A new session. Raises DestinationDown."""
        ...

    def party(self) -> Party:
        """The other side, for the audit trail."""
        ...


class UnitSession(Protocol):
    """What makes one thing of one unit."""

    association: str  # our id of it, 32 hex digits

    def send(self, unit: Unit, members: Iterator[Outgoing]) -> Mapping[int, Answer]:
        """Make it and give an answer for each member that came, by `Outgoing.job.delivery`.

        A member's bytes can be read until the next one is asked for. Fewer may come than `unit.members`: what cannot be
        prepared is held by itself. Whatever `members` raises goes through, and then nothing of the unit may stay under
        a final name; likewise where this raises DestinationDown (nothing was delivered) or HoldObject (all of them are
        held). The same members may come again after a crash, and one that was refused or released later comes alone:
        what is made is named by its members, not by the group alone.
        """
        ...

    def close(self, *, orderly: bool = True) -> None:
        """End it. Never raises."""
        ...


class UnitCarrier(Protocol):
    """One configured destination that takes whole groups."""

    kind: str  # "out" or "export": how its sessions are audited
    whole: Literal[True]

    def open(self, needs: Sequence[Need]) -> UnitSession:
        """A new session, for one unit. Raises DestinationDown."""
        ...

    def party(self) -> Party:
        """The other side, for the audit trail."""
        ...
