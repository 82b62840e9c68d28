"""A CDA document as an HL7 v2 message, MDM^T02 or T10 (transforms/hl7/mdm.py).

The same object gives the same message again, control id and time: its time is when the object came in. A folder of a
whole group that was made before a crash is known again by its bytes.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from gateway.config.kinds import Kind
from gateway.config.schema import Step
from gateway.steps import checking
from gateway.steps.contract import Around, Passing
from transforms.conversion import Given
from transforms.hl7 import mdm
from transforms.source import BytesSource, chunks


def told(step: Step) -> str:
    """On the line of `check`."""
    return "as HL7 v2 MDM"


def run(passing: Passing, step: Step, around: Around) -> Passing:
    """Raises HoldObject, WaitObject, TransformError."""
    assert step.mdm is not None
    instance = around.instance
    now = datetime.fromtimestamp(instance.received, UTC) if instance is not None else datetime.now(UTC)
    given = Given(now, {"mdm": step.mdm.model_dump()})
    converted = mdm.convert(b"".join(chunks(passing.source)), given)
    checking.document(passing, around, converted.data.decode("utf-8"))
    return replace(
        passing,
        source=BytesSource(converted.data),
        syntax="",
        kind=Kind.HL7V2,
        done=(*passing.done, "mdm"),
        told=converted.losses.as_text() if around.trace else None,
    )
