"""CMS SignedData (RFC 5652 section 5): who says what, and since when. One signer, attached or detached, DER.

Rules of this file
* Written: RSA PKCS #1 v1.5 or ECDSA (P-256, P-384, P-521) with SHA-256, SHA-384 or SHA-512; the signer's certificate
  chain; the signed attributes content-type, message-digest and signing-time. `openssl cms -verify` takes it.
* Read: exactly that, whoever wrote it. Other hashes, other paddings, BER and several signers are refused, not skipped.
* A signature is good only with the whole path: an anchor that is named, every certificate valid at the signing time, a
  leaf whose key usage and extended key usage allow to sign documents. A TLS certificate under the same anchor does not
  count: else every modality could sign for the gateway.
* What `read` cannot understand raises NotSigned, nothing else, whatever the bytes are.

It asks no revocation list, and the signing time is the signer's word: no time stamp authority confirms it. Encrypting
is another file's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, Protocol

from asn1crypto import algos, cms  # type: ignore[import-untyped]
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import Criticality, ExtensionPolicy, Policy, PolicyBuilder, Store, VerificationError

from gateway.errors import GatewayError
from gateway.security.der import check as check_der

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

HASHES: Final[dict[str, hashes.HashAlgorithm]] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
RSA_BITS: Final = 2048  # PS3.15 B.13's least; BCP 195
MAX_BYTES: Final = 256 << 20  # of a message that `verify` takes
DOCUMENT_SIGNING: Final = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")  # RFC 9336
PURPOSES: Final = frozenset(
    {DOCUMENT_SIGNING, ExtendedKeyUsageOID.EMAIL_PROTECTION, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
)
_CURVES: Final = {"secp256r1": "sha256", "secp384r1": "sha384", "secp521r1": "sha512"}  # and the hash of its strength
_CHAIN: Final = 8  # certificates above the signer's
_MOST_CERTIFICATES: Final = 16
_CLOCKS: Final = timedelta(minutes=5)  # that the signer's clock may be ahead of ours


class SigningKey(Protocol):
    """An RSA or EC private key, of cryptography or of a token: how it signs follows from its public key."""

    def public_key(self) -> rsa.RSAPublicKey | ec.EllipticCurvePublicKey:
        """Its public key."""
        ...

    @property
    def sign(self) -> Callable[..., bytes]:
        """As cryptography's keys of this kind have it."""
        ...


class NotSigned(GatewayError):
    """Nothing in it counts as said by anybody. `reason` begins with `cms-`; `detail` holds no content."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signs: the certificate chain, the signer's own first, and its private key."""

    chain: tuple[x509.Certificate, ...]
    key: SigningKey = field(repr=False)


class Signed(NamedTuple):
    """What a verified message says, who says it and when."""

    content: bytes
    certificate: x509.Certificate
    at: datetime  # signing time, UTC, as the signer says
    hash: str  # sha256, sha384 or sha512


class _Parts(NamedTuple):
    """A SignedData taken apart; nothing in it is believed yet."""

    content: bytes | None
    certificates: list[x509.Certificate]
    issuer: bytes | None  # DER of the issuer's name, with `serial`; or the subject key identifier alone
    serial: int
    key_id: bytes
    hash: str
    algorithm: str
    attributes: bytes  # DER, as they are signed
    digest: bytes
    at: datetime
    signature: bytes


def sign(content: bytes, by: Signer, at: datetime, *, detached: bool = False) -> bytes:
    """A ContentInfo in DER. `detached`: the content is not in it. Raises NotSigned (cms-key) for a weak key."""
    name = _hash_for(by.key.public_key())
    attributes = cms.CMSAttributes(
        [
            cms.CMSAttribute({"type": "content_type", "values": ["data"]}),
            cms.CMSAttribute({"type": "signing_time", "values": [_time(at)]}),
            cms.CMSAttribute({"type": "message_digest", "values": [hashlib.new(name, content).digest()]}),
        ]
    )
    leaf = by.chain[0]
    issuer = cms.IssuerAndSerialNumber(
        {"issuer": _name(leaf.issuer.public_bytes()), "serial_number": leaf.serial_number}
    )
    told = {
        "version": "v1",
        "sid": cms.SignerIdentifier({"issuer_and_serial_number": issuer}),
        "digest_algorithm": algos.DigestAlgorithm({"algorithm": name}),
        "signed_attrs": attributes,
        "signature_algorithm": algos.SignedDigestAlgorithm({"algorithm": _algorithm(by.key, name)}),
        "signature": _signature(by.key, name, attributes.dump()),
    }
    encapsulated: dict[str, object] = {"content_type": "data"}
    if not detached:
        encapsulated["content"] = content
    body = cms.SignedData(
        {
            "version": "v1",
            "digest_algorithms": [algos.DigestAlgorithm({"algorithm": name})],
            "encap_content_info": encapsulated,
            "certificates": [
                cms.CertificateChoices.load(each.public_bytes(serialization.Encoding.DER)) for each in by.chain
            ],
            "signer_infos": [cms.SignerInfo(told)],
        }
    )
    made: bytes = cms.ContentInfo({"content_type": "signed_data", "content": body}).dump()
    return made


