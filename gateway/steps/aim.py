"""A Structured Report of TID 1500 as AIM v4 (transforms/aim, PS3.21).

After a de-identification it is made of the de-identified report: its UIDs are mapped as those of its images are. It is
searched as a reader of XML reads it: `&amp;` hides nobody.
"""

from __future__ import annotations

from dataclasses import replace

from gateway.config.kinds import Kind
from gateway.config.schema import Step
from gateway.steps import checking
from gateway.steps.contract import Around, Passing
from gateway.steps.looking import looking
from transforms.aim.convert import collection_with_losses
from transforms.aim.options import Options
from transforms.aim.write import write
from transforms.cda.readable import readings
from transforms.conversion import nothing
from transforms.loss import LossReport
from transforms.source import BytesSource
from transforms.sr.read import read


def told(step: Step) -> str:
    """On the line of `check`."""
    assert step.aim is not None
    return f"as AIM {step.aim.version}"


def run(passing: Passing, step: Step, around: Around) -> Passing:
    """Raises HoldObject, WaitObject, TransformError."""
    assert step.aim is not None
    site = Options(step.aim.version, step.aim.fields, step.aim.pixel_origin)
    with looking(passing, around, step.aim.images) as seen:
        collection, losses = collection_with_losses(read(passing.source, passing.syntax), site, seen.images or nothing)
    images = seen.tell(losses)
    data = write(collection)
    if passing.egress is not None:
        checking.document(passing, around, readings(data))
    return replace(
        passing,
        source=BytesSource(data),
        syntax="",
        kind=Kind.AIM,
        done=(*passing.done, "aim", *images),
        told=LossReport("sr", "aim", losses.lines).as_text() if around.trace else None,
    )
