"""The writer process: gathers what workers say, applies it in one transaction, commits, answers.

    python -m gateway.writer --state DIR --rules HASH [--fresh]

Rules of this file
* What has arrived when the loop comes round is one batch, one transaction and one fsync of the spool's directory:
  under load the batches grow by themselves.
* An answer leaves only after the commit. A failed fsync or commit is never tried again: every request of the batch is
  answered `Failed`, and the process ends; a full disk is answered `Failed` and survived.
* After the commit, in this order: answers and jobs, deletions, the audit trail. What is lost by a crash in between is
  done at the next start: jobs are leased again, files are swept, the outbox is appended.
* It waits for nothing but the disk: not for a worker that does not read, not for a large file's deletion.
* Standard input is the supervisor: its end is ours.
"""

from __future__ import annotations

import argparse
import errno
import gc
import logging
import os
import resource
import selectors
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path

import msgspec
from sqlalchemy import Engine
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError

from gateway.audit.chain import EMPTY, Head
from gateway.audit.events import ApplicationStarted, ApplicationStopped
from gateway.audit.messages import AuditSource, build
from gateway.audit.trail import Trail
from gateway.config.kept import kept
from gateway.config.schema import Config
from gateway.errors import GatewayError, StorageFailed
from gateway.logs import configure, fields
from gateway.store import inflight, previews
from gateway.store.engine import open_ledger
from gateway.store.ledger import Transaction
from gateway.store.over import forget_identities, forget_records
from gateway.store.spool import Spool
from gateway.writer.desk import Desk, Effects
from gateway.writer.dispatch import Dispatch
from gateway.writer.messages import (
    AnyReply,
    AskMembers,
    Closed,
    CloseGroup,
    CommitmentAsked,
    CommitmentReported,
    Configure,
    Discard,
    Drain,
    Failed,
    Hello,
    Note,
    Ok,
    Opened,
    Outcomes,
    Received,
    Release,
    Request,
    Sought,
    TaskDone,
    Tasks,
    Work,
)
from gateway.writer.peer import Peer, ourselves
from gateway.writer.remover import Remover

log = logging.getLogger("writer")

GRACE = 5.0  # seconds a worker has to come back to a new writer before its leases are taken back
SWEEP_EVERY = 600.0  # seconds between two looks for orphans
SWEEP_SHORT = 60.0  # the same, where the bytes of what is done stay for a while: the disk may fill
SWEEP_STEP = 256  # files a turn
OVER_EVERY = 3600.0  # seconds between two looks for what is over beside the ledger
FORGET_PAUSE = 1.0  # seconds between two steps of forgetting: senders come first
APPEND_EVERY = 0.1  # seconds the outbox gathers before it goes into the trail: one transaction for many
WORK = ("media/*", "mail/*.making", "hosted/*")  # of the state directory: folders, each the work of one process
TRY_AUDIT_EVERY = 1.0  # seconds between two tries where the disk is full
_OF_THE_REQUEST = (IntegrityError, DataError, ProgrammingError)  # the database is well; what it was told is not


class Fatal(Exception):
    """Durability is in doubt: stop, so that nothing more is promised."""


