"""A study in and out over mutual TLS: byte-identical on a pass-through, pseudonymous on a de-identifying route."""

from __future__ import annotations

import hashlib

import pytest

from tests.system.harness import RULES, Gateway, Sink, Site, wait_for
from tests.system.senders import Sender, ct, encoded, read


def test_pass_through_is_identical_over_the_data_set(site: Site, sinks, gateways) -> None:
    sink: Sink = sinks(site)
    site.write(RULES.format(port=sink.port, sink_security="tls: {trust: file:certs/ca.pem}", steps=""))
    gateway: Gateway = gateways(site).start()
    objects = [ct(n, study=n % 3) for n in range(30)]
    sender = Sender(site, gateway)
    left = sender.send(objects)
    assert left == [], (sender.refused, sender.lost)
    rows = gateway.settled()
    assert {row["state"] for row in rows} == {"delivered"}
    assert {uid: hashes[0] for uid, hashes in sink.received.items()} == sender.acknowledged
    assert all(len(hashes) == 1 for hashes in sink.received.values())
    assert {hashlib.sha256(encoded(o)).hexdigest() for o in objects} == set(sender.acknowledged.values())
    assert gateway.stop() == 0
    assert b"MRN0" not in gateway.log.read_bytes() and b"Mustermann" not in gateway.log.read_bytes()
    assert list((site.folder / "state/spool/objects").rglob("*.*")) == []
    assert gateway.command("audit", "verify", "--config", "gateway.yaml").returncode == 0


def test_deidentified_objects_leave_under_a_pseudonym(site: Site, sinks, gateways) -> None:
    sink: Sink = sinks(site)
    site.write(
        RULES.format(
            port=sink.port,
            sink_security="tls: {trust: file:certs/ca.pem}",
            steps="steps: [{deidentify: trial}]",
        )
    )
    gateway: Gateway = gateways(site).start()
    objects = [ct(n, study=1) for n in range(5)]
    assert Sender(site, gateway).send(objects) == []
    assert {row["state"] for row in gateway.settled()} == {"delivered"}
    assert len(sink.received) == 5
    studies = set()
    for uid, raw in sink.datasets.items():
        assert uid not in {o.SOPInstanceUID for o in objects}
        assert b"Mustermann" not in raw and b"MRN00001" not in raw
        data = read(raw, sink.syntaxes[uid])
        assert data.PatientIdentityRemoved == "YES"
        assert data.SOPInstanceUID == uid
        assert data.PixelData == objects[data.InstanceNumber].PixelData
        studies.add(data.StudyInstanceUID)
    assert len(studies) == 1 and studies != {objects[0].StudyInstanceUID}


@pytest.mark.parametrize("policy", ["hold", "deliver"])
def test_corrected_objects_are_treated_as_their_source_says(site: Site, sinks, gateways, policy: str) -> None:
    sink: Sink = sinks(site)
    text = RULES.format(port=sink.port, sink_security="tls: {trust: file:certs/ca.pem}", steps="")
    site.write(text.replace("  - id: hospital\n", f"  - id: hospital\n    on_conflict: {policy}\n"))
    gateway: Gateway = gateways(site).start()
    first, corrected = ct(1), ct(1)
    corrected.PatientName = "Muster^Erika"
    for each in (first, corrected, corrected):
        assert Sender(site, gateway).send([each]) == []
    wanted = ["delivered", "held"] if policy == "hold" else ["delivered", "delivered"]
    wait_for(lambda: sorted(row["state"] for row in gateway.status()["rows"]) == wanted)
    sent = [hashlib.sha256(encoded(each)).hexdigest() for each in (first, corrected)]
    assert sink.received[first.SOPInstanceUID] == sent[: wanted.count("delivered")]


def test_destination_down_waits_with_the_next_try_and_loses_no_attempt(site: Site, sinks, gateways) -> None:
    sink: Sink = sinks(site)
    port = sink.port
    sink.close()
    site.write(RULES.format(port=port, sink_security="tls: {trust: file:certs/ca.pem}", steps=""))
    gateway: Gateway = gateways(site).start()
    objects = [ct(n) for n in range(5)]
    assert Sender(site, gateway).send(objects) == []
    rows = wait_for(
        lambda: (r := gateway.status()["rows"]) and all(x["state"] == "waiting" for x in r) and r, seconds=20
    )
    assert all(row["attempts"] == 0 and row["next_try"] for row in rows)
    assert {row["reason"] for row in rows} == {"connect-failed"}
    again: Sink = sinks(site, port=port)
    assert {row["state"] for row in gateway.settled()} == {"delivered"}
    assert len(again.received) == 5


def test_a_refused_object_is_held_with_its_status_and_released_by_a_person(site: Site, sinks, gateways) -> None:
    sink: Sink = sinks(site)
    bad = str(ct(1).SOPInstanceUID)
    sink.status = lambda uid: 0xA900 if uid == bad else 0
    site.write(RULES.format(port=sink.port, sink_security="tls: {trust: file:certs/ca.pem}", steps=""))
    gateway: Gateway = gateways(site).start()
    assert Sender(site, gateway).send([ct(n) for n in range(3)]) == []
    rows = gateway.settled()
    assert sorted(row["state"] for row in rows) == ["delivered", "delivered", "held"]
    held = next(row for row in rows if row["state"] == "held")
    assert held["sop_instance"] == bad and held["reason"]
    sink.status = lambda uid: 0
    done = gateway.command("held", "release", str(held["instance"]), "--config", "gateway.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {row["state"] for row in gateway.settled()} == {"delivered"}
    assert bad in sink.received


def test_no_route_is_held_and_can_be_discarded(site: Site, sinks, gateways) -> None:
    sink: Sink = sinks(site)
    text = RULES.format(port=sink.port, sink_security="tls: {trust: file:certs/ca.pem}", steps="")
    site.write(text.replace("{SOPInstanceUID: {exists: true}}", "{Modality: MR}"))
    gateway: Gateway = gateways(site).start()
    assert Sender(site, gateway).send([ct(1)]) == []
    (row,) = gateway.settled()
    assert (row["state"], row["reason"]) == ("held", "no-route")
    listed = gateway.command("held", "list", "--config", "gateway.yaml")
    assert listed.returncode == 0 and b"no-route" in listed.stdout
    assert (
        gateway.command("held", "discard", str(row["instance"]), "--reason", "test", "-c", "gateway.yaml").returncode
        == 0
    )
    (row,) = gateway.settled()
    assert row["state"] == "discarded"
    assert sink.received == {}
    assert list((site.folder / "state/spool/objects").rglob("*.*")) == []
