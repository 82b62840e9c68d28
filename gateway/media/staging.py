"""Writes the files of one volume into a folder: the objects, the DICOMDIR, the pages for people.

Rules of this file
* Each file is written once and hashed on its way. Nothing is durable yet: the whole folder is synced at its end
  (sealing.py), which costs a fraction of doing it file by file.
* In a secure set every DICOM file goes through `Protection`, the DICOMDIR too; not a byte of it touches the disk
  before it is encrypted.
* An object must still be what the survey saw: an input that has changed since stops everything.
* The DICOMDIR is read back before it is written: it must refer to each file that was written, and to no other.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, Protocol, cast

from gateway.media import pages
from gateway.media.errors import MediaError, from_os
from gateway.media.survey import Surveyed, written_form
from gateway.media.volumes import Overhead
from profiles.media import ApplicationProfile
from transforms.dataset import framing, part10
from transforms.media import dicomdir, reading
from transforms.media.records import describe
from transforms.media.tree import Tree
from transforms.source import ByteSource, BytesSource, Copy, EditPlan, Literal, chunks

DICOMDIR: Final = "DICOMDIR"
Seen = Callable[[int], None]  # so many bytes more


class Protection(Protocol):
    """What makes a file a Secure DICOM File (PS3.15 D.1)."""

    overhead: Overhead

    def protect(self, data: ByteSource, out: BinaryIO) -> None:
        """Write all of `data`, protected, to `out`. Raises GatewayError."""
        ...


@dataclass(frozen=True, slots=True)
class Written:
    """One file as it must be found again."""

    size: int
    sha256: str


@dataclass(slots=True)
class Volume:
    """One volume as it was staged: its files by their components, and what people should know of it."""

    files: dict[tuple[str, ...], Written] = field(default_factory=dict)
    tree: Tree = field(default_factory=Tree)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a volume stands among the others, and what it is called."""

    number: int
    of: int
    file_set_uid: str
    file_set_id: str
    index: bool


def stage(
    folder: Path,
    members: Sequence[Surveyed],
    profile: ApplicationProfile,
    protection: Protection | None,
    place: Place,
    seen: Seen,
) -> Volume:
    """Write one volume into an empty folder; not durable yet. `seen`: so many bytes more. Raises MediaError."""
    volume = Volume()
    for member in members:
        file_id = volume.tree.add(member.described, member.syntax)
        _object(folder, file_id, member, profile, protection, volume, seen)
    roots = volume.tree.roots
    directory = b"".join(dicomdir.written(roots, place.file_set_uid, place.file_set_id))
    _refers(directory, set(volume.files))
    _write(folder, (DICOMDIR,), BytesSource(directory), protection, volume)
    page = pages.readme(profile, len(members), place.number, place.of)
    _write(folder, (pages.README,), BytesSource(page), None, volume)
    if place.index:
        _write(folder, (pages.INDEX,), BytesSource(pages.index_page(roots)), None, volume)
    return volume


def _object(
    folder: Path,
    file_id: tuple[str, ...],
    member: Surveyed,
    profile: ApplicationProfile,
    protection: Protection | None,
    volume: Volume,
    seen: Seen,
) -> None:
    with written_form(member.member) as opened:
        head = part10.meta(member.described.sop_class, member.described.sop_instance, opened.syntax)
        now = describe(opened.source, framing.check(opened.source, opened.syntax), profile.keys)
        if (now, opened.syntax, len(head) + opened.source.size) != (member.described, member.syntax, member.size):
            raise MediaError("media-input-changed", f"{member.member.label} is not what it was when it was checked")
        whole = EditPlan(opened.source, [Literal(head), Copy(0, opened.source.size)])
        _write(folder, file_id, whole, protection, volume, seen)


def _refers(directory: bytes, files: set[tuple[str, ...]]) -> None:
    """Raises where the DICOMDIR, read anew, does not refer to exactly these files."""
    found = [file.file_id for file in reading.read(BytesSource(directory)).files]
    if len(found) != len(files) or set(found) != files or not all(map(reading.strict, found)):
        raise MediaError("media-not-reconciled", "the DICOMDIR does not refer to exactly the files of the set")


def _write(
    folder: Path,
    parts: tuple[str, ...],
    data: ByteSource,
    protection: Protection | None,
    volume: Volume,
    seen: Seen = lambda _: None,
) -> None:
    """One file of the volume."""
    path = folder.joinpath(*parts)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            out = Hashing(file, seen)
            if protection is None:
                for chunk in chunks(data):
                    out.write(chunk)
            else:
                protection.protect(data, cast(BinaryIO, out))
    except OSError as error:
        raise from_os(error, "a file of the set") from None
    volume.files[parts] = Written(out.size, out.digest.hexdigest())


class Hashing:
    """A file that is written, and hashed on the way."""

    def __init__(self, file: BinaryIO, seen: Seen = lambda _: None) -> None:
        self._file = file
        self._seen = seen
        self.digest = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        """Write all of it."""
        self.digest.update(data)
        self.size += len(data)
        self._seen(len(data))
        return self._file.write(data)
