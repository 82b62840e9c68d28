"""Secure DICOM Files written (PS3.15 D.1, PS3.10): EnvelopedData around SignedData, or around DigestedData, in DER.

Rules of this file
* Constant memory, whatever the size. DER tells lengths before contents; they follow from the sizes of the content and
  of the signature. Only where a signature's size is not known before it is made (ECDSA, beyond D.1) the content is read
  twice, and must be the same both times.
* The inner message stands in the envelope as RFC 5652 has it: content type id-signedData or id-digestedData, and the
  bytes of that type without a ContentInfo around them. AES-GCM (AuthEnvelopedData, RFC 5083, beyond D.1) would need
  authenticated attributes for that, which few readers know: there it is id-data, and a ContentInfo is in it.
* Where it raises, what was written so far is worth nothing. It gives no names to files: see files.py.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import BinaryIO, Final, NamedTuple

from cryptography import x509

from gateway.security.cms import ber, recipients
from gateway.security.cms.algorithms import (
    AUTH_ENVELOPED,
    CONTENT,
    DATA,
    DIGESTED,
    DIGESTS,
    ENVELOPED,
    SIGNED,
    Algorithms,
    Content,
    content_identifier,
    digest_identifier,
)
from gateway.security.cms.ciphers import TAG, Sealer, sealed_size
from gateway.security.cms.errors import NotWritten
from gateway.security.cms.passwords import Password
from gateway.security.cms.signing import Making
from gateway.security.signed import Signer, usage_fault
from transforms.source import ByteSource, chunks

Recipient = x509.Certificate | Password
MOST: Final = (1 << 32) - 1  # bytes of a DICOM File in a Secure DICOM File


class _Inner(NamedTuple):
    """The message within the envelope: what stands before the content, and what after it, whose length is known."""

    before: bytes
    after: int
    closing: Callable[[bytes], bytes]  # of the content's digest: what stands after it


def write(
    source: ByteSource,
    out: BinaryIO,
    to: Sequence[Recipient],
    *,
    signer: Signer | None = None,
    algorithms: Algorithms = Algorithms(),
    now: datetime | None = None,
) -> None:
    """One DICOM File as a Secure DICOM File.

    Raises NotWritten: cms-recipient, cms-password, cms-key, cms-usage, cms-algorithm, cms-too-large, cms-changed. And
    what `source` and `out` raise.
    """
    now = now or datetime.now(UTC)
    if source.size > MOST:
        raise NotWritten("cms-too-large", f"{source.size} bytes; a secure file holds at most {MOST}")
    content = CONTENT[algorithms.content]
    inner = _signed(source, signer, algorithms, now) if signer else _digested(source.size, algorithms)
    if not content.block:
        inner = _in_content_info(inner, source.size, SIGNED if signer else DIGESTED)
    kind = DATA if not content.block else SIGNED if signer else DIGESTED
    size = len(inner.before) + source.size + inner.after
    key, iv = os.urandom(content.key), os.urandom(content.iv)
    sealer = Sealer(content, key, iv)
    out.write(_opening(content, iv, kind, sealed_size(content, size), recipient_infos(to, key, algorithms, now)))
    for part in _plain(source, inner, algorithms.digest):
        out.write(sealer.update(part))
    out.write(sealer.finish())
    if not content.block:
        out.write(ber.value(ber.OCTETS, sealer.tag))


def envelope(
    content: bytes,
    to: Sequence[x509.Certificate],
    algorithms: Algorithms,
    now: datetime,
    *,
    nameless: bool = False,
    random: recipients.Random | None = None,
) -> bytes:
    """A short content in EnvelopedData of type id-data, as PS3.15 E.1.1 has it. Raises NotWritten.

    CBC has no integrity: what must be whole needs a digest within. `nameless`, `random`: as in `recipients.wrap`.
    """
    how = CONTENT[algorithms.content]
    take = random or os.urandom
    key, iv = take(how.key), take(how.iv)
    sealer = Sealer(how, key, iv)
    infos = recipient_infos(to, key, algorithms, now, nameless=nameless, random=random)
    sealed = sealer.update(content) + sealer.finish()
    closing = b"" if how.block else ber.value(ber.OCTETS, sealer.tag)
    return _opening(how, iv, DATA, len(sealed), infos) + sealed + closing


def enveloped(
    parts: Iterable[bytes],
    size: int,
    out: BinaryIO,
    to: Sequence[Recipient],
    algorithms: Algorithms = Algorithms(),
    now: datetime | None = None,
) -> None:
    """As `envelope`, of any length, as it comes: `size` bytes in all. CBC only (S/MIME). Raises NotWritten."""
    how = CONTENT[algorithms.content]
    assert how.block
    key, iv = os.urandom(how.key), os.urandom(how.iv)
    sealer = Sealer(how, key, iv)
    infos = recipient_infos(to, key, algorithms, now or datetime.now(UTC))
    out.write(_opening(how, iv, DATA, sealed_size(how, size), infos))
    for part in parts:
        size -= len(part)
        out.write(sealer.update(part))
    if size:
        raise NotWritten("cms-changed", "the content changed while it was read")
    out.write(sealer.finish())


def detached(
    digest: bytes, signer: Signer, algorithms: Algorithms = Algorithms(), now: datetime | None = None
) -> bytes:
    """SignedData in DER over a content that stands elsewhere, by its digest (RFC 5652 5.2). Raises NotWritten."""
    making = _making(signer, algorithms, now or datetime.now(UTC))
    body = ber.value(
        ber.SEQUENCE,
        ber.integer(1),
        ber.value(ber.SET, digest_identifier(making.digest)),
        ber.value(ber.SEQUENCE, ber.oid(DATA)),
        making.certificates(),
        ber.value(ber.SET, making.signer_info(digest)),
    )
    return ber.value(ber.SEQUENCE, ber.oid(SIGNED), ber.value(0xA0, body))


def recipient_infos(
    to: Sequence[Recipient],
    key: bytes,
    algorithms: Algorithms,
    now: datetime,
    *,
    nameless: bool = False,
    random: recipients.Random | None = None,
) -> tuple[tuple[bytes, ...], int]:
    """(RecipientInfos in DER's order, version of an EnvelopedData with them). Raises NotWritten."""
    if not to:
        raise NotWritten("cms-recipient", "nobody could open it: a certificate or a password is needed")
    made = []
    for place, each in enumerate(to):
        if isinstance(each, Password):
            made.append(each.wrap(key))
            continue
        if why := recipients.fault(each, now):
            raise NotWritten("cms-recipient", f"certificate {place + 1}: {why}")
        made.append(recipients.wrap(each, key, oaep=algorithms.oaep, nameless=nameless, random=random))
    by_key_id = any(map(recipients.by_key_id, made))
    return tuple(sorted(made)), version({info[0] for info in made}, by_key_id=by_key_id)


def version(tags: set[int], *, by_key_id: bool) -> int:
    """RFC 5652 section 6.1: the version of an EnvelopedData with recipients of these tags and no attributes."""
    if tags & {0xA3, 0xA4}:
        return 3
    return 0 if tags == {ber.SEQUENCE} and not by_key_id else 2


def _opening(content: Content, iv: bytes, kind: str, size: int, infos: tuple[tuple[bytes, ...], int]) -> bytes:
    """Everything before the encrypted bytes, all lengths in it."""
    recipients_, number = infos
    body = ber.oid(kind) + content_identifier(content, iv) + ber.header(0x80, size)
    inner = ber.integer(number if content.block else 0) + ber.value(ber.SET, *recipients_)
    inner += ber.header(ber.SEQUENCE, len(body) + size) + body
    after = size if content.block else size + 2 + TAG
    outer = ber.header(ber.SEQUENCE, len(inner) + after) + inner
    outer = ber.oid(ENVELOPED if content.block else AUTH_ENVELOPED) + ber.header(0xA0, len(outer) + after) + outer
    return ber.header(ber.SEQUENCE, len(outer) + after) + outer


def _plain(source: ByteSource, inner: _Inner, digest: str) -> Iterator[bytes]:
    yield inner.before
    hashed = hashlib.new(digest)
    for chunk in chunks(source):
        hashed.update(chunk)
        yield chunk
    closing = inner.closing(hashed.digest())
    assert len(closing) == inner.after
    yield closing


def _signed(source: ByteSource, signer: Signer, algorithms: Algorithms, now: datetime) -> _Inner:
    """SignedData (RFC 5652 section 5.1)."""
    making = _making(signer, algorithms, now)
    certificates = making.certificates()
    before = ber.integer(1) + ber.value(ber.SET, digest_identifier(making.digest))
    if making.rsa:
        length = making.length()
        after = len(certificates) + len(ber.header(ber.SET, length)) + length

        def closing(hashed: bytes) -> bytes:
            return certificates + ber.value(ber.SET, making.signer_info(hashed))
    else:
        told = _digest(source, algorithms.digest)
        made = certificates + ber.value(ber.SET, making.signer_info(told))
        after = len(made)

        def closing(hashed: bytes) -> bytes:
            if hashed != told:
                raise NotWritten("cms-changed", "the content changed while it was read")
            return made

    return _around(before, source.size, after, closing)


def _making(signer: Signer, algorithms: Algorithms, now: datetime) -> Making:
    """How it signs. Raises NotWritten where it may not, now."""
    leaf = signer.chain[0]
    if why := usage_fault(leaf):
        raise NotWritten("cms-usage", why)
    if not leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc:
        raise NotWritten("cms-usage", "the signer's certificate is not valid now")
    return Making(signer, DIGESTS[algorithms.digest], now, algorithms.pss)


def _digested(size: int, algorithms: Algorithms) -> _Inner:
    """DigestedData (RFC 5652 section 7)."""
    digest = DIGESTS[algorithms.digest]
    before = ber.integer(0) + digest_identifier(digest)
    return _around(before, size, 2 + digest.hash.digest_size, lambda hashed: ber.value(ber.OCTETS, hashed))


def _around(before: bytes, size: int, after: int, closing: Callable[[bytes], bytes]) -> _Inner:
    """`before`, the EncapsulatedContentInfo, and what follows, in one SEQUENCE."""
    octets = ber.header(ber.OCTETS, size)
    kind = ber.oid(DATA)
    explicit = ber.header(0xA0, len(octets) + size)
    content = ber.header(ber.SEQUENCE, len(kind) + len(explicit) + len(octets) + size) + kind + explicit + octets
    length = len(before) + len(content) + size + after
    return _Inner(ber.header(ber.SEQUENCE, length) + before + content, after, closing)


def _in_content_info(inner: _Inner, size: int, kind: str) -> _Inner:
    length = len(inner.before) + size + inner.after
    named = ber.oid(kind) + ber.header(0xA0, length)
    return inner._replace(before=ber.header(ber.SEQUENCE, len(named) + length) + named + inner.before)


def _digest(source: ByteSource, name: str) -> bytes:
    hashed = hashlib.new(name)
    for chunk in chunks(source):
        hashed.update(chunk)
    return hashed.digest()
