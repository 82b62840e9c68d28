"""Disk full: every object is answered 0xA700, nothing is torn, and it goes on once there is room (RELIABILITY P5)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.system.harness import RULES, Gateway, Sink, Site, wait_for
from tests.system.senders import Sender, ct


def spooled(site: Site) -> list[Path]:
    return [p for p in (site.folder / "state/spool").rglob("*") if p.is_file()]


def test_below_the_reserve_objects_are_refused_with_a700(site: Site, sinks, gateways) -> None:
    sink: Sink = sinks(site)
    text = RULES.format(port=sink.port, sink_security="tls: {trust: file:certs/ca.pem}", steps="")
    site.write(text.replace("{dir: ./state}", "{dir: ./state, reserve: 1000000GiB}"))
    gateway: Gateway = gateways(site).start()
    sender = Sender(site, gateway)
    sender.send([ct(1)])
    assert set(sender.refused.values()) == {0xA700} and not sender.acknowledged
    assert spooled(site) == [] and gateway.status()["rows"] == []


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
        sink: Sink = sinks(site)
        text = RULES.format(port=sink.port, sink_security="tls: {trust: file:certs/ca.pem}", steps="")
        text = text.replace("{dir: ./state}", "{dir: ./state, reserve: 2MiB}")
        site.write(text.replace("deliver: [archive]", "hold: wait"))
        gateway: Gateway = gateways(site).start()
        sender = Sender(site, gateway)
        left = [ct(n, size=1 << 20) for n in range(40)]
        while left and not sender.refused:
            left = sender.send(left[:5]) + left[5:]
        assert set(sender.refused.values()) == {0xA700}
        stored = len(sender.acknowledged)
        assert 0 < stored < 40
        names = {row["sop_instance"] for row in gateway.status()["rows"]}
        assert names == set(sender.acknowledged), "what was acknowledged is what is there"
        assert len(spooled(site)) == stored, "a torn file was left"
        rows = gateway.status()["rows"]
        for row in rows[:5]:
            done = gateway.command("held", "discard", str(row["instance"]), "--reason", "room", "-c", "gateway.yaml")
            assert done.returncode == 0, done.stdout + done.stderr

        def again() -> bool:
            return sender.send([ct(99, size=1 << 20)]) == [] and str(ct(99).SOPInstanceUID) in sender.acknowledged

        assert wait_for(again, 10, 0.5)
        assert gateway.stop() == 0
        assert gateway.command("audit", "verify", "--config", "gateway.yaml").returncode == 0
    finally:
        for made in gateways.made:
            if made.process is not None and made.process.poll() is None:
                made.kill()
        subprocess.run(["umount", "-l", small], check=False)
