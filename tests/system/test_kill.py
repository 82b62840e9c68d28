"""kill -9 anywhere: nothing acknowledged is lost, nothing is altered (RELIABILITY P2, P14).

Four senders, a destination so slow that a backlog builds, kills of the whole tree, a worker or the writer at random.
The default run is short; `slow` is the full figure: 1,000 instances through 30 kills.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time

import pytest

from tests.system.harness import RULES, Gateway, Sink, Site, wait_for
from tests.system.senders import Sender, ct, read


def storm(site: Site, sink: Sink, gateway: Gateway, instances: int, kills: int, seed: int) -> dict[str, str]:
    """Send everything through all the kills; what was acknowledged, by SOP Instance UID."""
    chance = random.Random(seed)
    stop = threading.Event()
    senders = [Sender(site, gateway, f"CT{n}") for n in range(4)]

    def feed(number: int) -> None:
        left = [ct(n, study=n % 7) for n in range(number, instances, 4)]
        while left and not stop.is_set():
            before = len(left)
            try:
                # a few at a time, so that the kills fall into the sending from its first to its last object
                batch = senders[number].send(left[:12], stop)
                left = batch + left[12:]
            except (OSError, RuntimeError, ValueError):
                pass
            if len(left) == before:
                time.sleep(0.2)

    threads = [threading.Thread(target=feed, args=(n,), daemon=True) for n in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(kills):
        time.sleep(chance.uniform(0.2, 1.0))
        what = chance.choice(["tree", "worker", "writer", "tree"])
        victims = gateway.children(f"gateway.{'app.worker' if what == 'worker' else 'writer'}")
        if what == "tree" or not victims:
            gateway.kill()
            gateway.start()
        else:
            os.kill(chance.choice(victims), signal.SIGKILL)
    for thread in threads:
        thread.join(240)
        assert not thread.is_alive(), "a sender could not finish"
    merged: dict[str, str] = {}
    for sender in senders:
        merged.update(sender.acknowledged)
    return merged


def check(site: Site, sinks, gateways, instances: int, kills: int, steps: str) -> tuple[Sink, dict[str, str], Gateway]:
    """Run a storm, let it settle, and hold the promise against what the destination has."""
    sink: Sink = sinks(site, delay=0.02)
    rules = RULES.format(port=sink.port, sink_security="tls: {trust: file:certs/ca.pem}", steps=steps)
    site.write(rules.replace("{port: 0}", "{port: 0}"))
    gateway: Gateway = gateways(site).start()
    acknowledged = storm(site, sink, gateway, instances, kills, seed=instances)
    assert len(acknowledged) == instances
    sink.delay = 0
    rows = gateway.settled(180)
    assert {row["state"] for row in rows} == {"delivered"}, [r for r in rows if r["state"] != "delivered"][:3]
    assert len(rows) == instances, "an instance was stored twice or lost"
    wait_for(lambda: not list((site.folder / "state/spool/objects").rglob("*.*")), 20)
    assert gateway.stop() == 0
    done = gateway.command("audit", "verify", "--config", "gateway.yaml")
    assert done.returncode == 0, done.stdout
    return sink, acknowledged, gateway


def _pass_through(site: Site, sinks, gateways, instances: int, kills: int) -> None:
    sink, acknowledged, _ = check(site, sinks, gateways, instances, kills, "")
    assert set(sink.received) == set(acknowledged)
    for uid, hashes in sink.received.items():
        assert set(hashes) == {acknowledged[uid]}, "altered"


def _deidentified(site: Site, sinks, gateways, instances: int, kills: int) -> None:
    sink, acknowledged, _ = check(site, sinks, gateways, instances, kills, "steps: [{deidentify: trial}]")
    assert len(sink.received) == len(acknowledged)
    for uid, hashes in sink.received.items():
        assert len(set(hashes)) == 1, "a re-send differed: pseudonyms are not stable"
        assert b"Mustermann" not in sink.datasets[uid]
        assert read(sink.datasets[uid], sink.syntaxes[uid]).SOPInstanceUID == uid


def test_kills_lose_and_alter_nothing(site: Site, sinks, gateways) -> None:
    _pass_through(site, sinks, gateways, instances=120, kills=5)


@pytest.mark.slow
def test_a_thousand_instances_through_thirty_kills(site: Site, sinks, gateways) -> None:
    _pass_through(site, sinks, gateways, instances=1000, kills=30)


@pytest.mark.slow
def test_pseudonyms_are_the_same_on_every_resend(site: Site, sinks, gateways) -> None:
    _deidentified(site, sinks, gateways, instances=1000, kills=30)


def test_a_writer_that_is_killed_while_it_starts_is_started_again(site: Site, sinks, gateways) -> None:
    sink: Sink = sinks(site)
    site.write(RULES.format(port=sink.port, sink_security="tls: {trust: file:certs/ca.pem}", steps=""))
    gateway: Gateway = gateways(site).start()
    (first,) = gateway.children("gateway.writer")
    os.kill(first, signal.SIGKILL)
    second = wait_for(lambda: [pid for pid in gateway.children("gateway.writer") if pid != first], every=0.005)
    os.kill(second[0], signal.SIGKILL)  # an interpreter needs longer than this to come up
    wait_for(lambda: not Sender(site, gateway, "CT").send([ct(1)], threading.Event()))
    assert [row["state"] for row in gateway.settled()] == ["delivered"]
    assert gateway.log.read_bytes().count(b"writer-ready") == 2, "the second was to die before it was ready"
    assert gateway.stop() == 0


@pytest.mark.slow  # its workers wait for a writer until the drain time is over
def test_a_writer_that_is_killed_again_and_again_ends_the_gateway(site: Site, sinks, gateways) -> None:
    site.write(RULES.format(port=9, sink_security="tls: {trust: file:certs/ca.pem}", steps=""))
    gateway: Gateway = gateways(site).start()
    process = gateway.process
    assert process is not None
    while process.poll() is None:
        for pid in gateway.children("gateway.writer"):
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
    assert process.returncode != 0 and b"writer-cannot-start" in gateway.log.read_bytes()
