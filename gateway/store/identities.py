"""The identifiers of each study, kept so that an object which comes later is checked against all of them.

    STATE/identities.sqlite, 0600, WAL, synchronous=FULL: beside the ledger, and like it it knows patients

Rules of this file
* Only what the egress check needs: class and text, at most MOST of a study. No UIDs: an object brings its own.
* Every worker appends, none changes a row. What is appended is durable before the object is acknowledged.
* A study goes KEPT after the last new identifier came, or at once with `forget`.
* Made at the first use; opening it costs a command that checks nothing.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock

from gateway.errors import StorageFailed
from gateway.folders import made

MOST = 2_000  # rows of one study
KEPT = 90 * 86400.0  # seconds
_PURGED = 3600.0  # seconds between two looks for what is old
_WAIT = 10.0  # seconds for another process's transaction
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
        self._path = path
        self._lock = Lock()
        self._connection: sqlite3.Connection | None = None
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
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """The connection, for one thread at a time. No value gets into an error."""
        with self._lock:
            try:
                if self._connection is None:
                    self._connection = _open(self._path)
                yield self._connection
            except (sqlite3.Error, OSError) as error:
                if self._connection is not None:
                    self._connection.close()
                    self._connection = None
                raise StorageFailed("identities-unavailable", type(error).__name__) from None


def _storable(text: str) -> str:
    """SQLite takes no lone surrogates."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _open(path: Path) -> sqlite3.Connection:
    """One process at a time: SQLite waits for nobody while a file is made or becomes WAL ("database is locked")."""
    made(path.parent)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        return _connected(path)
    finally:
        os.close(folder)


def _connected(path: Path) -> sqlite3.Connection:
    # Only a new file is opened here: closing one that SQLite holds would give up SQLite's locks on it
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
    if path.is_symlink():
        raise OSError(errno.ELOOP, "identities.sqlite is a link")
    connection = sqlite3.connect(path, timeout=_WAIT, isolation_level=None, check_same_thread=False)
    try:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
            connection.execute(f"PRAGMA {pragma}")
        connection.executescript(_TABLES)
    except sqlite3.Error:
        connection.close()
        raise
    return connection
