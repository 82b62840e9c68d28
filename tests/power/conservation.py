"""RELIABILITY P14, recounted from disk: received = delivered + pending + held, per instance and destination.

    recount(state, acknowledged, arrived) -> Account: how many are where, and every difference

Rules of this file
* It reads a copy of the ledger's files with sqlite3 alone, and the spool with the file system alone: none of the
  product's own reading or counting, whose faults it must see. Of the product it knows the tables and one type.
* The gateway is dead or frozen (SIGSTOP) meanwhile: from a moving one two truths would be read.
* A file of the spool that no row needs is counted, not a difference: a kill may have come before the commit, or before
  the deletion. Once the gateway has settled there must be none; `Account.surplus` is for that.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from gateway.model import Instance, Verdict

_PENDING, _HELD = {"waiting", "sending", "confirming"}, {"held"}
_ENDS = {"delivered", "discarded"}
_NEEDED = {"active", "held"}
_decode = msgspec.msgpack.Decoder(Instance).decode


@dataclass(slots=True)
class Account:
    """The books. `differences` must be empty."""

    where: Counter[str] = field(default_factory=Counter)  # delivered, pending, held, discarded: deliveries
    instances: Counter[str] = field(default_factory=Counter)  # by their state
    surplus: set[str] = field(default_factory=set)  # files that no row needs
    differences: list[str] = field(default_factory=list)


@contextmanager
def frozen(group: int) -> Iterator[None]:
    """All processes of a group stand still."""
    os.killpg(group, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(group, signal.SIGCONT)


def recount(
    state: Path, acknowledged: Collection[str], arrived: Mapping[str, Collection[str]] | None = None
) -> Account:
    """`acknowledged`: SOP Instance UIDs answered 0x0000. `arrived`: by destination, the UIDs that it confirmed."""
    found = Account()
    say = found.differences.append
    with _ledger(state) as ledger:
        rows = ledger.execute("SELECT id, sop_instance, sha256, spool, state, value FROM instances").fetchall()
        sent = ledger.execute("SELECT instance, destination, state, sent_instance FROM deliveries").fetchall()
    deliveries: dict[int, list[tuple[str, str, str]]] = {}
    for owner, destination, word, uid in sent:
        deliveries.setdefault(owner, []).append((destination, word, uid))
    files = {entry.name: Path(entry.path) for entry in os.scandir(state / "spool" / "objects")}
    needed: set[str] = set()
    for number, uid, sha256, name, word, value in rows:
        instance = _decode(value)
        found.instances[word] += 1
        mine = deliveries.pop(number, [])
        wanted = sorted(instance.decision.destinations) if instance.decision.verdict is Verdict.DELIVER else []
        if sorted(d for d, _, _ in mine) != wanted and not (word == "held" and not mine):
            say(f"{uid}: is to go to {wanted} and has rows for {sorted(d for d, _, _ in mine)}")
        for destination, state_word, sent_uid in mine:
            found.where["pending" if state_word in _PENDING else "held" if state_word in _HELD else state_word] += 1
            there = None if arrived is None else arrived.get(destination)
            if state_word == "delivered" and there is not None and (sent_uid or uid) not in there:
                say(f"{uid}: is told to be delivered to {destination}, which has not got it")
        if word in _NEEDED:
            needed.add(name)
            _compare(uid, files.get(name), instance, sha256, say)
        if word == "done" and not {w for _, w, _ in mine} <= _ENDS:
            say(f"{uid}: is done, and a delivery of it is not")
        if word == "active" and mine and {w for _, w, _ in mine} <= _ENDS:
            say(f"{uid}: has ended everywhere, and is not done")
    for owner in deliveries:
        say(f"deliveries of instance {owner}, which is not there")
    for uid in sorted(set(acknowledged) - {row[1] for row in rows if row[4] != "discarded"}):
        say(f"{uid}: was acknowledged, and is not there")
    found.surplus = set(files) - needed
    return found


def _compare(uid: str, path: Path | None, instance: Instance, sha256: str, say: object) -> None:
    assert callable(say)
    if path is None:
        say(f"{uid}: its file is not there")
        return
    data = path.read_bytes()
    stored = instance.stored
    if len(data) != stored.offset + stored.size:
        say(f"{uid}: its file has another length")
    elif hashlib.sha256(data[stored.offset :]).hexdigest() != sha256 or sha256 != stored.sha256:
        say(f"{uid}: its file has other bytes")


@contextmanager
def _ledger(state: Path) -> Iterator[sqlite3.Connection]:
    """A copy of it, recovered as SQLite would after the cut: the original is only read."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-journal"):
            if (state / name).exists():
                shutil.copyfile(state / name, Path(folder) / name)
        with closing(sqlite3.connect(Path(folder) / "ledger.sqlite")) as connection:
            (whole,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            assert whole == "ok", "the ledger is damaged"
            yield connection
