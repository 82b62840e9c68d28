"""The check of one output against the identifiers of its study. It is all that the shell calls.

* `Study.harvest` learns of an original, `Study.check` searches what would leave of it: the data set, the File Meta,
  and the names it leaves under.
* Elements that were searched in vain, of the data set and of File Meta, are remembered by their bytes until the study's
  identifiers grow, so that a series of images costs little more than what is new in each.
* What cannot be read is not clean: `egress-unreadable`.
* A Study is for one thread at a time. It identifies a patient: nothing of it may be logged or kept but its records.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from transforms.egress import scanner
from transforms.egress.classes import CLASSES, PATIENT_ID, Kept
from transforms.egress.harvest import Harvest, charset_of, together
from transforms.egress.identifiers import Record
from transforms.egress.passed import Passed
from transforms.egress.scanner import Large, Leaf, Scan
from transforms.egress.search import NAMES_ONLY, Hit, Searcher, Suspicion
from transforms.source import ByteSource, BytesSource

WINDOW: Final = 4 << 20  # bytes of a long element searched at a time
OVERLAP: Final = 1 << 12  # at least the longest needle in any encoding
PARSED: Final = 16 << 20  # bytes of a sequence that is looked through value by value
MOST_HITS: Final = 16
_CLEAN: Final = 2_000  # elements remembered
_LONG: Final = 1024  # bytes; longer ones are searched again
_META: Final = 132
_UIDS: Final = re.compile(rb"[0-9][0-9.]{4,}[0-9]")
_NOTHING: Final = Kept()


class _Searched:
    """What was searched in one syntax, under one set of kept classes and pseudonym, at one version of identifiers."""

    __slots__ = ("clean", "searcher", "uids", "uids_known", "version")

    def __init__(self) -> None:
        self.version = -1
        self.clean = Passed()
        self.uids: set[bytes] = set()  # in what is remembered as clean: one of them may yet turn out an original
        self.uids_known = 0
        self.searcher: Searcher


class Study:
    """The identifiers of one study, and what is known to hold none of them."""

    __slots__ = ("_harvest", "_searched")

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self._harvest = Harvest()
        self._searched: dict[tuple[Kept, bytes, bool], _Searched] = {}
        self.learn(records)

    def learn(self, records: Iterable[Record]) -> None:
        """Identifiers that other objects of the study had. Raises TransformError(egress-too-many)."""
        for name, text in records:
            self._harvest.identifiers.add(name, text)

    @property
    def version(self) -> int:
        """Changes where `records` has grown."""
        return self._harvest.identifiers.version

    @property
    def records(self) -> frozenset[Record]:
        """What to keep of this study: class and text. It identifies the patient."""
        return frozenset(self._harvest.identifiers.records)

    @property
    def begun(self) -> int:
        """Changes where what single objects had to themselves (UIDs) is forgotten."""
        return self._harvest.begun

    def scan(self, source: ByteSource, syntax: str) -> Scan:
        """The elements of an original, but for those that other originals of the study had in runs; with all of its
        top level that say whose it is (passed.ALONE). Raises TransformError(egress-unreadable)."""
        return self._harvest.scan(source, syntax)

    def harvest(self, source: ByteSource, syntax: str, scan: Scan | None = None) -> None:
        """Learn of an original: its data set in a little-endian syntax, inflated. Raises TransformError.

        `scan` is what `scan` of this study has just made of its bytes.
        """
        self._harvest.take(source, syntax, scan)

    def check(
        self,
        output: ByteSource,
        syntax: str,
        kept: Kept = _NOTHING,
        *,
        head: bytes = b"",
        name: str = "",
        pseudonym: str = "",
    ) -> tuple[Hit, ...]:
        """Everything of the study that an output still holds; () where it may leave.

        `output` is the data set as it would leave, `head` what stands before it in a file (preamble, prefix, File
        Meta), `name` the names it would leave under. A `pseudonym` may be what an original had as a name, never what it
        had as Patient ID: sites label trial patients at the scanner. Raises TransformError: egress-unreadable,
        egress-too-many where an identifier of the study may not be known.
        """
        self._harvest.identifiers.bounded()
        given = b"" if (PATIENT_ID, pseudonym) in self._harvest.identifiers.records else pseudonym.encode()
        explicit = syntax != scanner.IMPLICIT_LE
        state = self._state(kept, given, explicit)
        scan = scanner.scan(output, syntax, state.clean)
        fresh = state.clean.fresh(scan.chunks)
        found: list[Hit] = []
        title = (name.replace(pseudonym, "") if given else name).encode("utf-8", "surrogateescape")
        preamble, meta = _before(head)
        meta = state.clean.fresh(meta)
        raw = b"\0\0".join((*fresh, preamble, *meta, title))
        searcher = state.searcher
        suspicion = searcher.suspects(raw, explicit)
        if suspicion is not None:
            charset = charset_of(scan.chunks)

            def hits_in(data: bytes, suspicion: Suspicion = suspicion) -> list[Hit]:
                leaves = scanner.leaves(data, explicit, charset)
                return [hit for leaf in leaves if not _is(leaf, given) for hit in searcher.hits(leaf, suspicion)]

            if hits_in(together(fresh)):  # in which of them? The others need not be searched again
                for chunk in fresh:
                    hits = hits_in(chunk)
                    found.extend(hits)
                    if not hits:
                        self._remember(state, (chunk,))
                fresh = []
        self._remember(state, fresh)
        state.clean.learn(scan.stretches)
        suspicion = suspicion or NAMES_ONLY
        for element in meta:
            hits = [h for leaf in scanner.leaves(element, True, b"") for h in searcher.hits(leaf, suspicion)]
            found.extend(hits)
            if not hits:
                self._remember(state, (element,))
        for leaf in (Leaf(-1, "UN", preamble, b""), Leaf(-1, "LO", title, b"")):
            found.extend(searcher.hits(leaf, suspicion))
        for each in scan.large:
            found.extend(_large(searcher, output, each, explicit))
        return tuple(sorted(set(found), key=_rank))[:MOST_HITS]

    def _state(self, kept: Kept, given: bytes, explicit: bool) -> _Searched:
        known = self._harvest.identifiers
        state = self._searched.get((kept, given, explicit))
        if state is None:
            if len(self._searched) > 8:
                self._searched.clear()
            state = self._searched[kept, given, explicit] = _Searched()
        if state.version != known.version:
            state.searcher = Searcher(known, kept)
            state.version = known.version
            state.clean.clear()
            state.uids.clear()
        elif len(state.clean.elements) > _CLEAN or not state.uids.isdisjoint(known.uid_log[state.uids_known :]):
            state.clean.clear()
            state.uids.clear()
        state.uids_known = len(known.uid_log)
        return state

    def _remember(self, state: _Searched, chunks: Iterable[bytes]) -> None:
        for chunk in chunks:
            if len(chunk) <= _LONG:
                state.clean.elements.add(chunk)
                state.uids.update(_UIDS.findall(chunk))


def _rank(hit: Hit) -> tuple[int, str, str]:
    """What identifies most first."""
    return CLASSES.index(hit.name), hit.where, hit.encoding


def _is(leaf: Leaf, pseudonym: bytes) -> bool:
    """Patient's Name or Patient ID, or a copy of them, that holds the pseudonym and nothing else."""
    return bool(pseudonym) and leaf.value.strip(b" \0") == pseudonym


