"""Waiting for pipes: select() knows descriptors below 1024 only, and a gateway has more."""

from __future__ import annotations

import math
import select
from collections.abc import Sequence


def ready(reading: Sequence[int], writing: Sequence[int], seconds: float) -> tuple[list[int], list[int]]:
    """Those that can be read or have ended, those that can be written or are closed; none after `seconds`."""
    poll = select.poll()
    for each in reading:
        poll.register(each, select.POLLIN)
    for each in writing:
        poll.register(each, select.POLLOUT)
    found = {each for each, _ in poll.poll(math.ceil(max(0.0, seconds) * 1000))}
    return [each for each in reading if each in found], [each for each in writing if each in found]
