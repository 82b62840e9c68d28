"""Which worker gets which delivery, and whether a destination may be tried at all. In memory; rebuilt from the ledger.

Rules of this file
* The instances of one study for one destination go to the worker that has some of them already, else to the one that
  received the object, else to the least loaded: archives split studies that reach them on two associations.
* A worker has at most WINDOW deliveries of a destination; the rest waits in the ledger, whatever its number.
* A destination that is down is probed with one delivery at a time, at pauses that double; nothing else is leased.
* A clock that is set back stalls nothing: no moment is further away than the longest pause (`awake`).
* A destination that takes whole groups gets units, whatever their size, until a worker has WINDOW deliveries or more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf

from gateway.config.schema import Destination as Block
from gateway.config.schema import Retry
from gateway.store.retry import pause

WINDOW = 64
LONGEST_LOOK = 60.0  # seconds between two looks at groups and commitments at most, for a clock that is set back


@dataclass(slots=True)
class Destination:
    """What is known of one destination."""

    retry: Retry
    whole: bool = False  # takes closed groups as a whole
    leased: Counter[str] = field(default_factory=Counter)  # by worker
    failures: int = 0  # in a row; above zero the circuit is open
    down_until: float = 0.0
    reason: str = ""
    look_at: float = 0.0  # when the ledger is worth asking for what is due; infinity where nothing waits

    @property
    def longest(self) -> float:
        """Seconds of the longest pause."""
        return self.retry.backoff[1]


class Dispatch:
    """Workers, destinations, and who owns which study."""

    def __init__(self, blocks: Mapping[str, Block]) -> None:
        self.workers: set[str] = set()  # that take jobs
        self.present: set[str] = set()  # they, and who only receives
        self.destinations: dict[str, Destination] = {}
        self._owners: dict[tuple[str, str], tuple[str, int]] = {}
        self.blocks: Mapping[str, Block] = {}
        self.commitments_at = 0.0  # when transactions of storage commitment are to be looked at
        self.judged_until = 0.0  # the time that judging what senders ask for may have taken, used up to then
        self.groups_at = 0.0  # when the ledger's open groups are to be judged; infinity where none is open
        self.configure(blocks)

    def configure(self, blocks: Mapping[str, Block]) -> None:
        """Destinations as the rule file now has them; what is known of the others stays."""
        self.blocks = blocks
        for name, block in blocks.items():
            there = self.destinations.setdefault(name, Destination(block.retry))
            there.retry, there.whole = block.retry, block.whole

    def destination(self, name: str) -> Destination:
        """One that the rule file no longer has still has deliveries to end."""
        found = self.destinations.get(name)
        if found is None:
            found = self.destinations[name] = Destination(Retry())
        return found

    def awake(self, name: str, now: float) -> bool:
        """Whether the ledger is to be asked now for what is due."""
        there = self.destination(name)
        there.down_until = min(there.down_until, now + there.longest)
        if there.look_at != inf:
            there.look_at = min(there.look_at, now + max(1.0, there.longest))
        return bool(self.workers) and there.look_at <= now and there.down_until <= now

    def look(self, name: str, when: float = 0.0) -> None:
        """Something may be due from `when` on."""
        there = self.destination(name)
        there.look_at = min(there.look_at, when)

    def look_at_groups(self, when: float) -> None:
        """A group may be complete from `when` on."""
        self.groups_at = min(self.groups_at, when)

    def groups_due(self, now: float) -> bool:
        """Whether open groups are to be judged now."""
        if self.groups_at != inf:
            self.groups_at = min(self.groups_at, now + LONGEST_LOOK)
        return self.groups_at <= now

    def look_at_commitments(self, when: float) -> None:
        """A transaction of storage commitment has something to do from `when` on."""
        self.commitments_at = min(self.commitments_at, when)

    def commitments_due(self, now: float) -> bool:
        """Whether transactions are to be looked at now."""
        if self.commitments_at != inf:
            self.commitments_at = min(self.commitments_at, now + LONGEST_LOOK)
        return self.commitments_at <= now

    def look_everywhere(self) -> None:
        """A worker has come or gone."""
        for there in self.destinations.values():
            there.look_at = 0.0

    def clear(self) -> None:
        """Forget every lease: they are about to be read from the ledger."""
        self._owners.clear()
        for destination in self.destinations.values():
            destination.leased.clear()
            destination.look_at = 0.0
        self.groups_at = self.commitments_at = 0.0

    def place(self, study: str, name: str, now: float, prefer: str = "") -> str:
        """The worker to lease one delivery to, or "" where it has to wait."""
        there = self.destination(name)
        if not self.workers:
            return ""
        if there.failures and (now < there.down_until or there.leased.total()):
            return ""
        owner = self._owners.get((study, name))
        if owner is not None and owner[0] in self.workers:
            worker = owner[0]
        elif prefer in self.workers:
            worker = prefer
        else:
            worker = min(self.workers, key=lambda w: there.leased[w])
        return worker if there.leased[worker] < WINDOW else ""

    def place_unit(self, name: str, now: float) -> str:
        """The worker to lease one unit to, where the destination takes whole groups; "" where it has to wait."""
        there = self.destination(name)
        if there.failures and (now < there.down_until or there.leased.total()):
            return ""
        worker = min(self.workers, key=lambda w: there.leased[w], default="")
        return worker if worker and there.leased[worker] < WINDOW else ""

    def room(self, name: str) -> int:
        """How many deliveries could be leased now, at most."""
        there = self.destination(name)
        if there.failures:
            return 0 if there.leased.total() else 1
        return sum(max(0, WINDOW - there.leased[worker]) for worker in self.workers)

    def stuck(self, name: str) -> list[str]:
        """Studies whose worker has its window full: the others go past them."""
        leased = self.destination(name).leased
        return [
            study
            for (study, where), (worker, _) in self._owners.items()
            if where == name and worker in self.workers and leased[worker] >= WINDOW
        ]

    def leased(self, study: str, name: str, worker: str) -> None:
        """A delivery was leased."""
        self.destination(name).leased[worker] += 1
        _, count = self._owners.get((study, name), (worker, 0))
        self._owners[study, name] = (worker, count + 1)

    def ended(self, study: str, name: str, worker: str) -> None:
        """A lease is over, however."""
        there = self.destination(name)
        if there.leased[worker] > 1:
            there.leased[worker] -= 1
        else:
            del there.leased[worker]
        owner = self._owners.get((study, name))
        if owner is not None:
            if owner[1] <= 1:
                del self._owners[study, name]
            else:
                self._owners[study, name] = (owner[0], owner[1] - 1)

    def down(self, name: str, reason: str, now: float, least: float = 0.0) -> float:
        """The destination could not be reached; when to probe it. Several at once count once.

        `least`: it asked for so many seconds; more than the longest pause nobody gets.
        """
        there = self.destination(name)
        if now >= there.down_until:
            there.failures += 1
            there.down_until = now + max(pause(there.retry, there.failures), min(least, there.longest))
            there.reason = reason
        return there.down_until

    def up(self, name: str) -> bool:
        """The destination answered. Whether it was down until now."""
        there = self.destination(name)
        was = there.failures > 0
        there.failures, there.down_until, there.reason = 0, 0.0, ""
        return was
