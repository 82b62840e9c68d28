"""Takes the identifiers of an original data set, at every depth, into a study's `Identifiers`.

* It reads the original as it came (converted to little endian and inflated), before anything is done to it.
* What a study repeats from object to object is looked at once: elements are remembered by their bytes.
* A value that cannot be decoded as declared is taken in every reading, and as its bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from transforms.egress import scanner
from transforms.egress.charsets import decoded
from transforms.egress.classes import DATES, DEVICE_UID, UID, class_of
from transforms.egress.identifiers import Identifiers
from transforms.egress.scanner import Leaf, Scan
from transforms.source import ByteSource

CHARSET: Final = b"\x08\x00\x05\x00"
_UIDS: Final = (UID, DEVICE_UID)
_UIDS_KEPT: Final = 5_000  # of a study; then only those of the objects that come
_SEEN: Final = 2_000  # elements remembered of one study
_LONG: Final = 512  # bytes; longer elements are looked at again rather than remembered
_LONGEST: Final = 1 << 28  # bytes of one sequence
_TOO_LONG: Final = 1 << 14  # bytes of one identifying value: a longer one is text


class Harvest:
    """What was harvested of one study so far."""

    __slots__ = ("_charset", "_seen", "begun", "identifiers")

    def __init__(self, identifiers: Identifiers | None = None) -> None:
        self.identifiers = identifiers or Identifiers()
        self._seen: set[bytes] = set()
        self._charset = b""
        self.begun = 0  # how often it began anew with UIDs

    def take(self, source: ByteSource, syntax: str, scan: Scan | None = None) -> None:
        """Learn of one object; `scan` is that of its bytes.

        Raises TransformError: egress-unreadable, egress-too-many.
        """
        scan = scan or scanner.scan(source, syntax)
        charset = charset_of(scan.chunks, syntax)
        if charset != self._charset:
            self._seen.clear()
            self._charset = charset
        seen = self._seen
        if len(self.identifiers.uids) > _UIDS_KEPT:
            self.identifiers.forget_uids()
            self.begun += 1
            seen.clear()
        if len(seen) > _SEEN:
            seen.clear()
        explicit = syntax != scanner.IMPLICIT_LE
        for chunk in set(scan.chunks).difference(seen):
            self._learn(scanner.leaves(chunk, explicit, charset))
            if len(chunk) <= _LONG:
                seen.add(chunk)
        self._large(source, scan, explicit, charset)

    def _large(self, source: ByteSource, scan: Scan, explicit: bool, charset: bytes) -> None:
        """Long elements: sequences of many items, read whole; pixels and long values hold no identifying attribute."""
        for each in scan.large:
            if each.items:
                if each.end - each.start > _LONGEST:
                    raise scanner.unreadable(each.start)
                self._learn(scanner.leaves(source.pread(each.start, each.end - each.start), explicit, charset))

    def _learn(self, leaves: Iterable[Leaf]) -> None:
        add = self.identifiers.add
        for tag, vr, value, charset in leaves:
            name = class_of(tag, vr)
            if not name or not value or len(value) > _TOO_LONG:
                continue
            if name in _UIDS:
                for uid in value.split(b"\\"):
                    add(name, uid.strip(b"\0 ").decode("latin-1"))
            elif name in DATES:
                self._dates(name, tag, value)
            else:
                for text in decoded(value.strip(b"\0 "), charset):
                    add(name, text)

    def _dates(self, name: str, tag: int, value: bytes) -> None:
        for part in value.split(b"\\"):
            day = part.strip(b"\0 ")[:8]
            if len(day) == 8 and day.isdigit():
                self.identifiers.add_date(name, day, tag)


def charset_of(chunks: list[bytes], syntax: str) -> bytes:
    """The value of Specific Character Set of the data set; b"" where it has none."""
    for chunk in chunks[:8]:
        if chunk.startswith(CHARSET):
            return chunk[8:]
    return b""
