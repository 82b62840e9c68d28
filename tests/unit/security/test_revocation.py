"""Revocation lists: what came with a signature is the signer's to choose, and is refused by our own word."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from pki import Pki

from gateway.security.revocation import read_crls, verify_not_revoked
from gateway.security.signed import NotSigned


def test_a_damaged_certificate_beside_the_signer_is_refused(tmp_path: Path) -> None:
    pki = Pki(tmp_path)
    leaf, anchors = pki.issue("signer", pki.ca).certificate, [pki.ca.certificate]
    crls, now = read_crls(pki.crl("good")), datetime.now(UTC)
    verify_not_revoked(leaf, [leaf], anchors, crls, None, now)
    whole = pki.other.certificate.public_bytes(serialization.Encoding.DER)
    at = whole.index(bytes.fromhex("0603551d13"))  # basic constraints: their value is read only when somebody asks
    inner = whole.index(b"\x04", at + 5) + 2
    damaged = x509.load_der_x509_certificate(whole[:inner] + b"\x05" + whole[inner + 1 :])
    with pytest.raises(NotSigned, match="revocation"):
        verify_not_revoked(leaf, [damaged], anchors, crls, None, now)
