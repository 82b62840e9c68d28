"""What passes from step to step of a route, and what every step obeys.

* A step takes a `Passing` and returns another, complete: its bytes are decided, though perhaps still an edit plan.
* It raises HoldObject (a person must look) or WaitObject (something is not there now); a TransformError holds too. Then
  nothing of the object leaves.
* It claims in `done` and `evidence` only what ran to its end on this very object.
* After a de-identification `egress` is there, and a step that makes other bytes of the object must let them be checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from gateway.at_hand import AtHand
from gateway.config.kinds import Kind
from gateway.config.schema import Step
from gateway.egress import Egress
from gateway.model import Evidence, Identity, Instance
from gateway.pixels.series import Series
from gateway.rulebook import Deidentification, Ruleset
from transforms.deidentify.engine import Deidentified
from transforms.egress.classes import Kept
from transforms.source import ByteSource


class Checked(NamedTuple):
    """What the egress check of a later step needs to know of the de-identification."""

    study: str  # Study Instance UID as received
    original: ByteSource  # the data set before it, little endian
    syntax: str
    kept: Kept
    pseudonym: str


@dataclass(frozen=True, slots=True)
class Passing:
    """One object between two steps."""

    source: ByteSource
    syntax: str  # transfer syntax UID; "" for what is no data set
    identity: Identity  # as it is now
    kind: Kind = Kind.DICOM
    done: tuple[str, ...] = ()  # what ran, in the words of ledger, audit and manifest
    anonymized: bool = False
    evidence: Evidence = field(default_factory=Evidence)
    egress: Checked | None = None
    told: Deidentified | str | None = None  # what `explain` shows of the last step; only where `around.trace`


@dataclass(frozen=True, slots=True)
class Around:
    """What the shell lends to the steps of one object."""

    ruleset: Ruleset
    egress: Egress
    scratch: Callable[[Iterable[bytes]], ByteSource]  # what must lie somewhere while it is read
    instance: Instance | None = None  # None: an object that was not received (`explain`, cases)
    listener: str = ""  # through which such an object would come
    look: Callable[[str, Sequence[str]], AtHand] | None = None  # images of the spool: steps/looking.py
    series: Series | None = None  # what it leaves with, where its route waits until all of it is there
    trial: bool = False  # nothing is remembered and nobody is asked
    trace: bool = False

    def deidentification(self, name: str) -> Deidentification:
        """A `deidentify:` block, compiled."""
        return self.ruleset.deidentifications[name]

    @property
    def issuer(self) -> str:
        """Whose its Patient ID is where it names nobody: its listener's word; "" where the rule file says nothing."""
        name = self.instance.origin.listener if self.instance is not None else self.listener
        return next((each.issuer or "" for each in self.ruleset.config.listeners if each.id == name), "")


Run = Callable[[Passing, Step, Around], Passing]


class StepKind(Protocol):
    """A module of this folder, as table.py lists it."""

    def run(self, passing: Passing, step: Step, around: Around) -> Passing:
        """Do it."""
        ...

    def told(self, step: Step) -> str:
        """What `check` says of it on the line of its route, such as "de-identified as trial42"."""
        ...
