"""Digital signatures (PS3.15 Annex C) as a condition: every one right, every signer trusted, or the object is held.

It changes nothing. Reasons: signature-missing, signature-tampered, signature-untrusted.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from gateway.config.schema import Step
from gateway.config.signatures import Verification
from gateway.errors import HoldObject
from gateway.security.cms.keys import read_certificates
from gateway.security.revocation import read_crls
from gateway.security.signatures.judging import State, Trust, judge
from gateway.steps.contract import Around, Passing


def told(step: Step) -> str:
    """On the line of `check`."""
    assert step.verify is not None
    return f"{step.verify.require or 'signed'} and valid by {step.verify.trust.name}"


def run(passing: Passing, step: Step, around: Around) -> Passing:
    """Raises HoldObject, TransformError."""
    assert step.verify is not None
    judgement = judge(passing.source, passing.syntax, trusted(step.verify), datetime.now(UTC))
    wanted = step.verify.require
    if judgement.state is State.UNSIGNED or (
        wanted and judgement.state is State.VALID and not any(wanted in each.profiles for each in judgement.verdicts)
    ):
        raise HoldObject("signature-missing", f"no {wanted or 'digital'} signature")
    if judgement.state is not State.VALID:
        worst = next(each for each in judgement.verdicts if each.state is judgement.state)
        where = f"of {worst.path}" if worst.path else "at the top"
        raise HoldObject(f"signature-{judgement.state}", f"signature {worst.number} {where}: {worst.reason}")
    found = len(judgement.verdicts)
    said = f"{found} signatures, all right and trusted" if around.trace else None
    return replace(passing, done=(*passing.done, f"signatures-valid:{found}"), told=said)


def trusted(block: Verification) -> Trust:
    """Whom to believe, read anew where a file was changed. Raises GatewayError."""
    files = (block.trust, block.chain, block.crl)
    return _read(files, tuple(file.stat().st_mtime_ns if file is not None and file.exists() else 0 for file in files))


@lru_cache(maxsize=16)
def _read(files: tuple[Path, Path | None, Path | None], _changed: tuple[int, ...]) -> Trust:
    trust, chain, crl = files
    return Trust(
        tuple(read_certificates(trust)),
        tuple(read_certificates(chain)) if chain is not None else (),
        tuple(read_crls(crl)) if crl is not None else (),
    )
