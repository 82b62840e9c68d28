"""A serving gateway's manifests: what a folder got of a study is listed and signed, nothing else, and it is audited."""

from __future__ import annotations

import json

from tests.system.harness import RULES, Gateway, Site
from tests.system.senders import Sender, ct

LISTED = "manifest: {sign: {certificate: file:certs/signer.pem, key: file:certs/signer.key}, dir: ./manifests}\n"


def test_what_a_folder_got_is_listed_signed_and_audited(site: Site, gateways) -> None:
    text = RULES.format(port=9, sink_security="unsafe_plaintext: never called", steps="steps: [{deidentify: trial}]")
    text = text.replace("deidentify:\n", "  landing: {folder: {dir: ./landing}}\ndeidentify:\n")
    site.write(text.replace("deliver: [archive]", "deliver: [landing]") + LISTED)
    gateway: Gateway = gateways(site).start()
    objects = [ct(number, study=1) for number in range(4)]
    assert Sender(site, gateway).send(objects) == []
    assert {row["state"] for row in gateway.settled()} == {"delivered"}

    made = gateway.command("manifest", "make", "--study", objects[0].StudyInstanceUID)
    assert made.returncode == 0, made.stderr
    assert b"4 delivered" in made.stdout
    (manifest,) = (site.folder / "manifests").rglob("*.p7m")
    assert objects[0].StudyInstanceUID.encode() not in manifest.read_bytes()
    again = gateway.command("manifest", "make", "--study", objects[0].StudyInstanceUID)
    assert again.returncode == 0 and b"nothing new" in again.stdout
    assert len(list((site.folder / "manifests").rglob("*.p7m"))) == 1

    verify = ("manifest", "verify", str(manifest), "landing", "--trust", "certs/ca.pem", "--json")
    told = json.loads(gateway.command(*verify).stdout)
    assert (told["intact"], told["objects_intact"], told["totals"]["delivered"]) == (True, 4, 4)
    next((site.folder / "landing").rglob("*.dcm")).unlink()
    lost = gateway.command(*verify)
    assert lost.returncode == 3
    assert [each["finding"] for each in json.loads(lost.stdout)["findings"]] == ["missing"]

    assert gateway.command("manifest", "make", "--study", "1.2.3.4").returncode == 3
    assert gateway.stop() == 0
    assert gateway.command("audit", "verify").returncode == 0
    assert b"manifest" in gateway.command("audit", "show").stdout.lower()
