"""A ledger of another version is brought to this one whole, or refused; it is never guessed at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, inspect, select, text, update
from sqlalchemy.exc import OperationalError

from gateway.config.schema import State
from gateway.errors import GatewayError
from gateway.model import Decision, Identity, Instance, InstanceState, Origin, Stored, Verdict
from gateway.store import migrations, schema
from gateway.store.engine import open_ledger
from gateway.store.ledger import Transaction

HELD = Decision(Verdict.HOLD, "", "no-route")


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State.model_validate({"dir": str(tmp_path / "state")}, context={"base": tmp_path})


def versioned(connection: Connection, version: str) -> None:
    connection.execute(update(schema.meta).where(schema.meta.c.key == "version").values(value=version))


def version_of(engine: Engine) -> str | None:
    with engine.connect() as connection:
        return connection.execute(select(schema.meta.c.value).where(schema.meta.c.key == "version")).scalar()


def shape(engine: Engine) -> dict[str, Any]:
    """Every table's columns and indexes, as the database tells them."""
    asked = inspect(engine)
    return {
        table: (
            {each["name"]: (str(each["type"]), each["nullable"], each["default"]) for each in asked.get_columns(table)},
            sorted((str(each["name"]), tuple(each["column_names"])) for each in asked.get_indexes(table)),
        )
        for table in asked.get_table_names()
    }


def received(uid: str, study: str, series: str) -> Instance:
    return Instance(
        Identity("1.2", uid, study, series, "P", "CT"),
        Origin("in", "a" * 32, "x"),
        Stored(uid, 0, 1, "0" * 64),
        "1.2",
        0.0,
        HELD,
    )


def sixth(state: State) -> None:
    """A ledger as version 6 left it, with one object in it."""
    engine = open_ledger(state)
    with engine.begin() as connection:
        Transaction(connection).insert_instance(received("1.1", "1.9", "1.8"), InstanceState.HELD, "no-route")
        connection.execute(text("DROP INDEX instances_series"))
        connection.execute(text("ALTER TABLE instances DROP COLUMN series"))
        versioned(connection, "6")
    engine.dispose()


@pytest.mark.parametrize("version", ["5", str(schema.VERSION + 1), "x", ""])
def test_a_ledger_of_another_version_is_refused(state: State, version: str) -> None:
    engine = open_ledger(state)
    assert version_of(engine) == str(schema.VERSION)
    with engine.begin() as connection:
        versioned(connection, version)
    engine.dispose()
    with pytest.raises(GatewayError, match="ledger-version"):
        open_ledger(state)


def test_the_sixth_version_is_brought_forward_and_loses_nothing(state: State, tmp_path: Path) -> None:
    sixth(state)
    engine = open_ledger(state)
    assert version_of(engine) == str(schema.VERSION)
    new = State.model_validate({"dir": str(tmp_path / "new")}, context={"base": tmp_path})
    assert shape(engine) == shape(open_ledger(new)), "brought forward it is what is made new"
    with engine.begin() as connection:
        tx = Transaction(connection)
        (known,) = tx.known("1.1")
        assert tx.instance(known.id) == (received("1.1", "1.9", "1.8"), InstanceState.HELD)
        assert not tx.other_study("1.8", "1.7"), "of old rows the series is not known"
        tx.insert_instance(received("1.2", "1.9", "1.8"), InstanceState.HELD, "no-route")
        assert tx.other_study("1.8", "1.7") and not tx.other_study("1.8", "1.9")
    engine.dispose()
    assert version_of(open_ledger(state)) == str(schema.VERSION), "a second time there is nothing to do"


def test_a_step_that_fails_leaves_the_ledger_as_it_was(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    sixth(state)
    with monkeypatch.context() as patched:
        patched.setitem(migrations.STEPS, 6, (*migrations.STEPS[6], "CREATE INDEX instances_series ON nowhere (x)"))
        with pytest.raises(OperationalError):
            open_ledger(state)
    assert version_of(open_ledger(state)) == str(schema.VERSION)


def test_every_version_has_a_step_to_the_next() -> None:
    assert sorted(migrations.STEPS) == list(range(6, schema.VERSION))