def _before(head: bytes) -> tuple[bytes, list[bytes]]:
    """What stands before the data set in a file: the preamble where it is not empty, and the elements of File Meta."""
    if not head:
        return b"", []
    if head[128:132] != b"DICM":
        raise scanner.unreadable(0)
    meta = scanner.scan(BytesSource(head[_META:]), scanner.EXPLICIT_LE)
    if meta.large or meta.skipped:
        raise scanner.unreadable(_META)
    return head[:128] if head[:128].strip(b"\0") else b"", meta.chunks


def _large(searcher: Searcher, output: ByteSource, each: Large, explicit: bool) -> Iterator[Hit]:
    """A long element: value by value where it frames and fits, else in windows."""
    size = each.end - each.start
    if each.items and size <= PARSED:
        raw = output.pread(each.start, size)
        suspicion = searcher.suspects(raw, explicit)
        if suspicion is not None:
            for leaf in scanner.leaves(raw, explicit, b""):
                yield from searcher.hits(leaf, suspicion)
        return
    for at in range(each.start, each.end, WINDOW):
        data = output.pread(at, min(WINDOW + OVERLAP, each.end - at))
        if not data:
            raise scanner.unreadable(at)
        yield from searcher.hits(Leaf(each.tag, "OB", data, b""), searcher.everything())


def checked(
    original: ByteSource, output: ByteSource, syntax: str, kept: Kept = _NOTHING, *, head: bytes = b"", name: str = ""
) -> tuple[Hit, ...]:
    """One object on its own: harvest the original, check the output."""
    study = Study()
    study.harvest(original, syntax)
    return study.check(output, syntax, kept, head=head, name=name)
