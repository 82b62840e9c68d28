"""E-mail as a destination of whole groups: a File-set in one message or several, signed and encrypted (PS3.15 B.8).

Rules of this file
* Nothing leaves that is not encrypted for the recipients and signed, over TLS unless the file says why not. What stands
  outside of a message (addresses, subject, names) tells nothing of a patient.
* A group that is too long for one message becomes several, each with its own DICOMDIR. What went stays delivered if a
  later one fails; the others go another time, with the members and the Message-ID they had.
* Each message has a record in the state directory, durable before its first byte leaves and after its answer, for as
  long as the ledger knows a member (store/over.py). One that was taken is not sent again. One that may have been (a
  lost answer, a kill) is sent again under the same Message-ID, and that is logged: who gets it can tell, and so can
  who reads the log.
* A member that the profile does not take, or that is longer than a message may be, is held by itself. 4xx waits,
  5xx holds the members of that message; whatever says nothing of a message keeps all that is left waiting (staging.py
  says of ours which that is).
"""

from __future__ import annotations

import json
import logging
import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal
from uuid import uuid4

from gateway.audit.events import Party
from gateway.config.mail import MailDestination
from gateway.deliver.contract import Answer, Need
from gateway.deliver.staging import Staged, judged, kept, meaning, staged, trying
from gateway.errors import DestinationDown, GatewayError, HoldObject
from gateway.folders import made, opaque
from gateway.logs import fields
from gateway.mail.message import Letter
from gateway.mail.smtp import Submission, Unconfirmed
from gateway.media.mailing import Post
from gateway.media.members import FileMember
from gateway.media.progress import Told
from gateway.media.secure import protection
from gateway.media.survey import Surveyed
from gateway.model import Result, Unit
from gateway.pipeline import Outgoing
from gateway.security.credentials import require_closed
from gateway.security.signers import pin_of

log = logging.getLogger("deliver")

PLANNED: Final = "planned"  # it was not taken
TRYING: Final = "trying"  # it may have been
TAKEN: Final = "taken"


def ordered(to: MailDestination) -> Post:
    """What a destination asks for. Raises GatewayError where its keys cannot be used."""
    require_closed(to.sign)
    keys = protection(to.recipients, None, to.sign.certificate, to.sign.key, pin_of(to.sign))
    assert keys is not None
    return Post.of(to.profile, keys, to.size)


class MailCarrier:
    """A `mail:` destination. `secret` keys the Message-IDs; it lives in the state directory."""

    kind = "export"
    whole: Literal[True] = True

    def __init__(self, to: MailDestination, context: ssl.SSLContext | None, state: Path, secret: bytes) -> None:
        self._to = to
        self._context = context
        self._state = state
        self._secret = secret

    def party(self) -> Party:
        return Party("", f"mailto:{','.join(self._to.to)}")

    def open(self, needs: Sequence[Need]) -> MailSession:
        try:
            post = ordered(self._to)
        except GatewayError as error:  # a certificate that has expired
            raise DestinationDown("media-keys", str(error)) from error
        return MailSession(self._to, self._context, self._state, self._secret, post)


@dataclass(frozen=True, slots=True)
class _Message:
    """What is known of one message: a record of the state directory."""

    id: str
    members: tuple[str, ...]  # names in the spool, in order
    number: int
    of: int
    state: str = PLANNED


