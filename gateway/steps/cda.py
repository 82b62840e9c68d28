"""A Structured Report becomes an HL7 CDA imaging report (PS3.20), under a `reports` block.

* The same report under the same facts is the same document again; another one becomes its next version.
* After a de-identification the whole document is searched for what the study's originals said, as the object was.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from gateway.config.kinds import Kind
from gateway.config.schema import Step
from gateway.steps import checking
from gateway.steps.contract import Around, Passing
from gateway.steps.deidentify import little_endian
from transforms.cda.from_sr import VERSION, Cda, convert
from transforms.cda.options import Options
from transforms.cda.plan import is_addendum
from transforms.cda.readable import readings
from transforms.source import ByteSource, BytesSource, chunks
from transforms.sr.model import Document
from transforms.sr.read import read


def told(step: Step) -> str:
    """On the line of `check`."""
    return f"as CDA for {step.cda}"


def run(passing: Passing, step: Step, around: Around) -> Passing:
    """Raises HoldObject, WaitObject, TransformError."""
    assert step.cda is not None
    source, uid = little_endian(passing, around)
    document = read(source, uid)
    options = around.ruleset.reports[step.cda]
    cda = _converted(document, options, source, step.cda, around)
    data = cda.data
    if passing.egress is not None:
        checking.document(passing, around, readings(data))
    return replace(
        passing,
        source=BytesSource(data),
        syntax="",
        kind=Kind.CDA,
        done=(*passing.done, f"cda:{step.cda}:{VERSION}"),
        told=cda.losses.as_text() if around.trace else None,
    )


def _converted(document: Document, options: Options, source: ByteSource, name: str, around: Around) -> Cda:
    if around.trial:
        return convert(document, options)
    digest = hashlib.sha256(f"{VERSION} {options!r}".encode())
    for chunk in chunks(source):
        digest.update(chunk)
    key = (name, document.sop_instance, digest.hexdigest())
    before = [each.reference.sop_instance for each in document.general.predecessors]
    cda = convert(document, options, around.ruleset.lineages.of(*key, before, addendum=is_addendum(document)))
    around.ruleset.lineages.made(*key, cda.instance_identifier)
    return cda
