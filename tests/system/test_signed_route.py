"""A serving gateway signs what it made, seals what it took, holds what is not rightly signed; going back is audited."""

from __future__ import annotations

import subprocess
from pathlib import Path

from pydicom import dcmread

from tests.system.harness import RULES, Gateway, Site
from tests.system.senders import Sender, ct

SEALED = ", encrypted_attributes: {recipients: [file:certs/reader.pem]}}"
SIGNED = "{sign: {certificate: file:certs/media-signer.pem, key: file:certs/media-signer.key, profile: creator}}"


def rules(site: Site, steps: str) -> str:
    text = RULES.format(port=9, sink_security="unsafe_plaintext: never called", steps=f"steps: [{steps}]")
    text = text.replace("deidentify:\n", "  landing: {folder: {dir: ./landing}}\ndeidentify:\n")
    return text.replace("deliver: [archive]", "deliver: [landing]")


def test_there_and_back(site: Site, gateways) -> None:
    text = rules(site, f"{{deidentify: trial}}, {SIGNED}")
    site.write(text.replace("key: file:trial.key}", "key: file:trial.key" + SEALED))
    gateway: Gateway = gateways(site).start()
    sent = ct(1, study=1)
    assert Sender(site, gateway).send([sent]) == []
    (row,) = gateway.settled()
    assert row["state"] == "delivered", row
    (made,) = (site.folder / "landing").rglob("*.dcm")
    assert str(sent.PatientID).encode() not in made.read_bytes()
    assert gateway.command("verify", "--ca", "certs/ca.pem", "--require", "creator", str(made)).returncode == 0

    officer = ("--key", "certs/reader.key", "--cert", "certs/reader.pem", "--out", "originals")
    back = gateway.command("reidentify", *officer, str(made))
    assert back.returncode == 0, back.stderr
    (original,) = (dcmread(path) for path in (site.folder / "originals").iterdir())
    assert (original.PatientID, original.SOPInstanceUID) == (sent.PatientID, sent.SOPInstanceUID)
    assert original.PatientIdentityRemoved == "NO"
    assert gateway.stop() == 0
    assert gateway.command("audit", "verify").returncode == 0
    trail = b"".join(path.read_bytes() for path in (site.folder / "state" / "audit").iterdir())
    assert b"REIDENTIFIED" in trail
    again = gateway.command("reidentify", *officer[:4], "--out", "again", str(made))
    assert again.returncode == 2  # nobody to audit it
    assert not any((site.folder / "again").iterdir())


def test_only_what_is_rightly_signed_is_delivered(site: Site, gateways) -> None:
    site.write(rules(site, "{verify: {trust: file:certs/ca.pem}}"))
    gateway: Gateway = gateways(site).start()
    good, plain, bad = (ct(number, study=1) for number in range(3))
    sender = Sender(site, gateway)
    for each, change in ((good, False), (bad, True)):
        path = site.folder / "one.dcm"
        each.save_as(path, enforce_file_format=True)
        out = _signed(gateway, path, site.folder / f"signed-{each.InstanceNumber}.dcm")
        signed = dcmread(out)
        if change:
            signed.PatientName = "Somebody^Else"
        assert sender.send([signed]) == []
    assert sender.send([plain]) == []
    states = {row["sop_instance"]: (row["state"], row.get("reason", "")) for row in gateway.settled()}
    assert states[good.SOPInstanceUID][0] == "delivered"
    assert states[bad.SOPInstanceUID] == ("held", "signature-tampered")
    assert states[plain.SOPInstanceUID] == ("held", "signature-missing")


def _signed(gateway: Gateway, path: Path, out: Path) -> Path:
    pair = ("--cert", "certs/media-signer.pem", "--key", "certs/media-signer.key")
    done: subprocess.CompletedProcess[bytes] = gateway.command(
        "sign", "--profile", "base", *pair, "--out", str(out), str(path)
    )
    assert done.returncode == 0, done.stderr
    return out
