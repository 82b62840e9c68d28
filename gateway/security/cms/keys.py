"""Certificates and private keys of recipients and signers, out of PEM files, PKCS #12 files and PKCS #11 tokens.

Rules of this file
* A key is named by a path (PEM or PKCS #12, told apart by their bytes) or by a PKCS #11 URI (RFC 7512).
* Errors name the file, never a part of a key or of a password.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from gateway.errors import GatewayError
from gateway.security.cms.hsm import SCHEME, EcKey, RsaKey, open_key
from gateway.security.cms.recipients import Holder
from gateway.security.credentials import spki
from gateway.security.signed import Key, Signer

_MOST = 1 << 20  # bytes of a file of keys


class _Found(NamedTuple):
    key: Key | RsaKey | EcKey
    chain: tuple[x509.Certificate, ...]  # of the file itself: PKCS #12 has it, PEM may


def read_holder(key: str | Path, certificate: Path | None = None, password: bytes | None = None) -> Holder:
    """Who opens. Without a certificate, in its own file or beside, every recipient of a message is tried.

    Raises GatewayError (key-unusable).
    """
    found = _read(key, password)
    chain = read_certificates(certificate) if certificate is not None else found.chain
    own = [each for each in chain if spki(each.public_key()) == spki(found.key.public_key())]
    if chain and not own:
        raise GatewayError("key-unusable", f"{_named(key)}: the key is not that of the certificate")
    return Holder(found.key, own[0] if own else None)


def read_signer(key: str | Path, certificate: Path | None = None, password: bytes | None = None) -> Signer:
    """Who signs: the certificate chain, the signer's own first. Raises GatewayError (key-unusable)."""
    found = _read(key, password)
    chain = tuple(read_certificates(certificate)) if certificate is not None else found.chain
    own = [each for each in chain if spki(each.public_key()) == spki(found.key.public_key())]
    if not own:
        raise GatewayError("key-unusable", f"{_named(key)}: the key's certificate is missing")
    return Signer((own[0], *(each for each in chain if each != own[0])), found.key)


def read_certificates(path: Path) -> list[x509.Certificate]:
    """The certificates of a PEM or DER file, in its order. Raises GatewayError (certificate-unreadable)."""
    data = _bytes(path, "certificate-unreadable")
    try:
        if b"-----BEGIN" in data:
            return x509.load_pem_x509_certificates(data)
        return [x509.load_der_x509_certificate(data)]
    except ValueError:
        raise GatewayError("certificate-unreadable", f"{path}: no certificate (PEM, DER) that can be read") from None


def _read(name: str | Path, password: bytes | None) -> _Found:
    if str(name).startswith(SCHEME):
        return _Found(*open_key(str(name), password))
    data = _bytes(Path(name), "key-unusable")
    if b"-----BEGIN" in data:
        return _pem(name, data, password)
    try:
        key, leaf, others = pkcs12.load_key_and_certificates(data, password)
    except ValueError:
        raise GatewayError("key-unusable", f"{name}: no key (PEM, PKCS #12) that opens with this password") from None
    chain = (*((leaf,) if leaf is not None else ()), *others)
    return _Found(_usable(name, key), chain)


def _pem(name: str | Path, data: bytes, password: bytes | None) -> _Found:
    try:
        key = serialization.load_pem_private_key(data, password)
    except TypeError:  # cryptography's word for a password that is missing, or not needed
        why = "is encrypted: its password is needed" if password is None else "is not encrypted and takes no password"
        raise GatewayError("key-unusable", f"{name}: the key {why}") from None
    except Exception:  # the parser's classes for what it does not know are many
        raise GatewayError("key-unusable", f"{name}: no private key (PEM) that opens with this password") from None
    try:
        chain = tuple(x509.load_pem_x509_certificates(data)) if b"BEGIN CERTIFICATE" in data else ()
    except ValueError:
        chain = ()
    return _Found(_usable(name, key), chain)


def _usable(name: str | Path, key: object) -> Key:
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise GatewayError("key-unusable", f"{name}: the key is neither RSA nor EC")
    return key


def _bytes(path: Path, reason: str) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_MOST + 1)
    except OSError as error:
        raise GatewayError(reason, f"{path}: {(error.strerror or 'cannot be read').lower()}") from None
    if len(data) > _MOST:
        raise GatewayError(reason, f"{path}: more than {_MOST} bytes")
    return data


def _named(name: str | Path) -> str:
    """A key's name without the parts of a PKCS #11 URI that may hold a PIN."""
    return str(name).partition("?")[0]
