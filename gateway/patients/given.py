"""What was given once: pseudonyms on disk, so that a restart, a re-send or another process never gives another.

    STATE/patients.sqlite, 0600, WAL, synchronous=FULL: a commit is durable before the pseudonym is used

Rules of this file
* A patient is a keyed digest here (`who`), under a domain of project and key: without the key the file names nobody.
* The first answer stays. Another one later, from whichever process, is `patient-map-changed`; a pseudonym that another
  patient of the domain has is `pseudonym-taken`. Both hold the object and change nothing.
* A study (docs/patients.md) is a keyed digest of its UID and one Patient ID. The pseudonym under which an object left
  that names an issuer is kept apart from the one of objects that name none.
* Every change is one BEGIN IMMEDIATE transaction: of two processes one is first.
* Made at the first use; opening it costs a command that gives nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from gateway.errors import HoldObject, WaitObject
from gateway.store.shared import SharedFile

_TABLES = """
CREATE TABLE IF NOT EXISTS given (
    domain TEXT NOT NULL, who TEXT NOT NULL, pseudonym TEXT NOT NULL, asked REAL NOT NULL,
    PRIMARY KEY (domain, who)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS given_pseudonym ON given (domain, pseudonym);
CREATE TABLE IF NOT EXISTS escrowed (
    officer TEXT NOT NULL, domain TEXT NOT NULL, who TEXT NOT NULL, pseudonym TEXT NOT NULL,
    PRIMARY KEY (officer, domain, who, pseudonym)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS studies (
    domain TEXT NOT NULL, study TEXT NOT NULL, issued INTEGER NOT NULL, pseudonym TEXT NOT NULL,
    PRIMARY KEY (domain, study, issued)
) WITHOUT ROWID;
"""
_STUDY = "SELECT pseudonym FROM studies WHERE domain = ? AND study = ? AND issued = ?"


class Known(NamedTuple):
    """What was given, and when its source last said so (seconds since the epoch)."""

    pseudonym: str
    asked: float


class Given:
    """One `patients.sqlite`. Safe to use from many threads and processes."""

    def __init__(self, path: Path) -> None:
        self._file = SharedFile(path, _TABLES)

    def get(self, domain: str, who: str) -> Known | None:
        """What this patient was given, or None. Raises WaitObject where the file cannot be read now."""
        with self._transaction("DEFERRED") as run:
            found = run.execute(
                "SELECT pseudonym, asked FROM given WHERE domain = ? AND who = ?", (domain, who)
            ).fetchone()
        return Known(*found) if found else None

    def put(self, domain: str, who: str, pseudonym: str, now: float, *, merge: bool) -> None:
        """Remember an answer, durably. Raises HoldObject where it contradicts what was given before."""
        with self._transaction("IMMEDIATE") as run:
            found = run.execute("SELECT pseudonym FROM given WHERE domain = ? AND who = ?", (domain, who)).fetchone()
            if found is not None:
                if found[0] != pseudonym:
                    raise HoldObject("patient-map-changed", "this patient has left under another pseudonym before")
                run.execute("UPDATE given SET asked = ? WHERE domain = ? AND who = ?", (now, domain, who))
                return
            taken = run.execute(
                "SELECT 1 FROM given WHERE domain = ? AND pseudonym = ? LIMIT 1", (domain, pseudonym)
            ).fetchone()
            if taken and not merge:
                raise HoldObject("pseudonym-taken", "another patient has left under this pseudonym before")
            run.execute("INSERT INTO given VALUES (?, ?, ?, ?)", (domain, who, pseudonym, now))

    def of_study(self, domain: str, study: str) -> tuple[str | None, str | None]:
        """The pseudonym of its objects that name an issuer, and of those that named none. Raises WaitObject."""
        with self._transaction("DEFERRED") as run:
            known, unknown = (run.execute(_STUDY, (domain, study, each)).fetchone() for each in (1, 0))
        return known and str(known[0]), unknown and str(unknown[0])

    def settle(self, domain: str, study: str, pseudonym: str, *, issued: bool, declared: bool) -> str:
        """The pseudonym that an object of the study leaves under, durably remembered: `pseudonym`, or the study's.

        `issued`: its issuer is known. `declared`: the rule file says whose its listener's Patient IDs are, so what
        left before without an issuer is known to be another's concern. Raises HoldObject where one patient of a study
        would get two pseudonyms; WaitObject.
        """
        with self._transaction("IMMEDIATE") as run:
            known, unknown = (run.execute(_STUDY, (domain, study, each)).fetchone() for each in (1, 0))
            if not issued:
                before = known or unknown
                if before is None:
                    run.execute("INSERT INTO studies VALUES (?, ?, 0, ?)", (domain, study, pseudonym))
                return str(before[0]) if before else pseudonym
            if known is not None and known[0] != pseudonym:
                raise HoldObject("study-issuer-differs", "its study has this Patient ID under another issuer")
            if unknown is not None and unknown[0] != pseudonym and not declared:
                raise HoldObject(
                    "study-issuer-late", "objects of its study have left as those of a patient whose issuer is unknown"
                )
            if known is None:
                run.execute("INSERT INTO studies VALUES (?, ?, 1, ?)", (domain, study, pseudonym))
        return pseudonym

    def escrowed(self, officer: str, domain: str, who: str, pseudonym: str) -> bool:
        """Whether this row is in the officer's table already."""
        with self._transaction("DEFERRED") as run:
            row = (officer, domain, who, pseudonym)
            query = "SELECT 1 FROM escrowed WHERE officer = ? AND domain = ? AND who = ? AND pseudonym = ?"
            return run.execute(query, row).fetchone() is not None

    def set_escrowed(self, officer: str, domain: str, who: str, pseudonym: str) -> None:
        """It is there now, durably."""
        with self._transaction("IMMEDIATE") as run:
            run.execute("INSERT OR IGNORE INTO escrowed VALUES (?, ?, ?, ?)", (officer, domain, who, pseudonym))

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        self._file.close()

    @contextmanager
    def _transaction(self, kind: str) -> Iterator[sqlite3.Connection]:
        """One transaction; committed where the block ends, undone where it raises. No value gets into an error."""
        try:
            with self._file.opened() as run:
                run.execute(f"BEGIN {kind}")
                try:
                    yield run
                except BaseException:
                    run.execute("ROLLBACK")
                    raise
                run.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            raise WaitObject("patient-store-unavailable", type(error).__name__) from None
