"""Files that appear under their name when they are whole, and never before, whatever stops the work in between.

It writes and names; it looks at no content. A name that is taken stays with who has it.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_UNNAMED = getattr(os, "O_TMPFILE", 0) if Path("/proc/self/fd").is_dir() else 0  # Linux: a file without a name


@contextmanager
def appearing(path: Path) -> Iterator[BinaryIO]:
    """A file to write, 0600: where the block ends well it is durable under `path`, where it raises it is gone.

    Raises FileExistsError where the name is taken, and what the system says.
    """
    with unnamed(path.parent) as (descriptor, scratch):
        with os.fdopen(os.dup(descriptor), "wb") as out:
            yield out
        os.fdatasync(descriptor)
        give_name(descriptor, scratch, path)
        parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(parent)
        finally:
            os.close(parent)


@contextmanager
def unnamed(folder: Path) -> Iterator[tuple[int, str]]:
    """A new file and a path to link it from: without a name where the system can, else with one that goes away."""
    flags = os.O_WRONLY | os.O_CLOEXEC
    scratch: Path | None = None
    try:
        descriptor = os.open(folder, flags | _UNNAMED, 0o600)  # without the flag: a folder is never opened for writing
    except OSError:
        scratch = folder / f".{secrets.token_hex(16)}.tmp"
        descriptor = os.open(scratch, flags | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        yield descriptor, str(scratch or f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
        if scratch is not None:
            scratch.unlink(missing_ok=True)


def give_name(descriptor: int, scratch: str, path: Path) -> None:
    """Give the file of `unnamed` its name. Raises FileExistsError where it is taken."""
    # A descriptor, any: without one Python calls link(2), which does not follow /proc's links
    os.link(scratch, path, src_dir_fd=descriptor, follow_symlinks=True)
