"""A directory as a destination of whole groups: one folder a group, which is there complete or not at all.

    DIR/NAME[-late-N]-PART/FILE.dcm

Rules of this file
* NAME is a keyed digest of route and study (or series): what came late stands beside what came first, and says so. PART
  is one of the members: the same members make the same folder again, one that was released later makes another.
* Everything is written and fsynced under a hidden name, then renamed. A crash before the rename leaves only the hidden
  folder, which the next try of the same unit begins anew.
* A folder of that name that is there already was made by a try whose end the writer did not hear: it is compared, and
  one that differs is left alone and called an obstacle.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal
from uuid import uuid4

from gateway.audit.events import Party
from gateway.config.schema import FolderDestination
from gateway.deliver.contract import Answer, Need
from gateway.deliver.folder import SUFFIXES, sync, written
from gateway.errors import DestinationDown
from gateway.folders import opaque
from gateway.model import Result, Unit
from gateway.pipeline import Outgoing


class GroupFolderCarrier:
    """A `folder:` destination with `layout: group`. `secret` keys the names; it lives in the state directory."""

    kind = "export"
    whole: Literal[True] = True

    def __init__(self, folder: FolderDestination, secret: bytes) -> None:
        self._folder = folder
        self._secret = secret

    def party(self) -> Party:
        return Party("", self._folder.dir.resolve().as_uri())

    def open(self, needs: Sequence[Need]) -> GroupFolderSession:
        try:
            self._folder.dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise DestinationDown("folder-unavailable", os.strerror(error.errno or errno.EIO)) from error
        return GroupFolderSession(self._folder.dir, self._secret)


class GroupFolderSession:
    """One unit, audited as one Export per study (PS3.15 A.5.3.4)."""

    def __init__(self, folder: Path, secret: bytes) -> None:
        self.association = uuid4().hex
        self._folder = folder
        self._secret = secret

    def send(self, unit: Unit, members: Iterator[Outgoing]) -> Mapping[int, Answer]:
        hidden = self._folder / f".{opaque(self._secret, 'making', str(unit.group or self.association))}"
        answers: dict[int, Answer] = {}
        digest = hashlib.sha256()
        try:
            shutil.rmtree(hidden, ignore_errors=True)  # of a try that was killed: a unit is with one worker at a time
            hidden.mkdir(mode=0o700)
            for outgoing in members:
                stored = outgoing.job.instance.stored.name
                name = opaque(self._secret, "instance", stored) + SUFFIXES[outgoing.kind]
                sent, whole = written(hidden / name, outgoing)
                digest.update(f"{name}\0".encode())
                answers[outgoing.job.delivery] = Answer(Result.DELIVERED, None, "", sent, outgoing.syntax, name, whole)
            if not answers:
                return answers
            folder = self._name(unit, digest.hexdigest()[:8])
            sync(hidden)
            self._appear(hidden, self._folder / folder, answers.values())
        except OSError as error:
            raise DestinationDown("folder-unavailable", os.strerror(error.errno or errno.EIO)) from error
        finally:
            shutil.rmtree(hidden, ignore_errors=True)
        return {number: each._replace(file=f"{folder}/{each.file}") for number, each in answers.items()}

    def _name(self, unit: Unit, part: str) -> str:
        name = opaque(self._secret, "unit", f"{unit.route}\0{unit.uid}")
        return f"{name}-late-{unit.follow_up}-{part}" if unit.follow_up else f"{name}-{part}"

    def _appear(self, hidden: Path, final: Path, answers: Iterable[Answer]) -> None:
        """Under its name, or found there already with the same files. Raises OSError, DestinationDown."""
        if not final.exists():
            hidden.rename(final)
        elif not _same(final, answers):
            raise DestinationDown("folder-differs", "a folder of this group's name is there and has other files")
        sync(self._folder)

    def close(self, *, orderly: bool = True) -> None:
        return


def _same(folder: Path, answers: Iterable[Answer]) -> bool:
    """Whether a folder has exactly these files."""
    wanted = {answer.file: answer.file_sha256 for answer in answers}
    found = {}
    for path in folder.iterdir():
        with path.open("rb") as file:
            found[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found == wanted
