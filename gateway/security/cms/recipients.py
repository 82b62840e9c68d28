"""Recipients that have a certificate: RSA key transport (RFC 5652 section 6.2.1), and beyond D.1 ECDH (RFC 5753).

Rules of this file
* A certificate is a recipient only where it is valid now, its key is strong enough and its usage allows it: key
  usage keyEncipherment (RSA) or keyAgreement (EC), extended key usage emailProtection or none.
* A key that does not come out right comes out as random bytes of the right length (RFC 3218): the message then does not
  open, and nobody learns why. That a message names other recipients only is no secret and is told.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Final, Protocol

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.kdf.x963kdf import X963KDF
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap
from cryptography.x509.oid import ExtendedKeyUsageOID

from gateway.security.cms import ber
from gateway.security.cms.algorithms import (
    DIGESTS,
    EC_PUBLIC,
    NULL,
    OAEP,
    P_SPECIFIED,
    RSA,
    Digest,
    hash_with_mgf1,
    identifier,
    mgf1_parameters,
    split,
)
from gateway.security.cms.errors import NotOpened, NotWritten
from gateway.security.credentials import validity_faults
from gateway.security.signed import key_fault

# RFC 5753 section 7.1.4: dhSinglePass-stdDH-SHAxxxKDF-scheme
_AGREEMENTS: Final = {
    "1.3.133.16.840.63.0.2": "sha1",
    "1.3.132.1.11.1": "sha256",
    "1.3.132.1.11.2": "sha384",
    "1.3.132.1.11.3": "sha512",
}
_WRAPS: Final = {"2.16.840.1.101.3.4.1.5": 16, "2.16.840.1.101.3.4.1.25": 24, "2.16.840.1.101.3.4.1.45": 32}
_AGREEMENT: Final = "1.3.132.1.11.1"
_WRAP: Final = "2.16.840.1.101.3.4.1.45"
_PURPOSES: Final = frozenset({ExtendedKeyUsageOID.EMAIL_PROTECTION, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE})


class PrivateKey(Protocol):
    """An RSA or EC private key, of cryptography or of a token: what it can do follows from its public key."""

    def public_key(self) -> object:
        """Its public key."""
        ...


@dataclass(frozen=True, slots=True)
class Holder:
    """Who opens: a private key, and the certificate that names it in messages. Without one every recipient is tried."""

    key: PrivateKey = field(repr=False)
    certificate: x509.Certificate | None = None


def fault(certificate: x509.Certificate, now: datetime) -> str:
    """Why a certificate cannot be a recipient; "" where it can."""
    for found in validity_faults(certificate, now):
        return found
    try:
        key: object = certificate.public_key()
        extensions = list(certificate.extensions)
    except Exception:  # the parser's classes for unknown algorithms, curves and extensions are many
        return "its key or its extensions cannot be read"
    if why := key_fault(key):
        return why
    for extension in extensions:
        value = extension.value
        if isinstance(value, x509.KeyUsage):
            if isinstance(key, rsa.RSAPublicKey) and not value.key_encipherment:
                return "its key usage does not allow keyEncipherment"
            if isinstance(key, ec.EllipticCurvePublicKey) and not value.key_agreement:
                return "its key usage does not allow keyAgreement"
        if isinstance(value, x509.ExtendedKeyUsage) and not _PURPOSES & set(value):
            return "its extended key usage does not allow emailProtection"
        if isinstance(value, x509.BasicConstraints) and value.ca:
            return "it is an authority's"
    return ""


Random = Callable[[int], bytes]


def wrap(
    certificate: x509.Certificate,
    key: bytes,
    *,
    oaep: bool = False,
    nameless: bool = False,
    random: Random | None = None,
) -> bytes:
    """A RecipientInfo in DER with the content-encryption key in it. Raises NotWritten (cms-recipient).

    `nameless`: told by its key identifier, where it has one, and not by its issuer's name; for RSA only.
    `random`: where what is made must be the same each time; for RSA PKCS #1 v1.5 only.
    """
    public = certificate.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        digest = DIGESTS["sha256"]
        told = identifier(OAEP, mgf1_parameters(digest)) if oaep else identifier(RSA, NULL)
        if random is None:
            encrypted = public.encrypt(key, _padding(digest if oaep else None))
        else:
            encrypted = _encrypted(public, key, random)
        own = _key_id(certificate) if nameless else None
        if own is not None:
            return ber.value(ber.SEQUENCE, ber.integer(2), ber.value(0x80, own), told, _octets(encrypted))
        return ber.value(ber.SEQUENCE, ber.integer(0), issuer_and_serial(certificate), told, _octets(encrypted))
    if isinstance(public, ec.EllipticCurvePublicKey):
        return _agreed(certificate, public, key)
    raise NotWritten("cms-recipient", "the public key is neither RSA nor EC")


@lru_cache(maxsize=64)  # a set of 2,000 files has one signer and few recipients
def issuer_and_serial(certificate: x509.Certificate) -> bytes:
    """IssuerAndSerialNumber in DER, both byte for byte as the certificate has them (RFC 5280 section 4.1)."""
    found = ber.inside(certificate.tbs_certificate_bytes)
    serial, _, issuer = found[1:4] if found[0].tag == 0xA0 else found[:3]
    return ber.value(ber.SEQUENCE, issuer.raw, serial.raw)


def names(rid: ber.Part, certificate: x509.Certificate, key_id_tag: int) -> bool:
    """Whether an identifier of a recipient or a signer (RFC 5652 sections 5.3, 6.2.1) names this certificate."""
    if rid.tag == ber.SEQUENCE:
        return rid.raw == issuer_and_serial(certificate)
    return rid.tag == key_id_tag and rid.body == _key_id(certificate)


def by_key_id(info: bytes) -> bool:
    """Whether a KeyTransRecipientInfo tells its recipient by key identifier. Raises NotOpened."""
    return info[0] == ber.SEQUENCE and len(found := ber.inside(info)) > 1 and found[1].tag == 0x80


def _key_id(certificate: x509.Certificate) -> bytes | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
        return None


def unwrap(info: bytes, holder: Holder, length: int) -> tuple[list[bytes], set[str]]:
    """(content-encryption keys that may be the right one, what is weak or beyond D.1 in it); no key: not for it.

    `length`: bytes of the key. Raises NotOpened (cms-malformed, cms-algorithm).
    """
    public = holder.key.public_key()
    if info[0] == ber.SEQUENCE and isinstance(public, rsa.RSAPublicKey):
        return _transported(info, holder, length)
    if info[0] == 0xA1 and isinstance(public, ec.EllipticCurvePublicKey):
        return _agreed_with(info, holder, public, length)
    return [], set()


def _transported(info: bytes, holder: Holder, length: int) -> tuple[list[bytes], set[str]]:
    found = ber.inside(info)
    if len(found) != 4 or (found[0].tag, found[3].tag) != (ber.INTEGER, ber.OCTETS):
        raise NotOpened("cms-malformed", "a recipient that cannot be read")
    version, rid, algorithm, encrypted = found
    if version.raw != ber.integer(0 if rid.tag == ber.SEQUENCE else 2):  # RFC 5652 section 6.2.1
        raise NotOpened("cms-malformed", "a recipient's version does not fit its identifier")
    if holder.certificate is not None and not names(rid, holder.certificate, 0x80):
        return [], set()
    oid, parameters = split(algorithm.raw)
    digest = None
    if oid == ber.oid(OAEP):
        digest, rest = hash_with_mgf1(parameters or b"\x30\x00")
        if [part.body for part in rest] not in ([], [identifier(P_SPECIFIED, _octets(b""))]):
            raise NotOpened("cms-algorithm", "RSAES-OAEP with a label")
    elif oid != ber.oid(RSA) or parameters not in (b"", NULL):
        raise NotOpened("cms-algorithm", "its key is transported neither by RSA PKCS #1 v1.5 nor by RSAES-OAEP")
    try:
        key: bytes = holder.key.decrypt(encrypted.body, _padding(digest))  # type: ignore[attr-defined]
    except ValueError:
        key = b""
    told = set() if digest is None else {"rsa-oaep"} | ({"sha1"} & {digest.name})
    return [key if len(key) == length else os.urandom(length)], told


def _padding(digest: Digest | None) -> padding.AsymmetricPadding:
    if digest is None:
        return padding.PKCS1v15()
    return padding.OAEP(padding.MGF1(digest.hash), digest.hash, None)


def _encrypted(public: rsa.RSAPublicKey, key: bytes, random: Random) -> bytes:
    """RFC 8017 section 7.2.1 with given padding: cryptography has no way to give it."""
    numbers = public.public_numbers()
    size = (numbers.n.bit_length() + 7) // 8
    fill = b""
    while len(fill) < size - len(key) - 3:
        fill += random(1).strip(b"\0")
    message = int.from_bytes(b"\0\2" + fill + b"\0" + key, "big")
    return pow(message, numbers.e, numbers.n).to_bytes(size, "big")


def _agreed(certificate: x509.Certificate, public: ec.EllipticCurvePublicKey, key: bytes) -> bytes:
    """KeyAgreeRecipientInfo with an ephemeral key (RFC 5753 section 3.1.1)."""
    own = ec.generate_private_key(public.curve)
    kek = _kek(own.exchange(ec.ECDH(), public), _AGREEMENT, _WRAP)
    point = own.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    originator = ber.value(0xA1, identifier(EC_PUBLIC), ber.value(0x03, b"\0" + point))
    wrapped = ber.value(ber.SEQUENCE, issuer_and_serial(certificate), _octets(aes_key_wrap(kek, key)))
    return ber.value(
        0xA1,
        ber.integer(3),
        ber.value(0xA0, originator),
        identifier(_AGREEMENT, identifier(_WRAP)),
        ber.value(ber.SEQUENCE, wrapped),
    )


def _agreed_with(
    info: bytes, holder: Holder, public: ec.EllipticCurvePublicKey, length: int
) -> tuple[list[bytes], set[str]]:
    found = ber.inside(info, 0xA1)
    ukm = b""
    if len(found) == 5 and found[2].tag == 0xA1:
        ukm = found.pop(2).raw
    shape = [part.tag for part in found]
    if shape != [ber.INTEGER, 0xA0, ber.SEQUENCE, ber.SEQUENCE] or found[0].raw != ber.integer(3):
        raise NotOpened("cms-malformed", "a recipient that cannot be read")
    oid, wrapping = split(found[2].raw)
    scheme = next((each for each in _AGREEMENTS if ber.oid(each) == oid), None)
    wrap_oid = next((each for each in _WRAPS if ber.oid(each) == split(wrapping)[0]), None) if wrapping else None
    if scheme is None or wrap_oid is None:
        raise NotOpened("cms-algorithm", "its key is agreed on in a way that is not known")
    mine = [each for each in map(_encrypted_key, ber.parts(found[3].body)) if _is_for(each[0], holder)]
    if not mine:
        return [], set()
    peer = _originator(found[1].body, public)
    kek = _kek(holder.key.exchange(ec.ECDH(), peer), scheme, wrap_oid, wrapping, ukm)  # type: ignore[attr-defined]
    keys = [_key_unwrapped(kek, wrapped, length) for _, wrapped in mine]
    return keys, {"ec-recipients"} | ({"sha1"} & {_AGREEMENTS[scheme]})


def _encrypted_key(part: ber.Part) -> tuple[ber.Part, bytes]:
    """RecipientEncryptedKey: (identifier, wrapped key)."""
    found = ber.parts(part.body)
    if part.tag != ber.SEQUENCE or len(found) != 2 or found[1].tag != ber.OCTETS:
        raise NotOpened("cms-malformed", "a recipient that cannot be read")
    rid = found[0]
    if rid.tag == 0xA0:  # rKeyId: a sequence that begins with the subject key identifier
        inner = ber.parts(rid.body)
        rid = ber.Part(0xA0, inner[0].body if inner else b"", rid.raw)
    return rid, found[1].body


def _is_for(rid: ber.Part, holder: Holder) -> bool:
    return holder.certificate is None or names(rid, holder.certificate, 0xA0)


def _originator(raw: bytes, public: ec.EllipticCurvePublicKey) -> ec.EllipticCurvePublicKey:
    """The ephemeral public key. Raises NotOpened: an invalid point would tell something about our key."""
    found = ber.inside(raw, 0xA1)
    if (
        len(found) != 2
        or (found[1].tag, found[1].body[:1]) != (0x03, b"\0")
        or split(found[0].raw)[0] != ber.oid(EC_PUBLIC)
    ):
        raise NotOpened("cms-algorithm", "the sender's key for the agreement is not in it")
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(public.curve, found[1].body[1:])
    except ValueError:
        raise NotOpened("cms-malformed", "the sender's key for the agreement is no point of the curve") from None


def _kek(secret: bytes, scheme: str, wrap_oid: str, wrapping: bytes = b"", ukm: bytes = b"") -> bytes:
    """RFC 5753 section 7.2: ECC-CMS-SharedInfo into the KDF of X9.63."""
    length = _WRAPS[wrap_oid]
    entity = ber.value(0xA0, ber.inside(ukm, 0xA1)[0].raw) if ukm else b""
    supplied = ber.value(0xA2, _octets((8 * length).to_bytes(4, "big")))
    shared = ber.value(ber.SEQUENCE, wrapping or identifier(wrap_oid), entity, supplied)
    return X963KDF(DIGESTS[_AGREEMENTS[scheme]].hash, length, shared).derive(secret)


def _key_unwrapped(kek: bytes, wrapped: bytes, length: int) -> bytes:
    try:
        key = aes_key_unwrap(kek, wrapped)
    except (InvalidUnwrap, ValueError):
        key = b""
    return key if len(key) == length else os.urandom(length)


def _octets(data: bytes) -> bytes:
    return ber.value(ber.OCTETS, data)
