"""Judge every signature of an object: is it right (nothing that it is over was changed), and who stands behind it.

Rules of this file
* Right: the MAC byte stream of PS3.3 C.12.1.1.3.1.1 has the digest that is in the signature, padded as PKCS #1 v1.5.
* Trusted: a path leads from the certificate in it to an anchor, valid at the signing time, of a key that is strong
  enough, for signing documents; with revocation lists, also not revoked. A certified time stamp, where there is one,
  must be right, and its time counts; else the signer's word does.
* RIPEMD160, MD5 and SHA1, which C.1 asks validators to know, are taken with a warning.
* A signature that cannot be read or computed is not right. Who was wrong is not guessed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from hmac import compare_digest
from re import fullmatch
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from gateway.security.revocation import verify_not_revoked
from gateway.security.signatures import stamps
from gateway.security.signed import NotSigned, usage_fault, verify_path
from profiles import signatures as profiles
from transforms.dataset import convert
from transforms.dataset.syntax import DEFLATED_LE, EXPLICIT_LE
from transforms.errors import TransformError
from transforms.signatures.reading import Found, signatures
from transforms.source import ByteSource

# MAC Algorithm (0400,0015) -> (hashlib's name, what stands before the digest in a PKCS #1 v1.5 signature: RFC 8017 9.2)
_MACS: Final = {
    "RIPEMD160": ("ripemd160", bytes.fromhex("3021300906052b2403020105000414")),
    "MD5": ("md5", bytes.fromhex("3020300c06082a864886f70d020505000410")),
    "SHA1": ("sha1", bytes.fromhex("3021300906052b0e03021a05000414")),
    "SHA256": ("sha256", bytes.fromhex("3031300d060960864801650304020105000420")),
    "SHA384": ("sha384", bytes.fromhex("3041300d060960864801650304020205000430")),
    "SHA512": ("sha512", bytes.fromhex("3051300d060960864801650304020305000440")),
}
_ALIKE: Final = {EXPLICIT_LE: (DEFLATED_LE,)}  # the same bytes, before they are deflated (PS3.5 A.5)
_WEAK: Final = frozenset({"RIPEMD160", "MD5", "SHA1"})
_DT: Final = r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.\d{1,6})?([+-]\d{4})?"


class State(StrEnum):
    """What is said of a signature, or of a whole object."""

    VALID = "valid"
    UNSIGNED = "unsigned"
    TAMPERED = "tampered"  # changed after it was signed, or not to be read
    UNTRUSTED = "untrusted"  # right, but nobody who is trusted stands behind it


@dataclass(frozen=True, slots=True)
class Verdict:
    """One signature."""

    path: str
    number: int
    state: State
    reason: str = ""  # a stable code where it is not valid
    uid: str = ""
    at: datetime | None = None
    certificate: x509.Certificate | None = None
    profiles: tuple[str, ...] = ()  # whose attributes it all signs
    purpose: str = ""
    stamped: bool = False  # its time is certified
    unsigned: int = 0  # attributes of its level that it does not sign
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """All signatures of an object."""

    verdicts: tuple[Verdict, ...] = field(default=())

    @property
    def state(self) -> State:
        """The worst of them: one that is not right makes the object suspect, whatever others say."""
        found = {each.state for each in self.verdicts}
        if not found:
            return State.UNSIGNED
        return next(state for state in (State.TAMPERED, State.UNTRUSTED, State.VALID) if state in found)


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom to believe."""

    anchors: Sequence[x509.Certificate]
    others: Sequence[
        x509.Certificate
    ] = ()  # authorities between: a DICOM signature holds the signer's certificate only
    crls: Sequence[bytes] = ()  # DER; with any, no certificate is taken that they do not speak of


def judge(source: ByteSource, uid: str, trust: Trust, now: datetime) -> Judgement:
    """Raises TransformError and BadFraming where the object itself cannot be read."""
    source, uid = convert.explicit(source, uid)
    return Judgement(tuple(_judged(each, uid, trust, now) for each in signatures(source, uid)))


def broken(source: ByteSource, uid: str) -> list[Found]:
    """The signatures that are not right, whoever made them: what a change has invalidated. `source` as in `signatures`.

    Raises TransformError, BadFraming.
    """
    return [each for each in signatures(source, uid) if _wrong(each, uid)]


