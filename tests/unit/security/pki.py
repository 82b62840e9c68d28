"""Certificates of every quality, made on demand: what a test site has, and what must be refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.config.schema import KeyPair

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
EKU = {
    "server": ExtendedKeyUsageOID.SERVER_AUTH,
    "client": ExtendedKeyUsageOID.CLIENT_AUTH,
    "email": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "documents": x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36"),
    "code": ExtendedKeyUsageOID.CODE_SIGNING,
    "stamp": ExtendedKeyUsageOID.TIME_STAMPING,
}


@dataclass(frozen=True)
class Issued:
    name: str
    pair: KeyPair
    certificate: x509.Certificate
    key: Any


def new_key(kind: str) -> Any:
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65537, int(kind[3:]))
    curves: dict[str, ec.EllipticCurve] = {
        "p256": ec.SECP256R1(),
        "p384": ec.SECP384R1(),
        "p521": ec.SECP521R1(),
        "p192": ec.SECP192R1(),
        "p224": ec.SECP224R1(),
    }
    return ec.generate_private_key(curves[kind])


USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


def key_usage(*allowed: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{name: name in allowed for name in USAGES})


def name_of(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Pki:
    """One folder; `ca`, `other` are authorities, `issue` makes parties."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca = self.issue("ca", None, ca=True)
        self.other = self.issue("other", None, ca=True)
        self.ca_file = self.ca.pair.certificate

    def issue(
        self,
        name: str,
        issuer: Issued | None,
        *,
        kind: str = "p256",
        eku: tuple[str, ...] = ("server", "client"),
        begin: timedelta = -DAY,
        end: timedelta = DAY,
        digest: hashes.HashAlgorithm | None = None,
        hosts: tuple[str, ...] = ("localhost", "127.0.0.1"),
        ca: bool = False,
        chain: tuple[Issued, ...] = (),
        password: bytes | None = None,
        subject: x509.Name | None = None,
        usage: tuple[str, ...] = (),
        key_id: bool = False,
    ) -> Issued:
        """`issuer` None: self-signed. `chain` follows the certificate in its file."""
        key = new_key(kind)
        who = name_of(name) if subject is None else subject
        builder = (
            x509.CertificateBuilder()
            .subject_name(who)
            .issuer_name(issuer.certificate.subject if issuer else who)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW + begin)
            .not_valid_after(NOW + end)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if key_id:
            builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        if usage:
            builder = builder.add_extension(key_usage(*usage), critical=True)
        if not ca:
            names: list[x509.GeneralName] = []
            for host in hosts:
                try:
                    names.append(x509.IPAddress(ip_address(host)))
                except ValueError:
                    names.append(x509.DNSName(host))
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
            if eku:
                builder = builder.add_extension(x509.ExtendedKeyUsage([EKU[each] for each in eku]), critical=False)
        certificate = builder.sign(issuer.key if issuer else key, digest or hashes.SHA256())
        pem = self.folder / f"{name}.pem"
        secret = self.folder / f"{name}.key"
        pem.write_bytes(b"".join(_pem(each) for each in (certificate, *(link.certificate for link in chain))))
        protection = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
        secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection))
        secret.chmod(0o600)
        return Issued(name, KeyPair(certificate=pem, key=secret), certificate, key)

    def crl(self, name: str, *revoked: Issued, issuer: Issued | None = None, until: timedelta = DAY) -> Path:
        by = issuer or self.ca
        builder = x509.CertificateRevocationListBuilder().issuer_name(by.certificate.subject)
        builder = builder.last_update(NOW - 2 * DAY).next_update(NOW + until)
        for each in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(each.certificate.serial_number)
            builder = builder.add_revoked_certificate(entry.revocation_date(NOW - DAY).build())
        file = self.folder / f"{name}.crl"
        file.write_bytes(builder.sign(by.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        return file


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
