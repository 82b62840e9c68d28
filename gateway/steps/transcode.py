"""Another transfer syntax for what leaves, pixel for pixel (docs/pixels.md)."""

from __future__ import annotations

from dataclasses import replace

from gateway.config.schema import Step
from gateway.pixels.transcoding import transcoded
from gateway.steps import drop_signatures
from gateway.steps.contract import Around, Passing


def told(step: Step) -> str:
    """On the line of `check`."""
    return f"transcoded to {step.transcode}"


def run(passing: Passing, step: Step, around: Around) -> Passing:
    """Raises HoldObject, TransformError."""
    assert step.transcode is not None
    return to(passing, step.transcode, around)


def to(passing: Passing, target: str, around: Around) -> Passing:
    """The object in that syntax. What was de-identified is checked once more: these are other bytes."""
    done = transcoded(passing.source, passing.syntax, target, around.scratch)
    if not done.step:
        return replace(passing, source=done.source, syntax=done.syntax, told="nothing to do" if around.trace else None)
    if (before := passing.egress) is not None:
        around.egress.check(
            before.study, before.original, done.source, done.syntax, before.kept,
            original_syntax=before.syntax, name=passing.identity.sop_instance, pseudonym=before.pseudonym,
        )  # fmt: skip
    made = replace(passing, source=done.source, syntax=done.syntax, done=(*passing.done, done.step))
    made = drop_signatures.dropped(made)  # a signature is over the pixels as they were compressed
    return replace(made, told=done.step if around.trace else None)