def verify(
    data: bytes,
    trust: Sequence[x509.Certificate],
    now: datetime,
    *,
    content: bytes | None = None,
    purposes: frozenset[x509.ObjectIdentifier] = PURPOSES,
) -> Signed:
    """What was signed, by whom. `content` is given where the message is detached, and only there.

    Raises NotSigned: cms-malformed, cms-detached, cms-algorithm, cms-digest, cms-signer-missing, cms-signature,
    cms-time, cms-untrusted, cms-usage, cms-key.
    """
    parts = _parts(data)
    if (parts.content is None) == (content is None):
        raise NotSigned("cms-detached", "give the content where the message has none, and only there")
    said = parts.content if content is None else content
    assert said is not None
    if hashlib.new(parts.hash, said).digest() != parts.digest:
        raise NotSigned("cms-digest", "the content is not the one that was signed")
    leaf = _signer_of(parts)
    _verify_signature(parts, leaf)
    verify_path(leaf, parts.certificates, trust, parts.at, now)
    if fault := usage_fault(leaf, purposes):
        raise NotSigned("cms-usage", fault)
    return Signed(said, leaf, parts.at, parts.hash)


def usage_fault(certificate: x509.Certificate, purposes: frozenset[x509.ObjectIdentifier] = PURPOSES) -> str:
    """Why a certificate may not sign documents (RFC 5280 4.2.1.3, 4.2.1.12); "" where it may."""
    try:
        extensions = certificate.extensions
    except (ValueError, x509.DuplicateExtension):
        return "its extensions cannot be read"
    for extension in extensions:
        value = extension.value
        if isinstance(value, x509.KeyUsage) and not (value.digital_signature or value.content_commitment):
            return "its key usage allows neither digitalSignature nor contentCommitment"
        if isinstance(value, x509.ExtendedKeyUsage) and not purposes & set(value):
            return "its extended key usage allows neither emailProtection nor documentSigning"
    return ""


def key_fault(key: object) -> str:
    """Why a public key is not taken; "" where it is."""
    if isinstance(key, rsa.RSAPublicKey):
        return "" if key.key_size >= RSA_BITS else f"RSA key of {key.key_size} bits; at least {RSA_BITS} are needed"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return "" if key.curve.name in _CURVES else f"curve {key.curve.name}; P-256, P-384 or P-521 is needed"
    return "the public key is neither RSA nor EC"


def _parts(data: bytes) -> _Parts:
    """Take a message apart. Raises NotSigned."""
    if len(data) > MAX_BYTES:
        raise NotSigned("cms-malformed", f"more than {MAX_BYTES} bytes")
    if fault := check_der(data):
        raise NotSigned("cms-malformed", fault)
    try:
        info = cms.ContentInfo.load(data, strict=True)
        if info["content_type"].native != "signed_data":
            raise NotSigned("cms-malformed", "it is no SignedData")
        return _parts_of(info["content"])
    except NotSigned:
        raise
    except Exception:  # the parsers' classes for what they do not know are many
        raise NotSigned("cms-malformed", "it cannot be read as SignedData") from None


def _parts_of(body: cms.SignedData) -> _Parts:
    """Raises NotSigned, and what asn1crypto and cryptography raise."""
    if len(body["signer_infos"]) != 1:
        raise NotSigned("cms-malformed", f"{len(body['signer_infos'])} signers; one is expected")
    encapsulated, told = body["encap_content_info"], body["signer_infos"][0]
    if encapsulated["content_type"].native != "data":
        raise NotSigned("cms-malformed", "the content is not of type id-data")
    name, algorithm = told["digest_algorithm"]["algorithm"].native, told["signature_algorithm"]["algorithm"].native
    if name not in HASHES or algorithm not in ("rsassa_pkcs1v15", f"{name}_rsa", f"{name}_ecdsa"):
        raise NotSigned("cms-algorithm", "SHA-256, SHA-384 or SHA-512 with RSA (PKCS #1 v1.5) or ECDSA is needed")
    attributes = told["signed_attrs"]
    if not isinstance(attributes, cms.CMSAttributes) or attributes.dump(force=True) != attributes.dump():
        raise NotSigned("cms-malformed", "the signed attributes are not in DER")
    found: dict[str, object] = {}
    for attribute in attributes:
        kind = attribute["type"].native
        if kind in found or len(attribute["values"]) != 1:
            raise NotSigned("cms-malformed", "a signed attribute is there twice")
        found[kind] = attribute["values"][0].native
    digest, at = found.get("message_digest"), found.get("signing_time")
    if found.get("content_type") != "data" or not isinstance(digest, bytes) or not isinstance(at, datetime):
        raise NotSigned("cms-malformed", "content-type, message-digest and signing-time must be signed attributes")
    choices = body["certificates"]
    if not isinstance(choices, cms.CertificateSet) or not 0 < len(choices) <= _MOST_CERTIFICATES:
        raise NotSigned("cms-signer-missing", "the signer's certificate is not in it")
    sid = told["sid"]
    by_name = sid.name == "issuer_and_serial_number"
    return _Parts(
        content=encapsulated["content"].native,
        certificates=[x509.load_der_x509_certificate(each.chosen.dump()) for each in choices],
        issuer=sid.chosen["issuer"].dump() if by_name else None,
        serial=sid.chosen["serial_number"].native if by_name else 0,
        key_id=b"" if by_name else sid.chosen.native,
        hash=name,
        algorithm=algorithm,
        attributes=b"\x31" + attributes.dump()[1:],  # signed as a SET OF, not under its [0] (RFC 5652 5.4)
        digest=digest,
        at=at.astimezone(UTC),
        signature=told["signature"].native,
    )


