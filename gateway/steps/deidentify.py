"""PS3.15 Annex E over one object, and the egress check that always follows it.

The walk reads little endian, so what is not is converted first.
"""

from __future__ import annotations

from dataclasses import replace

from gateway.config.schema import Step
from gateway.documents import deidentified
from gateway.egress import kept
from gateway.model import Evidence, Identity
from gateway.pixels.cleaning import cleaned
from gateway.pixels.features import featureless
from gateway.pixels.groups import Groups
from gateway.security.reidentification import seal
from gateway.steps.contract import Around, Checked, Passing
from gateway.store.kept_answers import HOSTED
from transforms.dataset import convert, framing, syntax
from transforms.deidentify.engine import Deidentified, Pseudonym
from transforms.deidentify.options import PIXELS, VISUAL_FEATURES
from transforms.deidentify.patient import OtherPatients
from transforms.egress import VERSION as EGRESS_VERSION
from transforms.source import ByteSource


def told(step: Step) -> str:
    """On the line of `check`."""
    return f"de-identified as {step.deidentify}"


def run(passing: Passing, step: Step, around: Around) -> Passing:
    """Raises HoldObject, WaitObject, TransformError."""
    assert step.deidentify is not None
    how = around.deidentification(step.deidentify)
    source, uid = little_endian(passing, around)
    ask = how.patients.preview if around.trial else how.patients.pseudonym
    framed, index = source, framing.check(source, uid)
    patient = ask(source, uid, "" if passing.anonymized else around.issuer, index)
    table = how.tables.of(source, uid)
    ran: frozenset[str] = frozenset()
    steps = passing.done
    state = None if around.trial else around.ruleset.config.state.dir
    if VISUAL_FEATURES in table.options and how.features is not None:
        hosted = state / HOSTED if state else None
        made = featureless(source, uid, how.features, hosted, around.scratch, around.series)
        if made is not None:
            word = "visual-features:series" if around.series else "visual-features"
            source, uid, ran, steps = made, syntax.EXPLICIT_LE, ran | {VISUAL_FEATURES}, (*steps, word)
    if PIXELS in table.options:
        pixels = cleaned(source, uid, how.pixels, around.scratch, Groups(state) if state else None)
        source, ran, steps = pixels.source, ran | pixels.ran, (*steps, *pixels.steps)
    known = index if source is framed else None

    def done_as(who: Pseudonym) -> Deidentified:
        return deidentified(
            source, uid, table, how.context,
            patient=who, index=known, ran=ran, remover=how.names, trace=around.trace,
        )  # fmt: skip

    try:
        done = done_as(patient)
    except OtherPatients as error:
        done = done_as(how.patients.with_others(patient, error.patients, preview=around.trial))
    study, name, given = passing.identity.study, done.sop_instance, done.patient_id
    let_through = kept(table)
    output, told = seal(source, done.plan, uid, how.recipients, how.context) if how.recipients else (done.plan, "")
    around.egress.check(study, source, output, uid, let_through, name=name, pseudonym=given)
    modality = passing.identity.modality
    return replace(
        passing,
        source=output,
        syntax=uid,
        identity=Identity(done.sop_class, done.sop_instance, done.study, done.series, done.patient_id, modality),
        done=(*steps, *done.steps, *((told,) if told else ())),
        anonymized=True,
        evidence=Evidence(
            received=how.context.receipt(around.instance.stored.sha256) if around.instance else "",
            methods=done.codes,
            egress=EGRESS_VERSION,
        ),
        egress=Checked(study, source, uid, let_through, given),
        told=done if around.trace else None,
    )


def little_endian(passing: Passing, around: Around) -> tuple[ByteSource, str]:
    """The data set inflated and in little endian, and its transfer syntax now. Raises TransformError."""
    known = syntax.lookup(passing.syntax)
    if known.deflated:
        return around.scratch(convert.inflate(passing.source)), syntax.EXPLICIT_LE
    if not known.little_endian:
        return convert.to_explicit_le(passing.source, passing.syntax), syntax.EXPLICIT_LE
    return passing.source, passing.syntax
