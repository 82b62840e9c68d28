"""The key of a project and what is made from it: replacement UIDs, pseudonyms and shifts of dates.

* Everything is HMAC-SHA-256 under the project's key, one derived key per use (domain separation), so that a UID says
  nothing about a pseudonym and another project's key gives nothing in common.
* Replacement UIDs (PS3.5 B.2) are 2.25 plus a UUID of version 8 and the RFC 9562 variant, 122 bits of the digest.
  Their domain includes the generation of the action table: a profile that leaves other content never gives the same
  SOP Instance UID. Pseudonyms of patients depend on key and project alone: a new profile does not split a patient.
* No random, no clock: the same object gives the same bytes in every process and on every re-send.
"""

from __future__ import annotations

import hmac
from base64 import b32encode
from collections.abc import Callable
from typing import Final

_LONGEST_SHIFT: Final = 3650  # days
_REMEMBERED: Final = 100_000  # results kept in memory; then they are computed again
_VALUES: Final = 1_000  # UI values: those that objects of a series share


class Context:
    """One project's key, ready to use. `key` never appears in a representation."""

    __slots__ = ("_key", "_pseudonyms", "_shifts", "_uids", "project")

    def __init__(self, key: bytes, project: str) -> None:
        if not key or not project:
            raise ValueError("a key and a project are needed")
        self.project = project
        self._key = hmac.digest(key, b"dicom-gateway/1 project\0" + project.encode(), "sha256")
        self._uids: dict[str, UidMap] = {}
        self._pseudonyms: dict[tuple[str, tuple[bytes, ...]], str] = {}
        self._shifts: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"Context(project={self.project!r})"

    def uids(self, generation: str) -> UidMap:
        """The replacement UIDs under one generation of an action table; the same object for the same generation."""
        found = self._uids.get(generation)
        if found is None:
            found = self._uids.setdefault(generation, UidMap(self._derived(b"uid\0" + generation.encode())))
        return found

    def pseudonym(self, use: str, *parts: bytes) -> str:
        """16 characters of A-Z and 2-7 (80 bits) for an identifier; `use` keeps the kinds of identifiers apart."""
        found = self._pseudonyms.get((use, parts))
        if found is None:
            framed = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
            digest = hmac.digest(self._derived(b"pseudonym\0" + use.encode()), framed, "sha256")
            found = b32encode(digest[:10]).decode("ascii")
            if len(self._pseudonyms) >= _REMEMBERED:
                self._pseudonyms.clear()
            self._pseudonyms[use, parts] = found
        return found

    def shift(self, pseudonym: str) -> int:
        """Days by which a patient's dates move: -1 to -3650, from the pseudonym, so that merged patients stay one."""
        found = self._shifts.get(pseudonym)
        if found is None:
            digest = hmac.digest(self._derived(b"dates"), pseudonym.encode(), "sha256")
            found = -1 - int.from_bytes(digest[:16], "big") % _LONGEST_SHIFT
            if len(self._shifts) >= _REMEMBERED:
                self._shifts.clear()
            self._shifts[pseudonym] = found
        return found

    def stream(self, use: str, *parts: bytes) -> Callable[[int], bytes]:
        """Bytes that look random and are the same for the same parts: what is encrypted twice is the same bytes."""
        framed = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        seed = hmac.digest(self._derived(b"stream\0" + use.encode()), framed, "sha256")
        count = 0

        def take(length: int) -> bytes:
            nonlocal count
            out = b""
            while len(out) < length:
                out += hmac.digest(seed, count.to_bytes(8, "big"), "sha256")
                count += 1
            return out[:length]

        return take

    def receipt(self, sha256: str) -> str:
        """64 hex digits that stand for an original's SHA-256: only who has key and original can tell that they fit."""
        return hmac.digest(self._derived(b"receipt"), sha256.encode(), "sha256").hex()

    def _derived(self, label: bytes) -> bytes:
        return hmac.digest(self._key, label, "sha256")


def replacement(digest: bytes) -> str:
    """A UID from a digest: 2.25 and a UUID of version 8 (RFC 9562 sections 4.1, 5.8)."""
    number = int.from_bytes(digest[:16], "big") & ~(0xF << 76) | 0x8 << 76
    return f"2.25.{number & ~(0x3 << 62) | 0x2 << 62}"


def is_replacement(uid: str) -> bool:
    """Whether a UID has the form of those that are made here: others' of 2.25 are UUIDs of another version."""
    number = uid.removeprefix("2.25.")
    return (
        uid.startswith("2.25.") and number.isdecimal() and int(number) >> 76 & 0xF == 8 and int(number) >> 62 & 3 == 2
    )


class UidMap:
    """Replacement UIDs under one derived key. Calling it is pure; what it remembers only saves time."""

    __slots__ = ("_heard", "_key", "_known", "values")

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._known: dict[bytes, bytes] = {}
        self.values: dict[bytes, bytes | None] = {}  # whole UI values, padding and all (uids.py): None where one stays
        self._heard: dict[bytes, bytes] | None = None

    def hear(self) -> dict[bytes, bytes]:
        """What is asked for from now on, until the next call: old -> new. For one thread; it identifies objects."""
        self._heard = {}
        return self._heard

    @property
    def hears(self) -> bool:
        """Whether anybody wants to know of each."""
        return self._heard is not None

    def remember(self, value: bytes, result: bytes | None) -> None:
        """What a whole UI value becomes."""
        if len(self.values) >= _VALUES:
            self.values.clear()
        self.values[value] = result

    def __call__(self, uid: bytes) -> bytes:
        """The replacement of one UID, unpadded. The value need not be a valid UID; the result is."""
        found = self._known.get(uid)
        if found is None:
            digest = hmac.digest(self._key, uid, "sha256")
            found = replacement(digest).encode("ascii")
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[uid] = found
        if self._heard is not None:
            self._heard[uid] = found
        return found
