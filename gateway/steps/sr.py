"""An AIM document as a DICOM object, a Structured Report of TID 1500 (transforms/aim, PS3.21)."""

from __future__ import annotations

from dataclasses import replace

from gateway.config.kinds import Kind
from gateway.config.schema import Step
from gateway.model import Identity
from gateway.steps import checking
from gateway.steps.contract import Around, Passing
from gateway.steps.looking import looking
from transforms.aim.convert import document_with_losses, load
from transforms.aim.options import Options
from transforms.conversion import nothing
from transforms.dataset.syntax import EXPLICIT_LE
from transforms.loss import LossReport
from transforms.source import BytesSource, chunks
from transforms.sr.write import write


def told(step: Step) -> str:
    """On the line of `check`."""
    return "as SR, TID 1500"


def run(passing: Passing, step: Step, around: Around) -> Passing:
    """Raises HoldObject, WaitObject, TransformError."""
    assert step.sr is not None
    site = Options(fields=step.sr.fields, pixel_origin=step.sr.pixel_origin)
    with looking(passing, around, step.sr.images) as seen:
        document, losses = document_with_losses(load(b"".join(chunks(passing.source))), site, seen.images or nothing)
    images = seen.tell(losses)
    source = BytesSource(write(document))
    checking.data_set(passing, around, source, document.sop_instance)
    return replace(
        passing,
        source=source,
        syntax=EXPLICIT_LE,
        identity=Identity(
            document.sop_class,
            document.sop_instance,
            document.study.instance,
            document.series.instance,
            document.patient.id.value,
            document.series.modality,
        ),
        kind=Kind.DICOM,
        done=(*passing.done, "sr", *images),
        told=LossReport("aim", "sr", losses.lines).as_text() if around.trace else None,
    )
