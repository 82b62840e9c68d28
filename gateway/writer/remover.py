"""Deletes spooled files whose end is committed, what hosted programs leave, and what else is over, on a thread of its
own: a large file takes long, and nobody waits.

What is still to be deleted when the process dies is swept: it is in the spool, and the ledger does not need it.
"""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue

from gateway.errors import GatewayError
from gateway.logs import fields
from gateway.store.spool import Spool

log = logging.getLogger("writer")


class Remover:
    """`put` from the writer's loop, only after the commit."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._names: SimpleQueue[str | Path | Callable[[], object] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="remover", daemon=True)
        self._thread.start()

    def put(self, name: str | Path | Callable[[], object]) -> None:
        """Delete this file of the spool soon; this file or folder; or do this, which may raise GatewayError."""
        self._names.put(name)

    def close(self) -> None:
        """Delete what was put, and return; gives up after ten seconds."""
        self._names.put(None)
        self._thread.join(10)

    def _run(self) -> None:
        while (name := self._names.get()) is not None:
            try:
                if isinstance(name, str):
                    self._spool.remove(name)
                elif not isinstance(name, Path):
                    name()
                elif name.is_dir():
                    shutil.rmtree(name)
                else:
                    name.unlink(missing_ok=True)
            except OSError as error:
                log.error(fields("not-removed", error=error.strerror))
            except GatewayError as error:
                log.error(fields("not-removed", error=error.reason))
