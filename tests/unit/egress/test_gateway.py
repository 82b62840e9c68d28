"""The check follows every de-identification: in the pipeline, across workers and restarts, and in `deid`."""

from __future__ import annotations

import logging
import stat
import threading
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import study as invented
from typer.testing import CliRunner

from gateway.cli import deid_file
from gateway.cli.main import command_line
from gateway.egress import STUDIES, Egress, egress_of
from gateway.errors import HoldObject, StorageFailed, WaitObject
from gateway.model import Job, Origin
from gateway.pipeline import Claim, accept, prepare
from gateway.rulebook import Rulebook, compile_ruleset, take
from gateway.steps import deidentify as deidentify_step
from gateway.store import identities
from gateway.store.identities import Identities
from gateway.store.spool import Spool
from gateway.writer.messages import Committed
from tests.unit.egress.outputs import EXPLICIT, clean_ct, ct, encoded, engine, parsed
from transforms.dataset import part10
from transforms.dataset.attributes import UTF8, Attributes
from transforms.deidentify.engine import deidentify
from transforms.egress.classes import Kept
from transforms.source import BytesSource, EditPlan, Literal

RULES = """\
version: 1
state: {dir: ./state}
listeners: [{id: hospital, dimse: {ae: GATEWAY, port: 2762}, unsafe_plaintext: a test}]
destinations: {landing: {folder: {dir: ./landing}}}
deidentify: {trial: {key: file:project.key}}
routes:
  - {id: trial, match: {Modality: {exists: true}}, steps: [{deidentify: trial}], deliver: landing}
  - {id: rest, otherwise: hold, reason: no-route}
"""
STUDY = invented.uid(1, "study")


def leaking(word: bytes) -> Any:
    """The engine, but one element behind its output that holds a word."""

    def broken(*arguments: Any, **more: Any) -> Any:
        done = deidentify(*arguments, **more)
        padded = word + b" " * (len(word) & 1)
        leak = b"\xfc\xff\xfc\xffOB\0\0" + len(padded).to_bytes(4, "little") + padded
        plan = EditPlan(done.plan, (*EditPlan.identity(done.plan).pieces, Literal(leak)))
        fields = {name: getattr(done, name) for name in type(done).__slots__}
        return SimpleNamespace(**(fields | {"plan": plan}))

    return broken


