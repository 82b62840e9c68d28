"""The series that an object leaves with, and what a site's program made of it as a whole (docs/plugins.md).

Rules of this file
* The program runs once for a series of a closed group, whoever asks first: object after object, destination after
  destination, and other workers, take the pixels of that run. Two answers for one object were two images of one UID.
* It runs when the first object is prepared: then the bytes of all are still spooled. Where some are not, nothing runs.
* What it failed at is kept, too: each object is told it once, so that a series of 500 does not wait 500 times for its
  time to pass. An object that asks a second time was released by a person: the program runs again.

Reasons: plugin-series, plugin-late (gateway/writer/desk.py).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gateway.errors import HoldObject
from gateway.model import Member
from gateway.store import kept_answers
from gateway.store.kept_answers import Answers, Kept
from gateway.store.spool import FileSource
from transforms.source import ByteSource


@dataclass(frozen=True, slots=True)
class Series:
    """The series of one object in a closed group."""

    group: int
    uid: str  # Series Instance UID as received
    name: str  # that this object is spooled under
    delivery: int
    ask: Callable[[], Sequence[Member]] = field(repr=False)
    opened: Callable[[Member], AbstractContextManager[ByteSource]] = field(repr=False)

    def members(self) -> Sequence[Member]:
        """All of its objects, in the order in which they came. Raises HoldObject, WaitObject."""
        found = self.ask()
        if not all(each.here for each in found):
            raise HoldObject("plugin-series", "objects of the series have left, and what the program made is gone")
        return found

    @contextmanager
    def pixels(self, how: str, hosted: Path, program: Callable[[], Answers]) -> Iterator[ByteSource | None]:
        """This object's pixels, as the program gave them for the series; None where it has none.

        `how` is all that the answer depends on beside the series. Raises HoldObject, WaitObject.
        """
        digest = hashlib.sha256(f"{self.uid}\0{how}".encode()).hexdigest()[:24]
        path = kept_answers.path_of(hosted, self.group, digest)
        with kept_answers.locked(path):
            known = kept_answers.read(path)
            if known is None or self.delivery in known.told:
                known = _run(path, program)
            if known.reason:
                known.told.append(self.delivery)
                kept_answers.write(path, (), known)
                raise HoldObject(known.reason, known.detail)
            if self.name not in known.places:
                raise HoldObject("plugin-series", "this object was not in the series when the program ran")
            at = known.places[self.name]
            if at is None:
                yield None
                return
            with FileSource(os.open(path, os.O_RDONLY | os.O_CLOEXEC), *at) as source:
                yield source


def _run(path: Path, program: Callable[[], Answers]) -> Kept:
    """Run it and keep what came of it."""
    try:
        return kept_answers.write(path, program(), Kept())
    except HoldObject as error:
        return Kept(reason=error.reason, detail=error.detail)
