"""Makes the N-th of the calls on which durability stands fail, in this process, and tells which it was.

Rules of this file
* Counted are the calls on files beneath one folder, and the ledger's commits; sockets and pipes are left alone.
* A write that has no room writes a part first: that is what a full disk does.
* `commit` fails with nothing committed; `late` commits, and then says that it failed (the log could not be synced).
* What is said of the call is what the system would say: OSError, and sqlite3's own words out of a commit.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from gateway.audit import trail
from gateway.store import spool

CALLS = ("write", "pwrite", "fsync", "fdatasync", "rename", "link")


class Failing:
    """The `at`-th call fails with `number`; with `onward` all that follow too, until `heal`."""

    def __init__(self, folder: Path, at: int, number: int, *, onward: bool = False, late: bool = False) -> None:
        self._folder = str(folder)
        self._at = at
        self.number = number
        self._onward = onward
        self._late = late
        self._healed = False
        self.count = 0
        self.failed: list[str] = []

    def heal(self) -> None:
        """There is room again, or another disk."""
        self._healed = True

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Stand in for the calls, wherever the product has got hold of them."""
        synced = self._standing_in("fdatasync", os.fdatasync)
        for name in CALLS:
            patch.setattr(os, name, synced if name == "fdatasync" else self._standing_in(name, getattr(os, name)))
        patch.setattr(spool, "_fdatasync", synced)
        patch.setattr(trail, "_fdatasync", synced)
        commit = SQLiteDialect_pysqlite.do_commit
        changes: dict[int, int] = {}  # by connection: a commit of nothing asks nothing of the disk

        def do_commit(dialect: Any, connection: Any) -> None:
            made, before = connection.total_changes, changes.get(id(connection.driver_connection), -1)
            changes[id(connection.driver_connection)] = made
            fails = connection.in_transaction and made != before and self._turn("commit")
            if not fails or self._late:
                commit(dialect, connection)
            if fails:
                connection.rollback()  # as sqlite3VdbeHalt does where COMMIT fails for want of room or by I/O
                full = self.number == errno.ENOSPC
                raise sqlite3.OperationalError("database or disk is full" if full else "disk I/O error")

        patch.setattr(SQLiteDialect_pysqlite, "do_commit", do_commit)

    def _standing_in(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if not self._concerns(arguments[0], options) or not self._turn(name):
                return real(*arguments, **options)
            if name == "write" and self.number == errno.ENOSPC:
                real(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
            raise OSError(self.number, os.strerror(self.number))

        return call

    def _concerns(self, what: object, options: dict[str, Any]) -> bool:
        number = options.get("src_dir_fd", what)
        path = str(Path(f"/proc/self/fd/{number}").readlink() if isinstance(number, int) else what)
        return path.startswith(self._folder) and "/rules" not in path  # those are kept before a start

    def _turn(self, name: str) -> bool:
        if self._healed:
            return False
        self.count += 1
        fails = self.count >= self._at if self._onward else self.count == self._at
        if fails:
            self.failed.append(name)
        return fails
