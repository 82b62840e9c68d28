"""SignerInfo (RFC 5652 section 5.3): made over a digest, and judged.

Rules of this file
* Made: the signed attributes content-type, message-digest, signing-time and signing-certificate (RFC 5035) with the
  hash of every certificate of the chain, so that none of them can be changed or taken away.
* Judged: RSA PKCS #1 v1.5 or RSASSA-PSS, ECDSA, over SHA-256, SHA-384, SHA-512, and SHA-1 with a warning; with signed
  attributes or without. One signer that is not right and nothing is.
* Whether the signer is trusted is another question: signed.verify_path answers it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple

from asn1crypto import core  # type: ignore[import-untyped]
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from gateway.security.cms import ber
from gateway.security.cms.algorithms import (
    DATA,
    NULL,
    PSS,
    RSA,
    Digest,
    digest_identifier,
    digest_of,
    hash_with_mgf1,
    identifier,
    mgf1_parameters,
    split,
)
from gateway.security.cms.errors import NotWritten
from gateway.security.cms.recipients import issuer_and_serial, names
from gateway.security.signed import NotSigned, Signer, key_fault

CONTENT_TYPE: Final = "1.2.840.113549.1.9.3"
MESSAGE_DIGEST: Final = "1.2.840.113549.1.9.4"
SIGNING_TIME: Final = "1.2.840.113549.1.9.5"
SIGNING_CERTIFICATE: Final = "1.2.840.113549.1.9.16.2.47"  # version 2
_KEY_ID: Final = 0x80
_MOST_SALT: Final = 2048  # bytes: no key is so long that more would fit


class Judged(NamedTuple):
    """One signature that is right: of this certificate's key, over this content."""

    certificate: x509.Certificate
    at: datetime | None  # signing time, UTC, as the signer says
    digest: str
    scheme: str  # rsa-pkcs1, rsa-pss, ecdsa


