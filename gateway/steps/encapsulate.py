"""A CDA document as a DICOM object, Encapsulated CDA (transforms/encapsulate.py).

What passes is another SOP Instance from here on, of the study that the document names.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from gateway.config.kinds import Kind
from gateway.config.schema import Step
from gateway.model import Identity
from gateway.steps import checking
from gateway.steps.contract import Around, Passing
from transforms import encapsulate
from transforms.conversion import Given
from transforms.dataset import framing, part10, values
from transforms.dataset.syntax import EXPLICIT_LE
from transforms.source import BytesSource, Copy, EditPlan, chunks


def told(step: Step) -> str:
    """On the line of `check`."""
    return "as Encapsulated CDA"


def run(passing: Passing, step: Step, around: Around) -> Passing:
    """Raises HoldObject, WaitObject, TransformError."""
    origin = passing.identity
    given = Given(datetime.now(UTC), source=(origin.sop_class, origin.sop_instance) if origin.sop_class else None)
    converted = encapsulate.wrap(b"".join(chunks(passing.source)), given)
    file = BytesSource(converted.data)
    offset = part10.split(file).offset
    source = EditPlan(file, (Copy(offset, file.size - offset),))
    found = values.identity(source, framing.check(source, EXPLICIT_LE))
    checking.data_set(passing, around, source, found["SOPInstanceUID"])
    return replace(
        passing,
        source=source,
        syntax=EXPLICIT_LE,
        identity=Identity(
            found["SOPClassUID"],
            found["SOPInstanceUID"],
            found["StudyInstanceUID"],
            found["SeriesInstanceUID"],
            found.get("PatientID", ""),
            found["Modality"],
        ),
        kind=Kind.DICOM,
        done=(*passing.done, "encapsulate"),
        told=converted.losses.as_text() if around.trace else None,
    )
