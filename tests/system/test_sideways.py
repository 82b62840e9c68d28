"""Nothing identifying leaks sideways (DESIGN promise 6): logs at DEBUG, names, listings, crashes and refusals."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.system.harness import RULES, Gateway, Sink, Site

sys.path.insert(0, str(ROOT / "examples"))
import planted as planting


def send(gateway: Gateway, site: Site, folder: Path) -> None:
    certs = site.folder / "certs"
    tls = ["--cert", certs / "modality.pem", "--key", certs / "modality.key", "--ca", certs / "ca.pem"]
    address = f"127.0.0.1:{gateway.port}"
    done = gateway.command("send", address, "--called", "GATEWAY", "--calling", "CT1", *map(str, tls), str(folder))
    assert done.returncode in (0, 3), done.stderr


@pytest.mark.parametrize("steps", ["", "steps: [{deidentify: trial}]"], ids=["pass", "deid"])
def test_canaries_stay_in_spool_ledger_and_audit_fields(
    site: Site, sinks, gateways, monkeypatch: pytest.MonkeyPatch, steps: str
) -> None:
    monkeypatch.setenv("DICOM_GATEWAY_LOG", "DEBUG")
    sink: Sink = sinks(site)
    sink.status = lambda uid: 0xA900 if int(uid[-1]) % 2 else 0x0000  # half is refused for good
    site.write(RULES.format(port=sink.port, sink_security="tls: {trust: file:certs/ca.pem}", steps=steps))
    gateway: Gateway = gateways(site).start()
    folder = site.folder / "planted"
    folder.mkdir()
    words: dict[str, str] = {}
    for seed in range(8):
        for each in planting.planted(seed):
            (folder / f"{seed}-{each.name}.dcm").write_bytes(each.content)
            words |= {f"{seed}/{each.name}/{leak}": word for leak, word in each.canaries.items()}
    (folder / "cut.dcm").write_bytes(planting.planted(99)[0].content[:-100])
    send(gateway, site, folder)
    os.kill(gateway.children("app.worker")[0], signal.SIGKILL)  # and the path of a crash
    send(gateway, site, folder)
    gateway.settled()
    shown = gateway.command("audit", "show", "--config", "gateway.yaml").stdout
    assert gateway.stop() == 0
    assert len(words) > 300
    log = gateway.log.read_bytes()
    assert b"worker-died" in log and log.count(b"\n") > 20
    identifying = {leak: word for leak, word in words.items() if ":SOPInstanceUID" not in leak}
    assert planting.survivors(log, identifying) == []
    names = "\n".join(str(p.relative_to(site.folder)) for p in (site.folder / "state").rglob("*"))
    assert planting.survivors(names.encode(), identifying) == []
    patients = {leak: word for leak, word in words.items() if "PatientID" in leak or "PatientName" in leak}
    assert patients and planting.survivors(shown, patients) == []
    for path in (site.folder / "state").rglob("*"):
        if path.is_file():
            assert path.stat().st_mode & 0o077 == 0, f"{path.name} can be read by others"
        elif path.is_dir():
            assert path.stat().st_mode & 0o077 == 0, f"{path.name} can be entered by others"
