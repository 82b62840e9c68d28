"""Interchange media as a destination of whole groups: one sealed File-set a group, in a folder of the destination.

    DIR/NAME[-late-N]-PART/DICOMDIR ...           format folder (VOLUME1/DICOMDIR ... where one medium is too small)
    DIR/NAME[-late-N]-PART/VOLUME1.ISO ...        format iso, zip

Rules of this file
* NAME is a keyed digest of route and study, PART one of the members, as in group_folder.py.
* Members are staged in the state directory, private like the spool. Of a secure set nothing is ever in DIR that is not
  encrypted.
* A member that the application profile does not take, or that cannot stand in the set's directory, is held by itself;
  the others leave. What else goes wrong keeps the whole unit waiting, or holds it: staging.py says which.
* The set is made and verified under a hidden name (gateway/media), its receipt is kept in the state directory for as
  long as the ledger knows a member (store/over.py), and then it gets its name. One that is there already is compared
  with its receipt: the same is delivered, another an obstacle.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

from gateway.audit.events import Party
from gateway.config.schema import MediaDestination
from gateway.config.secrets import resolve
from gateway.deliver.contract import Answer, Need
from gateway.deliver.folder import sync
from gateway.deliver.staging import Staged, judged, kept, staged, trying
from gateway.errors import DestinationDown, GatewayError
from gateway.folders import made, opaque
from gateway.media.making import Order, make
from gateway.media.members import FileMember
from gateway.media.progress import Told
from gateway.media.secure import protection
from gateway.model import Unit
from gateway.pipeline import Outgoing
from gateway.security.cms.passwords import Password
from gateway.security.credentials import require_closed
from gateway.security.signers import pin_of
from profiles.media import load


class MediaCarrier:
    """A `media:` destination. `secret` keys the names; it lives in the state directory."""

    kind = "export"
    whole: Literal[True] = True

    def __init__(self, to: MediaDestination, state: Path, secret: bytes) -> None:
        self._to = to
        self._state = state / "media"
        self._secret = secret

    def party(self) -> Party:
        return Party("", self._to.dir.resolve().as_uri())

    def open(self, needs: Sequence[Need]) -> MediaSession:
        try:
            made(self._state)
            self._to.dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            order = ordered(self._to)
        except OSError as error:
            raise DestinationDown("media-unavailable", os.strerror(error.errno or 5)) from error
        except GatewayError as error:  # a certificate that has expired, a password that is gone
            raise DestinationDown("media-keys", str(error)) from error
        return MediaSession(self._to.dir, self._state, self._secret, order)


def ordered(to: MediaDestination) -> Order:
    """What a destination asks for. Raises GatewayError where its keys cannot be used, KeyError for its profile."""
    profile = load(to.profile)
    word = Password(resolve(to.password)) if to.password is not None else None
    if to.sign is None:
        keys = protection(to.recipients, word, None, None)
    else:
        require_closed(to.sign)
        keys = protection(to.recipients, word, to.sign.certificate, to.sign.key, pin_of(to.sign))
    return Order(profile, to.format or profile.medium.formats[0], to.label, to.capacity, to.index, keys)


class MediaSession:
    """One unit, audited as one Export per study (PS3.15 A.5.3.4)."""

    def __init__(self, folder: Path, state: Path, secret: bytes, order: Order) -> None:
        self.association = uuid4().hex
        self._folder = folder
        self._state = state
        self._secret = secret
        self._order = order

    def send(self, unit: Unit, members: Iterator[Outgoing]) -> Mapping[int, Answer]:
        making = opaque(self._secret, "making", str(unit.group or self.association))
        staging, hidden = self._state / making, self._folder / f".{making}"
        told = Told(self._state, unit.group)
        answers: dict[int, Answer] = {}
        with trying(told, staging, hidden):
            found = staged(staging, self._secret, members, answers)
            taken = [each for each, _ in judged(found, self._order, answers)]
            if taken:
                self._made(unit, taken, hidden, told)
        for each in taken:
            answers[each.delivery] = each.delivered
        return answers

    def close(self, *, orderly: bool = True) -> None:
        return

    def _made(self, unit: Unit, taken: list[Staged], hidden: Path, told: Told) -> None:
        """The set under its name. Raises GatewayError, OSError."""
        digest = hashlib.sha256("\0".join(sorted(each.stored for each in taken)).encode()).hexdigest()
        name = opaque(self._secret, "unit", f"{unit.route}\0{unit.uid}")
        late = f"late-{unit.follow_up}-" if unit.follow_up else ""
        final = self._folder / f"{name}-{late}{opaque(self._secret, 'part', digest)[:8]}"
        receipt = self._state / f"{final.name}.json"
        if final.exists():
            if not receipt.is_file() or _files_of(json.loads(receipt.read_text())) != _found(final):
                raise DestinationDown("media-differs", "a set of this group's name is there and is another one")
            return
        members = [FileMember(each.path, number) for number, each in enumerate(taken, 1)]
        make(members, self._order, hidden, told)
        kept(receipt, {"members": [each.stored for each in taken], "files": _found(hidden)})
        hidden.rename(final)
        sync(self._folder)


def _files_of(receipt: dict[str, Any]) -> object:
    """What it says of the files; those of older gateways say nothing else."""
    return receipt.get("files", receipt)


def _found(folder: Path) -> dict[str, str]:
    """Every file of a set and its SHA-256."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                found[path.relative_to(folder).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    return found
