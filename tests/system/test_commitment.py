"""Storage commitment over the wire, both roles: who is asked, who reports and where, what is deleted when."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from tests.system.archives import Archive, Asking, report_of
from tests.system.harness import Gateway, Site, wait_for
from tests.system.senders import Sender, ct

RULES = """\
version: 1
state: {{dir: ./state}}
identity: {{certificate: file:certs/gateway.pem, key: file:certs/gateway.key}}
listeners:
  - id: hospital
    dimse: {{ae: GATEWAY, host: 127.0.0.1, port: 0, commitment: true}}
    tls: {{trust: file:certs/ca.pem}}
peers:
  CT1: {peer}
destinations:
  archive:
    dimse: {{host: 127.0.0.1, port: {port}, ae: ARCHIVE, {confirm}}}
    tls: {{trust: file:certs/ca.pem}}
    retry: {{for: 1h, backoff: 200ms..1s}}
routes:
  - id: only
    match: {{SOPInstanceUID: {{exists: true}}}}
    commit: {commit}
    deliver: [archive]
  - {{id: rest, otherwise: hold, reason: no-route}}
"""
CONFIRM = "confirm: storage-commitment, confirm_within: 4s"


@pytest.fixture
def archives(site: Site) -> Iterator[Callable[..., Archive]]:
    made: list[Archive] = []

    def make(report: object) -> Archive:
        made.append(Archive(site, report))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def modality(site: Site) -> Iterator[Asking]:
    made = Asking(site)
    yield made
    made.close()


def started(site: Site, gateways: Callable[..., Gateway], archive: Archive, **options: str) -> Gateway:
    peer, confirm = options.get("peer", "{}"), options.get("confirm", CONFIRM)
    commit = options.get("commit", "after-commitment")
    site.write(RULES.format(port=archive.port, peer=peer, confirm=confirm, commit=commit))
    gateway: Gateway = gateways(site).start()
    archive.gateway = gateway
    return gateway


def spooled(site: Site) -> int:
    return len(list((site.folder / "state/spool/objects").iterdir()))


def send(site: Site, gateway: Gateway, count: int) -> list[str]:
    sender = Sender(site, gateway, "CT1")
    objects = [ct(n) for n in range(count)]
    assert sender.send(objects) == []
    return [str(each.SOPInstanceUID) for each in objects]


@pytest.mark.parametrize("how", ["new", "same"])
def test_delivered_and_deleted_after_the_report(site: Site, gateways, archives, how: str) -> None:
    archive = archives("never")
    gateway = started(site, gateways, archive)
    uids = send(site, gateway, 5)
    wait_for(lambda: len(archive.received) == 5 and archive.asked)
    assert gateway.status()["counts"]["confirming"] == 5 and spooled(site) == 5
    archive.report = how
    rows = gateway.settled(40)
    assert {row["state"] for row in rows} == {"delivered"} and len(rows) == 5
    wait_for(lambda: spooled(site) == 0)
    assert sorted(uid for _, uid in archive.asked[-1][1]) == sorted(uids) and archive.statuses[-1] == 0
    assert gateway.stop() == 0
    assert gateway.command("audit", "verify", "--config", "gateway.yaml").returncode == 0


def test_what_the_archive_lost_is_sent_again(site: Site, gateways, archives) -> None:
    def loses(transaction: str, references: list[tuple[str, str]]) -> str:
        if len(archive.asked) == 1:
            del archive.received[references[0][1]]
        return "new"

    archive = archives(loses)
    gateway = started(site, gateways, archive)
    uids = send(site, gateway, 3)
    rows = gateway.settled(40)
    assert {row["state"] for row in rows} == {"delivered"} and set(archive.received) == set(uids)
    assert len(archive.asked) >= 2 and sum(row["attempts"] for row in rows) == 1


def test_forged_reports_are_refused_and_raise_an_alert(site: Site, gateways, archives) -> None:
    archive = archives("never")
    gateway = started(site, gateways, archive, confirm="confirm: storage-commitment, confirm_within: 1h")
    send(site, gateway, 1)
    transaction, references = wait_for(lambda: archive.asked and archive.asked[0])
    good = report_of(transaction, references, [])
    assert archive.say(good, 1, title="MALLORY", who="modality") == 0x0115
    assert archive.say(report_of("2.25.123", references, []), 1) == 0x0115
    assert archive.say(good, 2) == 0x0115, "says that something failed and names nothing"
    assert gateway.status()["counts"]["confirming"] == 1 and spooled(site) == 1
    assert archive.tell(transaction, references) == 0
    assert {row["state"] for row in gateway.settled(20)} == {"delivered"}
    gateway.stop()
    trail = b"".join(p.read_bytes() for p in (site.folder / "state/audit").glob("*.jsonl"))
    assert trail.count(b"commitment-unknown") >= 2


@pytest.mark.parametrize("where", ["new", "same"])
def test_a_sender_gets_its_report(site: Site, gateways, archives, modality: Asking, where: str) -> None:
    archive = archives("new")
    peer = f"{{host: 127.0.0.1, port: {modality.port}}}" if where == "new" else "{}"
    gateway = started(site, gateways, archive, peer=peer)
    uids = send(site, gateway, 3)
    assert modality.ask(gateway, "2.25.42", [*uids, "1.2.3"], stay=40 if where == "same" else 0) == 0
    wait_for(lambda: modality.reports, 40)
    kind, transaction, committed, failed = modality.reports[0]
    assert (kind, transaction, failed) == (2, "2.25.42", {"1.2.3": 0x0112})
    assert sorted(committed) == sorted(uids)
    assert {row["state"] for row in gateway.status()["rows"]} == {"delivered"}
    assert gateway.stop() == 0


def test_killed_between_question_and_report_it_still_reports(site: Site, gateways, archives, modality: Asking) -> None:
    archive = archives("never")
    peer = f"{{host: 127.0.0.1, port: {modality.port}}}"
    gateway = started(site, gateways, archive, peer=peer)
    uids = send(site, gateway, 2)
    assert modality.ask(gateway, "2.25.43", uids) == 0
    gateway.kill()
    gateway.start()
    archive.report = "new"
    wait_for(lambda: modality.reports, 60)
    assert modality.reports[0][:2] == (1, "2.25.43") and sorted(modality.reports[0][2]) == sorted(uids)


def test_a_listener_that_does_not_serve_it_takes_no_question(site: Site, gateways, archives, modality: Asking) -> None:
    archive = archives("never")
    gateway = started(site, gateways, archive, confirm="idle: 5s", commit="after-delivery")
    gateway.stop()
    text = (site.folder / "gateway.yaml").read_text().replace(", commitment: true", "")
    site.write(text)
    gateway = gateways(site).start()
    with pytest.raises((AssertionError, ValueError)):
        modality.ask(gateway, "2.25.44", ["1.2.3"])


def test_kills_delete_nothing_that_the_archive_has_not_committed_to(site: Site, gateways, archives) -> None:
    """Reports are dropped, or come on this association or that; processes are killed: what is delivered was told."""
    chance = random.Random(11)
    committed: set[str] = set()

    def act(transaction: str, references: list[tuple[str, str]]) -> str:
        how = chance.choice(("new", "new", "same", "never"))
        if how != "never":
            committed.update(uid for _, uid in references if uid in archive.received)
        return how

    archive = archives(act)
    gateway = started(site, gateways, archive)
    acknowledged: dict[str, str] = {}
    for number in range(6):
        sender = Sender(site, gateway, "CT1")
        left = [ct(n) for n in range(number * 5, number * 5 + 5)]
        while left:
            with suppress(OSError, RuntimeError, ValueError):  # as long as nobody is there to take it
                left = sender.send(left)
            time.sleep(0.2)
        acknowledged.update(sender.acknowledged)
        time.sleep(chance.uniform(0.5, 3.0))
        rows = gateway.status()["rows"]
        assert {row["sop_instance"] for row in rows if row["state"] == "delivered"} <= committed
        if number % 2:
            gateway.kill()
            gateway.start()
        else:
            os.kill(chance.choice(gateway.children("gateway.writer") + gateway.children("app.worker")), signal.SIGKILL)
    rows = gateway.settled(120)
    assert {row["state"] for row in rows} == {"delivered"} and len(rows) == len(acknowledged) == 30
    assert set(acknowledged) <= committed
    wait_for(lambda: spooled(site) == 0)
