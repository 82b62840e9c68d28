"""From what the ledger or a run knows to a manifest. Pure: the same facts give the same bytes."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from gateway.manifest.model import FORMAT, Entry, Manifest, Scope, Totals
from gateway.store.evidence import Delivered, Group, Open

KEYED: Final = "hmac-sha256:"
PLAIN: Final = "sha256:"


def of_study(group: Group, delivered: Iterable[Delivered], rest: Open) -> Manifest:
    """The manifest of one study at one destination."""
    objects = _ordered(_entry(each) for each in delivered)
    totals = Totals(len(objects), rest.waiting, dict(rest.held), dict(rest.given_up))
    return Manifest(FORMAT, Scope(study=group.study, destination=group.destination), totals, objects)


def of_run(entries: Iterable[Entry], held: Counter[str], skipped: Counter[str]) -> Manifest:
    """The manifest of one run of `deid`."""
    objects = _ordered(entries)
    name = hashlib.sha256("".join(each.sha256 for each in objects).encode()).hexdigest()[:16]
    return Manifest(FORMAT, Scope(run=name), Totals(len(objects), 0, dict(held), dict(skipped)), objects)


def moment(at: float) -> str:
    """Seconds since the epoch as UTC, to the second."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _entry(each: Delivered) -> Entry:
    instance, told = each.instance, each.evidence
    return Entry(
        sop_instance=each.sop_instance,
        sop_class=instance.identity.sop_class,
        study=each.study,
        sha256=each.sha256,
        syntax=told.syntax,
        file=told.file,
        file_sha256=told.file_sha256,
        received=KEYED + told.received if told.received else PLAIN + instance.stored.sha256,
        rules=instance.decision.rules_hash,
        keys=tuple(key for key in instance.decision.key_ids if key),
        steps=each.steps,
        methods=told.methods,
        egress=f"clean/{told.egress}" if told.egress else "",
        software=told.software,
        time=moment(each.at),
    )


def _ordered(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    return tuple(sorted(entries, key=lambda each: (each.sop_instance, each.time, each.sha256, each.file)))
