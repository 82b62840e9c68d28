"""What a site's program made of a series, as one file; and what programs that died have left. Files, no judgement.

    state/hosted/series/12-5f0c….answers    the pixels of every object of group 12 that is in the series, then a list
    state/hosted/plugin-…                   where a program runs: its folder is locked while it is in use

Rules of this file
* A file appears whole or not at all, and durable; what cannot be read is as if it were not there.
* One process at a time makes or reads it (`locked`); one that dies lets go.
* The writer deletes files whose group has come to its end (`ended`), and folders that nobody has locked (`left`).
"""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from gateway.errors import HoldObject
from gateway.folders import made
from transforms.source import ByteSource, chunks

HOSTED = "hosted"  # in the state directory
_SERIES, _WORK = "series", "plugin-"
_NAME = re.compile(r"([0-9]+)-[0-9a-f]{24}\.(answers|lock|new)")
_SIZE = 8  # bytes of the length of the list, at the end
_YOUNG = 60.0  # seconds: a folder of this age may not be locked yet
Answers = Iterable[tuple[str, ByteSource | None]]


class Kept(msgspec.Struct):
    """The list: where the pixels of each object are, by the name it is spooled under; or why there are none."""

    places: dict[str, tuple[int, int] | None] = {}  # None: it had no pixels
    reason: str = ""
    detail: str = ""
    told: list[int] = []  # deliveries that have heard the reason


def path_of(hosted: Path, group: int, digest: str) -> Path:
    """The file of a series of this group; 24 hex digits tell series and program."""
    made(hosted / _SERIES)
    return hosted / _SERIES / f"{group}-{digest}.answers"


def read(path: Path) -> Kept | None:
    """What is kept; None where nothing is, or nothing whole."""
    try:
        with path.open("rb") as file:
            end = file.seek(-_SIZE, os.SEEK_END)
            size = int.from_bytes(file.read(_SIZE), "big")
            file.seek(end - size)
            return msgspec.json.decode(file.read(size), type=Kept)
    except (OSError, ValueError, msgspec.DecodeError):
        return None


def write(path: Path, answers: Answers, kept: Kept) -> Kept:
    """The file, with the places of these answers in its list. Raises HoldObject, and whatever `answers` raises."""
    new = path.with_suffix(".new")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb") as file:
            for name, pixels in answers:
                kept.places[name] = None if pixels is None else (file.tell(), pixels.size)
                for chunk in chunks(pixels) if pixels is not None else ():
                    file.write(chunk)
            tail = msgspec.json.encode(kept)
            file.write(tail + len(tail).to_bytes(_SIZE, "big"))
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError as error:
        raise HoldObject("no-room-to-work", os.strerror(error.errno or 0)) from error
    return kept


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One at a time, over all workers."""
    descriptor = os.open(path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def working(hosted: Path | None) -> Iterator[Path]:
    """A folder for a program to run in; locked, and gone afterwards."""
    if hosted is not None:
        made(hosted)
    with tempfile.TemporaryDirectory(dir=hosted, prefix=_WORK) as name:
        descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield Path(name)
        finally:
            os.close(descriptor)


def ended(state: Path, over: Callable[[Sequence[int]], set[int]]) -> list[Path]:
    """Files of series of whose groups nothing is left to be done. `over` knows which groups that are."""
    groups: dict[Path, int] = {}
    with suppress(FileNotFoundError):
        for each in (state / HOSTED / _SERIES).iterdir():
            if found := _NAME.fullmatch(each.name):
                groups[each] = int(found[1])
    done = over(sorted(set(groups.values()))) if groups else set()
    return [path for path, group in groups.items() if group in done]


def left(state: Path) -> list[Path]:
    """Folders of programs whose process has died: what lies in them is the pixels of patients."""
    found = []
    for each in (state / HOSTED).glob(f"{_WORK}*"):
        with suppress(OSError):
            descriptor = os.open(each, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                if os.fstat(descriptor).st_mtime < time.time() - _YOUNG:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    found.append(each)
            finally:
                os.close(descriptor)
    return found
