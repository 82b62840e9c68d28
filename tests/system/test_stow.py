"""The promises of DIMSE, kept over STOW-RS: kill -9 anywhere, a full disk, reload and drain, mutual TLS, memory."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
import requests

from tests.system.harness import Gateway, Sink, Site, wait_for
from tests.system.test_full_disk import spooled
from tests.system.test_large import Made, peak
from tests.system.web import RULES, WebSender, ready, session, web_port
from tests.wire.web import RELATED, file_of, multipart, uid_of
from transforms.dataset import part10
from transforms.source import chunks


def started(site: Site, gateways, port: int, change: tuple[str, str] = ("", "")) -> Gateway:
    site.write(RULES.format(port=port).replace(*change) if change[0] else RULES.format(port=port))
    return ready(gateways(site).start())


def kills(site: Site, sinks, gateways, instances: int, count: int) -> None:
    sink: Sink = sinks(site, delay=0.02)
    gateway = started(site, gateways, sink.port)
    chance = random.Random(instances)
    senders = [WebSender(site, gateway) for _ in range(4)]
    threads = [
        threading.Thread(target=each.send_all, args=(list(range(n, instances, 4)), n), daemon=True)
        for n, each in enumerate(senders)
    ]
    for thread in threads:
        thread.start()
    for _ in range(count):
        time.sleep(chance.uniform(0.2, 1.0))
        what = chance.choice(["tree", "app.web", "writer", "app.web"])
        victims = [] if what == "tree" else gateway.children(f"gateway.{what}")
        if victims:
            os.kill(chance.choice(victims), signal.SIGKILL)
        else:
            gateway.kill()
            ready(gateway.start())
    for thread in threads:
        thread.join(240)
        assert not thread.is_alive(), "a sender could not finish"
    acknowledged: dict[str, str] = {}
    for each in senders:
        acknowledged |= each.acknowledged
    assert len(acknowledged) == instances
    sink.delay = 0
    rows = gateway.settled(180)
    assert {row["state"] for row in rows} == {"delivered"} and len(rows) == instances
    assert set(sink.received) == set(acknowledged)
    for uid, hashes in sink.received.items():
        assert set(hashes) == {acknowledged[uid]}, "altered"
    assert gateway.stop() == 0
    assert gateway.command("audit", "verify", "--config", "gateway.yaml").returncode == 0


def test_kills_lose_and_alter_nothing(site: Site, sinks, gateways) -> None:
    kills(site, sinks, gateways, instances=96, count=5)


@pytest.mark.slow
def test_a_thousand_instances_through_thirty_kills(site: Site, sinks, gateways) -> None:
    kills(site, sinks, gateways, instances=1000, count=30)


def test_below_the_reserve_a_request_is_503(site: Site, sinks, gateways) -> None:
    gateway = started(site, gateways, 9, ("{dir: ./state}", "{dir: ./state, reserve: 1000000GiB}"))
    sender = WebSender(site, gateway)
    assert sender.send([1]) == [1] and sender.statuses == [503]
    assert spooled(site) == []
    with session(site) as http:
        assert http.get(f"https://localhost:{web_port(gateway)}/ready").status_code == 503


@pytest.mark.peers
def test_a_disk_that_is_really_full_and_then_is_not(tmp_path: Path, sinks, gateways) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", small], capture_output=True, check=False
    )
    if mounted.returncode:
        (pytest.fail if os.environ.get("DICOM_GATEWAY_REQUIRE_PEERS") == "1" else pytest.skip)("mounting needs root")
    try:
        site = Site(small)
        site.write(
            RULES.format(port=9)
            .replace("{dir: ./state}", "{dir: ./state, reserve: 2MiB}")
            .replace("deliver: [archive]", "hold: wait")
        )
        gateway = ready(gateways(site).start())
        sender = WebSender(site, gateway)
        left = list(range(40))
        while left and 503 not in sender.statuses and 202 not in sender.statuses:
            left = sender.send(left[:5], size=1 << 20) + left[5:]
        assert set(sender.statuses) <= {200, 202, 503} and sender.statuses[-1] in (202, 503)
        stored = len(sender.acknowledged)
        assert 0 < stored < 40
        assert {row["sop_instance"] for row in gateway.status()["rows"]} == set(sender.acknowledged)
        assert len(spooled(site)) == stored, "a torn file was left"
        for row in gateway.status()["rows"][:5]:
            done = gateway.command("held", "discard", str(row["instance"]), "--reason", "room", "-c", "gateway.yaml")
            assert done.returncode == 0, done.stdout + done.stderr
        assert wait_for(lambda: sender.send([99], size=1 << 20) == [], 10, 0.5)
        assert gateway.stop() == 0
    finally:
        for made in gateways.made:
            if made.process is not None and made.process.poll() is None:
                made.kill()
        subprocess.run(["umount", "-l", small], check=False)


def test_a_reload_answers_what_is_under_way(site: Site, sinks, gateways) -> None:
    """A request that began before the reload is answered by the old generation; the next goes to the new one."""
    sink: Sink = sinks(site)
    gateway = started(site, gateways, sink.port)
    port = web_port(gateway)
    before = set(gateway.children("gateway.app.web"))
    body = multipart(*(file_of(n) for n in range(8)))
    begun = threading.Event()

    def slowly():
        for at in range(0, len(body), 2000):
            yield body[at : at + 2000]
            begun.set()
            time.sleep(0.25)

    answers: list[requests.Response] = []

    def post() -> None:
        with session(site) as http:
            url = f"https://localhost:{port}/dicom-web/studies"
            answers.append(http.post(url, data=slowly(), headers={"Content-Type": RELATED}, timeout=60))

    thread = threading.Thread(target=post)
    thread.start()
    assert begun.wait(10)
    site.write(RULES.format(port=sink.port).replace("id: only", "id: all"))
    assert gateway.process is not None
    os.kill(gateway.process.pid, signal.SIGHUP)
    wait_for(lambda: set(gateway.children("gateway.app.web")) - before)
    thread.join(60)
    assert [each.status_code for each in answers] == [200]
    wait_for(lambda: not set(gateway.children("gateway.app.web")) & before, 40)
    sender = WebSender(site, gateway)
    assert sender.send([20]) == []
    rows = gateway.settled()
    assert {row["route"] for row in rows if row["sop_instance"] == uid_of(20)} == {"all"}
    assert len(rows) == 9 and {row["state"] for row in rows} == {"delivered"}


def test_without_a_certificate_nobody_speaks(site: Site, gateways) -> None:
    gateway = started(site, gateways, 9)
    url = f"https://localhost:{web_port(gateway)}/health"
    with session(site) as http:
        assert http.get(url).text == "ok\n"
        http.cert = None
        http.close()
        with pytest.raises(requests.ConnectionError):
            http.get(url)
    told = gateway.command("audit", "show", "--config", "gateway.yaml").stdout.decode()
    assert wait_for(lambda: "client-certificate-missing" in told or _shown(gateway))


def _shown(gateway: Gateway) -> bool:
    told = gateway.command("audit", "show", "--config", "gateway.yaml").stdout.decode()
    return "client-certificate-missing" in told


@pytest.mark.parametrize("frames", [50, pytest.param(1023, marks=pytest.mark.slow)])
def test_memory_does_not_grow_with_the_object(site: Site, gateways, frames: int) -> None:
    site.write(RULES.format(port=9).replace("deliver: [archive]", "hold: wait"))
    gateway = ready(gateways(site).start())
    idle = max(map(peak, gateway.children("app.web")))
    made = Made(frames)
    head = part10.meta("1.2.840.10008.5.1.4.1.1.2", made.uid, "1.2.840.10008.1.2.1")

    def body():
        yield b"--frontier\r\nContent-Type: application/dicom\r\n\r\n" + head
        yield from chunks(made)
        yield b"\r\n--frontier--\r\n"

    with session(site) as http:
        url = f"https://localhost:{web_port(gateway)}/dicom-web/studies"
        assert http.post(url, data=body(), headers={"Content-Type": RELATED}, timeout=600).status_code == 200
    (row,) = gateway.status()["rows"]
    assert row["sop_instance"] == made.uid
    most = max(map(peak, gateway.children("app.web")))
    assert most < 160 << 20 and most - idle < 48 << 20, f"{most >> 20} MiB, {(most - idle) >> 20} above idle"
