"""Signed manifests as files: `NAME-1.p7m`, and `NAME-2.p7m` where there is something new to say.

Rules of this file
* A file is whole and durable when its name appears, and is never written over: an older manifest was true, too.
* The same content again makes no new file: signing it twice would say nothing.
* What must be known before the file is there (the audit trail) is told before it gets its name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from gateway.errors import GatewayError
from gateway.folders import made
from gateway.security.signed import NotSigned, Signer, sign, verify

SUFFIX = ".p7m"


class Kept(NamedTuple):
    """Where a manifest is, and whether it is new."""

    path: Path
    new: bool


def keep(
    folder: Path, name: str, content: bytes, by: Signer, now: datetime, announce: Callable[[], None] = lambda: None
) -> Kept:
    """Sign `content` and keep it under the next number. Raises GatewayError (manifest-not-written), NotSigned."""
    try:
        made(folder)
        last = _last(folder, name)
        if last and _says(folder / f"{name}-{last}{SUFFIX}", by, now) == content:
            return Kept(folder / f"{name}-{last}{SUFFIX}", False)
        path = folder / f"{name}-{last + 1}{SUFFIX}"
        write(path, sign(content, by, now), announce)
    except OSError as error:
        raise GatewayError("manifest-not-written", os.strerror(error.errno or 5)) from None
    return Kept(path, True)


def write(path: Path, data: bytes, announce: Callable[[], None] = lambda: None) -> None:
    """A new file, whole under its name or not there. Raises OSError; FileExistsError where there is one already."""
    fresh = path.parent / f".{uuid4().hex}.tmp"
    try:
        with os.fdopen(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600), "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        announce()
        os.link(fresh, path)  # unlike a rename it takes nobody's name
    finally:
        fresh.unlink(missing_ok=True)
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _last(folder: Path, name: str) -> int:
    """The highest number there is; 0 for none."""
    pattern = re.compile(re.escape(name) + r"-(\d{1,9})" + re.escape(SUFFIX))
    found = (pattern.fullmatch(each.name) for each in folder.iterdir())
    return max((int(each[1]) for each in found if each), default=0)


def _says(path: Path, by: Signer, now: datetime) -> bytes | None:
    """What our own manifest says; None for another signer's, or where somebody changed it."""
    try:
        return verify(path.read_bytes(), by.chain, now).content
    except NotSigned:
        return None
