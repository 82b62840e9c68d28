"""A small SQLite file beside the ledger that every process opens for itself: identities, patients.

* 0600, WAL, synchronous=FULL: what is committed is durable.
* Made at the first use, by whoever comes first; a command that never uses it does not open it.
* One connection a process, in the hands of one thread at a time; after an error it is opened anew.
* What stands in it, and what its errors mean, is the business of who uses it.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from gateway.folders import made

_WAIT = 10.0  # seconds for another process's transaction


class SharedFile:
    """One file. Safe to use from many threads and processes."""

    def __init__(self, path: Path, tables: str, *pragmas: str) -> None:
        """`tables`: statements that change nothing where they were run before."""
        self._path = path
        self._tables = tables
        self._pragmas = ("journal_mode=WAL", "synchronous=FULL", *pragmas)
        self._lock = Lock()
        self._connection: sqlite3.Connection | None = None

    @contextmanager
    def opened(self) -> Iterator[sqlite3.Connection]:
        """The connection, for one thread at a time. Raises sqlite3.Error or OSError, whose texts may hold values."""
        with self._lock:
            try:
                if self._connection is None:
                    self._connection = self._open()
                yield self._connection
            except (sqlite3.Error, OSError):
                self._close()
                raise

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        made(self._path.parent)
        try:
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
        except FileExistsError:  # never opened by us beside SQLite: closing it would drop this process's locks on it
            if self._path.is_symlink():
                raise
        deadline = time.monotonic() + _WAIT
        while True:
            connection = sqlite3.connect(self._path, timeout=_WAIT, isolation_level=None, check_same_thread=False)
            try:
                for pragma in self._pragmas:
                    connection.execute(f"PRAGMA {pragma}")
                connection.executescript(self._tables)
                return connection
            except sqlite3.Error as error:
                connection.close()
                # Two that open a fresh file at once: SQLite does not wait for the change to WAL
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
