"""The objects that shall be on a medium, as inputs: opened when they are needed, closed again, never held in memory.

* A `Member` is opened twice, for the survey and for writing, and must be the same object both times; making.py sees
  to it. It is told of by its number: a file's name may hold a patient's.
* Here are members that are files. What a route delivers is staged as files first (gateway/deliver/media.py).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from gateway.media.errors import MediaError, from_os
from gateway.store.files import FileSource
from transforms.dataset import part10
from transforms.errors import TransformError
from transforms.source import ByteSource


class Opened(NamedTuple):
    """A data set, and the transfer syntax it is in."""

    source: ByteSource
    syntax: str


class Member(Protocol):
    """One object that shall be on the medium."""

    @property
    def label(self) -> str:
        """How people are told of it; it names nobody."""
        ...

    def open(self) -> AbstractContextManager[Opened]:
        """The object's data set, readable anywhere. Raises MediaError, TransformError."""
        ...


@dataclass(frozen=True, slots=True)
class FileMember:
    """A DICOM file of the user's."""

    path: Path
    number: int

    @property
    def label(self) -> str:
        """By its number among the inputs."""
        return f"input {self.number}"

    @contextmanager
    def open(self) -> Iterator[Opened]:
        """Raises MediaError where it cannot be read, TransformError where it is no DICOM file."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise from_os(error, self.label) from None
        with FileSource(descriptor, 0, os.fstat(descriptor).st_size) as whole:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise MediaError("media-input", f"{self.label} is no file")
            found = part10.split(whole, tolerant=True)
            yield Opened(whole.after(found.offset), found.syntax)


def found(inputs: Iterable[Path]) -> list[FileMember]:
    """Every DICOM file of these files and folders, in a fixed order. What in a folder is none is passed over.

    A DICOMDIR among them is not an object and is left out: the new set gets its own. Raises MediaError.
    """
    members: list[FileMember] = []
    for path, named in _paths(inputs):
        member = FileMember(path, len(members) + 1)
        if not named and (path.name == "DICOMDIR" or not _is_dicom(member)):
            continue
        members.append(member)
    if not members:
        raise MediaError("media-input", "there is no DICOM file among the inputs")
    return members


def _paths(inputs: Iterable[Path]) -> Iterator[tuple[Path, bool]]:
    for path in inputs:
        if path.is_dir():
            for folder, folders, files in os.walk(path):
                folders.sort()
                yield from ((Path(folder, name), False) for name in sorted(files))
        elif path.is_file():
            yield path, True
        else:
            raise MediaError("media-input", f"{path}: no such file or folder")


def _is_dicom(member: FileMember) -> bool:
    if member.path.is_symlink() or not member.path.is_file():
        return False
    try:
        with member.open():
            return True
    except TransformError:
        return False
