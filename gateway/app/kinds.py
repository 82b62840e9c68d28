"""The kinds of process beneath a supervisor that face the outside, and which listener each serves.

Rules of this file
* A kind is a module of this package: `python -m gateway.app.KIND`, all started alike (start.py).
* Each port belongs to one kind; what has no port is found by its kind in the rule file.
"""

from __future__ import annotations

from enum import StrEnum

from gateway.config.schema import Config, Listener


class Kind(StrEnum):
    """What a process does."""

    WORKER = "worker"  # associations in, deliveries out
    WEB = "web"  # HTTP in
    INBOX = "inbox"  # folders that are watched, for objects and for media


def kind_of(listener: Listener) -> Kind:
    """Who serves it."""
    if listener.folder is not None or listener.media is not None:
        return Kind.INBOX
    return Kind.WEB if listener.stow is not None else Kind.WORKER


def wanted(config: Config) -> dict[Kind, int]:
    """How many of each kind a rule file asks for; kinds without a listener are not there, but for workers."""
    found = {Kind.WORKER: config.workers.count}
    if any(each.stow for each in config.listeners):
        found[Kind.WEB] = config.workers.count
    if any(each.folder or each.media for each in config.listeners):
        found[Kind.INBOX] = 1  # one process a folder: two would race for its files
    return found
