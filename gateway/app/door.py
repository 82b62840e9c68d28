"""Who stands at the door: connections on their way to an association, and the associations, within caps.

    stranger  TCP only, or a TLS handshake under way   the longest there makes room for who comes
    known     TLS is done and showed a certificate     the same, in a room of its own: strangers never crowd it out
    association                                        a cap per listener and per address; beyond it A-ASSOCIATE-RJ

Rules of this file
* Who comes is never turned away for those who only stand there: an honest handshake takes milliseconds, so the one
  that has stood longest is the one to go. Where one address has its fill, it is one of that address; where all have,
  it is one of the address with the most.
* That holds as long as nobody is let go too soon: only so many a second go for others, which gives each one about a
  second; beyond that, who comes waits in the system's queue. Whoever is shut and comes at once again gains nothing.
* Whoever was let go still counts against `MOST_LEAVING` until its worker says that it is closed: memory stays bounded
  whatever a worker does.
* Where a listener lets peers without a certificate in, a quarter of its associations is kept for those with one.
* Numbers are the supervisor's and only grow. No socket, no clock.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from gateway.config.schema import Caps

STRANGERS = 1024
KNOWN = 512
PER_ADDRESS = 2  # of each of the two rooms one address has one in so many
RATE = 500  # strangers a second that go for others: with one address' share, each has about a second
BURST = 64
MOST_LEAVING = STRANGERS + KNOWN
KEPT = 4  # one of so many associations is kept for peers with a certificate
_Key = TypeVar("_Key")


class Room:
    """Connections in the order they came, with a cap in all and one per address."""

    def __init__(self, most: int, most_per_address: int) -> None:
        self._most = most
        self._most_per_address = most_per_address
        self._by_address: dict[str, dict[int, None]] = {}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, number: int, address: str) -> int | None:
        """Take one in; the number of the one that has to go for it."""
        ours = self._by_address.setdefault(address, {})
        ours[number] = None
        self._size += 1
        if len(ours) > self._most_per_address:
            return self._oldest(address)
        if self._size > self._most:
            return self._oldest(max(self._by_address, key=self._crowding))
        return None

    def remove(self, number: int, address: str) -> bool:
        """Whether it was here."""
        ours = self._by_address.get(address)
        if ours is None or number not in ours:
            return False
        del ours[number]
        if not ours:
            del self._by_address[address]
        self._size -= 1
        return True

    def _crowding(self, address: str) -> tuple[int, int]:
        """Most connections; among equals the one whose first has stood longest."""
        ours = self._by_address[address]
        return len(ours), -next(iter(ours))

    def _oldest(self, address: str) -> int:
        number = next(iter(self._by_address[address]))
        self.remove(number, address)
        return number


@dataclass(slots=True)
class _Visitor:
    listener: str
    address: str
    authenticated: bool = False
    associated: bool = False


class Counts(NamedTuple):
    """How many there are now."""

    strangers: int
    known: int
    leaving: int
    associations: int


class Door:
    """All connections of one supervisor."""

    def __init__(self) -> None:
        self._strangers = Room(STRANGERS, STRANGERS // PER_ADDRESS)
        self._known = Room(KNOWN, KNOWN // PER_ADDRESS)
        self._visitors: dict[int, _Visitor] = {}
        self._leaving = 0
        self._credit = float(BURST)
        self._then = 0.0
        self._associations: Counter[tuple[str, str]] = Counter()  # by listener and address
        self._anonymous: Counter[str] = Counter()  # by listener: without a certificate

    @property
    def counts(self) -> Counts:
        """For logs and tests."""
        return Counts(len(self._strangers), len(self._known), self._leaving, self._associations.total())

    def opens(self, now: float) -> bool:
        """Whether one more can be taken in at this second; else who comes waits where they are.

        No, where too many go for others already, or were let go and are not gone: workers do not keep up.
        """
        self._credit = min(float(BURST), self._credit + max(0.0, now - self._then) * RATE)
        self._then = now
        return self._credit >= 1 and self._leaving < MOST_LEAVING

    def listener(self, number: int) -> str:
        """The id of the listener it came to; "" where it is gone."""
        visitor = self._visitors.get(number)
        return "" if visitor is None else visitor.listener

    def arrived(self, number: int, listener: str, address: str) -> int | None:
        """A connection was accepted; which one is to be let go for it."""
        self._visitors[number] = _Visitor(listener, address)
        gone = self._strangers.add(number, address)
        if gone is not None:
            self._credit -= 1
        return self._left_alone(gone)

    def authenticated(self, number: int) -> int | None:
        """A handshake is done and showed a certificate; which one is to be let go for it."""
        visitor = self._visitors.get(number)
        if visitor is None or visitor.authenticated or visitor.associated:
            return None
        visitor.authenticated = True
        if not self._strangers.remove(number, visitor.address):
            return None  # let go a moment ago
        return self._left_alone(self._known.add(number, visitor.address))

    def associated(self, number: int, caps: Caps, *, mixed: bool) -> str:
        """An A-ASSOCIATE-RQ, or the head of a first HTTP request, has come whole: "" where it may be, else why not.

        `mixed`: the listener lets peers without a certificate in, too.
        """
        visitor = self._visitors.get(number)
        if visitor is None:
            return "too-many-half-open"
        if visitor.associated:
            return ""
        where, address = visitor.listener, visitor.address
        if sum(count for (listener, _), count in self._associations.items() if listener == where) >= caps.associations:
            return "too-many-associations"
        anonymous = mixed and not visitor.authenticated
        if anonymous and self._anonymous[where] >= caps.associations - caps.associations // KEPT:
            return "too-many-without-certificate"
        if self._associations[where, address] >= caps.associations_per_peer:
            return "too-many-of-this-peer"
        self._out_of_rooms(number, visitor)
        visitor.associated = True
        self._associations[where, address] += 1
        if not visitor.authenticated:
            self._anonymous[where] += 1
        return ""

    def gone(self, number: int) -> None:
        """Its socket is closed. A second time does nothing."""
        visitor = self._visitors.pop(number, None)
        if visitor is None:
            return
        if not visitor.associated:
            self._out_of_rooms(number, visitor)
            return
        where = visitor.listener
        _take(self._associations, (where, visitor.address))
        if not visitor.authenticated:
            _take(self._anonymous, where)

    def _left_alone(self, number: int | None) -> int | None:
        if number is not None:
            self._leaving += 1
        return number

    def _out_of_rooms(self, number: int, visitor: _Visitor) -> None:
        if not (self._known if visitor.authenticated else self._strangers).remove(number, visitor.address):
            # Let go before: as a stranger, or as one that became known meanwhile.
            self._leaving -= 1


def _take(counter: Counter[_Key], key: _Key) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]
