"""What left, as a hash: a source that is hashed while it is sent, so that it is read once.

A source that knows its own hash (a spooled file that no step changed) is not hashed again: pipeline.py has compared
what lay for long. It is for one reader that reads in order, as every destination does.
"""

from __future__ import annotations

import hashlib

from transforms.source import ByteSource


class Hashed:
    """A ByteSource over another one."""

    __slots__ = ("_at", "_digest", "_known", "size", "source")

    def __init__(self, source: ByteSource) -> None:
        self.source = source
        self._known: str = getattr(source, "sha256", "")
        self._digest = hashlib.sha256()
        self._at = 0
        self.size = source.size

    def pread(self, offset: int, length: int) -> bytes:
        """The next bytes. Raises ValueError where they are not the next ones; what the source raises."""
        if offset != self._at:
            raise ValueError("what is hashed while it is sent must be read in order")
        part = self.source.pread(offset, length)
        self._at += len(part)
        if not self._known:
            self._digest.update(part)
        return part

    @property
    def whole(self) -> bool:
        """It was read to its end."""
        return self._at == self.size

    def sha256(self) -> str:
        """Of all of it, 64 hex digits. Raises ValueError before its end."""
        if not self.whole:
            raise ValueError("it was not read to its end")
        return self._known or self._digest.hexdigest()
