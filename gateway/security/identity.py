"""Who a peer is by its certificate, and which calling AE titles it may use.

Rules of this file
* The certificate was verified by TLS before; here it is only read. What cannot be read still gets a name, one that
  no `ae_map` line can hold: an unreadable certificate grants nothing.
* A subject is compared as a whole string (RFC 4514), exactly as `dicom-gateway certs show` prints it.
* The issuer is not part of it: every anchor under `trust` is trusted for every subject.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from cryptography import x509

from gateway.config.schema import CertificateAe


def subject_of(der: bytes) -> str:
    """RFC 4514 subject of a DER certificate. Never empty, so that it is never taken for plaintext."""
    try:
        subject = x509.load_der_x509_certificate(der).subject.rfc4514_string()
    except Exception:  # whatever a hostile certificate makes the parser say, it stays unknown
        return f"unreadable certificate {fingerprint_of(der)}"
    return subject or f"certificate without subject {fingerprint_of(der)}"


def fingerprint_of(der: bytes) -> str:
    """SHA-256 of a DER certificate, 64 hex digits."""
    return hashlib.sha256(der).hexdigest()


def permitted(ae_map: Iterable[CertificateAe], subject: str, calling_ae: str) -> bool:
    """Whether this subject may call as this AE title. Without a map any may; with one only the listed pairs."""
    lines = tuple(ae_map)
    if not lines:
        return True
    return bool(subject) and any(line.subject == subject and calling_ae in line.ae for line in lines)
