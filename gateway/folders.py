"""Folders of the state directory: private, and there after a power cut; names that say nothing, for what we write; and
where folders are mounted.

It makes folders and nothing else. What lies in them is the business of who asks for them.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from pathlib import Path
from typing import Final

_MOUNT: Final = re.compile(r"^mnt_id:\s*([0-9]+)$", re.MULTILINE)


def made(folder: Path) -> None:
    """Make a folder that is missing, 0700, and its name durable: POSIX promises nothing of what stands in it else."""
    if folder.is_dir():
        return
    made(folder.parent)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        return
    parent = os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)


def opaque(secret: bytes, domain: str, value: str) -> str:
    """A name for `value` that tells nothing of it, and is always the same: 24 hex digits of a keyed digest."""
    return hmac.new(secret, f"{domain}\0{value}".encode(), hashlib.sha256).hexdigest()[:24]


def mount(place: Path | int) -> tuple[int, int]:
    """Where a file or folder, or what a descriptor is of, is mounted: nothing can be renamed between two of these.

    (device, number of the mount): two mounts of one device are two, as volumes of a container are. Raises OSError.
    """
    if isinstance(place, int):
        try:
            told = Path(f"/proc/self/fdinfo/{place}").read_text(encoding="ascii")
        except OSError:  # not Linux
            told = ""
        found = _MOUNT.search(told)
        return os.fstat(place).st_dev, int(found[1]) if found else 0
    descriptor = os.open(place, getattr(os, "O_PATH", os.O_RDONLY) | os.O_CLOEXEC)
    try:
        return mount(descriptor)
    finally:
        os.close(descriptor)
