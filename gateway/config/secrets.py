"""Secrets, resolved as late as can be. The rule file only names them: `env:NAME` or `file:PATH`.

No error, log line or representation made here holds a secret. Errors name the reference, which is not secret.
A file that others may read is refused: what was readable may have been read, and who has a key can try every patient.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from gateway.errors import GatewayError

MIN_BYTES = 16  # shorter keys can be found by trying (RFC 2104 section 3 asks for the hash's length; this is the floor)
MAX_BYTES = 1 << 16


def resolve(ref: str, *, least: int = MIN_BYTES) -> bytes:
    """The secret's bytes; one line end after it is not part of it. Raises GatewayError, naming only the reference.

    `least`: fewer for what others chose, a token's PIN or a file's password.
    """
    kind, _, where = ref.partition(":")
    if kind == "env":
        text = os.environb.get(os.fsencode(where))
        if text is None:
            raise GatewayError("secret-missing", f"the environment has no {where}")
        found = text
    elif kind == "file":
        found = _read(Path(where))
    else:
        raise GatewayError("secret-missing", "a secret is named env:NAME or file:PATH")
    found = found.removesuffix(b"\n").removesuffix(b"\r")
    if len(found) < least:
        raise GatewayError("secret-too-short", f"{kind}:{where} has fewer than {least} bytes")
    if len(found) > MAX_BYTES:
        raise GatewayError("secret-too-long", f"{kind}:{where} has more than {MAX_BYTES} bytes")
    if len(set(found)) == 1 and least >= MIN_BYTES:
        raise GatewayError("secret-too-simple", f"{kind}:{where} is one byte repeated")
    return found


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            if why := _too_open(os.fstat(file.fileno()).st_mode):
                raise GatewayError("secret-readable-by-others", f"file:{path}: {why}")
            return file.read(MAX_BYTES + 3)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else "cannot be read"
        raise GatewayError("secret-missing", f"file:{path}: {why}") from None


def open_to_others(path: Path) -> str:
    """Why the mode of a file that holds secrets or patients is too open, or ""."""
    try:
        return _too_open(path.stat().st_mode)
    except OSError:
        return ""


def _too_open(mode: int) -> str:
    allowed = stat.S_IMODE(mode)
    return f"others may read it: its mode is {allowed:04o}, chmod 600 it" if allowed & 0o077 else ""
