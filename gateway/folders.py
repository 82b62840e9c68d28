"""Folders of the state directory: private, and there after a power cut.

It makes folders and nothing else. What lies in them is the business of who asks for them.
"""

from __future__ import annotations

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
