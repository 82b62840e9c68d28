"""What is kept for a person who decides about a group of held images (gateway/pixels/groups.py): when it goes.

Rules of this file
* The picture shows a patient: it goes with the last object that is held for its group, discarded or released.
* A worker writes it before the hold is committed: what is young is not yet over, unless its objects were given up.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

FOLDER: Final = "pixels"  # of the state directory
UNKNOWN: Final = "burned-in-unknown"  # reason of what is held for a decision
_GROUP: Final = "group "
_YOUNG = 600.0  # seconds


def detail(group: str, why: str) -> str:
    """What is told of an object that is held for its group."""
    return f"{_GROUP}{group}: {why}"


def groups(details: Iterable[str]) -> set[str]:
    """The groups that are named in `detail`s."""
    return {each.removeprefix(_GROUP).partition(":")[0] for each in details if each.startswith(_GROUP)}


def of(state: Path, names: Iterable[str]) -> list[Path]:
    """The files of these groups."""
    return [state / FOLDER / f"{name}.{kind}" for name in sorted(names) if name.isalnum() for kind in ("png", "json")]


def over(state: Path, held: set[str]) -> list[Path]:
    """Files of groups that nothing is held for any more, and what a process that died had begun."""
    return [path for path, group in _old(state) if path.name.startswith(".") or group not in held]


def _old(state: Path) -> Iterator[tuple[Path, str]]:
    with suppress(FileNotFoundError):
        for path in (state / FOLDER).iterdir():
            with suppress(FileNotFoundError):
                if path.lstat().st_mtime < time.time() - _YOUNG:
                    yield path, path.name.partition(".")[0]
