"""The same object from two sources, over the wire: it goes where each of them has it go (docs/adr/0016)."""

from __future__ import annotations

import signal

from tests.system.harness import RULES, Gateway, Sink, Site, wait_for
from tests.system.senders import Sender, ct

ROUTES = """\
  - {id: research, match: {calling_ae: RESEARCH}, steps: [{deidentify: trial}], deliver: [archive]}
  - id: only
"""


def test_a_second_source_gets_its_own_and_a_new_destination_what_comes_after(site: Site, sinks, gateways) -> None:
    sink: Sink = sinks(site)
    text = RULES.format(port=sink.port, sink_security="tls: {trust: file:certs/ca.pem}", steps="")
    text = text.replace("  - id: only\n", ROUTES)
    site.write(text)
    gateway: Gateway = gateways(site).start()
    image = ct(1)
    for title in ("CT1", "RESEARCH", "RESEARCH", "CT1"):
        assert Sender(site, gateway, title).send([image]) == []
    rows = gateway.settled()
    assert sorted((row["route"], row["state"]) for row in rows) == [("only", "delivered"), ("research", "delivered")]
    assert len(sink.received) == 2, "as it is, and pseudonymous"
    assert all(len(digests) == 1 for digests in sink.received.values())

    site.write(
        text.replace("deliver: [archive]\n  - {id: rest", "deliver: [archive, landing]\n  - {id: rest").replace(
            "deidentify:\n", "  landing: {folder: {dir: ./landing}}\ndeidentify:\n", 1
        )
    )
    assert gateway.process is not None
    gateway.process.send_signal(signal.SIGHUP)
    wait_for(lambda: gateway.log.read_bytes().count(b"drained") >= 2)
    assert Sender(site, gateway, "CT1").send([image]) == []
    assert Sender(site, gateway, "RESEARCH").send([image]) == []
    rows = gateway.settled()
    assert sorted((row["route"], row["destination"], row["state"]) for row in rows) == [
        ("only", "archive", "delivered"),
        ("only", "landing", "delivered"),
        ("research", "archive", "delivered"),
    ]
    assert len(sink.received) == 2 and sum(map(len, sink.received.values())) == 2
    assert gateway.stop() == 0
