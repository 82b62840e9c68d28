"""Files of who may sign and who is believed: a certificate chain with its key, and anchors. For signed.py.

Problems are sentences for people that name the file; they never hold a part of a key. Reading and judging only: what
is signed is signed.py's.
"""

from __future__ import annotations

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.config.schema import KeyPair
from gateway.errors import GatewayError
from gateway.security.credentials import Clock, certificates_of, private_key_of, spki, utcnow, validity_faults
from gateway.security.signed import HASHES, Signer, key_fault, usage_fault


def read_signer(pair: KeyPair, clock: Clock = utcnow) -> Signer:
    """Who signs. Raises GatewayError (signer-unusable) with everything that is wrong with the two files."""
    signer, found = _examined(pair, clock)
    if signer is None or found:
        raise GatewayError("signer-unusable", "; ".join(found))
    return signer


def problems(pair: KeyPair, clock: Clock = utcnow, *, rsa_only: bool = False) -> list[str]:
    """What stops this certificate and key from signing, for `check`. `rsa_only`: as PS3.15 Annex C asks for."""
    signer, found = _examined(pair, clock)
    if rsa_only and signer is not None and not isinstance(signer.key.public_key(), rsa.RSAPublicKey):
        found.append(f"{pair.key}: the key is not RSA, which every signature profile of PS3.15 Annex C asks for")
    return found


def read_anchors(file: Path) -> list[x509.Certificate]:
    """The certificates that are trusted. Raises GatewayError (trust-unreadable)."""
    found: list[str] = []
    anchors = certificates_of(file, found)
    if not anchors:
        raise GatewayError("trust-unreadable", "; ".join(found))
    return anchors


def _examined(pair: KeyPair, clock: Clock) -> tuple[Signer | None, list[str]]:
    found: list[str] = []
    chain = certificates_of(pair.certificate, found)
    key = private_key_of(pair.key, found)
    if not chain or key is None:
        return None, found
    leaf = chain[0]
    public = key.public_key()
    if spki(leaf.public_key()) != spki(public):
        found.append(f"{pair.key}: key does not match certificate {pair.certificate}")
    faults = [*validity_faults(leaf, clock()), key_fault(public), usage_fault(leaf)]
    algorithm = leaf.signature_hash_algorithm
    if algorithm is None or algorithm.name not in HASHES:
        faults.append(f"signed with {algorithm.name if algorithm else 'no known hash'}; SHA-256 or better is needed")
    found += [f"{pair.certificate}: {fault}" for fault in faults if fault]
    return Signer(tuple(chain), key), found
