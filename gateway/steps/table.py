"""The steps there are: one line each. To add one: its file here, its line below, its field in config/schema.Step, and
what it takes and gives in config/kinds.py."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.config.kinds import Kind
from gateway.config.schema import Destination, Step
from gateway.errors import HoldObject
from gateway.steps import aim, cda, deidentify, drop_signatures, encapsulate, mdm, sign, sr, transcode, verify
from gateway.steps.contract import Around, Passing, StepKind
from transforms.dataset import syntax
from transforms.errors import TransformError

STEPS: dict[str, StepKind] = {
    "deidentify": deidentify,
    "mdm": mdm,
    "encapsulate": encapsulate,
    "cda": cda,
    "transcode": transcode,
    "aim": aim,
    "sr": sr,
    "verify": verify,
    "sign": sign,
    "drop_signatures": drop_signatures,
}


def named(step: Step) -> str:
    """Which step this is; config/steps.py has seen to it that it is exactly one."""
    return next(name for name in STEPS if getattr(step, name) is not None)


def told(step: Step) -> str:
    """A step in the words of `check`."""
    return STEPS[named(step)].told(step)


def run(passing: Passing, step: Step, around: Around) -> Passing:
    """One step. Raises HoldObject, WaitObject."""
    try:
        return STEPS[named(step)].run(passing, step, around)
    except TransformError as error:
        raise HoldObject(error.reason, error.detail) from error


def fitted(passing: Passing, destination: Destination | None, around: Around) -> Passing:
    """A document in the form that the destination says; decompressed where it takes uncompressed syntaxes only
    (PS3.5 10.1). Raises HoldObject, WaitObject."""
    if destination is not None and passing.kind is Kind.CDA:
        if destination.mdm is not None:
            passing = run(passing, Step(mdm=destination.mdm), around)
        elif destination.encapsulate is not None:
            passing = run(passing, Step(encapsulate=destination.encapsulate), around)
    only = destination is not None and destination.dimse is not None and destination.dimse.uncompressed_only
    if not only or passing.kind is not Kind.DICOM or syntax.lookup(passing.syntax).uncompressed:
        return passing
    return run(passing, Step(transcode="explicit-le"), around)


def run_all(passing: Passing, steps: Iterable[Step], around: Around) -> Passing:
    """Every step of a route in its order. Raises HoldObject, WaitObject."""
    for step in steps:
        passing = run(passing, step, around)
    return passing
