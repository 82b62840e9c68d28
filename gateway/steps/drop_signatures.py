"""Digital signatures that are no longer right go: what a step before has changed makes them claim what is not so.

PS3.15 A.2 asks for it of who may change values. Those that are right stay, whoever made them. How many went is told in
the steps of the delivery; where none has to, not a byte changes.
"""

from __future__ import annotations

from dataclasses import replace

from gateway.config.schema import Step
from gateway.security.signatures.judging import broken
from gateway.steps.contract import Around, Passing
from transforms.dataset import convert
from transforms.signatures.writing import unsigned


def told(step: Step) -> str:
    """On the line of `check`."""
    return "without signatures that are no longer right"


def run(passing: Passing, step: Step, around: Around) -> Passing:
    """Raises TransformError."""
    made = dropped(passing)
    said = made.done[-1] if len(made.done) > len(passing.done) else "every signature is right"
    return replace(made, told=said if around.trace else None)


def dropped(passing: Passing) -> Passing:
    """The object without signatures that are no longer right. Raises TransformError."""
    source, uid = convert.explicit(passing.source, passing.syntax)
    gone = [(each.path, each.number) for each in broken(source, uid)]
    if not gone:
        return passing
    done = (*passing.done, f"signatures-dropped:{len(gone)}")
    return replace(passing, source=unsigned(source, uid, gone), syntax=uid, done=done)
