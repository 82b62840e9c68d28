"""What the tests of patients share: objects of a patient, blocks of a rule file, an officer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.config.schema import Deidentify
from gateway.patients.lookup import Patients, store
from tests.unit.deidentify.building import KEY, Elements, encode, image
from tests.unit.security.pki import name_of
from transforms.dataset.syntax import EXPLICIT_LE
from transforms.deidentify.engine import Context
from transforms.source import BytesSource


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def block(patients: dict[str, Any] | None = None, **more: Any) -> Deidentify:
    """A `deidentify` block."""
    return Deidentify.model_validate({"key": "env:KEY", "patients": patients or {}, **more})


def patients(state: Path, wanted: Deidentify, clock: Clock | None = None, key: bytes = KEY) -> Patients:
    """As a worker has them after its start."""
    return Patients(wanted, Context(key, "trial42"), store(state), clock or Clock())


def ask(found: Patients, patient_id: str, issuer: str = "", *, study: str = "", default: str = "") -> str:
    """The pseudonym of an object of this patient; `default`: the issuer of its listener.

    Without `study` each patient has one of his own.
    """
    uid = study or f"1.2.3.{int.from_bytes(f'{patient_id} {issuer}'.encode()[:20], 'big')}"
    extra: Elements = {0x00100020: ("LO", patient_id.encode()), 0x0020000D: ("UI", uid.encode())}
    if issuer:
        extra[0x00100021] = ("LO", issuer.encode())
    return found.pseudonym(BytesSource(encode(image(extra), True)), EXPLICIT_LE, default).text


class Officer(NamedTuple):
    """Who may go back."""

    certificate: Path
    key: Path


def officer(folder: Path, name: str = "officer", bits: int = 2048) -> Officer:
    """A certificate and its key, self-signed."""
    key = rsa.generate_private_key(65537, bits)
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name_of(name)).issuer_name(name_of(name))
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    found = Officer(folder / f"{name}.pem", folder / f"{name}.key")
    found.certificate.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    found.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    found.key.chmod(0o600)
    return found