class MailSession:
    """One unit, audited as one Export per study (PS3.15 A.5.3.4). Without a server that listens nothing is made."""

    def __init__(
        self, to: MailDestination, context: ssl.SSLContext | None, state: Path, secret: bytes, post: Post
    ) -> None:
        self.association = uuid4().hex
        self._to = to
        self._context = context
        self._state = state
        self._secret = secret
        self._post = post
        self._server: Submission | None = Submission(to, context)

    def send(self, unit: Unit, members: Iterator[Outgoing]) -> Mapping[int, Answer]:
        making = opaque(self._secret, "making", str(unit.group or self.association))
        staging = self._state / "mail" / f"{making}.making"
        told = Told(self._state / "media", unit.group)
        answers: dict[int, Answer] = {}
        with trying(told, staging):
            made(self._state / "media")
            taken = judged(staged(staging, self._secret, members, answers), self._post.order, answers)
            if taken:
                self._sent(unit, taken, staging, told, answers)
        return answers

    def close(self, *, orderly: bool = True) -> None:
        if self._server is not None:
            self._server.close(orderly=orderly)
            self._server = None

    def _sent(
        self,
        unit: Unit,
        taken: list[tuple[Staged, Surveyed | None]],
        staging: Path,
        told: Told,
        answers: dict[int, Answer],
    ) -> None:
        """An answer for each that was taken. Raises DestinationDown where none of them went."""
        to = self._to
        whose = "\0".join((to.host, str(to.port), to.from_, *to.to, to.profile, unit.route, unit.uid))
        records = self._state / "mail" / opaque(self._secret, "unit", whose)
        made(records)
        there = {each.stored: each for each, surveyed in taken if surveyed is not None}
        down: DestinationDown | None = None
        for message in self._planned(records, whose, taken):
            theirs = [there[name] for name in message.members if name in there]
            if message.state == TAKEN:
                answers.update((each.delivery, each.delivered) for each in theirs)
                continue
            try:
                answer = (
                    Answer(Result.DOWN, None, down.reason)
                    if down
                    else self._one(records, message, theirs, staging, told)
                )
            except DestinationDown as error:
                down = error
                log.warning(fields("destination-down", reason=error.reason, detail=error.detail))
                self.close(orderly=False)
                answer = Answer(Result.DOWN, None, error.reason)
            for each in theirs:
                answers[each.delivery] = each.delivered if answer.result is Result.DELIVERED else answer
        if down is not None and not any(each.result is not Result.DOWN for each in answers.values()):
            raise down
        homes = {each.instance: each for each in there.values()}
        for each, surveyed in taken:
            if surveyed is None:  # the same object again: it is where the first one is
                answer = answers[homes[each.instance].delivery]
                answers[each.delivery] = each.delivered if answer.result is Result.DELIVERED else answer

    def _planned(self, records: Path, whose: str, taken: list[tuple[Staged, Surveyed | None]]) -> list[_Message]:
        """The messages of these members: those of an earlier try as they were, and new ones for the others."""
        left = {each.stored: surveyed for each, surveyed in taken if surveyed is not None}
        names = {id(surveyed): stored for stored, surveyed in left.items()}
        found: list[_Message] = []
        for record in sorted(records.glob("*.json")):
            old = _Message(**json.loads(record.read_text()))
            if old.state == TAKEN or all(name in left for name in old.members):
                here = [left.pop(name) for name in old.members if name in left]
                found += [replace(old, members=tuple(old.members))] if here else []
            elif old.state == TRYING and any(name in left for name in old.members):
                log.warning(fields("mail-again", name=old.id, detail="some of its objects"))
        found.sort(key=lambda each: (each.of, each.number))
        new = self._post.allotted([each for each in left.values() if each is not None]) if left else []
        for number, group in enumerate(new, 1):
            stored = tuple(names[id(each)] for each in group)
            digest = opaque(self._secret, "message", "\0".join((whose, *stored)))
            found.append(message := _Message(digest, stored, number, len(new)))
            kept(records / f"{digest}.json", _told(message, PLANNED))
        return found

    def _one(self, records: Path, message: _Message, theirs: list[Staged], staging: Path, told: Told) -> Answer:
        """Make and send one message. Raises DestinationDown, OSError."""
        record = records / f"{message.id}.json"
        letter = Letter(self._to.from_, self._to.to, message.number, message.of, message.id, datetime.now(UTC))
        file = staging / f"{message.id}.eml"
        try:
            self._post.written([FileMember(each.path, n) for n, each in enumerate(theirs, 1)], letter, file, told)
        except GatewayError as error:
            found = meaning(error)
            if isinstance(found, HoldObject):
                return Answer(Result.HELD, None, found.reason)
            raise found from error
        if message.state == TRYING:
            log.warning(fields("mail-again", name=message.id))
        server = self._listening()
        kept(record, _told(message, TRYING))
        try:
            refused = server.send(file)
        except Unconfirmed:
            raise
        except DestinationDown:
            kept(record, _told(message, message.state))
            raise
        finally:
            file.unlink(missing_ok=True)
        kept(record, _told(message, TAKEN if refused is None else PLANNED))
        if refused is None:
            return Answer(Result.DELIVERED)
        return Answer(Result.WAITS if refused.later else Result.HELD, refused.code, refused.reason)

    def _listening(self) -> Submission:
        """The server; called again where it has hung up while the message was made. Raises DestinationDown."""
        if self._server is not None and not self._server.alive():
            self.close(orderly=False)
        if self._server is None:
            self._server = Submission(self._to, self._context)
        return self._server


def _told(message: _Message, state: str) -> dict[str, object]:
    return {"id": message.id, "members": message.members, "number": message.number, "of": message.of, "state": state}
