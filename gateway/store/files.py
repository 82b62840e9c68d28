"""A part of a file as a ByteSource: the spool's objects, and what a command reads. It stands apart from spool.py, whose
types and files a command that reads one image need not wait for.
"""

from __future__ import annotations

import errno
import os
from types import TracebackType

from gateway.errors import HoldObject

_HEAD = (1 << 15) + (1 << 10)  # a window of the steps, and File Meta before it


class FileSource:
    """A ByteSource over a part of a file that no longer changes. Close it, or use it as a context manager.

    Its beginning is read once: it holds an image's whole header, which every step reads in many small pieces.
    `sha256` is that of its bytes, where it is known already.
    """

    __slots__ = ("_descriptor", "_head", "_of", "_start", "sha256", "size")

    def __init__(self, descriptor: int, start: int, size: int, sha256: str = "") -> None:
        self._descriptor = descriptor
        self._head: bytes | None = None
        self._of: FileSource | None = None  # whose descriptor it reads
        self._start = start
        self.sha256 = sha256
        self.size = size

    def pread(self, offset: int, length: int) -> bytes:
        """Raises HoldObject where the file cannot be read or has become shorter."""
        if offset >= 0 and offset + length <= _HEAD:
            head = self._head
            if head is None:
                head = self._head = self._read(0, min(_HEAD, self.size))
            if offset + length <= len(head) or len(head) == self.size:
                return head[offset : offset + length]
        return self._read(offset, min(length, self.size - offset))

    def after(self, offset: int) -> FileSource:
        """Its bytes from `offset` on: a data set behind its File Meta. It ends with this one."""
        rest = FileSource(-1, self._start + offset, self.size - offset)
        rest._of = self
        if self._head is not None:
            rest._head = self._head[offset:]
        return rest

    def _read(self, offset: int, length: int) -> bytes:
        if self._of is not None:
            return self._of._read(self._start - self._of._start + offset, length)
        if length <= 0:
            return b""
        try:
            data = os.pread(self._descriptor, length, self._start + offset)
            while len(data) < length:
                more = os.pread(self._descriptor, length - len(data), self._start + offset + len(data))
                if not more:
                    raise HoldObject("spool-damaged", "a spooled file has become shorter")
                data += more
        except OSError as error:
            raise HoldObject("spool-unreadable", os.strerror(error.errno or errno.EIO)) from error
        return data

    def close(self) -> None:
        """Give the descriptor back."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> FileSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
