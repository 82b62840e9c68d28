"""Recipients that have a password: PBKDF2 (RFC 8018) and the key wrap of RFC 3211, as PS3.15 D.1 names them.

A password is ISO IR 6 (US-ASCII) and nothing else, so that it is the same bytes on every keyboard (D.1.1). The key that
is derived from it is kept with the `Password`: a set of 2,000 files derives it once, and each file wraps with an IV of
its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from hmac import compare_digest
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from gateway.security.cms import ber
from gateway.security.cms.algorithms import (
    CONTENT,
    DIGESTS,
    NULL,
    PBKDF2,
    PWRI_KEK,
    READ_ONLY,
    Digest,
    content_identifier,
    content_of,
    identifier,
    split,
)
from gateway.security.cms.ciphers import raw_cbc
from gateway.security.cms.errors import NotOpened, NotWritten

ITERATIONS: Final = 600_000  # of HMAC-SHA-256: about a third of a second for who knows it, and for every guess
MOST_ITERATIONS: Final = 5_000_000  # that a reader is willing to do
SHORTEST: Final = 12  # characters; PS3.15 D.1 asks for a phrase
_SALT: Final = 16
_WRAP: Final = CONTENT["aes-256-cbc"]


class Password:
    """A password as recipient and as reader. Raises NotWritten (cms-password) for what D.1 does not allow."""

    def __init__(self, text: str | bytes, *, iterations: int = ITERATIONS) -> None:
        data = text.encode("utf-8") if isinstance(text, str) else text
        if not data or not all(0x20 <= byte < 0x7F for byte in data):
            raise NotWritten("cms-password", "letters, digits, spaces and signs of US-ASCII only (PS3.15 D.1)")
        self._secret = data
        self.long_enough = len(data) >= SHORTEST
        self._salt = os.urandom(_SALT)
        self._iterations = iterations
        self._derived: dict[tuple[bytes, int, str, int], bytes] = {}

    def __repr__(self) -> str:
        return "Password()"

    def derive(self, salt: bytes, iterations: int, digest: Digest, length: int) -> bytes:
        """The key of `length` bytes."""
        wanted = (salt, iterations, digest.name, length)
        if wanted not in self._derived:
            if len(self._derived) > 64:
                self._derived.clear()
            kdf = PBKDF2HMAC(digest.hash, length, salt, iterations)
            self._derived[wanted] = kdf.derive(self._secret)
        return self._derived[wanted]

    def wrap(self, key: bytes, random: Callable[[int], bytes] = os.urandom) -> bytes:
        """A PasswordRecipientInfo (RFC 5652 section 6.2.4) in DER, with the content-encryption key in it."""
        if not self.long_enough:
            raise NotWritten("cms-password", f"a password of at least {SHORTEST} characters is needed")
        digest = DIGESTS["sha256"]
        kek = self.derive(self._salt, self._iterations, digest, _WRAP.key)
        derivation = ber.value(
            ber.SEQUENCE,
            ber.value(ber.OCTETS, self._salt),
            ber.integer(self._iterations),
            ber.integer(_WRAP.key),
            identifier(digest.hmac, NULL),
        )
        iv = random(_WRAP.iv)
        return ber.value(
            0xA3,
            ber.integer(0),
            ber.value(0xA0, ber.oid(PBKDF2), derivation),
            identifier(PWRI_KEK, content_identifier(_WRAP, iv)),
            ber.value(ber.OCTETS, _wrapped(kek, iv, key, random)),
        )

    def unwrap(self, info: bytes, length: int) -> tuple[list[bytes], set[str]]:
        """As `recipients.unwrap`; for a wrong password it gives a key that opens nothing."""
        if info[0] != 0xA3:
            return [], set()
        found = ber.inside(info, 0xA3)
        if [part.tag for part in found] != [ber.INTEGER, 0xA0, ber.SEQUENCE, ber.OCTETS] or found[0].body != b"\0":
            raise NotOpened("cms-algorithm", "its password recipient does not derive the key in a way that is known")
        oid, parameters = split(found[1].raw, 0xA0)
        if oid != ber.oid(PBKDF2):
            raise NotOpened("cms-algorithm", "its key is not derived by PBKDF2")
        oid, wrapping = split(found[2].raw)
        if oid != ber.oid(PWRI_KEK):
            raise NotOpened("cms-algorithm", "its key is not wrapped as RFC 3211 says")
        content, iv = content_of(wrapping)
        if not content.block:
            raise NotOpened("cms-algorithm", "its key is not wrapped as RFC 3211 says")
        salt, rounds, digest = _as_told(parameters, content.key)
        if not 0 < rounds <= MOST_ITERATIONS:
            raise NotOpened("cms-too-large", f"{rounds} iterations; at most {MOST_ITERATIONS} are done")
        kek = self.derive(salt, rounds, digest, content.key)
        key = _unwrapped(kek, content.name, iv, found[3].body)
        return [key if len(key) == length else os.urandom(length)], {content.name} & READ_ONLY


def iterations(info: bytes) -> int:
    """How many rounds a RecipientInfo asks of who has a password; 0 where none would be done."""
    try:
        parameters = split(ber.inside(info, 0xA3)[1].raw, 0xA0)[1]
        rounds = int.from_bytes(ber.inside(parameters)[1].body, "big")
    except (NotOpened, IndexError):
        return 0
    return rounds if rounds <= MOST_ITERATIONS else 0


def _as_told(parameters: bytes, length: int) -> tuple[bytes, int, Digest]:
    """RFC 8018 A.2: salt, iterationCount, keyLength OPTIONAL, prf DEFAULT HMAC-SHA-1."""
    told = ber.inside(parameters)
    if len(told) < 2 or (told[0].tag, told[1].tag) != (ber.OCTETS, ber.INTEGER) or len(told[1].body) > 4:
        raise NotOpened("cms-malformed", "the parameters of PBKDF2")
    rest = told[2:]
    if rest and rest[0].tag == ber.INTEGER and rest.pop(0).raw != ber.integer(length):
        raise NotOpened("cms-malformed", "the parameters of PBKDF2")
    digest = DIGESTS["sha1"]
    if rest:
        oid, null = split(rest.pop(0).raw)
        known = [each for each in DIGESTS.values() if ber.oid(each.hmac) == oid and null in (b"", NULL)]
        if rest or not known:
            raise NotOpened("cms-algorithm", "a pseudo-random function of PBKDF2 that is not known")
        digest = known[0]
    return told[0].body, int.from_bytes(told[1].body, "big"), digest


def _wrapped(kek: bytes, iv: bytes, key: bytes, random: Callable[[int], bytes]) -> bytes:
    """RFC 3211 section 2.3.1: length, three check bytes, key, random; encrypted twice, the second over the first."""
    block = bytes((len(key), *(byte ^ 0xFF for byte in key[:3]))) + key
    block += random(max(2 * 16 - len(block), -len(block) % 16))
    encryptor = Cipher(algorithms.AES(kek), modes.CBC(iv)).encryptor()
    return encryptor.update(encryptor.update(block)) + encryptor.finalize()


def _unwrapped(kek: bytes, name: str, iv: bytes, wrapped: bytes) -> bytes:
    """RFC 3211 section 2.3.2. What does not come out right comes out as a key that opens nothing."""
    size = len(iv)
    if len(wrapped) % size or not 2 * size <= len(wrapped) <= 256:
        raise NotOpened("cms-malformed", "a wrapped key has not the length of blocks")
    last = raw_cbc(name, kek, wrapped[-2 * size : -size], wrapped[-size:])
    inner = raw_cbc(name, kek, last, wrapped)
    block = raw_cbc(name, kek, iv, inner)
    length = block[0]
    check = bytes(byte ^ 0xFF for byte in block[4:7])
    right = compare_digest(block[1:4], check) and length <= len(block) - 4
    return block[4 : 4 + length] if right else b""
