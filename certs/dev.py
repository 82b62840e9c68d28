"""A development PKI: a certificate authority, the parties of a test site, and parties that must be refused.

Rules of this file
* For trials on one machine only; the README it writes says so. Everything ends after 30 days.
* EC P-256 and SHA-256; RSA 2048 where PS3.15 D.1 knows nothing else. Keys are 0600 from their first byte on, the
  folder is 0700.
* A key that is there is never overwritten.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

DAYS = 30
ORGANIZATION = "dicom-gateway development"
HOSTS = ("localhost", "127.0.0.1")

_BOTH = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
_CLIENT = (ExtendedKeyUsageOID.CLIENT_AUTH,)
_SIGNS = (ExtendedKeyUsageOID.EMAIL_PROTECTION, x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36"))  # documents: RFC 9336


class Authority(NamedTuple):
    """A certificate authority of this PKI: `NAME.pem` and `NAME.key`."""

    name: str
    subject: x509.Name
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


class Party(NamedTuple):
    """One line of the table: a certificate to make."""

    name: str
    issuer: str
    usages: tuple[x509.ObjectIdentifier, ...]
    hosts: bool  # named by HOSTS and the caller's names
    expired: bool = False
    rsa: bool = False
    encipherment: bool = False  # keys are encrypted for it; it signs nothing


PARTIES = (
    Party("gateway", "ca", _BOTH, hosts=True),
    Party("archive", "ca", _BOTH, hosts=True),
    Party("modality", "ca", _CLIENT, hosts=False),
    Party("signer", "ca", _SIGNS, hosts=False),
    Party("reader", "ca", _SIGNS[:1], hosts=False, rsa=True, encipherment=True),
    Party("media-signer", "ca", _SIGNS, hosts=False, rsa=True),
    Party("expired", "ca", _CLIENT, hosts=False, expired=True),
    Party("untrusted", "untrusted-ca", _BOTH, hosts=True),
)
AUTHORITIES = ("ca", "untrusted-ca")

README = f"""# Development certificates. Never for production.

Made by `dicom-gateway certs dev`. Anyone who can read this folder can be any party of the test site.
All end after {DAYS} days: delete the folder and make it again.

| file | what |
|---|---|
| ca.pem, ca.key | the certificate authority; `trust: file:ca.pem` |
| gateway, archive | server and client, named localhost and 127.0.0.1 |
| modality | client only |
| signer | signs manifests; no server and no client |
| reader, media-signer | RSA: opens secure media, and signs them; no server and no client |
| expired | client whose certificate has ended: must be refused |
| untrusted-ca, untrusted | another authority and its party: must be refused |
"""


def make(folder: Path, names: Iterable[str] = ()) -> tuple[Path, ...]:
    """Make the PKI in `folder`; `names` are further host names or addresses of the gateway and the archive.

    Returns the files in the order they were written. Before anything is written it raises FileExistsError where one
    of them is there already, and ValueError where a name is none.
    """
    stems = (*AUTHORITIES, *(party.name for party in PARTIES))
    for stem in stems:
        for suffix in (".pem", ".key"):
            if (folder / (stem + suffix)).exists():
                raise FileExistsError(f"{folder / (stem + suffix)} is there already; keys are never overwritten")
    hosts = tuple(dict.fromkeys((*HOSTS, *names)))
    now = datetime.now(UTC).replace(microsecond=0)
    authorities = {name: _authority(name, now) for name in AUTHORITIES}
    made: list[tuple[str, Key, x509.Certificate]] = [(a.name, a.key, a.certificate) for a in authorities.values()]
    for party in PARTIES:
        key = rsa.generate_private_key(65537, 2048) if party.rsa else ec.generate_private_key(ec.SECP256R1())
        made.append((party.name, key, _certify(party, key, authorities[party.issuer], hosts, now)))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    written = [file for name, key, certificate in made for file in _write(folder, name, key, certificate)]
    readme = folder / "README.md"
    readme.write_text(README, encoding="utf-8")
    return (*written, readme)


def _subject(name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANIZATION),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )


def _authority(name: str, now: datetime) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(name)
    certificate = (
        _builder(subject, subject, key, now - timedelta(hours=1), now + timedelta(days=DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Authority(name, subject, key, certificate)


def _certify(party: Party, key: Key, issuer: Authority, hosts: Iterable[str], now: datetime) -> x509.Certificate:
    begin, end = now - timedelta(hours=1), now + timedelta(days=DAYS)
    if party.expired:
        begin, end = now - timedelta(days=2), now - timedelta(days=1)
    builder = (
        _builder(_subject(party.name), issuer.subject, key, begin, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False, encipherment=party.encipherment), critical=True)
        .add_extension(x509.ExtendedKeyUsage(party.usages), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False)
    )
    if party.hosts:
        named = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
        builder = builder.add_extension(named, critical=False)
    return builder.sign(issuer.key, hashes.SHA256())


def _builder(
    subject: x509.Name, issuer: x509.Name, key: Key, begin: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )


def _usage(*, signs_certificates: bool, encipherment: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not encipherment,
        content_commitment=False,
        key_encipherment=encipherment,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write(folder: Path, name: str, key: Key, certificate: x509.Certificate) -> tuple[Path, Path]:
    pem, secret = folder / f"{name}.pem", folder / f"{name}.key"
    _create(
        secret,
        0o600,
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )
    _create(pem, 0o644, certificate.public_bytes(serialization.Encoding.PEM))
    return pem, secret


def _create(file: Path, mode: int, data: bytes) -> None:
    """O_EXCL: a file that appeared meanwhile is not overwritten, a link is not followed."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as out:
        out.write(data)
