"""The procedure of docs/patients.md: a new key is a new project; what was received before goes on under the old one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec.structs import replace

from gateway.errors import HoldObject
from gateway.model import Decision, Identity, Instance, Job, Origin, Verdict
from gateway.pipeline import prepare, redecide
from gateway.rulebook import Rulebook, Ruleset, compile_ruleset, take
from gateway.store.spool import Spool
from tests.unit.deidentify.building import CT, encode, image, parsed
from transforms.dataset.syntax import EXPLICIT_LE

RULES = """\
version: 1
state: {{dir: ./state}}
listeners:
  - {{id: hospital, dimse: {{ae: GATEWAY, port: 2762}}, unsafe_plaintext: a test}}
destinations: {{landing: {{folder: {{dir: ./landing}}}}}}
deidentify:
{blocks}
routes:
  - {{id: {route}, match: {{PatientID: {{exists: true}}}}, steps: [{{deidentify: {route}}}], deliver: landing}}
  - {{id: rest, otherwise: hold, reason: no-route}}
"""
OLD = "  trial42: {key: file:old.key, patients: PATIENTS}"
NEW = "  trial42b: {key: file:new.key, patients: PATIENTS}"


@dataclass
class Site:
    """A folder with two keys, a map, one received object."""

    folder: Path
    patients: str

    def __post_init__(self) -> None:
        for name, first in (("old", 1), ("new", 2)):
            (self.folder / f"{name}.key").write_bytes(bytes(range(first, first + 32)))
            (self.folder / f"{name}.key").chmod(0o600)
        (self.folder / "map.csv").write_text("patient_id,pseudonym\nMRN4711,T42-0001\n")
        self.spool = Spool(self.folder / "state" / "spool", reserve=0)
        incoming = self.spool.create(b"")
        incoming.write(encode(image(), True))
        self.instance = Instance(
            Identity(CT, "1.2.3.4"), Origin("hospital", "a", "127.0.0.1"), incoming.seal(), EXPLICIT_LE, 4e9,
            Decision(Verdict.HOLD, ""),
        )  # fmt: skip

    def reload(self, route: str, *blocks: str) -> Ruleset:
        """As `serve` does at its start and at SIGHUP."""
        text = RULES.format(route=route, blocks="\n".join(blocks).replace("PATIENTS", self.patients))
        (self.folder / "gateway.yaml").write_text(text)
        return compile_ruleset(*take(self.folder / "gateway.yaml"))

    def received(self, ruleset: Ruleset) -> Job:
        """The object, decided under these rules."""
        decision = redecide(self.instance, self.spool, ruleset)
        return Job(1, 1, replace(self.instance, decision=decision), "landing", 0)

    def sent(self, job: Job, now: Ruleset) -> tuple[str, str]:
        """Patient ID and Study Instance UID as they leave a worker that was started under these rules."""
        with prepare(job, self.spool, Rulebook(self.folder / "state", now)) as outgoing:
            data = parsed(outgoing.source.pread(0, outgoing.source.size))
            assert str(data.PatientName) == data.PatientID == outgoing.identity.patient_id
            return data.PatientID, data.StudyInstanceUID


@pytest.mark.parametrize("patients", ["{by: key}", "{by: csv, map: map.csv}"])
def test_rotation(tmp_path: Path, patients: str) -> None:
    site = Site(tmp_path, patients)
    before = site.reload("trial42", OLD)
    job = site.received(before)
    first = site.sent(job, before)
    after = site.reload("trial42b", OLD, NEW)
    assert site.sent(job, after) == first, "received before, sent again after: the same bytes"
    second = site.sent(site.received(after), after)
    assert second[1] != first[1], "a new key gives new UIDs"
    assert (second[0] == first[0] == "T42-0001") if "csv" in patients else (second[0] != first[0])
    alone = site.reload("trial42b", NEW)
    assert site.sent(job, alone) == first, "the rules and the key of its time are still there"
    (tmp_path / "old.key").unlink()
    with pytest.raises(HoldObject, match="rules-gone"):
        site.sent(job, alone)


def test_a_key_that_is_exchanged_behind_its_name_is_refused(tmp_path: Path) -> None:
    site = Site(tmp_path, "{by: csv, map: map.csv}")
    job = site.received(site.reload("trial42", OLD))
    (tmp_path / "old.key").write_bytes((tmp_path / "new.key").read_bytes())
    with pytest.raises(HoldObject, match="key-changed"):
        site.sent(job, site.reload("trial42", OLD))


def test_a_route_without_de_identification_asks_no_map(tmp_path: Path) -> None:
    site = Site(tmp_path, "{by: csv, map: map.csv}")
    (tmp_path / "map.csv").write_text("patient_id,pseudonym\nMRN1,T42-0001\n")
    rules = site.reload("trial42", OLD)
    with pytest.raises(HoldObject, match="patient-unmapped"):
        site.sent(site.received(rules), rules)
    for path in (tmp_path / "state").glob("patients.sqlite*"):
        path.unlink()
    text = (tmp_path / "gateway.yaml").read_text().replace("steps: [{deidentify: trial42}], ", "")
    (tmp_path / "gateway.yaml").write_text(text)
    plain = compile_ruleset(*take(tmp_path / "gateway.yaml"))
    with prepare(site.received(plain), site.spool, Rulebook(tmp_path / "state", plain)) as outgoing:
        assert outgoing.source.pread(0, outgoing.source.size) == encode(image(), True)
    assert not (tmp_path / "state" / "patients.sqlite").exists()
