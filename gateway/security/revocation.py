"""Whether a signer's certificate was revoked: by lists that a site gives, never by asking the network.

Rules of this file
* With lists, every certificate of the path must have a list that speaks of it; no word is no consent.
* What a signer says of the time does not count here: whoever has a stolen key can say any. Without a certified time
  stamp a certificate that is revoked now never signed anything.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from gateway.errors import GatewayError
from gateway.security.signed import NotSigned

_BLOCK = re.compile(rb"-----BEGIN X509 CRL-----.+?-----END X509 CRL-----", re.DOTALL)


def read_crls(file: Path) -> list[bytes]:
    """The revocation lists of a PEM or DER file, in DER. Raises GatewayError (crl-unreadable)."""
    try:
        data = file.read_bytes()
    except OSError as error:
        why = (error.strerror or "cannot be read").lower()
        raise GatewayError("crl-unreadable", f"{file}: {why}") from None
    try:
        found = [x509.load_pem_x509_crl(block) for block in _BLOCK.findall(data)] or [x509.load_der_x509_crl(data)]
    except ValueError:
        raise GatewayError("crl-unreadable", f"{file}: no revocation list (PEM, DER) that can be read") from None
    return [each.public_bytes(serialization.Encoding.DER) for each in found]


def verify_not_revoked(
    leaf: x509.Certificate,
    others: Sequence[x509.Certificate],
    trust: Sequence[x509.Certificate],
    crls: Sequence[bytes],
    certified: datetime | None,
    now: datetime,
) -> None:
    """`certified`: when it was signed, where a time stamp authority says so.

    Raises NotSigned: cms-revoked, cms-revocation-unknown.
    """
    from asn1crypto import x509 as asn1  # type: ignore[import-untyped]
    from pyhanko_certvalidator import CertificateValidator, ValidationContext
    from pyhanko_certvalidator.errors import RevokedError

    def loaded(certificate: x509.Certificate) -> object:
        return asn1.Certificate.load(certificate.public_bytes(serialization.Encoding.DER))

    try:
        context = ValidationContext(
            trust_roots=[loaded(each) for each in trust],
            other_certs=[loaded(each) for each in others],
            crls=list(crls),
            moment=certified or min(now, leaf.not_valid_after_utc),
            allow_fetching=False,
            revocation_mode="require",
            retroactive_revinfo=True,
        )
        asyncio.run(CertificateValidator(loaded(leaf), validation_context=context).async_validate_path())
    except RevokedError:
        raise NotSigned("cms-revoked", "the signer's certificate, or one above it, was revoked") from None
    except Exception:  # whatever is said of a certificate that came with the signature; it may quote the names in it
        raise NotSigned(
            "cms-revocation-unknown", "no revocation list speaks of every certificate of the path"
        ) from None
