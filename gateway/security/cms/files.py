"""Secure DICOM Files as files: sealed and opened, each whole and proven under its name, or not there at all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from cryptography import x509

from gateway.appearing import appearing
from gateway.security.cms.algorithms import Algorithms
from gateway.security.cms.envelopes import Reader
from gateway.security.cms.errors import NotOpened
from gateway.security.cms.reading import Opened, read
from gateway.security.cms.writing import Recipient, write
from gateway.security.signed import Signer
from transforms.source import ByteSource


def seal(
    source: ByteSource,
    path: Path,
    to: Sequence[Recipient],
    *,
    signer: Signer | None = None,
    algorithms: Algorithms = Algorithms(),
    now: datetime | None = None,
) -> None:
    """`writing.write` under a name. Raises what it raises, and OSError."""
    with appearing(path) as out:
        write(source, out, to, signer=signer, algorithms=algorithms, now=now)


def unseal(path: Path, to: Path, by: Sequence[Reader], *, trust: Sequence[x509.Certificate] | None = None) -> Opened:
    """`reading.read` under a name: no byte of the content has it before all is verified. Raises what `read` raises.

    And NotOpened (cms-unreadable) where the file cannot be read, OSError where the output cannot be written.
    """
    with _Source.open(path) as source, appearing(to) as out:
        return read(source, out, by, trust=trust)


class _Source:
    """A file as a ByteSource. A read that fails is told as what it is: the medium, not the message."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.size = os.fstat(descriptor).st_size

    @classmethod
    def open(cls, path: Path) -> _Source:
        try:
            return cls(os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0)))
        except OSError as error:
            raise NotOpened("cms-unreadable", os.strerror(error.errno or 5)) from None

    def pread(self, offset: int, length: int) -> bytes:
        try:
            return os.pread(self._descriptor, length, offset)
        except OSError as error:
            raise NotOpened("cms-unreadable", os.strerror(error.errno or 5)) from None

    def __enter__(self) -> _Source:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)