class Site:
    """Rules, a spool and a writer that says yes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "project.key").write_bytes(bytes(range(32)))
        (folder / "project.key").chmod(0o600)
        (folder / "gateway.yaml").write_text(RULES)
        self.ruleset = compile_ruleset(*take(folder / "gateway.yaml"))
        self.spool = Spool(folder / "state" / "spool", reserve=0)
        self.jobs: list[Job] = []

    def received(self, instance: Any, refers: Any = ()) -> Committed:
        self.jobs.append(Job(len(self.jobs), 1, instance, "landing", 0))
        return Committed("stored", 1)

    def accept(self, raw: bytes) -> Job:
        """One object from a peer."""
        incoming = self.spool.create(b"")
        incoming.write(raw)
        data = parsed(raw)
        origin = Origin("hospital", "a" * 32, "127.0.0.1")
        accept(incoming, Claim(data.SOPClassUID, data.SOPInstanceUID, EXPLICIT), origin, self.ruleset, self)  # type: ignore[arg-type]
        return self.jobs[-1]

    def sent(self, job: Job) -> bytes:
        """What would leave."""
        with prepare(job, self.spool, Rulebook(self.folder / "state", self.ruleset)) as outgoing:
            return outgoing.source.pread(0, outgoing.source.size)

    def restarted(self) -> None:
        """Another process: nothing in memory."""
        egress_of.cache_clear()
        self.ruleset = compile_ruleset(*take(self.folder / "gateway.yaml"))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    egress_of.cache_clear()
    return Site(tmp_path)


def test_what_is_clean_leaves(site: Site) -> None:
    for number in (1, 2):
        assert b"Mustermann" not in site.sent(site.accept(ct(number)))


def test_a_broken_engine_lets_nothing_out(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    job = site.accept(ct())
    monkeypatch.setattr(deidentify_step, "deidentified", leaking(b"for Mustermann^Erika only"))
    with pytest.raises(HoldObject) as raised:
        site.sent(job)
    assert raised.value.reason == "egress-hit"
    assert raised.value.detail == "patient-name as text in (FFFC,FFFC)"
    assert "egress-hit" in caplog.text and "kind=patient-name" in caplog.text
    told = caplog.text + str(raised.value) + repr(raised.value)
    assert not [word for word in invented.IDENTITIES if word.lower() in told.lower()]
    monkeypatch.undo()
    assert site.sent(job)


def report(seed: int) -> bytes:
    """An SR of the study whose header names nobody any more."""
    data = invented.report(seed, [invented.ct(seed, 1, rows=8)])
    for keyword in (
        "PatientName",
        "OtherPatientNames",
        "PatientBirthDate",
        "ContentSequence",
        "VerifyingObserverSequence",
    ):
        if keyword in data:
            del data[keyword]
    data.PatientID = "CONSULT"
    return encoded(data)


@pytest.mark.parametrize("restart", [False, True])
def test_a_report_is_checked_for_names_of_the_images_that_came_before(
    site: Site, monkeypatch: pytest.MonkeyPatch, restart: bool
) -> None:
    leak = leaking(b"  report of Frau Gabler  ")
    monkeypatch.setattr(deidentify_step, "deidentified", leak)
    alone = site.accept(report(1))
    assert b"Gabler" in site.sent(alone), "nobody has said yet who Gabler is"
    monkeypatch.undo()
    site.accept(ct())  # only received: it need not have been sent
    if restart:
        site.restarted()
    monkeypatch.setattr(deidentify_step, "deidentified", leak)
    with pytest.raises(HoldObject, match="egress-hit: patient-name"):
        site.sent(site.accept(report(1)))
    other = parsed(report(1))
    other.StudyInstanceUID = "2.25.42"
    assert b"Gabler" in site.sent(site.accept(encoded(other))), "another study has other people"


def test_what_was_learnt_only_when_it_left_counts_too(tmp_path: Path) -> None:
    """Deflated objects are read when they leave, not when they come."""
    path = tmp_path / "identities.sqlite"
    Egress(Identities(path)).check(STUDY, BytesSource(ct()), BytesSource(clean_ct()), EXPLICIT, Kept())
    other = Egress(Identities(path))
    leak = b"\x20\0\x00\x40LT\x0a\0of Gabler "
    with pytest.raises(HoldObject, match="egress-hit: patient-name"):
        other.check(STUDY, BytesSource(report(1)), BytesSource(leak), EXPLICIT, Kept())


def test_no_identifiers_are_kept_where_nothing_is_de_identified(tmp_path: Path) -> None:
    (tmp_path / "gateway.yaml").write_text("")
    egress_of.cache_clear()
    plain = RULES.replace("deidentify: {trial: {key: file:project.key}}\n", "").replace(
        "steps: [{deidentify: trial}], ", ""
    )
    site = Site(tmp_path)
    (tmp_path / "gateway.yaml").write_text(plain)
    site.restarted()
    assert site.sent(site.accept(ct())) == ct()
    assert not (tmp_path / "state" / "identities.sqlite").exists()


def test_identities_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "state" / "identities.sqlite"
    one, other = Identities(path), Identities(path)
    one.put("1.2", [("patient-name", "Muster^Eva"), ("patient-id", "4711\udc80")], 0.0)
    assert {stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()} == {0o600}
    rows, last = other.after("1.2", 0)
    assert sorted(rows) == [("patient-id", "4711?"), ("patient-name", "Muster^Eva")]
    other.put("1.2", [("patient-name", "Muster^Eva"), ("address", "Weg 1")], 0.0)
    assert one.after("1.2", last) == ([("address", "Weg 1")], last + 1)
    assert one.after("1.3", 0) == ([], 0)
    one.put("1.3", [("address", "Weg 1")], 0.0)
    one.forget("1.2", 1.0)
    assert other.after("1.2", 0) == ([], 0)
    one.close()
    assert b"Muster" not in path.read_bytes()
    assert other.after("1.2", 0) == ([], 0)


def test_identities_are_bounded_and_grow_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Identities(tmp_path / "identities.sqlite")
    monkeypatch.setattr(identities, "MOST", 10)
    for start in range(0, 40, 4):
        store.put("1.2", [("free-id", f"{number:05d}") for number in range(start, start + 4)], 1000.0)
    assert len(store.after("1.2", 0)[0]) == 10
    store.put("1.3", [("free-id", "1")], 5000.0)
    store.put("1.4", [("free-id", "1")], 5000.0)
    assert store.old(1001.0, 9) == ["1.2"] and sorted(store.old(9000.0, 9)) == ["1.2", "1.3"]
    store.forget("1.2", 1001.0)
    store.forget("1.3", 1001.0)
    assert not store.after("1.2", 0)[0] and store.after("1.3", 0)[0], "it has come since"


def test_what_is_there_takes_no_room_of_what_is_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has just started says all that an object says, most of it known."""
    store = Identities(tmp_path / "identities.sqlite")
    monkeypatch.setattr(identities, "MOST", 10)
    known = [("address", f"Weg {number}") for number in range(8)]
    store.put("1.2", known, 0.0)
    store.put("1.2", [*known, ("patient-name", "Muster^Eva")], 0.0)
    assert ("patient-name", "Muster^Eva") in store.after("1.2", 0)[0]


