"""What media and mail share: members of a unit as private files of the state directory, and what ends a try.

Rules of this file
* A member that has no form for media, or that the set cannot hold, gets its answer here and the others go on.
* What passes keeps the whole unit waiting: a disk that is full or does not answer, what changed while it was read, a
  token or key that cannot be used now. What a person must change is held: the object, or what was asked for.
* What was staged shows patients: it is gone when the try is over, and what a killed one left goes with the next.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.deliver.contract import Answer
from gateway.deliver.folder import sync
from gateway.deliver.hashed import Hashed
from gateway.errors import DestinationDown, GatewayError, HoldObject
from gateway.folders import made, opaque
from gateway.media.errors import MediaError
from gateway.media.making import Order
from gateway.media.members import FileMember
from gateway.media.progress import Told
from gateway.media.survey import Judged, Surveyed
from gateway.media.volumes import Overhead, allotted
from gateway.model import Result
from gateway.pipeline import Outgoing
from gateway.security.cms.errors import NotWritten
from gateway.security.signed import NotSigned
from transforms.dataset import convert, part10
from transforms.dataset import syntax as syntaxes
from transforms.errors import TransformError
from transforms.source import chunks

_PASSING: Final = frozenset(
    {
        "media-disk-full",
        "media-input-changed",
        "media-keys",
        "media-not-reconciled",
        "media-output",
        "media-output-exists",
        "media-unreadable",
    }
)


def meaning(error: GatewayError) -> GatewayError:
    """What a fault says of the unit: DestinationDown where it passes, HoldObject where a person must change it."""
    if isinstance(error, MediaError):
        return (DestinationDown if error.reason in _PASSING else HoldObject)(error.reason, error.detail)
    if error.reason == "cms-too-large":
        return HoldObject("media-too-large", error.detail)
    if isinstance(error, NotWritten | NotSigned) or error.reason.startswith("token-"):
        return DestinationDown("media-keys", str(error))  # a certificate's time is over, a token is busy
    return error


@contextmanager
def trying(told: Told, staging: Path, *others: Path) -> Iterator[None]:
    """One try: an empty `staging`, private; it and `others` are gone before and after. Raises as `meaning` says."""
    folders = (staging, *others)
    try:
        made(staging.parent)
        for folder in folders:  # of a try that was killed: a unit is with one worker at a time
            shutil.rmtree(folder, ignore_errors=True)
        staging.mkdir(mode=0o700)
        yield
    except GatewayError as error:
        raise meaning(error) from error
    except OSError as error:
        raise DestinationDown("media-unavailable", os.strerror(error.errno or 5)) from error
    finally:
        told.end()
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Staged:
    """One member as it will be on the medium."""

    delivery: int
    stored: str  # its name in the spool
    instance: str  # SOP Instance UID
    path: Path
    sha256: str  # of the data set
    syntax: str

    @property
    def delivered(self) -> Answer:
        """What is said once it is there."""
        return Answer(Result.DELIVERED, None, "", self.sha256, self.syntax)


def staged(folder: Path, secret: bytes, members: Iterator[Outgoing], answers: dict[int, Answer]) -> list[Staged]:
    """Every member that has a form for media, in a file of `folder`. Raises OSError, and what `members` raises."""
    found = []
    for outgoing in members:
        try:
            found.append(_staged(folder, secret, outgoing))
        except TransformError as error:
            answers[outgoing.job.delivery] = Answer(Result.HELD, None, error.reason)
    return found


def _staged(folder: Path, secret: bytes, outgoing: Outgoing) -> Staged:
    source, uid = outgoing.source, outgoing.syntax
    if syntaxes.lookup(uid).uncompressed:
        source, uid = convert.to_explicit_le(source, uid), syntaxes.EXPLICIT_LE
    stored = outgoing.job.instance.stored.name
    path = folder / opaque(secret, "instance", stored)
    sent = Hashed(source)
    with open(path, "xb", opener=private) as out:
        out.write(part10.meta(outgoing.identity.sop_class, outgoing.identity.sop_instance, uid))
        for chunk in chunks(sent):
            out.write(chunk)
    return Staged(outgoing.job.delivery, stored, outgoing.identity.sop_instance, path, sent.sha256(), uid)


def judged(members: list[Staged], order: Order, answers: dict[int, Answer]) -> list[tuple[Staged, Surveyed | None]]:
    """The members that can be on this medium; None: it is another one's object, again. The others get their answer.

    Raises MediaError where a file of ours cannot be read now: that says nothing of the member.
    """
    taken = []
    refused: dict[str, str] = {}  # instances that are held, and why: so is each that is the same
    found = Judged(order.profile)
    overhead = order.protection.overhead if order.protection else Overhead()
    for number, each in enumerate(members, 1):
        try:
            if surveyed := found.add(FileMember(each.path, number)):
                allotted([surveyed], order.capacity, overhead, order.profile.medium)
            elif reason := refused.get(each.instance):
                raise MediaError(reason)
            taken.append((each, surveyed))
        except (MediaError, TransformError) as error:
            if error.reason in _PASSING:
                raise
            refused.setdefault(each.instance, error.reason)
            answers[each.delivery] = Answer(Result.HELD, None, error.reason)
    return taken


def kept(record: Path, content: object) -> None:
    """Write a record as JSON, durable when it returns. Raises OSError."""
    fresh = record.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with open(fresh, "x", opener=private) as out:
        json.dump(content, out)
        out.flush()
        os.fsync(out.fileno())
    fresh.rename(record)
    sync(record.parent)


def private(path: str, flags: int) -> int:
    """An opener of files that are for us alone."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
