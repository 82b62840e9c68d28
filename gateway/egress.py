"""The egress check in the gateway: studies in memory, their identifiers on disk, and a hold where something is found.

Rules of this file
* It follows every de-identification by itself; no setting of any file turns it off.
* Identifiers are learnt at ingest and durable before the acknowledgement; what other workers learnt is read before
  each check.
* A study is in the hands of one thread at a time. At most STUDIES that objects were checked against are in memory; the
  others are read again. Of those that were only looked at, which take little, the first stay: they are needed first.
* A hold tells the class, the encoding and the attribute. The value is nowhere.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final, NamedTuple

from gateway.errors import HoldObject, StorageFailed, WaitObject
from transforms.deidentify.profile import ActionTable
from transforms.egress.check import Study
from transforms.egress.classes import Kept, kept_by
from transforms.egress.passed import ALONE
from transforms.egress.scanner import Scan
from transforms.errors import TransformError
from transforms.source import ByteSource, Copy, EditPlan, Literal

if TYPE_CHECKING:  # `deid` keeps nothing, and does not wait for a database
    from gateway.store.identities import Identities

Unpack = Callable[[Sequence[bytes]], Iterable[tuple[str, str]]]

STUDIES = 16
REFRESHED: Final = 86400.0  # seconds, as in store/identities.py, which `deid` does not import
_STUDY: Final = b"\x20\x00\x0d\x00"  # Study Instance UID
_VALUE: Final = 8  # bytes of the header of passed.ALONE: short VRs, or Implicit VR
_HEAD = 1 << 14  # bytes; as much as the check reads at a time


class _Known:
    """One study: its identifiers, and what of them is on disk."""

    __slots__ = ("harvested", "last", "lock", "stored", "study", "taught", "told", "version")

    def __init__(self) -> None:
        self.lock = Lock()
        self.study = Study()
        self.version = 0  # of the study when it was last stored
        self.stored: frozenset[tuple[str, str]] = frozenset()
        self.told = 0.0  # when all of them were known to be there
        self.last = 0  # row on disk
        self.harvested: dict[int, int] = {}  # objects by their number -> Study.begun when it was
        self.taught: Sequence[bytes] = ()


class Seen(NamedTuple):
    """What a first look at an original has shown."""

    study: str  # Study Instance UID; "" where it has none, and then nothing is learnt
    values: dict[bytes, bytes]  # of passed.ALONE, by the tag's bytes
    records: frozenset[tuple[str, str]]  # what this process has not told of the study before


class _Ahead:
    """A plan whose beginning is in memory: an image without its pixels is put together once, not at each look."""

    __slots__ = ("_head", "_source", "size")

    def __init__(self, source: ByteSource, head: bytes) -> None:
        self._source = source
        self._head = head
        self.size = source.size

    def pread(self, offset: int, length: int) -> bytes:
        if offset + length <= len(self._head):
            return self._head[offset : offset + length]
        return self._source.pread(offset, length)


def _ahead(original: ByteSource, output: ByteSource) -> ByteSource:
    """The output, with its beginning in memory where it is an edit of the original."""
    if not isinstance(output, EditPlan) or output.source is not original:
        return output
    head = original.pread(0, 2 * _HEAD)
    parts: list[bytes] = []
    made = 0
    for piece in output.pieces:
        part = piece.data if isinstance(piece, Literal) else head[piece.offset : piece.offset + piece.length]
        parts.append(part)
        made += len(part)
        if made >= _HEAD or (isinstance(piece, Copy) and len(part) < piece.length):
            break  # what is not in memory ends it: nothing after it is known
    return _Ahead(output, b"".join(parts)[:_HEAD])


class Egress:
    """All studies of a process. Without a store it knows what this process has seen."""

    def __init__(
        self, store: Identities | None = None, clock: Callable[[], float] = time.time, ahead: int = STUDIES
    ) -> None:
        """`ahead`: how many studies are in memory at most, with those that are only looked at."""
        self._store = store
        self._clock = clock
        self._most = ahead
        self._used: OrderedDict[str, None] = OrderedDict()  # the studies that are more than looked at
        self._studies: OrderedDict[str, _Known] = OrderedDict()
        self._looked = _Known()  # of the study of the last look
        self._lock = Lock()

    def learn(self, study: str, source: ByteSource, syntax_uid: str) -> None:
        """Identifiers of an original at ingest, durable. `study` is its Study Instance UID.

        What cannot be read is left to `check`, which holds it. Raises StorageFailed.
        """
        if study:
            known = self._known(study)
            with known.lock:
                with suppress(TransformError):
                    known.study.harvest(source, syntax_uid)
                self._store_new(study, known)  # also what was learnt before it could not be read any further

    def look(self, number: int, source: ByteSource, syntax_uid: str) -> Seen:
        """Learn of original `number`, whose study is not known before. Raises TransformError."""
        guess = self._looked  # neighbours often are of one study, which knows most of each
        with guess.lock:
            scan = guess.study.scan(source, syntax_uid)
            values = {chunk[:4]: chunk[_VALUE:] for chunk in scan.chunks if chunk[:4] in ALONE}
            study = values.get(_STUDY, b"").strip(b"\0 ").decode("latin-1")
            if not study:
                return Seen("", values, frozenset())
            known = self._known(study, ahead=True)
            if known is guess:
                return Seen(study, values, self._learnt(known, number, source, syntax_uid, scan))
        self._looked = known
        with known.lock:
            return Seen(study, values, self._learnt(known, number, source, syntax_uid, None))

    def _learnt(
        self, known: _Known, number: int, source: ByteSource, syntax_uid: str, scan: Scan | None
    ) -> frozenset[tuple[str, str]]:
        known.study.harvest(source, syntax_uid, scan)
        known.harvested[number] = known.study.begun
        if known.version == known.study.version:
            return frozenset()
        new = known.study.records - known.stored
        known.stored, known.version = known.stored | new, known.study.version
        return new

    def teach(self, study: str, packed: Sequence[bytes], unpacked: Unpack) -> None:
        """Identifiers that others told of a study. Raises TransformError(egress-too-many)."""
        known = self._known(study)
        with known.lock:
            if known.taught is not packed:
                known.study.learn(unpacked(packed))
                known.taught = packed

    def check(
        self,
        study: str,
        original: ByteSource,
        output: ByteSource,
        syntax_uid: str,
        kept: Kept,
        *,
        original_syntax: str = "",
        head: bytes = b"",
        name: str = "",
        pseudonym: str = "",
        number: int = -1,
    ) -> None:
        """Nothing of the study may be in `output`. Both are in one little-endian syntax, or the original in its own.

        `number`: of an object that may have been harvested already (`look`).
        Raises HoldObject: egress-hit, egress-unreadable, egress-too-many; WaitObject where the store cannot be read.
        """
        known = self._known(study) if study else _Known()
        output = _ahead(original, output)
        with known.lock:
            try:
                if study and self._store is not None:
                    records, known.last = self._store.after(study, known.last)
                    if records:
                        known.study.learn(records)
                        known.stored = known.stored.union(records)
                        known.told = known.told or self._clock()
                if known.harvested.get(number) != known.study.begun:
                    known.study.harvest(original, original_syntax or syntax_uid)
                if study:
                    self._store_new(study, known)
                hits = known.study.check(output, syntax_uid, kept, head=head, name=name, pseudonym=pseudonym)
            except TransformError as error:
                raise HoldObject(error.reason, error.detail) from error
            except StorageFailed as error:
                raise WaitObject(error.reason, error.detail) from error
        if hits:
            first = hits[0]
            told = f"{first.encoding} in {first.where}"
            _told(len(hits), first.name, told)
            raise HoldObject("egress-hit", f"{first.name} as {told}")

    def _known(self, study: str, *, ahead: bool = False) -> _Known:
        """Its place in memory; for one that is looked at `ahead` the last one goes where there is none."""
        with self._lock:
            known = self._studies.get(study)
            if known is None:
                while len(self._studies) >= self._most:
                    gone, _ = self._studies.popitem(last=ahead)
                    self._used.pop(gone, None)
                known = self._studies[study] = _Known()
            else:
                self._studies.move_to_end(study)
            if not ahead:
                self._used[study] = None
                self._used.move_to_end(study)
                if len(self._used) > STUDIES:
                    gone, _ = self._used.popitem(last=False)
                    del self._studies[gone]
            return known

    def _store_new(self, study: str, known: _Known) -> None:
        """Also what is there by all we know, once a day: it may have grown old, and gone, since."""
        if self._store is None:
            return
        now = self._clock()
        again = abs(now - known.told) >= REFRESHED
        if known.version == known.study.version and not again:
            return
        version = known.study.version
        records = known.study.records
        if new := records if again else records - known.stored:
            self._store.put(study, new, now)
        if again:
            known.told = now
        known.stored, known.version = records | known.stored, version


def _told(count: int, kind: str, detail: str) -> None:
    import logging  # `deid` nearly never has anything to log, and does not wait for it

    from gateway.logs import fields

    logging.getLogger("egress").warning(fields("egress-hit", count=count, kind=kind, detail=detail))


@lru_cache(maxsize=16)
def egress_of(state: Path) -> Egress:
    """The check of a state directory: one a process, so that reloads lose nothing."""
    from gateway.store.identities import Identities

    return Egress(Identities(state / "identities.sqlite"))


@lru_cache(maxsize=256)
def kept(table: ActionTable) -> Kept:
    """What a compiled profile lets through on purpose: by its options, and by overrides that keep an attribute."""
    tags = frozenset(tag for _, tag, action in table.overrides if action == "keep")
    found = kept_by(table.options, tags)
    return Kept(found.classes, found.tags, found.shifted or table.shifts)