def test_a_number_is_never_given_twice(tmp_path: Path) -> None:
    """Who has read up to a number would never see what comes under it again."""
    store, reader = (Identities(tmp_path / "identities.sqlite") for _ in range(2))
    store.put("1.2", [("patient-name", "Muster^Eva")], 0.0)
    _, last = reader.after("1.2", 0)
    store.forget("1.2", 1.0)
    store.put("1.2", [("patient-name", "Gabler^Hedda")], 2.0)
    assert reader.after("1.2", last)[0] == [("patient-name", "Gabler^Hedda")]


def test_a_study_that_comes_again_after_its_identifiers_went_is_told_to_the_others(tmp_path: Path) -> None:
    """What a process remembers is not what the store still has."""
    now = [1000.0]
    path = tmp_path / "identities.sqlite"
    one, other = Egress(Identities(path), lambda: now[0]), Egress(Identities(path), lambda: now[0])
    one.learn(STUDY, said(PatientName="Quasimodo^Hugo"), EXPLICIT)
    one.learn("1.3", said(PatientName="Somebody^Else"), EXPLICIT)
    now[0] += identities.KEPT + 2
    Identities(path).forget(STUDY, now[0] - identities.KEPT)
    assert Identities(path).after(STUDY, 0) == ([], 0)
    one.learn(STUDY, said(PatientName="Quasimodo^Hugo"), EXPLICIT)
    with pytest.raises(HoldObject, match="egress-hit"):
        other.check(STUDY, said(), said(StudyDescription="Quasimodo"), EXPLICIT, Kept())


def test_a_study_that_still_comes_does_not_grow_old(tmp_path: Path) -> None:
    """Its objects say nothing new: they are of the study all the same."""
    now = [0.0]
    store = Identities(tmp_path / "identities.sqlite")
    egress = Egress(store, lambda: now[0])
    for _ in range(50):
        now[0] += identities.KEPT / 40
        egress.learn(STUDY, said(PatientName="Quasimodo^Hugo"), EXPLICIT)
    egress.learn("1.3", said(PatientName="Somebody^Else"), EXPLICIT)
    assert store.old(now[0] - identities.KEPT, 9) == [], "and nobody forgets it while its last object is on its way"


def said(**values: str) -> BytesSource:
    """A data set that says this and no more."""
    out = Attributes()
    out.text(0x00080005, UTF8)
    tags = {"AccessionNumber": 0x00080050, "StudyDescription": 0x00081030, "PatientName": 0x00100010}
    for keyword, text in values.items():
        out.text(tags[keyword], text)
    return BytesSource(out.encoded())


@pytest.mark.parametrize("where", ["another process", "this one", "after a restart"])
def test_a_study_with_identifiers_that_nobody_keeps_lets_nothing_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """The name that was one too many must not leave in an object that brings nothing new."""
    monkeypatch.setattr("transforms.egress.identifiers.MOST", 40)
    monkeypatch.setattr(identities, "MOST", 41)
    one, other = (Egress(Identities(tmp_path / "identities.sqlite")) for _ in range(2))
    for number in range(60):
        one.learn(STUDY, said(AccessionNumber=f"ACCQ{number:05d}X"), EXPLICIT)
    one.learn(STUDY, said(PatientName="Quasimodo^Hugo"), EXPLICIT)
    if where == "after a restart":
        other = Egress(Identities(tmp_path / "identities.sqlite"))
    egress = one if where == "this one" else other
    for _ in range(2):
        with pytest.raises(HoldObject, match="egress-too-many"):
            egress.check(STUDY, said(), said(StudyDescription="Quasimodo"), EXPLICIT, Kept())


def test_what_one_process_learnt_beyond_two_thousand_another_one_knows(tmp_path: Path) -> None:
    one, other = (Egress(Identities(tmp_path / "identities.sqlite")) for _ in range(2))
    known = [("free-id", f"FREEQ{number:06d}") for number in range(2500)]
    one._known(STUDY).study.learn(known)
    one.learn(STUDY, said(PatientName="Quasimodo^Hugo"), EXPLICIT)
    with pytest.raises(HoldObject, match="egress-hit"):
        other.check(STUDY, said(), said(StudyDescription="Quasimodo"), EXPLICIT, Kept())


def test_a_store_that_fails_promises_nothing(tmp_path: Path) -> None:
    (tmp_path / "identities.sqlite").write_bytes(b"Mustermann" * 1000)
    egress = Egress(Identities(tmp_path / "identities.sqlite"))
    with pytest.raises(StorageFailed, match="identities-unavailable") as failed:
        egress.learn(STUDY, BytesSource(ct()), EXPLICIT)
    with pytest.raises(WaitObject, match="identities-unavailable") as waits:
        egress.check(STUDY, BytesSource(ct()), BytesSource(clean_ct()), EXPLICIT, Kept())
    assert "Muster" not in str(failed.value) + str(waits.value)