def _signer_of(parts: _Parts) -> x509.Certificate:
    """The one certificate that the signer identifier names. Raises NotSigned."""
    found = {each.fingerprint(hashes.SHA256()): each for each in parts.certificates if _named(each, parts)}
    if len(found) != 1:
        raise NotSigned("cms-signer-missing", "the signer's certificate is not in it")
    return next(iter(found.values()))


def _named(certificate: x509.Certificate, parts: _Parts) -> bool:
    if parts.issuer is not None:
        return certificate.serial_number == parts.serial and certificate.issuer.public_bytes() == parts.issuer
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
        return False
    return extension.value.digest == parts.key_id


def _verify_signature(parts: _Parts, leaf: x509.Certificate) -> None:
    """Raises NotSigned."""
    key = _public(leaf)
    if fault := key_fault(key):
        raise NotSigned("cms-key", fault)
    algorithm = HASHES[parts.hash]
    try:
        if isinstance(key, rsa.RSAPublicKey) and not parts.algorithm.endswith("_ecdsa"):
            key.verify(parts.signature, parts.attributes, padding.PKCS1v15(), algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey) and parts.algorithm.endswith("_ecdsa"):
            key.verify(parts.signature, parts.attributes, ec.ECDSA(algorithm))
        else:
            raise NotSigned("cms-algorithm", "the signature's algorithm is not that of the signer's key")
    except InvalidSignature:
        raise NotSigned("cms-signature", "the signature is not that of the certificate's key") from None


def verify_path(
    leaf: x509.Certificate,
    others: Sequence[x509.Certificate],
    trust: Sequence[x509.Certificate],
    at: datetime,
    now: datetime,
) -> None:
    """The path from the signer to an anchor, at the signing time. Raises NotSigned."""
    if at > now + _CLOCKS:
        raise NotSigned("cms-time", "it says that it was signed in the future")
    if not leaf.not_valid_before_utc <= at <= leaf.not_valid_after_utc:
        raise NotSigned("cms-time", "the signer's certificate was not valid at the signing time")
    authorities = (
        ExtensionPolicy.permit_all()
        .require_present(x509.BasicConstraints, Criticality.AGNOSTIC, _authority)
        .may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, _certifies)
    )
    try:
        builder = PolicyBuilder().store(Store(list(trust))).time(at).max_chain_depth(_CHAIN)
        builder = builder.extension_policies(ee_policy=ExtensionPolicy.permit_all(), ca_policy=authorities)
        path = builder.build_client_verifier().verify(leaf, list(others))
    except (VerificationError, ValueError):  # its words tell the names in the certificates
        raise NotSigned("cms-untrusted", "no path leads from the signer to an anchor that is trusted") from None
    for each in path.chain:
        if fault := key_fault(_public(each)):
            raise NotSigned("cms-key", fault)


def _authority(_policy: Policy, _certificate: x509.Certificate, constraints: x509.BasicConstraints) -> None:
    if not constraints.ca:
        raise ValueError("no authority")


def _certifies(_policy: Policy, _certificate: x509.Certificate, usage: x509.KeyUsage | None) -> None:
    if usage is not None and not usage.key_cert_sign:
        raise ValueError("no authority")


def _public(certificate: x509.Certificate) -> object:
    try:
        return certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None


def _hash_for(key: object) -> str:
    if fault := key_fault(key):
        raise NotSigned("cms-key", fault)
    return _CURVES[key.curve.name] if isinstance(key, ec.EllipticCurvePublicKey) else "sha256"


def _algorithm(key: SigningKey, name: str) -> str:
    return "rsassa_pkcs1v15" if isinstance(key.public_key(), rsa.RSAPublicKey) else f"{name}_ecdsa"


def _signature(key: SigningKey, name: str, data: bytes) -> bytes:
    if isinstance(key.public_key(), rsa.RSAPublicKey):
        return key.sign(data, padding.PKCS1v15(), HASHES[name])
    return key.sign(data, ec.ECDSA(HASHES[name]))


def _time(at: datetime) -> cms.Time:
    """RFC 5652 11.3: UTCTime through 2049."""
    at = at.astimezone(UTC).replace(microsecond=0)
    return cms.Time({"utc_time" if at.year < 2050 else "general_time": at})


def _name(der: bytes) -> object:
    from asn1crypto import x509 as names

    return names.Name.load(der)
