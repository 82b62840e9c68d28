"""A study waits until it is complete, through kill -9; what is made of it is there whole; what comes late follows."""

from __future__ import annotations

import json
import time
from pathlib import Path

from pydicom import dcmread

from tests.system.harness import Gateway, Site, wait_for
from tests.system.senders import Sender, ct, encoded

RULES = """\
version: 1
state: {{dir: ./state}}
identity: {{certificate: file:certs/gateway.pem, key: file:certs/gateway.key}}
listeners:
  - id: hospital
    dimse: {{ae: GATEWAY, host: 127.0.0.1, port: 0}}
    tls: {{trust: file:certs/ca.pem}}
destinations:
  archive:
    dimse: {{host: 127.0.0.1, port: {port}, ae: ARCHIVE}}
    tls: {{trust: file:certs/ca.pem}}
    retry: {{for: 1h, backoff: 200ms..1s}}
  studies:
    folder: {{dir: ./studies, layout: group}}
deidentify:
  trial: {{profile: basic, key: file:trial.key}}
routes:
  - id: research
    match: {{SOPInstanceUID: {{exists: true}}}}
    group: {{by: study, quiet: 3s, max_wait: {cap}, expect: NumberOfStudyRelatedInstances}}
    steps: [{{deidentify: trial}}]
    deliver: [archive, studies]
  - {{id: rest, otherwise: hold, reason: no-route}}
"""


def objects(numbers: range, announced: int) -> list:
    made = [ct(n) for n in numbers]
    for each in made:
        each.NumberOfStudyRelatedInstances = announced
    return made


def made(site: Site) -> list[Path]:
    folder = site.folder / "studies"
    return sorted(p for p in folder.iterdir() if not p.name.startswith(".")) if folder.exists() else []


def started(site: Site, sinks, gateways, cap: str = "10m") -> tuple[Gateway, object]:
    sink = sinks(site)
    site.write(RULES.format(port=sink.port, cap=cap))
    return gateways(site).start(), sink


def test_nothing_leaves_before_all_that_was_announced_has_come_whatever_is_killed(site: Site, sinks, gateways) -> None:
    gateway, sink = started(site, sinks, gateways)
    sender = Sender(site, gateway, "CT1")
    assert sender.send(objects(range(4), 6)) == []
    gateway.kill()
    gateway.start()
    wait_for(lambda: gateway.status()["rows"][0]["reason"] == "group-incomplete", 20)
    (row, *_) = gateway.status()["rows"]
    assert row["state"] == "waiting" and row["detail"] == "study has 4 of 6" and row["next_try"] > time.time()
    assert not sink.received and made(site) == []
    one = site.folder / "one.dcm"
    objects(range(1), 6)[0].save_as(one, enforce_file_format=True)
    told = " ".join(gateway.command("explain", "gateway.yaml", str(one)).stdout.decode().split())
    assert "delivered when its study is complete" in told and "now: study has 4 of 6, waits (group-incomplete)" in told
    assert sender.send(objects(range(4, 6), 6)) == []
    rows = gateway.settled(40)
    assert {row["state"] for row in rows} == {"delivered"} and len(rows) == 12
    (folder,) = made(site)
    files = sorted(folder.iterdir())
    assert len(files) == 6 and len(sink.received) == 6
    uids = {str(dcmread(path).SOPInstanceUID) for path in files}
    assert uids == set(sink.received), "the same pseudonyms in both"
    assert sender.send(objects(range(6, 7), 6)) == []
    gateway.settled(40)
    folders = wait_for(lambda: len(made(site)) == 2 and made(site))
    late = next(path for path in folders if "-late-1-" in path.name)
    first, after = dcmread(files[0]), dcmread(next(late.iterdir()))
    assert (first.PatientID, first.StudyInstanceUID) == (after.PatientID, after.StudyInstanceUID)
    groups = json.loads(gateway.command("status", "--groups", "--json").stdout)
    assert [(g["follow_up"], g["reason"], g["arrived"]) for g in groups] == [(1, "expected", 7), (0, "expected", 7)]
    assert gateway.stop() == 0
    assert gateway.command("audit", "verify").returncode == 0


def test_the_cap_closes_what_never_comes_and_says_so(site: Site, sinks, gateways) -> None:
    gateway, sink = started(site, sinks, gateways, cap="6s")
    assert Sender(site, gateway, "CT1").send(objects(range(3), 9)) == []
    assert {row["state"] for row in gateway.settled(40)} == {"delivered"} and len(sink.received) == 3
    told = " ".join(gateway.command("status", "--groups").stdout.decode().split())
    assert "closed: max-wait" in told and "study has 3 of 9" in told


def test_killed_while_it_is_made_a_unit_is_whole_or_not_there(site: Site, sinks, gateways) -> None:
    gateway, _ = started(site, sinks, gateways)
    assert Sender(site, gateway, "CT1").send(objects(range(40), 40)) == []
    for pause in (3.0, 0.05, 0.2, 0.4):
        time.sleep(pause)
        gateway.kill()
        assert all(len(list(folder.iterdir())) == 40 for folder in made(site))
        gateway.start()
    rows = gateway.settled(60)
    assert {row["state"] for row in rows} == {"delivered"} and len(rows) == 80
    (folder,) = made(site)
    assert len(list(folder.iterdir())) == 40 and encoded(ct(0))
    assert len(list((site.folder / "studies").iterdir())) == 1, "nothing half-made stays"


def test_a_person_closes_what_never_comes_and_it_is_audited(site: Site, sinks, gateways) -> None:
    gateway, sink = started(site, sinks, gateways)
    assert Sender(site, gateway, "CT1").send(objects(range(3), 9)) == []
    assert not sink.received
    listed = " ".join(gateway.command("groups", "list").stdout.decode().split())
    assert "study has 3 of 9" in listed and "open:" in listed
    closed = gateway.command("groups", "close", "1", "--reason", "the scanner lost six")
    assert closed.returncode == 0 and b"closed 1: 3 objects had come" in closed.stdout
    assert {row["state"] for row in gateway.settled(40)} == {"delivered"} and len(sink.received) == 3
    assert "closed: by-hand" in " ".join(gateway.command("groups", "list").stdout.decode().split())
    again = gateway.command("groups", "close", "1", "2", "--reason", "again")
    assert again.returncode == 3 and b"1: group-closed" in again.stdout and b"2: unknown-group" in again.stdout
    assert gateway.stop() == 0
    shown = gateway.command("audit", "show").stdout.decode()
    assert "the scanner lost six" in shown and gateway.command("audit", "verify").returncode == 0