def test_what_cannot_be_read_is_held_when_it_leaves(tmp_path: Path) -> None:
    egress = Egress(Identities(tmp_path / "identities.sqlite"))
    egress.learn(STUDY, BytesSource(b"no data set at all"), EXPLICIT)
    for original, output in ((b"no data set at all", clean_ct()), (ct(), b"no data set at all")):
        with pytest.raises(HoldObject, match="egress-unreadable"):
            egress.check(STUDY, BytesSource(original), BytesSource(output), EXPLICIT, Kept())


def test_objects_without_a_study_have_nobody_in_common() -> None:
    egress = Egress()
    name = b"\x10\0\x10\0PN\x0a\0Mustermann"
    with pytest.raises(HoldObject, match="egress-hit"):
        egress.check("", BytesSource(name), BytesSource(name), EXPLICIT, Kept())
    egress.check("", BytesSource(b"\x10\0\x20\0LO\4\0XY12"), BytesSource(name), EXPLICIT, Kept())


def test_threads_and_many_studies(tmp_path: Path) -> None:
    """Held and clean objects of more studies than are kept in memory, from several threads."""
    egress = Egress(Identities(tmp_path / "identities.sqlite"))
    outputs = {}
    for seed in range(STUDIES + 8):
        data = invented.ct(seed, 1, rows=8)
        data.PatientName = f"Somebodyx{'abcdefghijklmnopqrstuvwxyz'[seed % 26]}{'uvw'[seed // 26]}ski^A"
        raw = encoded(data)
        plan = engine(raw).plan
        outputs[seed] = (str(data.StudyInstanceUID), raw, plan.pread(0, plan.size))
    wrong: list[object] = []
    done: list[int] = []

    def work(first: int) -> None:
        for seed in [*range(first, len(outputs)), *range(first)]:
            done.append(seed)
            uid, raw, out = outputs[seed]
            for leaving, clean in ((out, True), (raw, False)):
                try:
                    egress.check(uid, BytesSource(raw), BytesSource(leaving), EXPLICIT, Kept())
                except HoldObject:
                    if clean:
                        wrong.append(seed)
                else:
                    if not clean:
                        wrong.append(seed)

    threads = [threading.Thread(target=work, args=(first,)) for first in (0, 7, 15)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == [] and len(done) == 3 * len(outputs)


def test_studies_looked_at_stay_until_they_are_used_and_few_of_those() -> None:
    egress = Egress(ahead=STUDIES + 8)
    objects = {}
    for seed in range(STUDIES + 20):
        data = invented.ct(seed, 1, rows=8)
        objects[str(data.StudyInstanceUID)] = (seed, BytesSource(encoded(data)))
    for study, (seed, raw) in objects.items():
        assert egress.look(seed, raw, EXPLICIT).study == study
    first = list(objects)[: STUDIES + 7]
    assert [*egress._studies] == [*first, list(objects)[-1]], "the first stay, and the one that is looked at"
    for study in first:
        seed, raw = objects[study]
        known = egress._studies[study]
        with suppress(HoldObject):
            egress.check(study, raw, raw, EXPLICIT, Kept(), number=seed)
        assert egress._studies[study] is known, "it was not read again"
    assert set(first[-STUDIES:]) == set(egress._used) <= set(egress._studies)
    assert len(egress._studies) == STUDIES + 1


def test_deid_writes_nothing_that_is_hit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    (tmp_path / "project.key").write_bytes(bytes(range(40)))
    (tmp_path / "project.key").chmod(0o600)
    head = part10.meta(invented.CT_IMAGE, invented.uid(1, "instance", 1, 1), EXPLICIT)
    (tmp_path / "one.dcm").write_bytes(head + ct())
    arguments = ["deid", "--key-file", str(tmp_path / "project.key"), "--out", str(tmp_path / "out")]
    arguments += ["--processes", "1", str(tmp_path / "one.dcm")]
    monkeypatch.setattr(deid_file, "deidentified", leaking(b" MUSTERMANN,ERIKA"))
    done = CliRunner().invoke(command_line("deid"), arguments)
    assert done.exit_code == 3
    assert "egress-hit: patient-name as text in (FFFC,FFFC)" in done.output
    assert list((tmp_path / "out").iterdir()) == []
    assert "muster" not in (done.output + caplog.text).lower()
    monkeypatch.undo()
    assert CliRunner().invoke(command_line("deid"), arguments).exit_code == 0
    assert len(list((tmp_path / "out").iterdir())) == 1
