"""A ledger of another version is refused, never guessed at; what is delivered keeps its evidence."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select, update

from gateway.config.schema import State
from gateway.errors import GatewayError
from gateway.store import schema
from gateway.store.engine import open_ledger


def test_a_ledger_of_another_version_is_refused(tmp_path: Path) -> None:
    state = State.model_validate({"dir": str(tmp_path / "state")}, context={"base": tmp_path})
    engine = open_ledger(state)
    with engine.begin() as connection:
        assert connection.execute(select(schema.meta.c.value)).scalar() == str(schema.VERSION)
        connection.execute(update(schema.meta).values(value=str(schema.VERSION - 1)))
    engine.dispose()
    with pytest.raises(GatewayError, match="ledger-version"):
        open_ledger(state)
