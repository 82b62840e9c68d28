"""Which CDA was made of which SR: what makes the next version of a document know the one before it.

    STATE/documents.sqlite, 0600, WAL, synchronous=FULL

Rules of this file
* A row is a conversion: reports block, SOP Instance UID, digest of what was converted and how -> set, version, what it
  replaces. The same conversion finds its row and gives the same document again, after a crash and after a year.
* A number is taken before the document is made (`of`), its id is filled in after (`made`); a version whose document was
  never made is never replaced.
* It holds UIDs and digests, and nothing of what the documents say.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from gateway.errors import WaitObject
from gateway.store.shared import SharedFile
from transforms.cda.identity import set_of
from transforms.cda.options import Lineage

_TABLES = """
CREATE TABLE IF NOT EXISTS documents (
    id INTEGER PRIMARY KEY, block TEXT NOT NULL, sop_instance TEXT NOT NULL, digest TEXT NOT NULL,
    set_id TEXT NOT NULL, version INTEGER NOT NULL, replaces TEXT NOT NULL, document TEXT NOT NULL DEFAULT '',
    UNIQUE (block, sop_instance, digest)
);
CREATE INDEX IF NOT EXISTS documents_set ON documents (block, set_id, version);
"""
_SAME = "SELECT set_id, version, replaces FROM documents WHERE block = ? AND sop_instance = ? AND digest = ?"
_BEFORE = "SELECT set_id FROM documents WHERE block = ? AND sop_instance = ? ORDER BY version DESC LIMIT 1"
_LAST = "SELECT version, document FROM documents WHERE block = ? AND set_id = ? ORDER BY version DESC LIMIT 1"
_PUT = "INSERT INTO documents (block, sop_instance, digest, set_id, version, replaces) VALUES (?, ?, ?, ?, ?, ?)"
_MADE = "UPDATE documents SET document = ? WHERE block = ? AND sop_instance = ? AND digest = ?"


class Lineages:
    """One `documents.sqlite`. Safe to use from many threads and processes."""

    def __init__(self, path: Path) -> None:
        self._file = SharedFile(path, _TABLES)

    def of(
        self, block: str, sop_instance: str, digest: str, predecessors: Sequence[str] = (), *, addendum: bool = False
    ) -> Lineage:
        """Where this conversion stands among the versions of its document; the same answer each time.

        `predecessors`: SOP Instance UIDs of SRs that this one replaces. An `addendum` is no version of theirs: it is
        the first of a set of its own, and knows what it is an addendum to. Raises WaitObject.
        """
        with self._opened() as run:
            run.execute("BEGIN IMMEDIATE")
            try:
                found = run.execute(_SAME, (block, sop_instance, digest)).fetchone()
                if found:
                    set_id, version, before = found
                    lineage = Lineage(set_id, version, before, addendum and version == 1 and before != "")
                else:
                    lineage = self._next(run, block, sop_instance, predecessors)
                    if addendum and lineage.replaces and not run.execute(_BEFORE, (block, sop_instance)).fetchone():
                        lineage = Lineage(set_of(sop_instance), 1, lineage.replaces, appends=True)
                if not found:
                    row = (block, sop_instance, digest, lineage.set_id, lineage.version, lineage.replaces)
                    run.execute(_PUT, row)
            except BaseException:
                run.execute("ROLLBACK")
                raise
            run.execute("COMMIT")
        return lineage

    def made(self, block: str, sop_instance: str, digest: str, document: str) -> None:
        """The document of this conversion: its id, "root" or "root^extension". Raises WaitObject."""
        with self._opened() as run:
            run.execute(_MADE, (document, block, sop_instance, digest))

    @staticmethod
    def _next(run: sqlite3.Connection, block: str, sop_instance: str, predecessors: Sequence[str]) -> Lineage:
        for each in (sop_instance, *predecessors):
            found = run.execute(_BEFORE, (block, each)).fetchone()
            if found:
                version, document = run.execute(_LAST, (block, found[0])).fetchone()
                return Lineage(found[0], version + 1, document)
        return Lineage(set_of(sop_instance), 1)

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._file.opened() as run:
                yield run
        except (sqlite3.Error, OSError) as error:
            raise WaitObject("documents-unavailable", type(error).__name__) from None


@lru_cache(maxsize=16)
def lineages_of(state: Path) -> Lineages:
    """The store of a state directory: one a process."""
    return Lineages(state / "documents.sqlite")
