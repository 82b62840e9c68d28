"""The identifiers of each study, kept so that an object which comes later is checked against all of them.

    STATE/identities.sqlite, 0600, WAL, synchronous=FULL: beside the ledger, and like it it knows patients

Rules of this file
* Only what the egress check needs: class and text, at most MOST of a study. No UIDs: an object brings its own.
* MOST is one more than a study may have: whoever reads so many knows that there may be others, and lets nothing out.
* Every worker appends. What is appended is durable before the object is acknowledged.
* A study may go KEPT after its last object came, and only where the ledger knows of none that is not at its end:
  over.py asks it. A number is never given twice: who has read up to one would miss what comes under it again.
* Made at the first use; opening it costs a command that checks nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.errors import StorageFailed
from gateway.store.shared import SharedFile
from transforms.egress import identifiers

MOST = identifiers.MOST + 1  # rows of one study
KEPT = 90 * 86400.0  # seconds
REFRESHED = 86400.0  # seconds; that a study is still coming is written down as often as that
_TABLES = """
CREATE TABLE IF NOT EXISTS identities (
    id INTEGER PRIMARY KEY, study TEXT NOT NULL, class TEXT NOT NULL, value TEXT NOT NULL, seen REAL NOT NULL,
    UNIQUE (study, class, value)
);
CREATE INDEX IF NOT EXISTS identities_study ON identities (study, id);
CREATE INDEX IF NOT EXISTS identities_seen ON identities (seen);
"""
_NEW = "SELECT id, class, value FROM identities WHERE study = ? AND id > ? ORDER BY id"
_PUT = "INSERT OR IGNORE INTO identities (study, class, value, seen) VALUES (?, ?, ?, ?)"
_TOUCH = (
    "UPDATE identities SET seen = ?1 WHERE id = (SELECT max(id) FROM identities WHERE study = ?2) AND seen < ?1 - ?3"
)
_OLD = (
    "SELECT study FROM identities GROUP BY study "
    "HAVING max(seen) < ? AND max(id) < (SELECT max(id) FROM identities) LIMIT ?"
)
_GO = (
    "DELETE FROM identities WHERE study = ?1 AND id < (SELECT max(id) FROM identities) "
    "AND (SELECT max(seen) FROM identities WHERE study = ?1) < ?2"
)


class Identities:
    """One `identities.sqlite`. Safe to use from many threads and processes."""

    def __init__(self, path: Path) -> None:
        self._file = SharedFile(path, _TABLES, "secure_delete=ON")

    def after(self, study: str, last: int) -> tuple[list[tuple[str, str]], int]:
        """(class, text) of a study beyond row `last`, and the last row now. Raises StorageFailed."""
        with self._opened() as run:
            rows = run.execute(_NEW, (study, last)).fetchall()
        return [(name, text) for _, name, text in rows], rows[-1][0] if rows else last

    def put(self, study: str, records: Iterable[tuple[str, str]], now: float) -> None:
        """Append what is new, durably; beyond MOST nothing more. Raises StorageFailed."""
        with self._opened() as run:
            run.execute("BEGIN IMMEDIATE")
            try:
                (count,) = run.execute("SELECT count(*) FROM identities WHERE study = ?", (study,)).fetchone()
                for name, text in sorted(records):
                    if count >= MOST:
                        break
                    count += run.execute(_PUT, (study, name, _storable(text), now)).rowcount
                run.execute(_TOUCH, (now, study, REFRESHED))
            except BaseException:
                run.execute("ROLLBACK")
                raise
            run.execute("COMMIT")

    def old(self, before: float, most: int) -> list[str]:
        """Studies of which nothing came since, but for the one that came last. Raises StorageFailed."""
        with self._opened() as run:
            return [study for (study,) in run.execute(_OLD, (before, most))]

    def forget(self, study: str, before: float) -> None:
        """Nothing of a study is kept any more, unless it has come since. Raises StorageFailed."""
        with self._opened() as run:
            run.execute(_GO, (study, before))

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        self._file.close()

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """The connection, for one thread at a time. No value gets into an error."""
        try:
            with self._file.opened() as run:
                yield run
        except (sqlite3.Error, OSError) as error:
            raise StorageFailed("identities-unavailable", type(error).__name__) from None


def _storable(text: str) -> str:
    """SQLite takes no lone surrogates."""
    return text.encode("utf-8", "replace").decode("utf-8")
