"""Members of a unit as files of the state directory, private, as they will be on a medium; shared by media and mail.

A member that has no such form, or that the set cannot hold, gets its answer here and the others go on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.deliver.contract import Answer
from gateway.deliver.folder import sync
from gateway.deliver.hashed import Hashed
from gateway.folders import opaque
from gateway.media.errors import MediaError
from gateway.media.making import Order
from gateway.media.members import FileMember
from gateway.media.survey import Judged, Surveyed
from gateway.media.volumes import Overhead, allotted
from gateway.model import Result
from gateway.pipeline import Outgoing
from transforms.dataset import convert, part10
from transforms.dataset import syntax as syntaxes
from transforms.errors import TransformError
from transforms.source import chunks


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
    """The members that can be on this medium; None: it is another one's object, again. The others get their answer."""
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
