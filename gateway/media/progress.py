"""How far a set is that a worker makes: one short file of the state directory, for `status` to show.

It holds a stage and a percentage, nothing of an object. Losing it costs nothing.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

_EVERY: Final = 1.0  # seconds between two words


class Told:
    """How far a unit is, for `status`: a small file of the state directory while the unit is made."""

    def __init__(self, state: Path, group: int) -> None:
        self._file = state / f"group-{group}.progress"
        self._last = 0.0

    def __call__(self, stage: str, done: int, in_all: int) -> None:
        now = time.monotonic()
        if now - self._last < _EVERY:
            return
        self._last = now
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{stage} {100 * done // max(in_all, 1)} %")
        fresh.rename(self._file)

    def end(self) -> None:
        """The unit has ended."""
        self._file.unlink(missing_ok=True)


def progress(state: Path, group: int | None) -> str:
    """How far the set of a group is, for people; "" where none is being made."""
    try:
        return (state / "media" / f"group-{group}.progress").read_text()[:40]
    except OSError:
        return ""
