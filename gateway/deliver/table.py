"""The destinations there are: one line each. To add one, add its block to config/schema.py and its line here."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass

from gateway.config.schema import Config, Destination
from gateway.deliver.contract import Carrier, UnitCarrier
from gateway.deliver.dimse import DimseCarrier
from gateway.deliver.folder import FolderCarrier
from gateway.deliver.group_folder import GroupFolderCarrier
from gateway.deliver.http import HttpCarrier
from gateway.deliver.mail import MailCarrier
from gateway.deliver.media import MediaCarrier
from gateway.deliver.mllp import MllpCarrier
from gateway.deliver.stow import StowCarrier
from gateway.security.tls import client_context
from gateway.web.oauth import grant_of


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What carriers may need besides their own block."""

    config: Config
    secret: bytes  # of this installation; keys the names of files that leave


def _context(destination: Destination, around: Surroundings) -> ssl.SSLContext | None:
    if destination.tls is None:
        return None
    return client_context(destination.tls, destination.tls.identity or around.config.identity)


def _dimse(destination: Destination, around: Surroundings) -> Carrier:
    return DimseCarrier(destination, around.config.peers, _context(destination, around))


def _mllp(destination: Destination, around: Surroundings) -> Carrier:
    return MllpCarrier(destination, _context(destination, around))


def _http(destination: Destination, around: Surroundings) -> Carrier:
    return HttpCarrier(destination, _context(destination, around))


def _folder(destination: Destination, around: Surroundings) -> Carrier | UnitCarrier:
    assert destination.folder is not None
    if destination.folder.layout == "group":
        return GroupFolderCarrier(destination.folder, around.secret)
    return FolderCarrier(destination.folder, around.secret)


def _stow(destination: Destination, around: Surroundings) -> Carrier:
    assert destination.stow is not None
    oauth = destination.stow.oauth
    grant = grant_of(oauth, destination.stow.timeout) if oauth else None
    return StowCarrier(destination, _context(destination, around), grant)


def _media(destination: Destination, around: Surroundings) -> UnitCarrier:
    assert destination.media is not None
    return MediaCarrier(destination.media, around.config.state.dir, around.secret)


def _mail(destination: Destination, around: Surroundings) -> UnitCarrier:
    assert destination.mail is not None
    context = _context(destination, around)
    return MailCarrier(destination.mail, context, around.config.state.dir, around.secret)


CARRIERS: dict[str, Callable[[Destination, Surroundings], Carrier | UnitCarrier]] = {
    "dimse": _dimse,
    "folder": _folder,
    "stow": _stow,
    "media": _media,
    "mail": _mail,
    "mllp": _mllp,
    "http": _http,
}


def carrier(destination: Destination, around: Surroundings) -> Carrier | UnitCarrier:
    """The carrier of one destination; config/references.py has seen to it that exactly one kind is there."""
    kind = next(name for name in CARRIERS if getattr(destination, name) is not None)
    return CARRIERS[kind](destination, around)
