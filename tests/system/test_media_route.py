"""A serving gateway's media: a complete study leaves on a secure set, and a secure set feeds the routes."""

from __future__ import annotations

from pydicom import dcmread

from tests.system.harness import RULES, Gateway, Sink, Site, wait_for
from tests.system.senders import Sender, ct
from tests.unit.media.objects import files
from tests.unit.security.pki import Pki

DESTINATION = """  discs:
    media:
      dir: ./discs
      profile: STD-GEN-SEC-CD
      recipients: pki/reader.pem
      sign: {certificate: pki/signer.pem, key: pki/signer.key}
      format: folder
deidentify:
"""


def test_a_study_leaves_on_a_secure_set(site: Site, gateways) -> None:
    (site.folder / "pki").mkdir()
    pki = Pki(site.folder / "pki")
    pki.issue("reader", pki.ca, kind="rsa2048", eku=(), usage=("key_encipherment",))
    pki.issue("signer", pki.ca, kind="rsa2048", eku=("email",), usage=("digital_signature",))
    group = "group: {by: study, quiet: 1s, max_wait: 60s}\n    "
    text = RULES.format(port=9, sink_security="unsafe_plaintext: never called", steps="steps: [{deidentify: trial}]")
    text = text.replace("deidentify:\n", DESTINATION, 1).replace("deliver: [archive]", f"{group}deliver: [discs]")
    text = text.replace("{profile: basic, ", "{profile: basic, media: true, ")
    site.write(text)
    checked = Gateway(site).command("check", "gateway.yaml")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    gateway: Gateway = gateways(site).start()
    objects = [ct(number, study=1) for number in range(5)]
    assert Sender(site, gateway).send(objects) == []
    assert {row["state"] for row in gateway.settled()} == {"delivered"}

    (disc,) = (site.folder / "discs").iterdir()
    keys = ("--cert", "pki/reader.pem", "--key", "pki/reader.key", "--ca", "pki/ca.pem")
    opened = gateway.command("media", "open", *keys, "--out", "back", str(disc))
    assert opened.returncode == 0, opened.stderr
    assert b"5 objects" in opened.stdout and b"signed by CN=signer, trusted" in opened.stdout
    back = [dcmread(path) for path in (site.folder / "back").iterdir()]
    assert len(back) == 5 and {data.PatientIdentityRemoved for data in back} == {"YES"}
    assert not {str(data.PatientName) for data in back} & {"Mustermann^Erika"}
    assert gateway.stop() == 0
    assert gateway.command("audit", "verify").returncode == 0
    assert b"discs" in gateway.command("audit", "show").stdout


IN = """  - id: discs
    media:
      dir: ./discs-in
      quiet: 300ms
      poll: 100ms
      identity: {certificate: pki/reader.pem, key: pki/reader.key}
      trust: pki/ca.pem
destinations:
"""


def test_a_secure_medium_that_is_put_into_a_folder_feeds_the_routes(site: Site, sinks, gateways) -> None:
    (site.folder / "pki").mkdir()
    pki = Pki(site.folder / "pki")
    pki.issue("reader", pki.ca, kind="rsa2048", eku=(), usage=("key_encipherment",))
    pki.issue("signer", pki.ca, kind="rsa2048", eku=("email",), usage=("digital_signature",))
    sink: Sink = sinks(site)
    text = RULES.format(port=sink.port, sink_security="tls: {trust: file:certs/ca.pem}", steps="")
    site.write(text.replace("destinations:\n", IN, 1).replace("{SOPInstanceUID: {exists: true}}", "{listener: discs}"))
    (site.folder / "discs-in").mkdir()
    files(site.folder / "in", 3)
    gateway: Gateway = gateways(site).start()
    keys = ("--recipient", "pki/reader.pem", "--signer", "pki/signer.pem", "--signer-key", "pki/signer.key")
    made = gateway.command("media", "create", "--profile", "STD-GEN-SEC-CD", *keys, "--out", "made.iso", "in")
    assert made.returncode == 0, made.stderr
    (site.folder / "made.iso").rename(site.folder / "discs-in" / "Mustermann.iso")
    wait_for(lambda: len(sink.received) == 5)
    assert len(list((site.folder / "discs-in" / "processed").iterdir())) == 1
    assert {row["state"] for row in gateway.settled()} == {"delivered"}
    assert gateway.stop() == 0
    assert b"Mustermann" not in gateway.log.read_bytes()