class Process:
    """The writer of one state directory."""

    def __init__(self, config: Config, digest: str, fresh: bool) -> None:
        self._state = config.state.dir
        self._config = config
        self._spool = Spool(self._state / "spool", reserve=config.state.reserve)
        self._engine: Engine = open_ledger(config.state)
        self._ledger = self._engine.connect()  # the writer's one connection, for its life
        self._trail = Trail(self._state / "audit")
        host = socket.gethostname()
        self._source = AuditSource(source_id=f"dicom-gateway@{host}", host=host)
        self._dispatch = Dispatch(config.destinations)
        self._selector = selectors.DefaultSelector()
        self._grace_until = 0.0 if fresh else time.monotonic() + GRACE
        self._stopping = False
        self._remover = Remover(self._spool)
        self._owed = True  # the outbox may hold what the trail does not: a crash may have come between
        self._try_audit = 0.0
        self._sweeping: Iterator[str] = iter(())
        self._sweep_at = time.monotonic() + SWEEP_EVERY
        self._answers_at = time.monotonic()
        self._over_at = time.monotonic()
        self._forget_at = time.monotonic() + FORGET_PAUSE
        self._seq = 0
        self._start(digest, fresh)

    def _start(self, digest: str, fresh: bool) -> None:
        """Bring ledger, trail and spool together again, whatever happened before."""
        with self._ledger.begin():
            tx = Transaction(self._ledger)
            self._seq = int(tx.setting("audit_next") or "0")
            head = Head(int(tx.setting("audit_seq") or "0"), tx.setting("audit_hash") or EMPTY.hash)
            if head != self._trail.head():
                self._trail.require(head)  # it may be ahead of the ledger by a crash, never behind or another
            crashed = tx.setting("running") == "1"
            desk = self._desk(tx)
            desk.recover(fresh)
            aes = tuple(ae for each in self._config.listeners if each.dimse for ae in each.dimse.ae)
            if fresh:
                if crashed:
                    desk.effects.events.append(ApplicationStopped(when=time.time(), aes=aes, orderly=False))
                desk.effects.events.append(ApplicationStarted(when=time.time(), aes=aes, rules_hash=digest))
            tx.set("running", "1")
            self._post(tx, desk.effects)
            spooled = tx.spooled(time.time() - self._lingers())
        self._after(desk.effects)
        if fresh:
            swept = self._spool.sweep_incoming(0.0)
            orphans = [name for name in self._spool.names() if name not in spooled]
            for name in orphans:
                self._spool.remove(name)
            for path in (self._state / "run").glob("*.inflight"):
                path.unlink()
            self._sweep_work()
            if swept or orphans:
                log.info(fields("swept", incoming=swept, orphans=len(orphans)))

    def _sweep_work(self) -> None:
        """What processes that were killed had staged: patients in plain, of no use to anybody.

        Not what an inbox has opened: it may live on for a moment after its supervisor, and the next one sweeps it.
        """
        for pattern in WORK:
            for path in self._state.glob(pattern):
                if path.is_dir() and not path.name.startswith("in-"):
                    shutil.rmtree(path, ignore_errors=True)

    def run(self) -> int:
        """Serve until the supervisor is gone or says so."""
        path = self._state / "run" / "writer.sock"
        path.unlink(missing_ok=True)
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(path))
        path.chmod(0o600)
        server.listen(64)
        server.setblocking(False)
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_write, False)
        signal.set_wakeup_fd(wake_write)
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._selector.register(server, selectors.EVENT_READ, "accept")
        gc.collect()
        gc.freeze()  # code and compiled statements are no garbage: the collector need not look through them again
        self._selector.register(wake_read, selectors.EVENT_READ, "wake")
        self._selector.register(0, selectors.EVENT_READ, "supervisor")
        log.info("writer-ready")
        while not self._stopping:
            self.turn(self._pause())
        return self._end()

    def turn(self, pause: float) -> None:
        """Wait at most `pause` seconds for something to happen, and do all of it in one transaction."""
        batch: list[tuple[Peer, Request]] = []
        gone: list[Peer] = []
        for key, events in self._selector.select(pause):
            if isinstance(key.data, Peer):
                if events & selectors.EVENT_WRITE:
                    key.data.flush()
                if events & selectors.EVENT_READ:
                    self._read(key.data, batch, gone)
            elif key.data == "accept":
                assert isinstance(key.fileobj, socket.socket)
                self._accept(key.fileobj)
            elif key.data == "wake":
                os.read(key.fd, 64)
            elif not os.read(key.fd, 64):
                self._stopping = True
        self._turn(batch, gone)

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _pause(self) -> float:
        """Until the next retry is due, at most a second."""
        longest = min(1.0, max(0.005, self._try_audit - time.monotonic())) if self._owed else 1.0
        now = time.time()
        longest = min(longest, max(0.005, min(self._dispatch.groups_at, self._dispatch.commitments_at) - now))
        if not self._dispatch.workers:
            return longest
        due = [max(d.look_at, d.down_until) for d in self._dispatch.destinations.values()]
        return min(longest, max(0.005, min(due, default=now + 1) - now))

    def _accept(self, server: socket.socket) -> None:
        try:
            sock, _ = server.accept()
        except OSError as error:  # who called has gone again, or we are out of descriptors
            log.warning(fields("accept-failed", error=error.strerror))
            return
        if ourselves(sock):
            Peer(sock, self._selector)
        else:
            log.warning("stranger-refused")
            sock.close()

    def _read(self, peer: Peer, batch: list[tuple[Peer, Request]], gone: list[Peer]) -> None:
        try:
            requests = peer.read()
        except (ValueError, msgspec.MsgspecError):
            log.error("frame-not-understood")
            requests = None
        if requests is None:
            peer.forget()
            gone.append(peer)
        else:
            batch.extend((peer, request) for request in requests)

    def _desk(self, tx: Transaction) -> Desk:
        return Desk(tx, self._dispatch, self._spool, self._crashed, time.time(), self._lingers())

    def _lingers(self) -> float:
        """Seconds for which the bytes of what is done stay; none where the disk fills: senders come first."""
        keep = self._config.state.keep_spooled
        return keep if keep and not self._spool.short() else 0.0

    def _crashed(self, worker: str) -> list[int]:
        return inflight.read(self._state / "run" / f"{worker}.inflight")

    def _turn(self, batch: list[tuple[Peer, Request]], gone: list[Peer]) -> None:
        """One batch, one transaction; where a request is our fault, each by itself, so that one cannot take all."""
        try:
            replies, effects = self._commit(batch, gone)
        except _OF_THE_REQUEST as error:
            log.error(fields("request-not-stored", error=type(error).__name__))
            self._one_by_one(batch, gone)
        except (Fatal, DBAPIError, OSError) as error:
            full = _is_full(error)
            log.error(fields("commit-failed", error=type(error).__name__, full=full))
            for peer, request in batch:
                peer.send(request.id, Failed("disk-full" if full else "storage-error", storage=True))
            if not full:
                raise Fatal from error
            self._recover(gone)
        except Exception:
            log.exception("request-failed")
            self._one_by_one(batch, gone)
        else:
            for peer, number, body in replies:
                peer.put(number, body)
            for peer in dict.fromkeys(peer for peer, _, _ in replies):  # one wake-up for all that it waits for
                peer.push()
            self._after(effects)

    def _one_by_one(self, batch: list[tuple[Peer, Request]], gone: list[Peer]) -> None:
        """After a rollback for which one of them is to blame."""
        self._recover(())
        if len(batch) == 1 and not gone:
            batch[0][0].send(batch[0][1].id, Failed("internal-error"))
        elif len(batch) + len(gone) > 1:
            for each in batch:
                self._turn([each], [])
            for peer in gone:
                self._turn([], [peer])

    def _recover(self, gone: list[Peer] | tuple[()]) -> None:
        """After a rollback: what is in memory must be what is in the ledger."""
        with self._ledger.begin():
            tx = Transaction(self._ledger)
            self._seq = int(tx.setting("audit_next") or "0")
            self._desk(tx).recover(fresh=False)
        for peer in gone:  # their leases are taken back with the next turn that succeeds
            self._dispatch.workers.discard(peer.worker)
            self._dispatch.present.discard(peer.worker)
            self._grace_until = time.monotonic() + GRACE

    def _commit(
        self, batch: list[tuple[Peer, Request]], gone: list[Peer]
    ) -> tuple[list[tuple[Peer, int, AnyReply]], Effects]:
        """Apply and commit, or raise and change nothing. What is to be said and done after it."""
        replies: list[tuple[Peer, int, AnyReply]] = []
        with self._ledger.begin():
            tx = Transaction(self._ledger)
            desk = self._desk(tx)
            for peer, request in batch:
                try:
                    replies.append((peer, request.id, self._apply(desk, peer, request)))
                except GatewayError as error:
                    replies.append((peer, request.id, Failed(f"{error.reason}: {error.detail}")))
            for peer in gone:
                if peer.worker and not any(p.worker == peer.worker for p in self._live()):
                    desk.gone(peer.worker)
            if self._grace_until and time.monotonic() > self._grace_until:
                self._grace_until = 0.0
                desk.absent()
            desk.lease_due()
            desk.orphans(self._old_files())
            self._answers(desk)
            self._forget(desk)
            self._post(tx, desk.effects)
            if desk.effects.sync:
                try:
                    self._spool.sync()
                except OSError as error:
                    raise Fatal("directory fsync failed") from error
        return replies, desk.effects

    def _live(self) -> list[Peer]:
        return [key.data for key in self._selector.get_map().values() if isinstance(key.data, Peer)]

    def _apply(self, desk: Desk, peer: Peer, request: Request) -> AnyReply:
        """One request, by its type."""
        body = request.body
        match body:
            case Received():
                return desk.received(peer.worker, body)
            case Outcomes():
                return desk.outcomes(peer.worker, body)
            case Opened():
                return desk.opened(peer.worker, body)
            case Closed():
                return desk.closed(body)
            case Note():
                desk.effects.events.append(body.event)
                return Ok()
            case Hello():
                peer.worker = body.worker
                return desk.hello(body)
            case Drain():
                self._dispatch.workers.discard(peer.worker)
                return Ok()
            case Release():
                return desk.release(body)
            case Discard():
                return desk.discard(body)
            case Sought():
                return desk.sought(body)
            case CloseGroup():
                return desk.close_group(body)
            case CommitmentAsked():
                return desk.commitments.asked(body)
            case CommitmentReported():
                return desk.commitments.reported(body)
            case TaskDone():
                return desk.commitments.done(body)
            case AskMembers():
                return desk.members(body)
            case Configure():
                self._configure(body.rules)
                return Ok()

    def _configure(self, digest: str) -> None:
        self._config = kept(self._state, digest)
        self._dispatch.configure(self._config.destinations)

    def _post(self, tx: Transaction, effects: Effects) -> None:
        """The events of this transaction, into the outbox."""
        if effects.events:
            tx.post((self._number(), build(event, self._source)) for event in effects.events)
            tx.set("audit_next", str(self._seq))

    def _number(self) -> int:
        self._seq += 1
        return self._seq

    def _after(self, effects: Effects) -> None:
        """What may be done only once the transaction is durable; nothing in it can undo what was answered."""
        for worker, jobs in effects.jobs.items():
            for peer in self._live():
                if peer.worker == worker:
                    peer.send(0, Work(tuple(jobs)))
        for worker, tasks in effects.tasks.items():
            for peer in self._live():
                if peer.worker == worker:
                    peer.send(0, Tasks(tuple(tasks)))
        for name in effects.unlink:
            self._remover.put(name)
        for path in (*effects.remove, *previews.of(self._state, effects.decided)):
            self._remover.put(path)
        try:
            for name in effects.orphans:
                self._spool.remove(name)
                log.info("orphan-swept")
        except OSError as error:
            log.error(fields("not-removed", error=error.strerror))
        self._over()
        if effects.events:
            self._owed = True
        if self._owed and time.monotonic() >= self._try_audit:
            self._append()
            self._try_audit = max(self._try_audit, time.monotonic() + APPEND_EVERY)

    def _old_files(self) -> list[str]:
        """Every now and then all files of the spool that have lain for long, some of them each turn."""
        try:
            if time.monotonic() >= self._sweep_at:
                every = SWEEP_SHORT if self._config.state.keep_spooled else SWEEP_EVERY
                self._sweep_at = time.monotonic() + every
                self._sweeping = self._spool.old()
                self._spool.sweep_incoming(60.0)
            return list(islice(self._sweeping, SWEEP_STEP))
        except OSError as error:
            log.error(fields("not-swept", error=error.strerror))
            return []

    def _answers(self, desk: Desk) -> None:
        """Every now and then what hosted programs made and nobody needs any more."""
        if time.monotonic() >= self._answers_at:
            self._answers_at = time.monotonic() + SWEEP_EVERY
            try:
                desk.answers(self._state)
            except OSError as error:
                log.error(fields("not-swept", error=error.strerror))

    def _forget(self, desk: Desk) -> None:
        """Every now and then rows of what is done, where `state.keep` says so, some of them each turn."""
        keep = self._config.state.keep
        if keep is not None and time.monotonic() >= self._forget_at:
            more = desk.forget(keep)
            self._forget_at = time.monotonic() + (FORGET_PAUSE if more else SWEEP_EVERY)

    def _over(self) -> None:
        """Every now and then what was kept beside the ledger of what is over."""
        if time.monotonic() >= self._over_at:
            self._over_at = time.monotonic() + OVER_EVERY
            for forget in (forget_identities, forget_records):
                self._remover.put(partial(forget, self._config.state, time.time()))

    def _append(self) -> None:
        """The outbox into the trail; then the ledger forgets it and remembers the head.

        Where the disk is full the messages stay in the outbox, and the next turn tries again.
        """
        try:
            with self._ledger.begin():
                tx = Transaction(self._ledger)
                posted = tx.posted()
                if posted:
                    head: Head = self._trail.append(posted)
                    tx.taken(head.seq)
                    tx.set("audit_seq", str(head.seq))
                    tx.set("audit_hash", head.hash)
        except (StorageFailed, DBAPIError) as error:
            full = _is_full(error) or getattr(error, "reason", "") == "audit-trail-full"
            log.error(fields("audit-not-written", error=type(error).__name__, full=full))
            if not full:
                raise Fatal from error
            self._trail.close()
            self._trail = Trail(self._state / "audit")
            self._try_audit = time.monotonic() + TRY_AUDIT_EVERY
        else:
            self._owed = False

    def _end(self) -> int:
        """Everything is in the ledger already; say goodbye."""
        with self._ledger.begin():
            tx = Transaction(self._ledger)
            desk = self._desk(tx)
            for worker in set(self._dispatch.workers):
                desk.gone(worker)
            aes = tuple(ae for each in self._config.listeners if each.dimse for ae in each.dimse.ae)
            desk.effects.events.append(ApplicationStopped(when=time.time(), aes=aes))
            tx.set("running", "0")
            self._post(tx, desk.effects)
        self._try_audit = 0.0
        self._after(desk.effects)
        self._remover.close()
        self._trail.close()
        self._ledger.close()
        self._engine.dispose()
        (self._state / "run" / "writer.sock").unlink(missing_ok=True)
        log.info("writer-stopped")
        return 0


def _is_full(error: BaseException) -> bool:
    text = str(getattr(error, "orig", "")) if isinstance(error, DBAPIError) else ""
    return "full" in text or (isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT))


def main() -> int:
    """Entry point of the process."""
    parser = argparse.ArgumentParser(prog="gateway.writer")
    parser.add_argument("--state", required=True, type=Path)
    parser.add_argument("--rules", required=True)
    parser.add_argument("--fresh", action="store_true", help="no worker can be alive")
    arguments = parser.parse_args()
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    configure(os.environ.get("DICOM_GATEWAY_LOG", "INFO"))
    try:
        return Process(kept(arguments.state, arguments.rules), arguments.rules, arguments.fresh).run()
    except StorageFailed as error:
        log.error(fields("storage-failed", reason=error.reason, detail=error.detail))
    except Fatal:
        log.error(fields("stopped", reason="durability-in-doubt"))
    return 1
