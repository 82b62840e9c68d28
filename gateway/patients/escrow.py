"""The escrow table: who is who, encrypted to one officer's certificate and appended to a file. We cannot read it.

    -----BEGIN PKCS7-----      one block a patient: CMS EnvelopedData (RFC 5652 6), AES-256-CBC under an RSA key,
    ...                        holding one CSV line: issuer,patient_id,project,pseudonym,sum
    -----END PKCS7-----

Rules of this file
* A row is on disk (fsync) before its object may leave; what cannot be written holds the object.
* The file is locked while it is appended to, so that processes do not mix their blocks. What a crash has left of a
  block at its end is cut off first: its object has not left.
* A row is written once a patient, pseudonym and officer; `given.py` remembers which. A crash between file and memory
  writes a row twice, which says nothing new.
* AES-CBC does not notice damage, so a row ends with a sum of itself. That is no signature: who can write the file can
  add to it. It is 0600.

Reasons: escrow-failed. `open_table` is the officer's side.
"""

from __future__ import annotations

import csv
import fcntl
import hashlib
import os
from io import StringIO
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.serialization import pkcs7

from gateway.errors import GatewayError, HoldObject
from gateway.patients.given import Given
from transforms.deidentify.patient import Patient

COLUMNS = ("issuer", "patient_id", "project", "pseudonym")
RSA_BITS = 2048  # PS3.15 B.13's least; BCP 195
MAX_BYTES = 1 << 30  # of a table that `open_table` takes
_BEGIN, _END = b"-----BEGIN PKCS7-----\n", b"-----END PKCS7-----\n"


class Row(NamedTuple):
    """One line of the table, as the officer sees it."""

    issuer: str
    patient_id: str
    project: str
    pseudonym: str


def officer(file: Path) -> x509.Certificate:
    """The certificate that rows are encrypted to. Raises GatewayError, naming only the file."""
    try:
        found = x509.load_pem_x509_certificates(file.read_bytes())
    except OSError as error:
        raise GatewayError("escrow-certificate", f"{file}: {os.strerror(error.errno or 5)}") from None
    except ValueError:
        raise GatewayError("escrow-certificate", f"{file}: no certificate (PEM) that can be read") from None
    if len(found) != 1:
        raise GatewayError("escrow-certificate", f"{file}: there are {len(found)} certificates, one is the officer's")
    try:
        key = found[0].public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise GatewayError("escrow-certificate", f"{file}: its kind of public key is not known") from None
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < RSA_BITS:
        raise GatewayError("escrow-certificate", f"{file}: the officer's key is RSA of {RSA_BITS} bits or more")
    return found[0]


class Escrow:
    """One configured table. Safe to use from many threads and processes. Raises GatewayError where it is made."""

    def __init__(self, to: Path, file: Path, given: Given) -> None:
        self._certificate = officer(to)
        self._file = file
        self._given = given
        der = self._certificate.public_bytes(serialization.Encoding.DER)
        self._officer = hashlib.sha256(der + b"\0" + os.fsencode(file)).hexdigest()

    def put(self, domain: str, who: str, patient: Patient, project: str, pseudonym: str) -> None:
        """See that the table has this row. Raises HoldObject where it cannot be written, WaitObject."""
        if self._given.escrowed(self._officer, domain, who, pseudonym):
            return
        row = Row(_text(patient.issuer), _text(patient.patient_id), project, pseudonym)
        try:
            block = sealed(self._certificate, row)
            self._append(block)
        except OSError as error:
            raise HoldObject("escrow-failed", os.strerror(error.errno or 5)) from None
        except ValueError:  # of the library: its words may quote what it was given
            raise HoldObject("escrow-failed", "the row cannot be encrypted") from None
        self._given.set_escrowed(self._officer, domain, who, pseudonym)

    def _append(self, block: bytes) -> None:
        fresh = not self._file.exists()
        flags = os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self._file, flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            end = _whole(descriptor)
            os.ftruncate(descriptor, end)
            at = end
            while at < end + len(block):
                at += os.pwrite(descriptor, block[at - end :], at)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if fresh:
            folder = os.open(self._file.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def sealed(certificate: x509.Certificate, row: Row) -> bytes:
    """One block: the row's CSV line, for the officer's eyes only."""
    line = StringIO()
    csv.writer(line, lineterminator="\n").writerow((*row, _sum(row)))
    builder = pkcs7.PKCS7EnvelopeBuilder().set_data(line.getvalue().encode()).add_recipient(certificate)
    builder = builder.set_content_encryption_algorithm(algorithms.AES256)
    return builder.encrypt(serialization.Encoding.PEM, [pkcs7.PKCS7Options.Binary])


def open_table(data: bytes, certificate: x509.Certificate, key: rsa.RSAPrivateKey) -> tuple[list[Row], int]:
    """The rows of a table, each once, in their order; and how many blocks this key does not open or are damaged."""
    rows: dict[Row, None] = {}
    closed = 0
    for block in data.split(_BEGIN)[1:]:
        body, end, rest = block.partition(_END)
        try:
            if not end or rest.strip():
                raise ValueError
            plain = pkcs7.pkcs7_decrypt_pem(_BEGIN + body + _END, certificate, key, [])
            (cells,) = csv.reader(StringIO(plain.decode(), newline=""), strict=True)
            row = Row(*cells[:-1])
            if cells[-1] != _sum(row):
                raise ValueError
            rows[row] = None
        except (ValueError, TypeError, csv.Error, UnsupportedAlgorithm):
            closed += 1
    if not data.startswith(_BEGIN) and data:
        closed += 1
    return list(rows), closed


def _sum(row: Row) -> str:
    """16 hex digits over a row: tells damage."""
    return hashlib.sha256("\0".join(row).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _whole(descriptor: int) -> int:
    """Where the last whole block ends; 0 where there is none. Raises OSError for a file that is not such a table."""
    size = os.fstat(descriptor).st_size
    if size == 0:
        return 0
    if os.pread(descriptor, len(_BEGIN), 0) != _BEGIN[:size]:
        raise FileExistsError(17, "another kind of file")
    tail = 1 << 16  # a block is far smaller
    start = max(0, size - tail)
    found = os.pread(descriptor, tail, start).rfind(_END)
    if found < 0 and start:
        raise FileExistsError(17, "another kind of file")
    return start + found + len(_END) if found >= 0 else 0


def _text(value: bytes) -> str:
    """An identifier as the officer shall see it; bytes of code extensions are shown as such."""
    return value.decode("utf-8", "backslashreplace")
