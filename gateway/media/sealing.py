"""A name that appears for a complete set only: the hidden folder that is worked in, and the one rename that ends it.

Rules of this file
* Work lies in `.NAME.xxxx.partial` beside the final name, locked while its maker lives, private to its user. What a
  killed maker left is swept by the next one of the same name.
* `seal` is one rename of a folder, or one link of a file. Nothing is overwritten. The name is durable when it returns.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path

from gateway.media.errors import MediaError, from_os


def free(out: Path) -> None:
    """Raises MediaError where a final name cannot be had: taken already, or in no folder."""
    if out.is_symlink() or (out.exists() and not (out.is_dir() and not any(out.iterdir()))):
        raise MediaError("media-output-exists", f"{out}: exists already; nothing is overwritten")
    if not out.parent.is_dir():
        raise MediaError("media-output", f"{out.parent}: no such folder")


@contextmanager
def partial_beside(out: Path) -> Iterator[Path]:
    """A hidden folder beside the final name, ours while we live; removed at the end, whatever happens."""
    out = Path(os.path.abspath(out))  # noqa: PTH100 - `.` has no name, and a link is not to be followed
    free(out)
    for old in out.parent.glob(f".{escape(out.name)}.*.partial"):
        _swept(old)
    folder = out.parent / f".{out.name}.{secrets.token_hex(4)}.partial"
    try:
        folder.mkdir(0o700)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise from_os(error, str(out.parent)) from None
    try:
        yield folder
    except OSError as error:
        raise from_os(error, "the set") from error
    finally:
        os.close(descriptor)
        shutil.rmtree(folder, ignore_errors=True)


def _swept(folder: Path) -> None:
    """Remove what a maker left that no longer lives."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except OSError:
        pass  # its maker lives
    finally:
        os.close(descriptor)


def seal(partial: Path, out: Path, *, single: bool = False) -> None:
    """Give `partial/set` its name, or with `single` the one file in it. Raises MediaError where the name is taken."""
    result = partial / "set"
    try:
        _sync(result)
        if single:
            (only,) = result.iterdir()
            _linked(only, out)
        else:
            result.rename(out)
        _sync(out.parent)
    except FileExistsError:
        raise MediaError("media-output-exists", f"{out}: exists already; nothing is overwritten") from None
    except OSError as error:
        raise from_os(error, str(out)) from None


def _linked(file: Path, out: Path) -> None:
    try:
        os.link(file, out)  # fails where the name is taken; a rename would not
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if out.exists():
            raise FileExistsError from None
        file.rename(out)


def synced(place: Path) -> None:
    """Make a file, or a folder with all that is in it, durable. Raises OSError.

    It is dropped from the page cache: what reads it again reads the disk.
    """
    for folder, _, files in os.walk(place) if place.is_dir() else [(str(place.parent), [], [place.name])]:
        for name in files:
            _sync(Path(folder, name))
        _sync(Path(folder))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
        if not path.is_dir():
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)
