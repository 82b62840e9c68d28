"""Statements of SQLAlchemy Core, compiled once and then run on the driver's own cursor.

* What runs for every object (ledger.py) takes a fifth of the time so; rare statements run as Core has them.
* The text is Core's, for the dialect at hand; only values are given, in the order Core says. Values go in and come out
  as the driver has them: the tables hold nothing but text, numbers and bytes.
* The driver's errors come out as SQLAlchemy's, without the values: nobody has to know which way a statement ran.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Executable
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement


class Prepared:
    """One statement. `columns`: those an INSERT gives."""

    __slots__ = ("_columns", "_constants", "_dialect", "_order", "_statement", "_text")

    def __init__(self, statement: Executable, columns: Sequence[str] | None = None) -> None:
        self._statement = statement
        self._columns = columns
        self._dialect = ""

    def _compile(self, dialect: Dialect) -> None:
        assert isinstance(self._statement, ClauseElement)
        found = self._statement.compile(dialect=dialect, column_keys=self._columns)
        assert isinstance(found, SQLCompiler) and found.positiontup is not None
        self._text = str(found)
        self._order = tuple(found.positiontup)
        self._constants = {name: value for name, value in found.params.items() if value is not None}
        self._dialect = dialect.name

    def values(self, dialect: Dialect, given: Mapping[str, Any]) -> tuple[str, list[Any]]:
        """The text, and the values in its order."""
        if self._dialect != dialect.name:
            self._compile(dialect)
        constants = self._constants
        return self._text, [given[name] if name in given else constants[name] for name in self._order]


class Cursor:
    """Runs prepared statements within the transaction that a connection has begun."""

    __slots__ = ("_cursor", "_dialect", "_error")

    def __init__(self, connection: Connection) -> None:
        self._dialect = connection.dialect
        self._cursor = connection.connection.cursor()
        self._error: type[Exception] = connection.dialect.loaded_dbapi.Error

    def _run(self, statement: Prepared, given: Mapping[str, Any]) -> Any:
        text, values = statement.values(self._dialect, given)
        try:
            return self._cursor.execute(text, values)
        except self._error as error:
            raise self._told(text, error) from error

    def _told(self, text: str, error: Exception) -> BaseException:
        return DBAPIError.instance(text, None, error, self._error, hide_parameters=True, dialect=self._dialect)

    def all(self, statement: Prepared, **given: Any) -> list[tuple[Any, ...]]:
        """Every row."""
        self._run(statement, given)
        return list(self._cursor.fetchall())

    def first(self, statement: Prepared, **given: Any) -> tuple[Any, ...] | None:
        """The first row, if there is one."""
        self._run(statement, given)
        rows = self._cursor.fetchall()  # all: a cursor that is not read to its end keeps its statement open
        return tuple(rows[0]) if rows else None

    def change(self, statement: Prepared, given: Mapping[str, Any]) -> int:
        """How many rows it changed."""
        self._run(statement, given)
        return self._cursor.rowcount

    def insert(self, statement: Prepared, given: Mapping[str, Any]) -> int:
        """The number of the new row: SQLite's, whose INTEGER keys number themselves."""
        self._run(statement, given)
        assert self._cursor.lastrowid is not None
        return int(self._cursor.lastrowid)
