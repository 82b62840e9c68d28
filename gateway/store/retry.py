"""When to try again: pure arithmetic over the retry block of a destination.

* A destination that is down is probed with one object, at pauses that double; no object loses an attempt.
* An object that was refused for a reason that may pass has its own pauses and `attempts`; then it is held.
* Nothing is tried longer than `for` after its first try: then a person must look.
"""

from __future__ import annotations

from gateway.config.schema import Retry


def pause(retry: Retry, failures: int) -> float:
    """Seconds to wait after the n-th failure in a row (from 1): first, doubling, at most longest."""
    first, longest = retry.backoff
    return float(min(longest, first * 2 ** min(max(failures, 1) - 1, 40)))


def waiting(retry: Retry, first_try: float, now: float) -> float:
    """Seconds until an object that waits for something is tried again: as long as it waits already, within bounds."""
    first, longest = retry.backoff
    return float(min(longest, max(first, now - first_try)))


def expired(retry: Retry, first_try: float, now: float) -> bool:
    """Whether `for` is over. A clock set back never expires anything."""
    return now - first_try > retry.for_


def exhausted(retry: Retry, attempts: int) -> bool:
    """Whether the object was refused as often as the destination's block allows."""
    return attempts >= retry.attempts
