"""Secure media: the keys and passwords a user names, as what protects and what opens Secure DICOM Files (PS3.15 D.1).

Rules of this file
* A `-SEC-` profile of PS3.11 is D.1 and nothing beyond it: RSA recipients, or a password; RSA signatures. What else
  the CMS library can do is refused here, before anything is written.
* Who names a CA asks for signers that it vouches for: a file that nobody signed is then refused as well.
* A password file is for its owner alone; one line end after the password is not part of it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.media.errors import MediaError, from_os
from gateway.media.opening import Verdict
from gateway.media.volumes import Overhead
from gateway.security.cms import recipients
from gateway.security.cms.envelopes import Reader
from gateway.security.cms.keys import read_certificates, read_holder, read_signer
from gateway.security.cms.passwords import Password
from gateway.security.cms.reading import read
from gateway.security.cms.writing import Recipient, write
from gateway.security.credentials import validity_faults
from gateway.security.revocation import read_crls, verify_not_revoked
from gateway.security.signed import Signer, usage_fault
from gateway.security.signers import read_anchors
from transforms.source import ByteSource

_ENVELOPE: Final = 4096  # bytes: identifiers, attributes, lengths, padding, one signature of up to 8192 bits
_RECIPIENT: Final = 2048  # bytes: its issuer's name, the wrapped key


class CmsProtection:
    """Encrypts for these recipients, and signs where a signer is given; else the content has a digest (D.1.2)."""

    def __init__(self, to: Sequence[Recipient], signer: Signer | None) -> None:
        self.to = tuple(to)
        self.signer = signer
        chain = signer.chain if signer else ()
        certificates = sum(len(each.public_bytes(serialization.Encoding.DER)) for each in chain)
        self.overhead = Overhead(_ENVELOPE + _RECIPIENT * len(self.to) + certificates)

    def protect(self, data: ByteSource, out: BinaryIO) -> None:
        """Raises NotWritten."""
        write(data, out, self.to, signer=self.signer)


class CmsOpener:
    """Opens with these keys and passwords, and believes these anchors; None: signers are told, not judged.

    `crls`: revocation lists in DER; with any, no signer counts of whose whole path they do not speak.
    """

    def __init__(
        self, by: Sequence[Reader], trust: Sequence[x509.Certificate] | None, crls: Sequence[bytes] = ()
    ) -> None:
        self._by = tuple(by)
        self._trust = trust
        self._crls = tuple(crls)
        self._good: set[tuple[x509.Certificate, ...]] = set()  # each signer looked up, with what came with it
        self.asks = trust is not None

    def open(self, source: ByteSource, out: BinaryIO) -> Verdict:
        """Raises NotOpened, NotSigned; MediaError (media-unsigned) where a CA was named and nobody signed."""
        found = read(source, out, self._by, trust=self._trust)
        if self._trust is not None and not found.signatures:
            raise MediaError("media-unsigned", "nobody signed it, and signers of a named CA are asked for")
        for each in found.signatures if self._crls else ():
            self._not_revoked(each.certificate, found.certificates)
        signers = sorted(each.certificate.subject.rfc4514_string() for each in found.signatures)
        trusted = None if self._trust is None else all(each.trusted for each in found.signatures)
        return Verdict(" and ".join(signers), trusted, (*found.warnings, *found.beyond_d1))

    def _not_revoked(self, leaf: x509.Certificate, others: Sequence[x509.Certificate]) -> None:
        """Raises NotSigned (cms-revoked, cms-revocation-unknown). One answer does for the files of a medium."""
        asked = (leaf, *others)
        if asked not in self._good:
            verify_not_revoked(leaf, others, self._trust or (), self._crls, None, datetime.now(UTC))
            self._good.add(asked)


def protection(
    recipient: Sequence[Path],
    password: Password | None,
    signer: Path | None,
    signer_key: Path | str | None,
    pin: bytes | None = None,
) -> CmsProtection | None:
    """Who may open a medium that is made, and who signs it; None where nobody is named. Raises GatewayError.

    `signer_key`: a file, or a PKCS #11 URI with its `pin`.
    """
    if (signer is None) != (signer_key is None):
        raise MediaError("media-keys", "--signer and --signer-key belong together")
    to: list[Recipient] = []
    for path in recipient:
        (certificate, *_) = read_certificates(path)
        if not isinstance(certificate.public_key(), rsa.RSAPublicKey):
            raise MediaError("media-keys", f"{path}: PS3.15 D.1 knows RSA recipients only")
        if fault := recipients.fault(certificate, datetime.now(UTC)):
            raise MediaError("media-keys", f"{path}: {fault}")
        to.append(certificate)
    if password is not None:
        to.append(password)
    by = None
    if signer is not None and signer_key is not None:
        by = read_signer(signer_key, signer, pin)
        if not isinstance(by.key.public_key(), rsa.RSAPublicKey):
            raise MediaError("media-keys", f"{signer}: PS3.15 D.1 knows RSA signatures only")
        for fault in (*validity_faults(by.chain[0], datetime.now(UTC)), usage_fault(by.chain[0])):
            if fault:
                raise MediaError("media-keys", f"{signer}: {fault}")
    if not to:
        if by is not None:
            raise MediaError("media-keys", "a signer without recipients: secure media are encrypted for somebody")
        return None
    return CmsProtection(to, by)


def opener(
    cert: Path | None,
    key: Path | str | None,
    password_file: Path | None,
    ca: Path | None,
    pin: bytes | None = None,
    crl: Path | None = None,
) -> CmsOpener | None:
    """What opens a medium; None where no key and no password is named. Raises GatewayError."""
    by: list[Reader] = []
    if key is not None:
        by.append(read_holder(key, cert, pin))
    elif cert is not None:
        raise MediaError("media-keys", "--cert without --key opens nothing")
    if password_file is not None:
        by.append(password_of(password_file))
    if crl is not None and ca is None:
        raise MediaError("media-keys", "--crl says who of those that --ca vouches for is revoked: give both")
    if not by:
        if ca is not None:
            raise MediaError("media-keys", "--ca judges who signed secure media: give the key that opens them")
        return None
    return CmsOpener(by, None if ca is None else read_anchors(ca), () if crl is None else read_crls(crl))


def password_of(path: Path) -> Password:
    """The password of a file that is for its owner alone. Raises MediaError (media-keys), NotWritten."""
    try:
        with path.open("rb") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise MediaError("media-keys", f"{path}: others may read it; chmod 600 it")
            text = file.read(4096)
    except OSError as error:
        raise from_os(error, str(path)) from None
    return Password(text.removesuffix(b"\n").removesuffix(b"\r"))
