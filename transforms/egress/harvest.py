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
from transforms.egress.passed import CHARSET, Passed
from transforms.egress.scanner import Leaf, Scan
from transforms.source import ByteSource

_UIDS: Final = (UID, DEVICE_UID)
_UIDS_KEPT: Final = 5_000  # of a study; then only those of the objects that come
_SEEN: Final = 2_000  # elements remembered of one study
_LONG: Final = 512  # bytes; longer elements are looked at again rather than remembered
_LONGEST: Final = 1 << 28  # bytes of one sequence
_TOO_LONG: Final = 1 << 14  # bytes of one identifying value: a longer one is text


class Harvest:
    """What was harvested of one study so far."""

    __slots__ = ("_charset", "_explicit", "_seen", "begun", "identifiers")

    def __init__(self, identifiers: Identifiers | None = None) -> None:
        self.identifiers = identifiers or Identifiers()
        self._seen = Passed()
        self._charset = b""
        self._explicit = True
        self.begun = 0  # how often it began anew with UIDs

    def scan(self, source: ByteSource, syntax: str) -> Scan:
        """What is not known in runs, for `take`. Raises TransformError: egress-unreadable."""
        explicit = syntax != scanner.IMPLICIT_LE
        return scanner.scan(source, syntax, self._seen if explicit is self._explicit else None)

    def take(self, source: ByteSource, syntax: str, scan: Scan | None = None) -> None:
        """Learn of one object; `scan` is what `scan` of this very harvest has just made of its bytes, or a whole one.

        Raises TransformError: egress-unreadable, egress-too-many.
        """
        seen = self._seen
        explicit = syntax != scanner.IMPLICIT_LE
        begins = len(self.identifiers.uids) > _UIDS_KEPT
        if begins:
            self.identifiers.forget_uids()
            self.begun += 1
        if begins or explicit is not self._explicit or len(seen.elements) > _SEEN:
            seen.clear()
            self._explicit = explicit
            scan = None
        scan = scan or scanner.scan(source, syntax, seen)
        charset = charset_of(scan.chunks)
        if charset != self._charset:
            if seen.elements:  # they were read in another
                seen.clear()
                scan = scanner.scan(source, syntax)
            self._charset = charset
        fresh = seen.fresh(scan.chunks)
        self._learn(scanner.leaves(together(fresh), explicit, charset))
        seen.elements.update([chunk for chunk in fresh if len(chunk) <= _LONG])
        seen.learn(scan.stretches)
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


def together(chunks: list[bytes]) -> bytes:
    """Elements as one, to be read in the data set's character set: what says which that is, is left out."""
    return b"".join([chunk for chunk in chunks if not chunk.startswith(CHARSET)])


def charset_of(chunks: list[bytes]) -> bytes:
    """The value of Specific Character Set of the data set; b"" where it has none."""
    for chunk in chunks:
        if chunk.startswith(CHARSET):
            return chunk[8:]
    return b""