def _judged(found: Found, uid: str, trust: Trust, now: datetime) -> Verdict:
    reason = _wrong(found, uid)
    certificate = _certificate(found)
    at = _moment(found.at)
    weak = (found.algorithm,) if found.algorithm in _WEAK else ()
    stamped: datetime | None = None
    state = State.TAMPERED if reason else State.VALID
    if not reason:
        assert certificate is not None
        try:
            if found.timestamp:
                stamped = stamps.verify(found.timestamp, _value(found, certificate), trust.anchors, trust.others, now)
            moment = stamped or at
            if moment is None:
                raise NotSigned("cms-time", "it does not say when it was signed")
            verify_path(certificate, trust.others, trust.anchors, moment, now)
            if why := usage_fault(certificate):
                raise NotSigned("cms-usage", why)
            if trust.crls:
                verify_not_revoked(certificate, trust.others, trust.anchors, trust.crls, stamped, now)
        except NotSigned as error:
            state, reason = State.UNTRUSTED, error.reason
    return Verdict(
        found.path,
        found.number,
        state,
        reason,
        found.uid,
        stamped or at,
        certificate,
        _profiles(found) if not found.fault else (),
        found.purpose[0],
        stamped is not None,
        len(found.unsigned()),
        weak,
    )


def _wrong(found: Found, uid: str) -> str:
    """Why a signature is not right; "" where it is."""
    if found.fault:
        return "signature-malformed"
    if found.syntax not in (
        uid,
        *_ALIKE.get(uid, ()),
    ):  # its bytes were others then: other pixels, or a byte order that is not computed here
        return "signature-syntax"
    if found.algorithm not in _MACS:
        return "signature-algorithm"
    certificate = _certificate(found)
    key = _rsa(certificate)
    if found.certificate_type != "X509_1993_SIG" or certificate is None or key is None:
        return "signature-certificate"
    name, prefix = _MACS[found.algorithm]
    try:
        digest = hashlib.new(name, usedforsecurity=False)  # what a signer chose long ago is only compared
        found.feed(digest)
        told = key.recover_data_from_signature(_value(found, certificate), padding.PKCS1v15(), None)
    except TransformError as error:
        return error.reason
    except ValueError:  # this OpenSSL has no RIPEMD160
        return "signature-algorithm"
    except InvalidSignature:
        return "signature-mismatch"
    return "" if compare_digest(told, prefix + digest.digest()) else "signature-mismatch"


def _value(found: Found, certificate: x509.Certificate) -> bytes:
    """The signature without the byte that made its length even."""
    key = _rsa(certificate)
    assert key is not None
    return found.signature[: (key.key_size + 7) // 8]


def _certificate(found: Found) -> x509.Certificate | None:
    try:
        # What follows the certificate is the byte that made its length even
        data = found.certificate
        size = 4 + int.from_bytes(data[2:4], "big") if data[1:2] == b"\x82" else len(data)
        certificate = x509.load_der_x509_certificate(data[:size])
        list(certificate.extensions)
        certificate.subject.rfc4514_string()
    except Exception:  # the parser's classes for what it does not know are many
        return None
    return certificate


def _rsa(certificate: x509.Certificate | None) -> rsa.RSAPublicKey | None:
    try:
        key: object = certificate.public_key() if certificate is not None else None
    except Exception:
        return None
    return key if isinstance(key, rsa.RSAPublicKey) else None


def _moment(text: str) -> datetime | None:
    """A DT with seconds, as UTC; without an offset it is taken as UTC."""
    match = fullmatch(_DT, text)
    if match is None:
        return None
    offset = match[7] or "+0000"
    ahead = timedelta(hours=int(offset[1:3]), minutes=int(offset[3:]))
    try:
        zone = timezone(ahead if offset[0] == "+" else -ahead)
        return datetime(*map(int, match.groups()[:6]), tzinfo=zone).astimezone(UTC)  # type: ignore[misc, arg-type]
    except (ValueError, OverflowError):
        return None


def _profiles(found: Found) -> tuple[str, ...]:
    """The profiles whose attributes, as far as they are present, it all signs."""
    assert found.level is not None
    met = ["base"]
    for profile in profiles.PROFILES.values():
        if not profile.attributes or (profile.purpose and found.purpose[1] != profiles.SCHEME):
            continue
        wanted = {tag for tag in found.level.entries if profiles.signs(profile.name, tag)}
        if wanted.union(profile.needs) <= set(found.signed) & set(found.level.entries) and _fits(profile.name, found):
            met.append(profile.name)
    return tuple(met)


def _fits(profile: str, found: Found) -> bool:
    """C.4 is for structured reports, and with a verification it has that purpose."""
    assert found.level is not None
    if profile.startswith("sr") and 0x0040A040 not in found.level.entries:
        return False
    return profile != "sr-verification" or found.purpose[0] == "5"
