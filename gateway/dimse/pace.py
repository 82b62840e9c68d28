"""How slow a peer may be within one message: a bucket of seconds that waiting empties and bytes fill.

Rules of this file
* A message begins with `stall` seconds. Waiting for the peer spends them, each byte of the message earns
  1 / `min_rate` of one, and no more than `stall` are ever kept: a fast beginning does not buy hours of dripping.
* Only waiting for the peer counts: what our own disk takes is not the peer's fault.
* Overhead earns nothing, and each PDU costs a little: a flood of empty fragments is no progress.

What it does not do: judge one PDU (`Limits.pdu_time`) or the pause between two messages (`Limits.idle`).
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.dimse.limits import Limits
from gateway.errors import RefusePeer

_LEAST = 0.001  # seconds that any PDU costs


class Pace:
    """The bucket of one association. `clock` gives seconds."""

    __slots__ = ("_clock", "_left", "_since", "_stall", "_worth")

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._stall = limits.stall
        self._worth = 1.0 / limits.min_rate
        self._left = limits.stall
        self._since = 0.0

    def begin(self) -> None:
        """A message begins."""
        self._left = self._stall

    def waiting(self) -> float:
        """We begin to wait for the peer; how many seconds we would."""
        self._since = self._clock()
        return self._left

    def came(self) -> None:
        """The wait is over. Raises RefusePeer where the bucket is empty."""
        self._left -= max(_LEAST, self._clock() - self._since)
        if self._left <= 0:
            raise RefusePeer("too-slow", "the message stays below the rate that is asked of every peer")

    def earned(self, octets: int) -> None:
        """So many bytes of the message came."""
        self._left = min(self._stall, self._left + octets * self._worth)
