"""SIGHUP takes the whole file or nothing of it; what was decided stays decided; no other key is ever used."""

from __future__ import annotations

import signal

from tests.system.harness import RULES, Gateway, Sink, Site, wait_for
from tests.system.senders import Sender, ct

TLS = "tls: {trust: file:certs/ca.pem}"


def reload(gateway: Gateway) -> None:
    assert gateway.process is not None
    gateway.process.send_signal(signal.SIGHUP)


def said(gateway: Gateway, word: bytes, times: int = 1) -> None:
    wait_for(lambda: gateway.log.read_bytes().count(word) >= times, 30)


def test_a_reload_changes_what_comes_and_not_what_was_decided(site: Site, sinks, gateways) -> None:
    sink: Sink = sinks(site)
    text = RULES.format(port=sink.port, sink_security=TLS, steps="")
    site.write(text.replace("deliver: [archive]", "hold: not-yet"))
    gateway: Gateway = gateways(site).start()
    assert Sender(site, gateway).send([ct(1)]) == []
    site.write(text)
    reload(gateway)
    said(gateway, b"worker-ready", 4)
    said(gateway, b"drained", 2)
    assert Sender(site, gateway).send([ct(2)]) == []
    rows = {row["sop_instance"]: row for row in gateway.settled()}
    assert rows[str(ct(1).SOPInstanceUID)]["state"] == "held"
    assert rows[str(ct(1).SOPInstanceUID)]["reason"] == "not-yet"
    assert rows[str(ct(2).SOPInstanceUID)]["state"] == "delivered"
    number = str(rows[str(ct(1).SOPInstanceUID)]["instance"])
    assert gateway.command("held", "release", number, "--config", "gateway.yaml").returncode == 0
    wait_for(lambda: len(sink.received) == 2)
    assert gateway.stop() == 0


def test_a_file_with_a_problem_changes_nothing(site: Site, sinks, gateways) -> None:
    sink: Sink = sinks(site)
    text = RULES.format(port=sink.port, sink_security=TLS, steps="")
    site.write(text)
    gateway: Gateway = gateways(site).start()
    site.write(text.replace("deliver: [archive]", "deliver: [archiv]"))
    reload(gateway)
    said(gateway, b"reload-refused")
    assert b"gateway.yaml:" in gateway.log.read_bytes(), "the log does not say where"
    assert Sender(site, gateway).send([ct(3)]) == []
    wait_for(lambda: len(sink.received) == 1)
    assert gateway.log.read_bytes().count(b"worker-ready") == 2


def test_under_another_key_nothing_is_sent(site: Site, sinks, gateways) -> None:
    sink: Sink = sinks(site)
    port = sink.port
    sink.close()
    site.write(RULES.format(port=port, sink_security=TLS, steps="steps: [{deidentify: trial}]"))
    gateway: Gateway = gateways(site).start()
    assert Sender(site, gateway).send([ct(4)]) == []
    assert gateway.stop() == 0
    (site.folder / "trial.key").write_bytes(b"another key of the tests, 32 byt")
    again: Sink = sinks(site, port=port)
    gateway.start()
    (row,) = gateway.settled()
    assert (row["state"], row["reason"]) == ("held", "key-changed")
    assert again.received == {}
