"""Subjects out of hostile certificates, and which AE titles they may use."""

from __future__ import annotations

import hashlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.schema import CertificateAe
from gateway.security.identity import fingerprint_of, permitted, subject_of

MAP = (CertificateAe(subject="CN=ct1,O=Hospital", ae=("CT1", "CT1B")), CertificateAe(subject="CN=mr", ae=("MR",)))


def test_without_a_map_any_may_and_with_one_only_the_pairs() -> None:
    assert permitted((), "", "ANY") and permitted((), "CN=x", "ANY")
    for subject in ("CN=ct1,O=Hospital", "CN=mr", "CN=ct1, O=Hospital", "cn=mr", "", "CN=other"):
        for ae in ("CT1", "CT1B", "MR", "mr", "", "OTHER"):
            want = (subject, ae) in {("CN=ct1,O=Hospital", "CT1"), ("CN=ct1,O=Hospital", "CT1B"), ("CN=mr", "MR")}
            assert permitted(MAP, subject, ae) is want


def test_plaintext_is_never_in_a_map() -> None:
    assert not permitted((CertificateAe(subject="", ae=("CT1",)),), "", "CT1")


def test_subject_as_rfc_4514(site) -> None:
    names = [(NameOID.ORGANIZATION_NAME, "A, B + C"), (NameOID.COMMON_NAME, 'x"=y\\<z>;#')]
    subject = x509.Name([x509.NameAttribute(oid, value) for oid, value in names])
    issued = site.issue("rfc4514", site.ca, subject=subject)
    text = subject_of(issued.certificate.public_bytes(Encoding.DER))
    assert text == 'CN=x\\"=y\\\\\\<z\\>\\;#,O=A\\, B \\+ C'
    assert x509.Name.from_rfc4514_string(text) == subject


def test_an_empty_subject_is_not_plaintext(site) -> None:
    der = site.issue("nameless", site.ca, subject=x509.Name([])).certificate.public_bytes(Encoding.DER)
    assert subject_of(der) == f"certificate without subject {fingerprint_of(der)}"


@given(st.binary(max_size=300))
def test_what_is_no_certificate_has_a_name_that_grants_nothing(der: bytes) -> None:
    assert subject_of(der) == f"unreadable certificate {hashlib.sha256(der).hexdigest()}"
    assert not permitted(MAP, subject_of(der), "CT1")


@pytest.mark.parametrize("place", range(0, 400, 7))
def test_a_flipped_byte_never_raises(site, place: int) -> None:
    der = bytearray(site.parties["good"].certificate.public_bytes(Encoding.DER))
    der[place % len(der)] ^= 0x55
    assert subject_of(bytes(der))
