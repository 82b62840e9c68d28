"""Which studies are over, and with them the identifiers that the egress check kept of them.

Rules of this file
* A study is over where for KEPT nothing of it came or left, and nothing of it waits, is held or in work.
* It reads the ledger as it was committed. Who comes meanwhile has said so in the identities before (egress.py), and
  what came since is not forgotten.
* No identities are made where there are none.
"""

from __future__ import annotations

import logging

from sqlalchemy.exc import SQLAlchemyError

from gateway.config.schema import State
from gateway.errors import StorageFailed
from gateway.logs import fields
from gateway.store.identities import KEPT, Identities
from gateway.store.reading import read_only

log = logging.getLogger("writer")

MOST = 1000  # studies at a time


def forget_identities(state: State, now: float) -> None:
    """Identifiers of studies that are over go. Raises GatewayError."""
    path = state.dir / "identities.sqlite"
    if not path.exists():
        return
    identities = Identities(path)
    try:
        before = now - KEPT
        old = identities.old(before, MOST)
        try:
            with read_only(state) as reader:
                going = reader.moving(old, before)
        except SQLAlchemyError as error:
            raise StorageFailed("ledger-unreadable", type(error).__name__) from None
        for study in old:
            if study not in going:
                identities.forget(study, before)
        if len(old) > len(going):
            log.info(fields("identities-forgotten", count=len(old) - len(going)))
    finally:
        identities.close()
