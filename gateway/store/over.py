"""What is kept beside the ledger and is over: identifiers of studies, and records of media and messages that were made.

Rules of this file
* A record of a medium or message (deliver/media.py, deliver/mail.py) is over where the ledger has forgotten all its
  members (`state.keep`). One that names none, of an older gateway, goes by its age alone.
* A study is over where for KEPT nothing of it came or left, and nothing of it waits, is held or in work.
* It reads the ledger as it was committed. Who comes meanwhile has said so in the identities before (egress.py), and
  what came since is not forgotten.
* No identities are made where there are none.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from gateway.config.schema import State
from gateway.errors import StorageFailed
from gateway.logs import fields
from gateway.store.identities import KEPT, Identities
from gateway.store.reading import Reader, read_only

log = logging.getLogger("writer")

MOST = 1000  # studies, and records, at a time
_MEDIA, _MAIL = "media/*.json", "mail/*/*.json"  # of the state directory


def forget_identities(state: State, now: float) -> None:
    """Identifiers of studies that are over go. Raises GatewayError."""
    path = state.dir / "identities.sqlite"
    if not path.exists():
        return
    identities = Identities(path)
    try:
        before = now - KEPT
        old = identities.old(before, MOST)
        with _ledger(state) as reader:
            going = reader.moving(old, before)
        for study in old:
            if study not in going:
                identities.forget(study, before)
        if len(old) > len(going):
            log.info(fields("identities-forgotten", count=len(old) - len(going)))
    finally:
        identities.close()


def forget_records(state: State, now: float) -> None:
    """Records of what the ledger has forgotten go. Raises GatewayError, OSError."""
    if state.keep is None:
        return
    old = [path for path in _records(state.dir) if path.lstat().st_mtime < now - state.keep]
    if not old:
        return
    gone = 0
    with _ledger(state) as reader:
        for path in old[:MOST]:
            if not reader.knows(_members(path)):
                path.unlink()
                gone += 1
                if path.parent.parent.name == "mail":
                    with suppress(OSError):  # others of its unit are there
                        path.parent.rmdir()
    if gone:
        log.info(fields("records-forgotten", count=gone))


def _records(folder: Path) -> list[Path]:
    """The oldest first."""
    found = [path for pattern in (_MEDIA, _MAIL) for path in folder.glob(pattern)]
    return sorted(found, key=lambda path: path.lstat().st_mtime)


def _members(record: Path) -> list[str]:
    """Names in the spool; none where it does not say."""
    try:
        told = json.loads(record.read_bytes())
        return [str(name) for name in told.get("members", ())]
    except (ValueError, AttributeError):
        return []


@contextmanager
def _ledger(state: State) -> Iterator[Reader]:
    try:
        with read_only(state) as reader:
            yield reader
    except SQLAlchemyError as error:
        raise StorageFailed("ledger-unreadable", type(error).__name__) from None
