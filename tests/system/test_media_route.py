"""A serving gateway's media: a complete study leaves de-identified on one secure set, and its reader opens it."""

from __future__ import annotations

from pydicom import dcmread

from tests.system.harness import RULES, Gateway, Site
from tests.system.senders import Sender, ct
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
