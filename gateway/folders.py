"""Folders of the state directory: private, and there after a power cut; and names that say nothing, for what we write.

It makes folders and nothing else. What lies in them is the business of who asks for them.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from pathlib import Path


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
