"""Opens the ledger's database: SQLite in the state directory, WAL, synchronous=FULL; or PostgreSQL by URL.

Rules of this file
* Every transaction of the writer is BEGIN IMMEDIATE: it never finds out at its end that another was faster.
* Readers open read-only and see the last commit; they can neither wait for nor hold up the writer.
* What the database complains about is told without the values it was given: they are patients' (`hide_parameters`).
* The file is 0600, like the spool: it knows patients. A schema of an older version is brought to this one
  (migrations.py), or refused; a newer one is refused. Nothing is guessed at.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, insert, select, update
from sqlalchemy.exc import DatabaseError, OperationalError

from gateway.config.schema import State
from gateway.errors import GatewayError
from gateway.folders import made
from gateway.logs import fields
from gateway.store import migrations, schema

log = logging.getLogger("ledger")


def path_of(state: State) -> Path:
    """Where the embedded ledger is."""
    return state.dir / "ledger.sqlite"


def open_ledger(state: State) -> Engine:
    """For the writer: makes the tables where they are missing, brings older ones forward.

    Raises GatewayError (ledger-version) on a schema that it cannot bring forward.
    """
    if state.ledger == "sqlite":
        made(state.dir)
        path = path_of(state)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600))
        engine = create_engine(
            f"sqlite:///{path}", isolation_level=None, connect_args={"timeout": 10}, hide_parameters=True
        )
        event.listen(engine, "connect", _durable)
        event.listen(engine, "begin", _begin)
    else:
        engine = create_engine(state.ledger, hide_parameters=True)
    with engine.begin() as connection:
        schema.metadata.create_all(connection)
        found = connection.execute(select(schema.meta.c.value).where(schema.meta.c.key == "version")).scalar()
        if found is None:
            connection.execute(insert(schema.meta).values(key="version", value=str(schema.VERSION)))
        elif found != str(schema.VERSION):
            if not migrations.bring(connection, found, schema.VERSION):
                raise GatewayError(
                    "ledger-version", f"the ledger has schema version {found}, this gateway {schema.VERSION}"
                )
            version = update(schema.meta).where(schema.meta.c.key == "version").values(value=str(schema.VERSION))
            connection.execute(version)
            log.info(fields("ledger-brought-forward", detail=schema.VERSION))
    return engine


def open_read_only(state: State) -> Engine:
    """For `status` and `held`. Raises GatewayError where there is no ledger yet."""
    if state.ledger != "sqlite":
        return create_engine(state.ledger, hide_parameters=True)
    path = path_of(state)
    if not path.exists():
        raise GatewayError("no-ledger", "the gateway has not served from this state directory yet")
    engine = create_engine(
        f"sqlite:///file:{path.resolve()}?mode=ro&uri=true", connect_args={"timeout": 10}, hide_parameters=True
    )
    try:
        with engine.connect():
            return engine
    except DatabaseError as error:
        raise GatewayError("ledger-unreadable", type(error.orig).__name__) from error


def _begin(connection: Connection) -> None:
    try:
        connection.connection.cursor().execute("BEGIN IMMEDIATE")
    except sqlite3.Error as error:
        raise OperationalError("BEGIN IMMEDIATE", None, error, hide_parameters=True) from error


def _durable(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "wal_autocheckpoint=4000"):
        connection.execute(f"PRAGMA {pragma}")
    # What a writer that died could not sync may still be in the page cache: a WAL that went on behind it would break
    # there at a power cut, and everything acknowledged later be gone. So each writer begins a WAL of its own.
    (busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise sqlite3.OperationalError("the ledger is in use: its log cannot be begun anew")
