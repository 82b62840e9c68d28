"""What the ledger knows of a study for its manifest: what left, as what, and what has not. Read-only, one snapshot.

A study is known by two UIDs, as it was received and as it was sent; either may be asked for. Both are looked for by
reading all deliveries: no index is kept for a question that is asked by hand.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from gateway.config.schema import State
from gateway.model import DeliveryState, Evidence, Instance, InstanceState
from gateway.store.engine import open_read_only
from gateway.store.schema import deliveries, instances

_CODE = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_instance = msgspec.msgpack.Decoder(Instance)
_evidence = msgspec.msgpack.Decoder(Evidence)


class Group(NamedTuple):
    """One study at one destination."""

    destination: str
    study: str  # as it was sent


class Delivered(NamedTuple):
    """One confirmed delivery."""

    instance: Instance
    sop_instance: str
    study: str
    sha256: str
    steps: tuple[str, ...]
    evidence: Evidence
    at: float  # seconds since the epoch


class Open(NamedTuple):
    """What has not left: how many wait, and how many do not leave, by reason."""

    waiting: int
    held: Counter[str]
    given_up: Counter[str]


class EvidenceReader:
    """Questions to one snapshot."""

    def __init__(self, connection: Connection) -> None:
        self._do = connection.execute

    def groups(self, study: str) -> list[Group]:
        """Where something of a study, by either of its UIDs, was delivered."""
        d = deliveries
        query = (
            select(d.c.destination, d.c.sent_study)
            .where(d.c.state == DeliveryState.DELIVERED, or_(d.c.study == study, d.c.sent_study == study))
            .distinct()
        )
        return sorted(Group(*row) for row in self._do(query))

    def quiet(self, since: float) -> list[Group]:
        """Every study at a destination of which something was delivered, but nothing came or went since then."""
        d, i = deliveries, instances
        moving = set(
            self._do(
                select(d.c.study)
                .select_from(d.join(i, d.c.instance == i.c.id))
                .group_by(d.c.study)
                .having(or_(func.max(i.c.received) > since, func.max(d.c.updated) > since))
            ).scalars()
        )
        query = (
            select(d.c.destination, d.c.sent_study, d.c.study)
            .where(d.c.state == DeliveryState.DELIVERED, d.c.sent_study != "")
            .distinct()
        )
        found = [(Group(destination, sent), study) for destination, sent, study in self._do(query)]
        busy = {group for group, study in found if study in moving}
        return sorted({group for group, _ in found} - busy)

    def delivered(self, group: Group) -> Iterator[Delivered]:
        """What was confirmed."""
        d, i = deliveries, instances
        columns = (d.c.sent_instance, d.c.sent_study, d.c.sent_sha256, d.c.steps, d.c.evidence, d.c.updated)
        query = select(i.c.value, *columns).select_from(d.join(i, d.c.instance == i.c.id)).where(_of(group))
        for value, sop_instance, study, sha256, steps, evidence, at in self._do(query):
            yield Delivered(
                _instance.decode(value),
                sop_instance,
                study,
                sha256,
                tuple(steps.split(",")) if steps else (),
                _evidence.decode(evidence),
                at,
            )

    def open(self, group: Group) -> Open:
        """What came with the delivered objects of a study and has not left for that destination."""
        d, i = deliveries, instances
        originals = select(d.c.study).where(_of(group), d.c.study != "").distinct().scalar_subquery()
        waiting, held, given_up = 0, Counter[str](), Counter[str]()
        query = (
            select(d.c.state, d.c.reason, func.count())
            .where(d.c.destination == group.destination, d.c.study.in_(originals))
            .where(d.c.state != DeliveryState.DELIVERED)
            .group_by(d.c.state, d.c.reason)
        )
        for state, reason, number in self._do(query):
            if state == DeliveryState.HELD:
                held[_code(reason)] += number
            elif state == DeliveryState.DISCARDED:
                given_up["discarded"] += number
            else:
                waiting += number
        whole = (
            select(i.c.state, i.c.reason, func.count())
            .where(i.c.study.in_(originals), ~i.c.id.in_(select(d.c.instance)))
            .group_by(i.c.state, i.c.reason)
        )
        for state, reason, number in self._do(whole):
            if state == InstanceState.HELD:
                held[_code(reason)] += number
            else:  # dropped or discarded: the reasons are a person's words
                given_up[state] += number
        return Open(waiting, held, given_up)


@contextmanager
def evidence(state: State) -> Iterator[EvidenceReader]:
    """A reader over one snapshot. Raises GatewayError where there is no ledger."""
    engine = open_read_only(state)
    try:
        with engine.connect() as connection:
            if engine.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN")  # else each question would see a moment of its own
            yield EvidenceReader(connection)
    finally:
        engine.dispose()


def _of(group: Group) -> ColumnElement[bool]:
    d = deliveries
    return and_(
        d.c.destination == group.destination, d.c.sent_study == group.study, d.c.state == DeliveryState.DELIVERED
    )


def _code(reason: str) -> str:
    """A reason that is one of our codes; the words of a rule file stay there."""
    return reason if _CODE.fullmatch(reason) else "other"
