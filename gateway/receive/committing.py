"""Objects of one request on their way to durable: synced and told to the writer, some at a time, while others come.

    add      an object that is examined; waits where `MOST` are under way
    finish   waits until each has been told

Rules of this file
* What has gathered while one batch was made durable is the next: where objects come fast a batch costs one wait for the
  writer and one thread, which goes on as long as there is something. Threads that take turns cost more than they do.
* Where more than `BEHIND` have gathered the disk is slow, not we: another thread helps, and syncs beside the first.
* Two of one SOP Instance UID are never under way together: the first stays the first. Others may overtake each other.
* Every object is told exactly once, whatever goes wrong; as stored only where the writer has committed it.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from threading import Condition

from gateway.model import Instance
from gateway.pipeline import Examined, seal
from gateway.writer.client import WriterClient

MOST = 16  # under way
BEHIND = 4
BATCH = 8  # that one thread takes at a time

Told = Callable[[int, Exception | None], None]  # the number given to `add`, and why it is not stored


class Committing:
    """The objects of one request. `add` and `finish` are called from one thread at a time; `told` from any."""

    def __init__(self, threads: Executor, writer: WriterClient, told: Told) -> None:
        self._threads = threads
        self._writer = writer
        self._told = told
        self._changed = Condition()  # its lock is that of all below
        self._waiting: list[tuple[int, Examined]] = []
        self._uids: set[str] = set()  # SOP instances under way, waiting or not
        self._helpers = 0  # threads at work

    def add(self, number: int, examined: Examined) -> None:
        """Make it durable, beside others."""
        uid = examined.identity.sop_instance
        with self._changed:
            while uid in self._uids or len(self._uids) >= MOST:
                self._changed.wait()
            self._uids.add(uid)
            self._waiting.append((number, examined))
            if not self._helpers or len(self._waiting) > BEHIND:
                self._threads.submit(self._help)
                self._helpers += 1

    def finish(self) -> None:
        """Return when all that were added have been told."""
        while self._batch():
            pass
        with self._changed:
            while self._uids:
                self._changed.wait()

    def _help(self) -> None:
        while self._batch(helper=True):
            pass

    def _batch(self, *, helper: bool = False) -> bool:
        """Some of those that wait; False where there were none, and a helper is done then."""
        with self._changed:
            some, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
            if helper and not some:
                self._helpers -= 1
        try:
            self._commit(some)
        finally:
            with self._changed:
                self._uids.difference_update(examined.identity.sop_instance for _, examined in some)
                self._changed.notify_all()
        return bool(some)

    def _commit(self, some: list[tuple[int, Examined]]) -> None:
        sealed: list[tuple[int, Instance, frozenset[str]]] = []
        for number, examined in some:
            try:
                sealed.append((number, seal(examined), examined.refers))
            except Exception as error:
                examined.incoming.abort()
                self._told(number, error)
        if not sealed:
            return
        answers: list[object]
        try:
            answers = [*self._writer.received_all([(instance, refers) for _, instance, refers in sealed])]
        except Exception as error:
            answers = [error] * len(sealed)
        for (number, _, _), answer in zip(sealed, answers, strict=True):
            self._told(number, answer if isinstance(answer, Exception) else None)
