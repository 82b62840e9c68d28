"""Certificates, keys, anchors and revocation lists as files: read once, every problem told, nothing half usable.

Rules of this file
* Problems are sentences for people that name the file. They never hold a part of a key.
* Strength is PS3.15 B.13's (RSA 2048, EC 256, SHA-256 or better), asked of B.12 too. Expired is a problem.
* A key that is encrypted is refused: nobody is there to type its password, and OpenSSL would ask the terminal.
* So is a key that others may read. Root's, that one group may read and nobody write, is not: Debian's ssl-cert, and the
  secrets of Kubernetes, give a key to the one account that is in the group.
* A revocation list is read by itself: OpenSSL would trust a certificate that somebody put into that file.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from gateway.config.schema import HeldKey, KeyPair
from gateway.errors import GatewayError
from profiles.tls import TlsProfile

_LABEL = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----")
_EKU = {
    True: (ExtendedKeyUsageOID.SERVER_AUTH, "serverAuth"),
    False: (ExtendedKeyUsageOID.CLIENT_AUTH, "clientAuth"),
}

Clock = Callable[[], datetime]


def utcnow() -> datetime:
    """The clock that validity is judged by, unless a test gives another."""
    return datetime.now(UTC)


def pair_problems(pair: KeyPair, profile: TlsProfile, *, server: bool, clock: Clock = utcnow) -> list[str]:
    """What is wrong with a certificate chain and its key; `server`: whether it will answer or call."""
    problems: list[str] = []
    chain = certificates_of(pair.certificate, problems)
    key = private_key_of(pair.key, problems)
    if not chain:
        return problems
    leaf = chain[0]
    if key is not None and spki(leaf.public_key()) != spki(key.public_key()):
        problems.append(f"{pair.key}: key does not match certificate {pair.certificate}")
    for place, certificate in enumerate(chain):
        which = f"{pair.certificate}" if len(chain) == 1 else f"{pair.certificate} (certificate {place + 1})"
        problems += [f"{which}: {text}" for text in certificate_problems(certificate, profile, clock=clock)]
    usage, name = _EKU[server]
    if not _allows(leaf, usage):
        problems.append(f"{pair.certificate}: its extended key usage does not allow {name}")
    return problems


def open_to_others(key: Path | str) -> str:
    """That others may read a private key, and what to do about it; "" where nobody may, or it is on a token."""
    if isinstance(key, str):
        return ""
    try:
        found = key.stat()
    except OSError:
        return ""  # who reads it says so
    mode = found.st_mode & 0o777
    if not mode & 0o077 or (mode & 0o077 == 0o040 and found.st_uid == 0):
        return ""
    return f"{key}: mode {mode:04o} lets others read the key: chmod 600 it, or make it root's, 0640, of our group"


def require_closed(pair: KeyPair | HeldKey) -> None:
    """Raises GatewayError (key-unusable) where others may read the key."""
    if fault := open_to_others(pair.key):
        raise GatewayError("key-unusable", fault)


def trust_problems(file: Path, profile: TlsProfile, *, clock: Clock = utcnow) -> list[str]:
    """What is wrong with a file of trust anchors. An ended one among valid ones is harmless: OpenSSL skips it."""
    problems: list[str] = []
    anchors = certificates_of(file, problems)
    for place, anchor in enumerate(anchors):
        problems += [f"{file} (certificate {place + 1}): {text}" for text in _weak_key(anchor, profile)]
    if anchors and all(validity_faults(anchor, clock()) for anchor in anchors):
        problems.append(f"{file}: no certificate in it is valid now ({validity_faults(anchors[0], clock())[0]})")
    return problems


def crl_problems(file: Path, *, clock: Clock = utcnow) -> list[str]:
    """What is wrong with a file of revocation lists. An outdated one is: it would refuse every peer."""
    problems: list[str] = []
    data = _read(file, problems)
    if data is None:
        return problems
    labels = {label.decode() for label in _LABEL.findall(data)}
    if labels != {"X509 CRL"}:
        found = ", ".join(sorted(labels - {"X509 CRL"})) or "nothing"
        return [f"{file}: expected only X509 CRL blocks (PEM), found {found}"]
    for block in data.split(b"-----BEGIN X509 CRL-----")[1:]:
        try:
            crl = x509.load_pem_x509_crl(b"-----BEGIN X509 CRL-----" + block)
            until = crl.next_update_utc
        except ValueError:
            problems.append(f"{file}: a revocation list that cannot be read")
            continue
        if until is not None and until < clock():
            problems.append(f"{file}: revocation list is outdated since {until:%Y-%m-%d %H:%M} UTC")
    return problems


def certificate_problems(certificate: x509.Certificate, profile: TlsProfile, *, clock: Clock = utcnow) -> list[str]:
    """Validity and strength of one certificate that we show to peers."""
    problems = validity_faults(certificate, clock()) + _weak_key(certificate, profile)
    algorithm = certificate.signature_hash_algorithm
    if algorithm is None or algorithm.name not in profile.hashes:
        problems.append(f"signed with {algorithm.name if algorithm else 'no known hash'}; SHA-256 or better is needed")
    return problems


def validity_faults(certificate: x509.Certificate, now: datetime) -> list[str]:
    """Why a certificate is not valid at a moment."""
    if certificate.not_valid_after_utc < now:
        return [f"expired on {certificate.not_valid_after_utc:%Y-%m-%d}"]
    if certificate.not_valid_before_utc > now:
        return [f"not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"]
    return []


def _weak_key(certificate: x509.Certificate, profile: TlsProfile) -> list[str]:
    try:
        key = certificate.public_key()
    except Exception:  # the parser's classes for unknown algorithms and curves are many
        return ["its kind of public key is not known"]
    if isinstance(key, rsa.RSAPublicKey):
        least, kind = profile.rsa_bits, "RSA"
    elif isinstance(key, ec.EllipticCurvePublicKey):
        least, kind = profile.ec_bits, "EC"
    else:
        return ["its public key is neither RSA nor EC"]
    if key.key_size < least:
        return [f"{kind} key of {key.key_size} bits; at least {least} are needed"]
    return []


def _read(file: Path, problems: list[str]) -> bytes | None:
    try:
        return file.read_bytes()
    except OSError as error:
        problems.append(f"{file}: {(error.strerror or 'cannot be read').lower()}")
        return None


def certificates_of(file: Path, problems: list[str]) -> list[x509.Certificate]:
    """The certificates of a PEM file; what is wrong with it goes into `problems`."""
    data = _read(file, problems)
    if data is None:
        return []
    try:
        found = x509.load_pem_x509_certificates(data)
    except ValueError:
        problems.append(f"{file}: no certificate (PEM) that can be read")
        return []
    return found


def private_key_of(file: Path, problems: list[str]) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | None:
    """The private key of a PEM file, or None and a problem."""
    data = _read(file, problems)
    if data is None:
        return None
    if b"ENCRYPTED" in data:  # both PKCS #8 ("ENCRYPTED PRIVATE KEY") and the older "Proc-Type: 4,ENCRYPTED"
        problems.append(f"{file}: the key is encrypted; the gateway starts unattended and needs it without a password")
        return None
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except Exception:
        problems.append(f"{file}: no private key (PEM) that can be read")
        return None
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        problems.append(f"{file}: the key is neither RSA nor EC")
        return None
    if fault := open_to_others(file):
        problems.append(fault)
    return key


def spki(key: object) -> bytes:
    """A public key as DER, to compare two."""
    assert hasattr(key, "public_bytes")
    spki: bytes = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return spki


def _allows(certificate: x509.Certificate, usage: x509.ObjectIdentifier) -> bool:
    """RFC 5280 4.2.1.12: no extension allows everything."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        return True
    except ValueError:
        return False
    return usage in extension.value or ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in extension.value
