"""A watched folder behind the supervisor: kill -9 and a reload lose nothing, and store nothing twice."""

from __future__ import annotations

import os
import random
import signal
import time

from tests.system.harness import Gateway, Sink, Site, wait_for
from tests.unit.receive.test_archives import zipped
from tests.wire.web import digest_of, file_of, uid_of

RULES = """\
version: 1
state: {{dir: ./state}}
identity: {{certificate: file:certs/gateway.pem, key: file:certs/gateway.key}}
listeners:
  - id: hospital
    dimse: {{ae: GATEWAY, host: 127.0.0.1, port: 0}}
    tls: {{trust: file:certs/ca.pem}}
  - id: inbox
    folder: {{dir: ./inbox, quiet: 200ms, poll: 50ms}}
destinations:
  archive:
    dimse: {{host: 127.0.0.1, port: {port}, ae: ARCHIVE}}
    tls: {{trust: file:certs/ca.pem}}
    retry: {{for: 1h, backoff: 200ms..1s}}
routes:
  - id: only
    match: {{listener: inbox}}
    deliver: [archive]
  - {{id: rest, otherwise: hold, reason: no-route}}
"""


def test_what_is_dropped_is_delivered_through_kills_and_a_reload(site: Site, sinks, gateways) -> None:
    sink: Sink = sinks(site, delay=0.01)
    inbox = site.folder / "inbox"
    inbox.mkdir()
    site.write(RULES.format(port=sink.port))
    gateway: Gateway = gateways(site).start()
    chance = random.Random(5)
    for n in range(40):
        folder = inbox / f"study {n % 3}"
        folder.mkdir(exist_ok=True)
        if n % 8 == 7:
            (folder / f".{n}").write_bytes(zipped({str(i): file_of(100 + n * 10 + i, study=n % 3) for i in range(3)}))
            (folder / f".{n}").rename(folder / f"{n}.zip")  # handed over by a rename
        else:
            (folder / f"{n}.dcm").write_bytes(file_of(n, study=n % 3))
        if n % 10 == 5:
            time.sleep(chance.uniform(0.1, 0.6))
            for pid in gateway.children(chance.choice(["gateway.app.inbox", "gateway.writer", "gateway.app.inbox"])):
                os.kill(pid, signal.SIGKILL)
        if n == 20:
            site.write(RULES.format(port=sink.port).replace("id: only", "id: all"))
            assert gateway.process is not None
            os.kill(gateway.process.pid, signal.SIGHUP)
    wanted = {uid_of(n): digest_of(n, study=n % 3) for n in range(40) if n % 8 != 7}
    for n in range(7, 40, 8):
        wanted |= {uid_of(100 + n * 10 + i): digest_of(100 + n * 10 + i, study=n % 3) for i in range(3)}
    wait_for(lambda: len(sink.received) == len(wanted), 60)
    sink.delay = 0
    rows = gateway.settled(60)
    assert {row["state"] for row in rows} == {"delivered"} and len(rows) == len(wanted)
    assert {uid: set(hashes) for uid, hashes in sink.received.items()} == {uid: {h} for uid, h in wanted.items()}
    assert len(gateway.children("gateway.app.inbox")) == 1
    assert len(list((inbox / "processed").iterdir())) == 40 and not list((inbox / "failed").iterdir())
    assert not [path for path in inbox.glob("study*/*") if path.is_file()]
    assert gateway.stop() == 0
    assert gateway.command("audit", "verify", "--config", "gateway.yaml").returncode == 0
    assert "1.dcm" not in gateway.log.read_text(), "no log line names a file"
