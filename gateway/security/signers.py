"""Files of who may sign and who is believed: a certificate chain with its key, and anchors. For signed.py.

Problems are sentences for people that name the file; they never hold a part of a key. Reading and judging only: what
is signed is signed.py's.
"""

from __future__ import annotations

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.config.schema import HeldKey, KeyPair
from gateway.config.secrets import resolve
from gateway.errors import GatewayError
from gateway.security.credentials import Clock, certificates_of, private_key_of, spki, utcnow, validity_faults
from gateway.security.signed import HASHES, Signer, SigningKey, key_fault, usage_fault


def read_signer(pair: KeyPair | HeldKey, clock: Clock = utcnow) -> Signer:
    """Who signs. Raises GatewayError (signer-unusable) with everything that is wrong with the two files.

    And, for a key on a token, what open_key and secrets raise.
    """
    if isinstance(pair, HeldKey) and isinstance(pair.key, str):
        _token_key(pair.key, pair)
    signer, found = _examined(pair, clock)
    if signer is None or found:
        raise GatewayError("signer-unusable", "; ".join(found))
    return signer


def problems(pair: KeyPair | HeldKey, clock: Clock = utcnow, *, rsa_only: bool = False) -> list[str]:
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


def _examined(pair: KeyPair | HeldKey, clock: Clock) -> tuple[Signer | None, list[str]]:
    found: list[str] = []
    chain = certificates_of(pair.certificate, found)
    key = _key_of(pair, found)
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


def pin_of(pair: HeldKey) -> bytes | None:
    """The PIN of a key on a token. Raises GatewayError."""
    return None if pair.pin is None else resolve(pair.pin, least=1)


def _key_of(pair: KeyPair | HeldKey, problems: list[str]) -> SigningKey | None:
    if isinstance(pair.key, Path):
        return private_key_of(pair.key, problems)
    assert isinstance(pair, HeldKey)
    try:
        return _token_key(pair.key, pair)
    except GatewayError as error:
        problems.append(str(error))
        return None


def _token_key(uri: str, pair: HeldKey) -> SigningKey:
    from gateway.security.cms.hsm import open_key  # what the extra `hsm` is for

    return open_key(uri, pin_of(pair))[0]
