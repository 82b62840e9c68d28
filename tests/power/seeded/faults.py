"""What can be wrong about durability, each as a change of the product that is running.

Rules of this file
* One fault is one broken promise; all else stays honest. The name says what a bad server does.
* A fault replaces a function of the product by its name: where the product renames it, the fault fails to install,
  and the test with it. None of them may become a server that is honest by accident.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from gateway.errors import StorageFailed
from gateway.model import InstanceState, Stored
from gateway.store import engine, spool
from gateway.writer import client, desk, messages, process

_undo: list[tuple[Any, str, Any]] = []


def _replace(owner: Any, name: str, new: Callable[..., Any]) -> Any:
    """The old one. Raises AttributeError where there is none."""
    old = getattr(owner, name)
    _undo.append((owner, name, old))
    setattr(owner, name, new)
    return old


@contextlib.contextmanager
def seeded(fault: str) -> Iterator[None]:
    """This process is that bad server for a while."""
    FAULTS[fault]()
    try:
        yield
    finally:
        while _undo:
            setattr(*_undo.pop())


def acknowledged_before_commit() -> None:
    """The worker tells the writer and does not wait."""

    def received(self: client.WriterClient, instance: Any, refers: Any = ()) -> messages.Committed:
        with self._wire:
            with self._lock:
                number = self._next()
            self._send(client._frame(number, messages.Received(instance, tuple(refers))))
        return messages.Committed("stored", 0)

    _replace(client.WriterClient, "received", received)


def answered_before_commit() -> None:
    """The writer answers in the midst of its transaction."""
    real = process.Process._apply

    def apply(self: process.Process, on: Any, peer: Any, request: Any) -> Any:
        reply = real(self, on, peer, request)
        if isinstance(reply, messages.Committed):
            peer.send(request.id, reply)
        return reply

    _replace(process.Process, "_apply", apply)


def file_never_synced() -> None:
    """Bytes are in the page cache, and that is that."""
    _replace(spool, "_fdatasync", lambda descriptor: None)


def directory_never_synced() -> None:
    """The file is durable and its name is not."""
    _replace(spool.Spool, "sync", lambda self: None)


def directory_synced_after_commit() -> None:
    """The ledger promises a name that a cut may take away."""
    real = _replace(spool.Spool, "sync", lambda self: None)
    commit = process.Process._commit

    def later(self: process.Process, batch: Any, gone: Any) -> Any:
        done = commit(self, batch, gone)
        if done[1].sync:
            real(self._spool)
        return done

    _replace(process.Process, "_commit", later)


def renamed_before_synced() -> None:
    """The final name is given to bytes that may not be there."""

    def seal(self: spool.Incoming) -> Stored:
        self.flush()
        os.rename(self.name, self.name, src_dir_fd=self._spool.incoming_fd, dst_dir_fd=self._spool.objects_fd)
        os.fdatasync(self._descriptor)
        os.close(self._descriptor)
        self._descriptor = -1
        return Stored(self.name, self._offset, self._flushed - self._offset, self._digest.hexdigest())

    _replace(spool.Incoming, "seal", seal)


def written_under_the_final_name() -> None:
    """No second name at all: a cut, or a full disk, leaves a torn object where whole ones are looked for."""
    real = spool.Spool.__init__

    def init(self: spool.Spool, *arguments: Any, **options: Any) -> None:
        real(self, *arguments, **options)
        os.close(self.incoming_fd)
        self.incoming_fd = os.open(self.folder / "objects", os.O_RDONLY | os.O_DIRECTORY)

    _replace(spool.Spool, "__init__", init)


def ledger_never_synced() -> None:
    """SQLite's synchronous=OFF."""
    real = engine._durable

    def quick(connection: Any, record: object) -> None:
        real(connection, record)
        connection.execute("PRAGMA synchronous=OFF")

    _replace(engine, "_durable", quick)


def ledger_synced_at_checkpoints() -> None:
    """SQLite's synchronous=NORMAL: what Orthanc does."""
    real = engine._durable

    def normal(connection: Any, record: object) -> None:
        real(connection, record)
        connection.execute("PRAGMA synchronous=NORMAL")

    _replace(engine, "_durable", normal)


def tried_again_after_a_failed_fsync() -> None:
    """What PostgreSQL did until 2018: the second fsync goes well, because the kernel has dropped what it could not."""
    real = spool.Spool.sync

    def again(self: spool.Spool) -> None:
        with contextlib.suppress(OSError):
            real(self)
            return
        with contextlib.suppress(OSError):
            real(self)

    _replace(spool.Spool, "sync", again)


def acknowledged_although_it_failed() -> None:
    """Whatever the storage says, the peer hears that all is well."""
    real = client.WriterClient.received

    def received(self: client.WriterClient, instance: Any, refers: Any = ()) -> messages.Committed:
        try:
            done: messages.Committed = real(self, instance, refers)
            return done
        except StorageFailed:
            return messages.Committed("stored", 0)

    _replace(client.WriterClient, "received", received)


def failed_writes_ignored() -> None:
    """A full disk is not looked at: what was written counts as written."""

    def put(self: spool.Incoming, view: memoryview) -> None:
        self._digest.update(view[max(0, self._offset - self._flushed) :])
        with contextlib.suppress(OSError):
            os.write(self._descriptor, view)
        self._flushed += len(view)

    _replace(spool.Incoming, "_put", put)


def broken_disk_taken_for_a_full_one() -> None:
    """An I/O error is survived as if room could help."""
    _replace(process, "_is_full", lambda error: True)


def deleted_before_delivered() -> None:
    """The spool forgets an object once the ledger knows of it."""
    real = desk.Desk.received

    def received(self: desk.Desk, worker: str, message: messages.Received) -> Any:
        answer = real(self, worker, message)
        if isinstance(answer, messages.Committed):
            self.effects.unlink.append(message.instance.stored.name)
        return answer

    _replace(desk.Desk, "received", received)


def called_delivered_before_it_was() -> None:
    """An object is done when its job is handed out."""
    real = desk.Desk._deliver

    def deliver(self: desk.Desk, worker: str, number: int, instance: Any) -> None:
        real(self, worker, number, instance)
        for row in self._tx.deliveries_of(number):
            self._tx.change(row, desk.Cause.CONFIRMED, self._now, next_try=None)
        self._tx.settle(number, InstanceState.DONE)
        self.effects.unlink.append(instance.stored.name)

    _replace(desk.Desk, "_deliver", deliver)


def one_destination_forgotten() -> None:
    """Of two destinations the second is never entered."""
    real = desk.Desk._deliver

    def deliver(self: desk.Desk, worker: str, number: int, instance: Any) -> None:
        decision = msgspec.structs.replace(instance.decision, destinations=instance.decision.destinations[:1])
        real(self, worker, number, msgspec.structs.replace(instance, decision=decision))

    _replace(desk.Desk, "_deliver", deliver)


def honest() -> None:
    """Nothing is changed: the twin that must pass."""


FAULTS: dict[str, Callable[[], None]] = {
    fault.__name__: fault
    for fault in (
        honest,
        acknowledged_before_commit,
        answered_before_commit,
        file_never_synced,
        directory_never_synced,
        directory_synced_after_commit,
        renamed_before_synced,
        written_under_the_final_name,
        ledger_never_synced,
        ledger_synced_at_checkpoints,
        tried_again_after_a_failed_fsync,
        acknowledged_although_it_failed,
        failed_writes_ignored,
        broken_disk_taken_for_a_full_one,
        deleted_before_delivered,
        called_delivered_before_it_was,
        one_destination_forgotten,
    )
}
