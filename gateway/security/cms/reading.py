"""Secure DICOM Files read (PS3.15 D.1): decrypted and verified in one pass, in constant memory.

Rules of this file
* What is written to `out` is not to be believed, shown or given a name before `read` has returned: the proof stands at
  the end of a message. Where it raises, `out` is to be thrown away. files.py keeps that for whoever has paths.
* Accepted beside what writing.py makes: BER of indefinite length, Triple-DES and SHA-1 (with a warning), several
  signers (each must be right), and a ContentInfo where there should be none, as programs make that encrypt a finished
  message.
* An envelope with neither signature nor digest in it is refused: nothing would tell a changed byte.
* A signer is trusted only where `trust` names an anchor of its path; without `trust` it is told as not verified.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import BinaryIO, Final, NamedTuple

from cryptography import x509

from gateway.security.cms import ber
from gateway.security.cms.algorithms import DATA, DIGESTED, DIGESTS, READ_ONLY, SIGNED, digest_of
from gateway.security.cms.ciphers import Opener, damaged
from gateway.security.cms.envelopes import Envelope, Reader, enter, leave
from gateway.security.cms.errors import NotOpened
from gateway.security.cms.signing import Judged, judge
from gateway.security.cms.writing import MOST
from gateway.security.signed import NotSigned, usage_fault, verify_path
from transforms.source import ByteSource, BytesSource, chunks

_MOST_CERTIFICATES: Final = 64
_MOST_SIGNERS: Final = 16
_START: Final = 64  # bytes that show whether a key may be the right one


class Signature(NamedTuple):
    """One signature that is right, and whether a path leads from its signer to an anchor that is trusted."""

    certificate: x509.Certificate
    at: datetime | None  # UTC, as the signer says
    digest: str
    trusted: bool


@dataclass(frozen=True, slots=True)
class Opened:
    """What a secure file was. There is one only where everything in it is right."""

    content: str  # aes-256-cbc ...
    size: int  # bytes of the DICOM File
    digests: tuple[str, ...]
    signatures: tuple[Signature, ...]  # none: DigestedData
    certificates: tuple[x509.Certificate, ...]  # that came with them
    warnings: tuple[str, ...]  # of PS3.15 D.1, but no longer good: des-ede3-cbc, sha1
    beyond_d1: tuple[str, ...]


class _Inner(NamedTuple):
    """What was found in the envelope."""

    size: int
    digests: tuple[str, ...]
    signatures: list[Judged]
    certificates: list[x509.Certificate]


def read(
    source: ByteSource,
    out: BinaryIO,
    by: Sequence[Reader],
    *,
    trust: Sequence[x509.Certificate] | None = None,
    now: datetime | None = None,
) -> Opened:
    """Open a secure file into `out`. Nothing of `out` may be used where this raises.

    Raises NotOpened: cms-truncated, cms-malformed, cms-too-large, cms-algorithm, cms-not-for-us, cms-damaged,
    cms-digest, cms-unprotected. Raises NotSigned: cms-signature, cms-digest, cms-signer-missing, cms-time, cms-usage,
    cms-untrusted, cms-key.
    """
    reader = ber.Reader(chunks(source))
    envelope = enter(reader, by)
    opener, encrypted = _found(envelope)
    inner = ber.Reader(opener.decrypted(encrypted))
    found = _message(inner, envelope.kind, out)
    inner.end()
    tag = leave(reader, envelope)
    if envelope.authenticated:
        opener.finish(tag)
    about = envelope.about | set(found.digests) | {each.scheme for each in found.signatures}
    return Opened(
        envelope.content.name,
        found.size,
        found.digests,
        tuple(_signature(each, found.certificates, trust, now or datetime.now(UTC)) for each in found.signatures),
        tuple(found.certificates),
        tuple(sorted(about & READ_ONLY)),
        tuple(sorted(about - READ_ONLY - set(DIGESTS) - {"rsa-pkcs1"})),
    )


def open_envelope(data: bytes, by: Sequence[Reader], right: Callable[[bytes], bool]) -> bytes:
    """The content of a short EnvelopedData of type id-data (PS3.15 E.1.1). Raises NotOpened.

    CBC has no integrity: `right` tells whether the content can be what was put in.
    """
    reader = ber.Reader(chunks(BytesSource(data)))
    envelope = enter(reader, by)
    encrypted = b"".join(envelope.encrypted)
    tag = leave(reader, envelope)
    for key in envelope.keys:
        opener = Opener(envelope.content, key, envelope.iv)
        try:
            content = b"".join(opener.decrypted((encrypted,)))
            if envelope.authenticated:
                opener.finish(tag)
        except NotOpened:
            continue
        if right(content):
            return content
    raise damaged()


def _found(envelope: Envelope) -> tuple[Opener, Iterator[bytes]]:
    """The key that opens the beginning of a message, and all encrypted bytes. Raises NotOpened (cms-damaged)."""
    begun = []
    for part in envelope.encrypted:
        begun.append(part)
        if sum(map(len, begun)) >= _START:
            break
    start = b"".join(begun)[:_START]
    for key in envelope.keys:
        clear = Opener(envelope.content, key, envelope.iv).begin(start)
        if _begins(clear):
            return Opener(envelope.content, key, envelope.iv), chain(begun, envelope.encrypted)
    raise damaged()


def _begins(clear: bytes) -> bool:
    """Whether a SignedData, a DigestedData or a ContentInfo may begin so."""
    at = 2 + (clear[1] & 0x7F if len(clear) > 1 and clear[1] > 0x80 else 0)
    return clear[:1] == b"\x30" and (
        (clear[at : at + 2] == b"\x02\x01" and clear[at + 3 : at + 4] in (b"\x30", b"\x31"))
        or clear[at : at + 10] == ber.oid(DATA)[:10]
    )


def _message(inner: ber.Reader, kind: str, out: BinaryIO) -> _Inner:
    """SignedData or DigestedData, in a ContentInfo or not."""
    inner.enter(ber.SEQUENCE)
    wrapped = inner.tag() == ber.OID
    if wrapped:
        named = inner.element(ber.OID)
        within = next((each for each in (SIGNED, DIGESTED) if ber.oid(each) == named), "")
        if not within or kind not in (DATA, within):
            raise NotOpened("cms-unprotected", "what is in the envelope is neither signed nor digested")
        kind = within
        inner.enter(0xA0)
        inner.enter(ber.SEQUENCE)
    if kind == DATA:
        raise NotOpened("cms-unprotected", "what is in the envelope is neither signed nor digested")
    found = _signed(inner, out) if kind == SIGNED else _digested(inner, out)
    for _ in range(3 if wrapped else 1):
        inner.leave()
    return found


def _digested(inner: ber.Reader, out: BinaryIO) -> _Inner:
    """DigestedData (RFC 5652 section 7)."""
    version = inner.element(ber.INTEGER)
    digest = digest_of(inner.element(ber.SEQUENCE))
    size, digests = _content(inner, out, [digest.name])
    told = inner.element(ber.OCTETS)
    if version != ber.integer(0):
        raise NotOpened("cms-malformed", "its version does not fit what is in it")
    if told != ber.value(ber.OCTETS, digests[digest.name]):
        raise NotOpened("cms-digest", "the content is not the one that was digested")
    return _Inner(size, (digest.name,), [], [])


def _signed(inner: ber.Reader, out: BinaryIO) -> _Inner:
    """SignedData (RFC 5652 section 5.1); every signer must be right."""
    version = inner.element(ber.INTEGER)
    names = sorted({digest_of(each.raw).name for each in ber.inside(inner.element(ber.SET), ber.SET)})
    size, digests = _content(inner, out, names)
    certificates: list[x509.Certificate] = []
    if inner.tag() == 0xA0:
        certificates = _certificates(inner)
    if inner.tag() == 0xA1:
        inner.element(0xA1, 16 << 20)  # revocation lists: the reader's own count
    infos = ber.inside(inner.element(ber.SET), ber.SET)
    if not 0 < len(infos) <= _MOST_SIGNERS:
        raise NotSigned("cms-signer-missing", f"{len(infos)} signers; 1 to {_MOST_SIGNERS} are expected")
    judged = [judge(each, certificates, digests) for each in infos]
    by_key_id = any(ber.parts(each.body)[0].raw == ber.integer(3) for each in infos)
    if version != ber.integer(3 if by_key_id else 1) or {each.digest for each in judged} != set(names):
        raise NotOpened("cms-malformed", "its version or its digests do not fit its signers")
    return _Inner(size, tuple(names), judged, certificates)


def _content(inner: ber.Reader, out: BinaryIO, names: Sequence[str]) -> tuple[int, dict[str, bytes]]:
    """EncapsulatedContentInfo of type id-data, written to `out`: (bytes, digests)."""
    inner.enter(ber.SEQUENCE)
    if inner.element(ber.OID) != ber.oid(DATA):
        raise NotOpened("cms-malformed", "the content is not of type id-data")
    if not inner.more():
        raise NotOpened("cms-malformed", "the content is not in it")
    inner.enter(0xA0)
    running = {name: hashlib.new(name) for name in names}
    size = 0
    for part in inner.octets(ber.OCTETS):
        size += len(part)
        if size > MOST:
            raise NotOpened("cms-too-large", f"more than {MOST} bytes of content")
        for each in running.values():
            each.update(part)
        out.write(part)
    inner.leave()
    inner.leave()
    return size, {name: each.digest() for name, each in running.items()}


def _certificates(inner: ber.Reader) -> list[x509.Certificate]:
    found = [each for each in ber.inside(inner.element(0xA0), 0xA0) if each.tag == ber.SEQUENCE]
    if len(found) > _MOST_CERTIFICATES:
        raise NotOpened("cms-too-large", f"more than {_MOST_CERTIFICATES} certificates")
    return [each for each in map(_readable, dict.fromkeys(each.raw for each in found)) if each is not None]


def _readable(raw: bytes) -> x509.Certificate | None:
    """A certificate that can be read to its end. One that cannot counts as not there."""
    try:
        certificate = x509.load_der_x509_certificate(raw)
        certificate.public_key()
        list(certificate.extensions)
        certificate.subject.rfc4514_string()
        certificate.issuer.rfc4514_string()
        if certificate.not_valid_before_utc > certificate.not_valid_after_utc:
            return None
    except Exception:  # the parser's classes for what it does not know are many
        return None
    return certificate


def _signature(
    judged: Judged, certificates: Sequence[x509.Certificate], trust: Sequence[x509.Certificate] | None, now: datetime
) -> Signature:
    """Raises NotSigned where there are anchors and the signer is not trusted."""
    if trust is not None:
        verify_path(judged.certificate, certificates, trust, judged.at or now, now)
        if why := usage_fault(judged.certificate):
            raise NotSigned("cms-usage", why)
    return Signature(judged.certificate, judged.at, judged.digest, trust is not None)
