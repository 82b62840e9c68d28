"""A directory as a destination: Part 10 files and documents with server-made names, complete when their name appears.

Rules of this file
* A name is a keyed digest of ours: nothing of the object, not even a UID of a pass-through object, shows in a path.
* The same object gets the same name again, so that a retry after a crash replaces its own file and no other.
* File and directory are fsynced before it is called delivered. What a killed try left is begun anew by the next one.
* It keeps no DICOMDIR; media do.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Final, Literal
from uuid import uuid4

from gateway.audit.events import Party
from gateway.config.kinds import Kind
from gateway.config.schema import FolderDestination
from gateway.deliver.contract import Answer, Need
from gateway.deliver.hashed import Hashed
from gateway.errors import DestinationDown
from gateway.folders import opaque
from gateway.model import Result
from gateway.pipeline import Outgoing
from transforms.dataset import part10
from transforms.source import chunks

SUFFIXES: Final = {Kind.DICOM: ".dcm", Kind.CDA: ".xml", Kind.HL7V2: ".hl7", Kind.AIM: ".aim.xml"}


class FolderCarrier:
    """One `folder:` destination of gateway.yaml. `secret` keys the names; it lives in the state directory."""

    kind = "export"
    whole: Literal[False] = False
    lanes = 2
    idle = 5.0

    def __init__(self, folder: FolderDestination, secret: bytes) -> None:
        self._folder = folder
        self._secret = secret

    def party(self) -> Party:
        return Party("", self._folder.dir.resolve().as_uri())

    def open(self, needs: Sequence[Need]) -> FolderSession:
        try:
            self._folder.dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise DestinationDown("folder-unavailable", os.strerror(error.errno or errno.EIO)) from error
        return FolderSession(self._folder, self._secret)


class FolderSession:
    """A batch of files, audited as one Export per study (PS3.15 A.5.3.4)."""

    def __init__(self, folder: FolderDestination, secret: bytes) -> None:
        self.association = uuid4().hex
        self._folder = folder
        self._secret = secret

    def carries(self, need: Need) -> bool:
        return True

    def send(self, outgoing: Outgoing) -> Answer:
        identity = outgoing.identity
        under = opaque(self._secret, "study", identity.study) if self._folder.layout == "study" else ""
        place = self._folder.dir / under
        name = opaque(self._secret, "instance", outgoing.job.instance.stored.name) + SUFFIXES[outgoing.kind]
        fresh = place / f".{name}.{outgoing.job.delivery}"  # a delivery is with one worker at a time
        try:
            place.mkdir(mode=0o700, exist_ok=True)
            fresh.unlink(missing_ok=True)
            sent, whole = written(fresh, outgoing)
            fresh.rename(place / name)
            sync(place)
            sync(self._folder.dir)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            raise DestinationDown("folder-unavailable", os.strerror(error.errno or errno.EIO)) from error
        except BaseException:  # what it is made of cannot be read: half of it is nobody's
            fresh.unlink(missing_ok=True)
            raise
        return Answer(Result.DELIVERED, None, "", sent, outgoing.syntax, str(PurePosixPath(under, name)), whole)

    def close(self, *, orderly: bool = True) -> None:
        return


def written(path: Path, outgoing: Outgoing) -> tuple[str, str]:
    """Write a new file and make its bytes durable: SHA-256 of the data set, and of the whole file. Raises OSError."""
    head = b""
    if outgoing.kind is Kind.DICOM:
        head = part10.meta(outgoing.identity.sop_class, outgoing.identity.sop_instance, outgoing.syntax)
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb", buffering=0) as out:
        out.write(head)
        sent, whole = Hashed(outgoing.source), hashlib.sha256(head)
        for chunk in chunks(sent):
            whole.update(chunk)
            view = memoryview(chunk)
            while view:
                view = view[out.write(view) :]
        os.fdatasync(descriptor)
    return sent.sha256(), whole.hexdigest()


def sync(folder: os.PathLike[str]) -> None:
    """Make the names in a folder durable. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
