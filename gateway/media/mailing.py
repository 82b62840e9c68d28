"""A File-set as e-mails: each message a ZIP archive with a DICOMDIR of its own, complete by itself (docs/mail.md).

`Post.allotted` says what goes into which message, `Post.written` makes one; `posted` makes all of them, for people. The
archive lies in clear beside its message while that is made: who asks gives a private folder.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from gateway.mail import message
from gateway.mail.message import Letter
from gateway.media import volumes
from gateway.media.errors import MediaError
from gateway.media.making import Made, Order, Progress, make
from gateway.media.members import Member
from gateway.media.sealing import partial_beside, seal, synced
from gateway.media.secure import CmsProtection
from gateway.media.survey import Surveyed, survey
from gateway.media.volumes import Overhead
from profiles.media import ApplicationProfile, load, names


@dataclass(frozen=True, slots=True)
class Post:
    """How mails are made: the set of each, and who can read it."""

    order: Order
    keys: CmsProtection
    size: int  # bytes of one message, as it is sent

    @classmethod
    def of(cls, profile: str, keys: CmsProtection, size: int) -> Post:
        """Raises MediaError (media-profile)."""
        if profile not in names() or load(profile).medium.name != "e-mail":
            known = ", ".join(name for name in names() if load(name).medium.name == "e-mail")
            raise MediaError("media-profile", f"{profile} is not for e-mail: choose {known}")
        if keys.signer is None:
            raise MediaError("media-keys", "an e-mail with patients' data is signed (PS3.15 B.8): name a signer")
        found: ApplicationProfile = load(profile)
        order = Order(found, "zip", protection=keys if found.secure else None)
        return cls(replace(order, capacity=message.room(size, keys.overhead.fixed)), keys, size)

    def allotted(self, members: Sequence[Surveyed]) -> list[list[Surveyed]]:
        """What goes into which message. Raises MediaError (media-too-large) where one of them fits into none."""
        overhead = self.order.protection.overhead if self.order.protection else Overhead()
        return volumes.allotted(members, self.order.capacity, overhead, self.order.profile.medium)

    def written(
        self, members: Sequence[Member], letter: Letter, out: Path, progress: Progress = lambda *_: None
    ) -> Made:
        """One message in a new file. Raises MediaError, NotWritten, OSError."""
        archive = out.with_suffix(".zip")
        signer = self.keys.signer
        assert signer is not None
        try:
            made = make(members, replace(self.order, capacity=0), archive, progress)
            with open(out, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
                message.write(archive, file, letter, self.keys.to, signer)
                size = file.tell()
        finally:
            archive.unlink(missing_ok=True)
        if size > self.size:
            raise MediaError("media-too-large", "a message has become larger than it may")
        return made


def posted(
    members: Sequence[Member],
    post: Post,
    sender: str,
    to: tuple[str, ...],
    out: Path,
    progress: Progress = lambda *_: None,
) -> Made:
    """All messages of a set, in a folder that appears when they are complete. Raises MediaError, NotWritten."""
    surveyed = survey(members, post.order.profile, lambda done: progress("check", done, len(members)))
    groups = post.allotted(surveyed.members)
    size = 0
    with partial_beside(out) as partial:
        result = partial / "set"
        result.mkdir(0o700)
        for number, group in enumerate(groups, 1):
            letter = Letter(sender, to, number, len(groups), uuid4().hex, datetime.now(UTC))
            work = partial / f"MESSAGE{number}.EML"
            post.written([each.member for each in group], letter, work, progress)
            size += work.stat().st_size
            work.rename(result / work.name)
        synced(result)
        seal(partial, out)
    return Made(len(groups), len(surveyed.members), size, surveyed.repeated)
