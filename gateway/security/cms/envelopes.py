"""The outer message of a secure file (RFC 5652 section 6), read up to its encrypted bytes and from there to its end.

Rules of this file
* It finds the keys that may be the right one; which of several is right shows only in what they open (reading.py).
* Its parts are held against each other strictly, its version too: no bit of it is without a meaning.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from gateway.security.cms import ber
from gateway.security.cms.algorithms import (
    AUTH_ENVELOPED,
    DATA,
    DIGESTED,
    ENVELOPED,
    READ_ONLY,
    SIGNED,
    Content,
    content_of,
)
from gateway.security.cms.ciphers import TAG
from gateway.security.cms.errors import NotOpened
from gateway.security.cms.passwords import Password, iterations
from gateway.security.cms.recipients import Holder, by_key_id, unwrap
from gateway.security.cms.writing import version

_MOST_RECIPIENTS: Final = 1000
_MOST_PASSWORDS: Final = 16
_MOST_ROUNDS: Final = 10_000_000  # iterations over all of them, for each password that is tried: some seconds
_MOST_OF_ONE: Final = 1 << 16

Reader = Holder | Password


class Envelope(NamedTuple):
    """What stands before the encrypted bytes, and the bytes, as they come."""

    kind: str  # content type of what is in it
    content: Content
    iv: bytes
    keys: list[bytes]  # one of them is the right one, or none
    encrypted: Iterator[bytes]
    authenticated: bool  # AuthEnvelopedData
    versions: tuple[bytes, int]  # told, and the one that fits
    about: frozenset[str]  # what is weak in it or beyond D.1


def enter(reader: ber.Reader, by: Sequence[Reader]) -> Envelope:
    """From the first byte to the first encrypted one. Raises NotOpened."""
    reader.enter(ber.SEQUENCE)
    outer = reader.element(ber.OID)
    if outer not in (ber.oid(ENVELOPED), ber.oid(AUTH_ENVELOPED)):
        raise NotOpened("cms-malformed", "it is neither EnvelopedData nor AuthEnvelopedData")
    authenticated = outer == ber.oid(AUTH_ENVELOPED)
    reader.enter(0xA0)
    reader.enter(ber.SEQUENCE)
    number = reader.element(ber.INTEGER)
    if reader.tag() == 0xA0:
        raise NotOpened("cms-algorithm", "it tells of its originator, which nothing protects")
    infos = _recipient_infos(reader)
    reader.enter(ber.SEQUENCE)
    named = reader.element(ber.OID)
    kind = next((each for each in (DATA, SIGNED, DIGESTED) if ber.oid(each) == named), "")
    content, iv = content_of(reader.element(ber.SEQUENCE))
    if not kind or authenticated == bool(content.block):
        raise NotOpened("cms-algorithm", "what is in the envelope, or how it is encrypted, does not fit the envelope")
    keys, about = _keys(infos, by, content.key)
    fitting = 0 if authenticated else version({info[0] for info in infos}, by_key_id=any(map(by_key_id, infos)))
    if authenticated or content.name in READ_ONLY:
        about.add(content.name)
    return Envelope(kind, content, iv, keys, reader.octets(0x80), authenticated, (number, fitting), frozenset(about))


def leave(reader: ber.Reader, envelope: Envelope) -> bytes:
    """From the last encrypted byte to the last of all; the GCM tag, or b"". Raises NotOpened."""
    reader.leave()
    tag = b""
    number, fitting = envelope.versions
    if envelope.authenticated:
        if reader.tag() == 0xA1:
            raise NotOpened("cms-algorithm", "authenticated attributes")
        tag = reader.element(ber.OCTETS, 2 + TAG)[2:]
        if len(tag) != TAG:
            raise NotOpened("cms-malformed", f"its tag has not {TAG} bytes")
    if reader.more():  # attributes that nothing protects, and nothing here reads
        reader.element(0xA2 if envelope.authenticated else 0xA1)
        fitting = fitting if envelope.authenticated else max(fitting, 2)
    if number != ber.integer(fitting):
        raise NotOpened("cms-malformed", "its version does not fit what is in it")
    reader.leave()
    reader.leave()
    reader.leave()
    reader.end()
    return tag


def _recipient_infos(reader: ber.Reader) -> list[bytes]:
    reader.enter(ber.SET)
    found: list[bytes] = []
    while tag := reader.tag():
        found.append(reader.element(tag, _MOST_OF_ONE))
        if len(found) > _MOST_RECIPIENTS:
            raise NotOpened("cms-too-large", f"more than {_MOST_RECIPIENTS} recipients")
    if sum(info[0] == 0xA3 for info in found) > _MOST_PASSWORDS:
        raise NotOpened("cms-too-large", f"more than {_MOST_PASSWORDS} password recipients")
    reader.leave()
    return found


def _keys(infos: list[bytes], by: Sequence[Reader], length: int) -> tuple[list[bytes], set[str]]:
    """What each reader makes of each recipient that may be meant. Raises NotOpened where there is none."""
    rounds = sum(map(iterations, infos)) if any(isinstance(each, Password) for each in by) else 0
    if rounds > _MOST_ROUNDS:
        raise NotOpened("cms-too-large", f"{rounds} iterations over its passwords; at most {_MOST_ROUNDS} are done")
    keys: list[bytes] = []
    told: set[str] = set()
    fault = NotOpened("cms-not-for-us", "no recipient in it is the one that wants to read it")
    for info in infos:
        for each in by:
            try:
                found, about = unwrap(info, each, length) if isinstance(each, Holder) else each.unwrap(info, length)
            except NotOpened as error:  # another recipient may still be ours
                fault = error
                continue
            keys += found
            told |= about
    if not keys:
        raise fault
    return keys, told
