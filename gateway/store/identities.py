"""The identifiers of each study, kept so that an object which comes later is checked against all of them.

    STATE/identities.sqlite, 0600, WAL, synchronous=FULL: beside the ledger, and like it it knows patients

Rules of this file
* Only what the egress check needs: class and text, at most MOST of a study. No UIDs: an object brings its own.
* MOST is one more than a study may have: whoever reads so many knows that there may be others, and lets nothing out.
* Every worker appends, none changes a row. What is appended is durable before the object is acknowledged.
* A study goes KEPT after the last new identifier came, or at once with `forget`.
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
_PURGED = 3600.0  # seconds between two looks for what is old
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
_OLD = (
    "DELETE FROM identities WHERE study IN "
    "(SELECT study FROM identities GROUP BY study HAVING max(seen) < ? LIMIT 1000)"
)


class Identities:
    """One `identities.sqlite`. Safe to use from many threads and processes."""

    def __init__(self, path: Path) -> None:
        self._file = SharedFile(path, _TABLES, "secure_delete=ON")
        self._purged = 0.0

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
                rows = sorted(records)[: max(0, MOST - count)]
                run.executemany(_PUT, [(study, name, _storable(text), now) for name, text in rows])
                if now - self._purged > _PURGED:
                    run.execute(_OLD, (now - KEPT,))
                    self._purged = now
            except BaseException:
                run.execute("ROLLBACK")
                raise
            run.execute("COMMIT")

    def forget(self, study: str) -> None:
        """Nothing of a study is kept any more. Raises StorageFailed."""
        with self._opened() as run:
            run.execute("DELETE FROM identities WHERE study = ?", (study,))

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
