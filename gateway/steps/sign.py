"""Sign an object on its way out (PS3.15 Annex C).

* The same object gets the same signature again: its time is when the object came in, its UID is made from what came in.
  A destination that is asked twice must not see two versions of one SOP Instance; so there is no certified time here.
* Creator RSA only where a step before has made a new instance of it.
* What is signed after a de-identification passes the egress check with the signer's certificate in it.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Final

from gateway.config.schema import HeldKey, Step
from gateway.config.signatures import Signing
from gateway.errors import GatewayError, HoldObject, WaitObject
from gateway.security.signatures.making import Wish
from gateway.security.signatures.making import sign as signed
from gateway.security.signed import Signer
from gateway.security.signers import read_signer
from gateway.steps import checking
from gateway.steps.contract import Around, Passing
from transforms.deidentify.context import replacement

_TOKEN: Final = frozenset({"token-unusable", "token-failed"})


def told(step: Step) -> str:
    """On the line of `check`."""
    assert step.sign is not None
    return f"signed ({step.sign.profile}) by {step.sign.certificate.name}"


def run(passing: Passing, step: Step, around: Around) -> Passing:
    """Raises HoldObject, TransformError."""
    assert step.sign is not None
    how, instance = step.sign, around.instance
    received = datetime.fromtimestamp(instance.received, UTC) if instance else datetime.now(UTC)
    what = instance.stored.sha256 if instance else ""
    made_here = instance is None or passing.identity.sop_instance != instance.identity.sop_instance
    wish = Wish(how.profile, how.mac, how.purpose, made_here)
    try:
        by = signer(how)
        name = hashlib.sha256(b"\0".join((what.encode(), how.profile.encode(), by.chain[0].tbs_certificate_bytes)))
        source, uid = signed(
            passing.source, passing.syntax, by, wish, now=received, signature_uid=replacement(name.digest())
        )
    except GatewayError as error:
        if isinstance(how.key, str) and error.reason in _TOKEN:  # it may be back soon
            raise WaitObject("token-failed", error.detail) from error
        raise HoldObject(error.reason, error.detail) from error
    checking.data_set(passing, around, source, passing.identity.sop_instance, uid)
    said = f"signed by the {how.profile} profile" if around.trace else None
    return replace(passing, source=source, syntax=uid, done=(*passing.done, f"signed:{how.profile}"), told=said)


def signer(block: Signing) -> Signer:
    """Who signs, read anew where a file was changed. Raises GatewayError (signer-unusable)."""
    if isinstance(block.key, str):  # hsm.py keeps it open, while it works
        return read_signer(block)
    files = (block.certificate, block.key)
    return _read(*files, tuple(file.stat().st_mtime_ns if file.exists() else 0 for file in files))


@lru_cache(maxsize=16)
def _read(certificate: Path, key: Path, _changed: tuple[int, ...]) -> Signer:
    return read_signer(HeldKey(certificate=certificate, key=key))
