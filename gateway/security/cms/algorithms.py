"""The algorithms of secure files by name, with their object identifiers: what PS3.15 D.1 names, and what is beyond it.

Written by default: AES-256-CBC, RSA key transport (PKCS #1 v1.5), PBKDF2, RSA signatures (PKCS #1 v1.5) over SHA-256.
Read, never written: Triple-DES and SHA-1, which D.1 asks readers to know; each gives a warning.
Beyond D.1, and told as such: AES-GCM, RSA-OAEP, RSASSA-PSS, elliptic curves. Anything else is refused by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from cryptography.hazmat.primitives import hashes

from gateway.security.cms import ber
from gateway.security.cms.errors import NotOpened, NotWritten

DATA: Final = "1.2.840.113549.1.7.1"
SIGNED: Final = "1.2.840.113549.1.7.2"
ENVELOPED: Final = "1.2.840.113549.1.7.3"
DIGESTED: Final = "1.2.840.113549.1.7.5"
AUTH_ENVELOPED: Final = "1.2.840.113549.1.9.16.1.23"

RSA: Final = "1.2.840.113549.1.1.1"  # key transport, and signatures with the hash told elsewhere
OAEP: Final = "1.2.840.113549.1.1.7"
MGF1: Final = "1.2.840.113549.1.1.8"
P_SPECIFIED: Final = "1.2.840.113549.1.1.9"
PSS: Final = "1.2.840.113549.1.1.10"
PBKDF2: Final = "1.2.840.113549.1.5.12"
PWRI_KEK: Final = "1.2.840.113549.1.9.16.3.9"
EC_PUBLIC: Final = "1.2.840.10045.2.1"

NULL: Final = b"\x05\x00"


class Content(NamedTuple):
    """How content is encrypted."""

    name: str
    oid: str
    key: int  # bytes
    block: int  # bytes; 0: GCM, which pads nothing
    iv: int  # bytes


class Digest(NamedTuple):
    """A hash, and the object identifiers it is told by."""

    name: str
    oid: str
    hash: hashes.HashAlgorithm
    with_rsa: str
    with_ecdsa: str
    hmac: str


CONTENT: Final = {
    each.name: each
    for each in (
        Content("aes-128-cbc", "2.16.840.1.101.3.4.1.2", 16, 16, 16),
        Content("aes-192-cbc", "2.16.840.1.101.3.4.1.22", 24, 16, 16),
        Content("aes-256-cbc", "2.16.840.1.101.3.4.1.42", 32, 16, 16),
        Content("aes-128-gcm", "2.16.840.1.101.3.4.1.6", 16, 0, 12),
        Content("aes-192-gcm", "2.16.840.1.101.3.4.1.26", 24, 0, 12),
        Content("aes-256-gcm", "2.16.840.1.101.3.4.1.46", 32, 0, 12),
        Content("des-ede3-cbc", "1.2.840.113549.3.7", 24, 8, 8),
    )
}
DIGESTS: Final = {
    name: Digest(
        name, oid, algorithm, f"1.2.840.113549.1.1.{rsa}", f"1.2.840.10045.4.{ecdsa}", f"1.2.840.113549.2.{mac}"
    )
    for name, oid, algorithm, rsa, ecdsa, mac in (
        ("sha1", "1.3.14.3.2.26", hashes.SHA1(), 5, "1", 7),  # noqa: S303 -- read only, with a warning
        ("sha256", "2.16.840.1.101.3.4.2.1", hashes.SHA256(), 11, "3.2", 9),
        ("sha384", "2.16.840.1.101.3.4.2.2", hashes.SHA384(), 12, "3.3", 10),
        ("sha512", "2.16.840.1.101.3.4.2.3", hashes.SHA512(), 13, "3.4", 11),
    )
}
READ_ONLY: Final = frozenset({"des-ede3-cbc", "sha1"})


@dataclass(frozen=True, slots=True)
class Algorithms:
    """What a file is written with. Raises NotWritten (cms-algorithm) for what is unknown or only read."""

    content: str = "aes-256-cbc"
    digest: str = "sha256"
    oaep: bool = False  # RSA key transport by RSAES-OAEP with SHA-256
    pss: bool = False  # RSA signatures by RSASSA-PSS

    def __post_init__(self) -> None:
        for name, known in ((self.content, CONTENT), (self.digest, DIGESTS)):
            if name not in known or name in READ_ONLY:
                able = ", ".join(each for each in known if each not in READ_ONLY)
                raise NotWritten("cms-algorithm", f"{name} is not written; choose of {able}")

    def beyond_d1(self) -> tuple[str, ...]:
        """What of these PS3.15 D.1 does not name, whoever the recipients and the signer are."""
        told = ((CONTENT[self.content].block == 0, self.content), (self.oaep, "rsa-oaep"), (self.pss, "rsa-pss"))
        return tuple(name for is_used, name in told if is_used)


def identifier(oid: str, parameters: bytes = b"") -> bytes:
    """An AlgorithmIdentifier in DER."""
    return ber.value(ber.SEQUENCE, ber.oid(oid), parameters)


def split(raw: bytes, tag: int = ber.SEQUENCE) -> tuple[bytes, bytes]:
    """(OBJECT IDENTIFIER, parameters) of an AlgorithmIdentifier, both in DER; b"" for none. Raises NotOpened."""
    found = ber.inside(raw, tag)
    if not 1 <= len(found) <= 2 or found[0].tag != ber.OID:
        raise NotOpened("cms-malformed", "no algorithm identifier")
    return found[0].raw, found[1].raw if len(found) == 2 else b""


def digest_of(raw: bytes) -> Digest:
    """The hash that an AlgorithmIdentifier names. Raises NotOpened."""
    oid, parameters = split(raw)
    for each in DIGESTS.values():
        if ber.oid(each.oid) == oid and parameters in (b"", NULL):
            return each
    raise NotOpened("cms-algorithm", "its digest is none of SHA-1, SHA-256, SHA-384, SHA-512")


def content_of(raw: bytes) -> tuple[Content, bytes]:
    """The content encryption that an AlgorithmIdentifier names, and its IV or nonce. Raises NotOpened."""
    oid, parameters = split(raw)
    for each in CONTENT.values():
        if ber.oid(each.oid) == oid:
            break
    else:
        raise NotOpened("cms-algorithm", "its content is encrypted neither by AES (CBC, GCM) nor by Triple-DES")
    if each.block:
        if parameters != ber.value(ber.OCTETS, parameters[-each.iv :]):
            raise NotOpened("cms-malformed", "its IV has not the length of a block")
        return each, parameters[-each.iv :]
    found = ber.inside(parameters)  # RFC 5084 section 3.2: GCMParameters
    if not found or found[0].tag != ber.OCTETS or [part.raw for part in found[1:]] != [ber.integer(16)]:
        raise NotOpened("cms-algorithm", "GCM with a tag of 16 bytes is needed")
    if len(found[0].body) != each.iv:
        raise NotOpened("cms-algorithm", "GCM with a nonce of 12 bytes is needed")
    return each, found[0].body


def content_identifier(content: Content, iv: bytes) -> bytes:
    """Its AlgorithmIdentifier."""
    nonce = ber.value(ber.OCTETS, iv)
    return identifier(content.oid, nonce if content.block else ber.value(ber.SEQUENCE, nonce, ber.integer(16)))


def digest_identifier(digest: Digest) -> bytes:
    """Its AlgorithmIdentifier, without parameters (RFC 5754 section 2)."""
    return identifier(digest.oid)


def hash_with_mgf1(raw: bytes) -> tuple[Digest, list[ber.Part]]:
    """The one hash of RSAES-OAEP or RSASSA-PSS parameters, and what follows [0] and [1]. Raises NotOpened."""
    found = ber.inside(raw)
    digest = mask = DIGESTS["sha1"]  # RFC 4055: the default of both
    if found and found[0].tag == 0xA0:
        digest = digest_of(found.pop(0).body)
    if found and found[0].tag == 0xA1:
        oid, parameters = split(found.pop(0).body)
        if oid != ber.oid(MGF1):
            raise NotOpened("cms-algorithm", "a mask generation function other than MGF1")
        mask = digest_of(parameters)
    if mask is not digest:
        raise NotOpened("cms-algorithm", "two hashes in one RSA padding")
    return digest, found


def mgf1_parameters(digest: Digest, *rest: bytes) -> bytes:
    """The parameters of RSAES-OAEP or RSASSA-PSS with one hash."""
    name = digest_identifier(digest)
    return ber.value(ber.SEQUENCE, ber.value(0xA0, name), ber.value(0xA1, identifier(MGF1, name)), *rest)