@dataclass(frozen=True, slots=True)
class Making:
    """How a signer signs; `length` of what it gives is known before only for RSA."""

    by: Signer
    digest: Digest
    at: datetime
    pss: bool = False

    def __post_init__(self) -> None:
        if why := key_fault(self.by.key.public_key()):
            raise NotWritten("cms-key", why)
        if self.pss and not self.rsa:
            raise NotWritten("cms-algorithm", "RSASSA-PSS needs an RSA key")

    @property
    def rsa(self) -> bool:
        """Whether the key is RSA."""
        return isinstance(self.by.key.public_key(), rsa.RSAPublicKey)

    def signer_info(self, digest: bytes) -> bytes:
        """The SignerInfo in DER, signed."""
        attributes = self._attributes(digest)
        return self._info(attributes, self._signature(ber.value(ber.SET, attributes)))

    def length(self) -> int:
        """Bytes of the SignerInfo. For RSA only."""
        blank = bytes(self.digest.hash.digest_size)
        key = self.by.key.public_key()
        assert isinstance(key, rsa.RSAPublicKey)
        return len(self._info(self._attributes(blank), bytes((key.key_size + 7) // 8)))

    def certificates(self) -> bytes:
        """The CertificateSet of the chain, under its [0]."""
        return ber.value(0xA0, *sorted(_der(each) for each in self.by.chain))

    def _info(self, attributes: bytes, signature: bytes) -> bytes:
        return ber.value(
            ber.SEQUENCE,
            ber.integer(1),
            issuer_and_serial(self.by.chain[0]),
            digest_identifier(self.digest),
            ber.value(0xA0, attributes),
            self._identifier(),
            ber.value(ber.OCTETS, signature),
        )

    def _attributes(self, digest: bytes) -> bytes:
        """The content of the SET, in DER's order."""
        at = core.UTCTime(self.at.astimezone(UTC)) if self.at.year < 2050 else core.GeneralizedTime(self.at)
        hashes = (ber.value(ber.OCTETS, hashlib.sha256(_der(each)).digest()) for each in self.by.chain)
        certificates = ber.value(ber.SEQUENCE, *(ber.value(ber.SEQUENCE, each) for each in hashes))
        made = (
            _attribute(CONTENT_TYPE, ber.oid(DATA)),
            _attribute(MESSAGE_DIGEST, ber.value(ber.OCTETS, digest)),
            _attribute(SIGNING_TIME, at.dump()),
            _attribute(SIGNING_CERTIFICATE, ber.value(ber.SEQUENCE, certificates)),
        )
        return b"".join(sorted(made))

    def _identifier(self) -> bytes:
        if not self.rsa:
            return identifier(self.digest.with_ecdsa)
        if self.pss:
            salt = ber.value(0xA2, ber.integer(self.digest.hash.digest_size))
            return identifier(PSS, mgf1_parameters(self.digest, salt))
        return identifier(RSA, NULL)  # RFC 3370 section 3.2

    def _signature(self, data: bytes) -> bytes:
        key, algorithm = self.by.key, self.digest.hash
        if not self.rsa:
            return key.sign(data, ec.ECDSA(algorithm))
        return key.sign(data, _padding(self.digest, algorithm.digest_size if self.pss else None), algorithm)


def judge(
    info: ber.Part, certificates: Sequence[x509.Certificate], digests: dict[str, bytes], kind: str = DATA
) -> Judged:
    """A SignerInfo over the content with these digests, of this type. Raises NotOpened, NotSigned."""
    found = ber.parts(info.body)
    attributes = found.pop(3) if len(found) > 3 and found[3].tag == 0xA0 else None
    if len(found) > 5 and found[5].tag == 0xA1:
        found.pop(5)  # unsigned attributes
    if info.tag != ber.SEQUENCE or len(found) != 5 or found[4].tag != ber.OCTETS:
        raise NotSigned("cms-malformed", "a signer that cannot be read")
    version, sid, hashed, algorithm, signature = found
    if version.raw != ber.integer(1 if sid.tag == ber.SEQUENCE else 3):
        raise NotSigned("cms-malformed", "a signer's version does not fit its identifier")
    digest = digest_of(hashed.raw)
    if digest.name not in digests:
        raise NotSigned("cms-malformed", "a signer's digest is not among those that were announced")
    named = [each for each in certificates if names(sid, each, _KEY_ID)]
    if len(named) != 1:
        raise NotSigned("cms-signer-missing", "the signer's certificate is not in it")
    told, at = digests[digest.name], None
    if attributes is not None:
        # Signed as a SET OF in DER, however it was written (RFC 5652 section 5.4)
        signed = ber.value(ber.SET, *sorted(part.raw for part in ber.parts(attributes.body)))
        at = _attributes_of(ber.parts(attributes.body), told, kind, certificates, named[0])
        told = hashlib.new(digest.name, signed).digest()
    scheme = _verify(named[0], algorithm.raw, digest, told, signature.body)
    return Judged(named[0], at, digest.name, scheme)


def _attributes_of(
    attributes: list[ber.Part],
    digest: bytes,
    kind: str,
    certificates: Sequence[x509.Certificate],
    leaf: x509.Certificate,
) -> datetime | None:
    """What the signed attributes say, held against what is there; the signing time. Raises NotSigned."""
    values: dict[bytes, bytes] = {}
    for attribute in attributes:
        found = ber.parts(attribute.body)
        if len(found) != 2 or found[1].tag != ber.SET or found[0].raw in values:
            raise NotSigned("cms-malformed", "a signed attribute cannot be read or is there twice")
        values[found[0].raw] = found[1].body
    if values.get(ber.oid(CONTENT_TYPE)) != ber.oid(kind):
        raise NotSigned("cms-malformed", "content-type must be a signed attribute, and that of the content")
    if values.get(ber.oid(MESSAGE_DIGEST)) != ber.value(ber.OCTETS, digest):
        raise NotSigned("cms-digest", "the content is not the one that was signed")
    if (names_of := values.get(ber.oid(SIGNING_CERTIFICATE))) is not None:
        _bound(names_of, certificates, leaf)
    return _time(values.get(ber.oid(SIGNING_TIME)))


def _bound(raw: bytes, certificates: Sequence[x509.Certificate], leaf: x509.Certificate) -> None:
    """RFC 5035: the first names the signer's certificate; here every one it names must be there as it was."""
    listed = ber.parts(ber.inside(raw)[0].body) if ber.inside(raw) else []
    there = {name: {_hashed(each, name) for each in certificates} for name in ("sha256", "sha384", "sha512")}
    for place, each in enumerate(listed):
        found = ber.parts(each.body)
        named = digest_of(found.pop(0).raw).name if found and found[0].tag == ber.SEQUENCE else "sha256"
        if not found or found[0].tag != ber.OCTETS or found[0].body not in there.get(named, ()):
            raise NotSigned("cms-signature", "a certificate is not the one that was signed for")
        if place == 0 and found[0].body != _hashed(leaf, named):
            raise NotSigned("cms-signature", "a certificate is not the one that was signed for")


def _time(raw: bytes | None) -> datetime | None:
    if raw is None:
        return None
    try:
        found = core.load(raw, strict=True).native
        if isinstance(found, datetime):
            return found.astimezone(UTC)
    except Exception:  # noqa: S110 - the parser's classes are many, and some moments have no name in UTC
        pass
    raise NotSigned("cms-malformed", "a signing time that cannot be read")


def _verify(leaf: x509.Certificate, algorithm: bytes, digest: Digest, told: bytes, signature: bytes) -> str:
    """The scheme of a signature that is right. Raises NotSigned."""
    try:
        key: object = leaf.public_key()
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if why := key_fault(key):
        raise NotSigned("cms-key", why)
    oid, parameters = split(algorithm)
    hashed = Prehashed(digest.hash)
    try:
        if isinstance(key, rsa.RSAPublicKey):
            salt = None
            if oid == ber.oid(PSS):
                salt = _salt(parameters, digest)
            elif oid not in (ber.oid(RSA), ber.oid(digest.with_rsa)) or parameters not in (b"", NULL):
                raise NotSigned("cms-algorithm", "a signature algorithm that is not known or not the key's")
            key.verify(signature, told, _padding(digest, salt), hashed)
            return "rsa-pkcs1" if salt is None else "rsa-pss"
        assert isinstance(key, ec.EllipticCurvePublicKey)
        if oid != ber.oid(digest.with_ecdsa) or parameters:
            raise NotSigned("cms-algorithm", "a signature algorithm that is not known or not the key's")
        key.verify(signature, told, ec.ECDSA(hashed))
    except InvalidSignature:
        raise NotSigned("cms-signature", "the signature is not that of the certificate's key") from None
    return "ecdsa"


def _salt(parameters: bytes, digest: Digest) -> int:
    """RFC 4055 section 3.1: the salt's length; the hash must be the signer's."""
    hashed, rest = hash_with_mgf1(parameters or b"\x30\x00")
    salt = int.from_bytes(rest[0].body[2:], "big") if rest and rest[0].tag == 0xA2 else 20
    if (
        hashed is not digest
        or salt > _MOST_SALT
        or [part.raw for part in rest] not in ([], [ber.value(0xA2, ber.integer(salt))])
    ):
        raise NotSigned("cms-algorithm", "the parameters of RSASSA-PSS")
    return salt


def _padding(digest: Digest, salt: int | None) -> padding.AsymmetricPadding:
    return padding.PKCS1v15() if salt is None else padding.PSS(padding.MGF1(digest.hash), salt)


def _attribute(oid: str, value: bytes) -> bytes:
    return ber.value(ber.SEQUENCE, ber.oid(oid), ber.value(ber.SET, value))


def _hashed(certificate: x509.Certificate, name: str) -> bytes:
    return hashlib.new(name, _der(certificate)).digest()


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)
