"""Encrypted Attributes (PS3.15 E.1.1): sealed for officers when an object is de-identified, and opened by one of them.

Rules of this file
* RSA key transport and AES-256 (E.1.1), several recipients in one item. An expired certificate, or one that may not
  receive, is refused when the rule file is loaded, and holds an object where it has ended since.
* The same object gets the same bytes again: key, IV and padding come from the project's key and what is encrypted. A
  destination that is asked twice must not see two versions of one SOP Instance.
* Only what is encrypted is put in, and who may open it by key identifier: the name of a certificate's issuer could be
  that of the hospital. Where a certificate has no identifier, the egress check, which follows, sees the name.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.errors import GatewayError, HoldObject
from gateway.security.cms.algorithms import Algorithms
from gateway.security.cms.errors import NotOpened, NotWritten
from gateway.security.cms.keys import read_certificates
from gateway.security.cms.reading import open_envelope
from gateway.security.cms.recipients import Holder, fault
from gateway.security.cms.writing import envelope
from transforms.dataset import convert
from transforms.deidentify import reidentify
from transforms.deidentify.context import Context
from transforms.errors import TransformError
from transforms.source import ByteSource, EditPlan

_HOW = Algorithms("aes-256-cbc")


class Back(NamedTuple):
    """An object as it was, as far as its encrypted attributes tell."""

    source: ByteSource
    syntax: str
    guarded: bool  # a MAC told that nothing of it was changed


def problems(file: Path, now: datetime) -> list[str]:
    """What stops a certificate from being a recipient, for `check`."""
    try:
        found = read_certificates(file)
    except GatewayError as error:
        return [error.detail]
    if len(found) != 1:
        return [f"{file}: there are {len(found)} certificates; one recipient is one file"]
    why = fault(found[0], now)
    if not why and not isinstance(found[0].public_key(), rsa.RSAPublicKey):
        why = "its key is not RSA, which PS3.15 E.1.1 asks for"
    return [f"{file}: {why}"] if why else []


def read_recipients(files: Sequence[Path]) -> tuple[x509.Certificate, ...]:
    """The certificates of these files. Raises GatewayError (recipient-unusable) with everything that is wrong."""
    now = datetime.now(UTC)
    if found := [problem for file in files for problem in problems(file, now)]:
        raise GatewayError("recipient-unusable", "; ".join(found))
    return tuple(read_certificates(file)[0] for file in files)


def seal(
    original: ByteSource, output: ByteSource, uid: str, to: Sequence[x509.Certificate], context: Context
) -> tuple[EditPlan, str]:
    """(the output with its encrypted attributes, the step in words). Raises HoldObject, TransformError."""
    found = reidentify.protected(original, output, uid)
    ids = b"".join(each.public_bytes(serialization.Encoding.DER) for each in to)
    random = context.stream("encrypted-attributes", ids, found.data)
    try:
        content = envelope(found.data, to, _HOW, datetime.now(UTC), nameless=True, random=random)
    except NotWritten as error:
        raise HoldObject("recipient-unusable", error.detail) from error
    told = f"encrypted-attributes:{found.attributes}:without:{found.left_out}"
    return reidentify.sealed(output, uid, [content]), told


def reidentified(source: ByteSource, uid: str, by: Holder) -> Back:
    """The object with the attributes of the first item that `by` opens put back.

    Raises NotOpened (cms-not-for-us, cms-damaged ...), TransformError (encrypted-attributes-*).
    """
    source, uid = convert.explicit(source, uid)
    fault = NotOpened("cms-not-for-us", "none of its encrypted attributes are for this key")
    for number, item in enumerate(reidentify.items_of(source, uid)):
        try:
            plain = open_envelope(_unpadded(item.content), [by], partial(_right, item.syntax))
        except NotOpened as error:
            if fault.reason == "cms-not-for-us":
                fault = error
            continue
        attributes, guarded = reidentify.decoded(plain, item.syntax)
        return Back(reidentify.restored(source, uid, attributes, number), uid, guarded)
    raise fault


def _right(syntax: str, plain: bytes) -> bool:
    """Whether a key has opened it: another gives bytes that are no data set. One that was changed is told later."""
    try:
        reidentify.decoded(plain, syntax)
    except TransformError as error:
        return error.reason == "encrypted-attributes-changed"
    return True


def _unpadded(content: bytes) -> bytes:
    """Without the byte that made its length even: the DER value says where it ends."""
    if len(content) < 2 or not content[1] & 0x80:
        return content[: 2 + content[1]] if len(content) > 1 else content
    size = content[1] & 0x7F
    return content[: 2 + size + int.from_bytes(content[2 : 2 + size], "big")] if size else content
