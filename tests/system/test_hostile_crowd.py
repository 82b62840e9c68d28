"""A crowd of dripping sockets: each is shut by ARTIM, memory stays bounded, and honest peers are served meanwhile."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from gateway.dimse import pdu
from gateway.dimse.pdu import PduType
from tests.system.drippers import KINDS, Crowd
from tests.system.harness import RULES, Gateway, Site, wait_for
from tests.system.senders import Sender, ct
from tests.unit.dimse.samples import associate_rq

ARTIM = 4.0
MANY = tuple(f"127.0.{n >> 8}.{n & 255}" for n in range(256, 1256))


@pytest.fixture
def guarded(site: Site, sinks, gateways) -> tuple[Site, Gateway]:
    text = RULES.format(port=sinks(site).port, sink_security="tls: {trust: file:certs/ca.pem}", steps="")
    site.write(text.replace("port: 0}", f"port: 0, limits: {{artim: {ARTIM:g}s}}}}"))
    gateway = gateways(site).start()
    wait_for(lambda: gateway.log.read_bytes().count(b"worker-ready") == 2)
    return site, gateway


def measured(gateway: Gateway) -> tuple[int, int]:
    """KiB resident and threads of the processes that the crowd can reach."""
    assert gateway.process is not None
    size = threads = 0
    for pid in (gateway.process.pid, *gateway.children("app.worker")):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                size += int(line.split()[1])
            elif line.startswith("Threads:"):
                threads += int(line.split()[1])
    return size, threads


def served(site: Site, gateway: Gateway, address: str = "127.0.0.1") -> float:
    """Seconds from connecting to A-ASSOCIATE-AC over mutual TLS; infinity where there was none."""
    started = time.monotonic()
    try:
        with (
            socket.create_connection(("127.0.0.1", gateway.port), 20, source_address=(address, 0)) as plain,
            site.context().wrap_socket(plain, server_hostname="localhost") as sock,
        ):
            sock.sendall(associate_rq())
            if sock.recv(1) != bytes((PduType.ASSOCIATE_AC,)):
                return float("inf")
            taken = time.monotonic() - started
            sock.sendall(pdu.RELEASE_RQ)
            sock.recv(1 << 16)  # the rest of the acceptance, or the answer to the release; then it is ours to close
            return taken
    except OSError:
        return float("inf")


def besieged(site: Site, gateway: Gateway, size: int, addresses: tuple[str, ...], calls: int) -> list[float]:
    """What honest calls took while the crowd came again and again; the crowd is judged here."""
    size_before, threads_before = measured(gateway)
    crowd = Crowd(gateway.port, size, site.context(), addresses, again=True).start()
    try:
        wait_for(lambda: len(crowd.lives) > size or sum(crowd.kinds.values()) >= size * 0.9, 60)
        times = [served(site, gateway) for _ in range(calls)]
        assert Sender(site, gateway).send([ct(n) for n in range(3)]) == [], "an honest object was not taken"
        size_during, threads_during = measured(gateway)
        crowd.no_more()
        wait_for(lambda: not crowd.kinds, ARTIM + 30)
    finally:
        crowd.stop()
    assert {kind for kind, _ in crowd.lives} == set(KINDS) and len(crowd.lives) >= size
    assert crowd.refused == 0
    assert size_during - size_before <= 64 << 10, "memory grew"
    assert threads_during - threads_before <= 16, "silent peers have threads"
    late = [seconds for _, seconds in crowd.lives if seconds > ARTIM + 1]
    assert len(late) <= len(crowd.lives) // 100 and max(s for _, s in crowd.lives) < ARTIM + 15, sorted(late)[-5:]
    assert served(site, gateway) < 20
    return times


@pytest.mark.parametrize("addresses", [("127.0.0.1",), MANY], ids=["one-address", "many-addresses"])
def test_two_hundred_drippers_and_nobody_honest_is_refused(guarded, addresses: tuple[str, ...]) -> None:
    site, gateway = guarded
    times = besieged(site, gateway, 200, addresses, 20)
    assert max(times) < float("inf")


@pytest.mark.slow
@pytest.mark.parametrize("addresses", [("127.0.0.1",), MANY], ids=["one-address", "many-addresses"])
def test_a_thousand_drippers_and_honest_calls_take_no_two_seconds(guarded, addresses: tuple[str, ...]) -> None:
    site, gateway = guarded
    times = besieged(site, gateway, 1000, addresses, 300)
    assert sum(seconds <= 2.0 for seconds in times) >= 0.99 * len(times), sorted(times)[-10:]
