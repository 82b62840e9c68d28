"""A site's program gets a whole series where the route waits for it: once, all of it; what it gives is reconciled."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.at_hand import FRESH
from gateway.errors import HoldObject, WaitObject
from gateway.model import Decision, Identity, Instance, Job, Member, Origin, Verdict
from gateway.pipeline import prepare
from gateway.pixels.series import Series
from gateway.rulebook import Rulebook, compile_ruleset, take
from gateway.store.kept_answers import left, working
from gateway.store.spool import Spool
from tests.unit.pixels.building import anatomy, data_set, opened
from transforms.dataset.framing import check
from transforms.dataset.syntax import EXPLICIT_LE
from transforms.pixels import forms
from transforms.source import BytesSource

RULES = """\
version: 1
state: {{dir: ./state}}
listeners: [{{id: hospital, dimse: {{ae: GATEWAY, port: 2762}}, unsafe_plaintext: a test}}]
destinations: {{landing: {{folder: {{dir: ./landing}}}}}}
deidentify:
  trial:
    key: file:project.key
    options: [clean-recognizable-visual-features]
    visual_features: {{command: {command}, timeout: {timeout}, memory: 2GiB}}
routes:
  - id: trial
    match: {{Modality: {{exists: true}}}}
    group: {{by: series}}
    steps: [{{deidentify: trial}}{more}]
    deliver: landing
  - {{id: rest, otherwise: hold, reason: no-route}}
"""
HEAD = """
import pathlib, pydicom
counted = pathlib.Path({count!r})
counted.write_text(counted.read_text() + 'x' if counted.exists() else 'x')
files = sorted(pathlib.Path('in').iterdir())
images = [pydicom.dcmread(each) for each in files]
def save(image, name):
    image.save_as(pathlib.Path('out') / name, enforce_file_format=True)
"""
# Every image becomes as bright as the series has images: what only a program that sees them all can do
BRIGHT = "for image, file in zip(images, files):\n    image.PixelData = bytes([len(images)]) * len(image.PixelData)\n"
SAVE = "    save(image, file.name)\n"


class Site:
    """A spool with a series in it, the rules, and what the writer would say."""

    def __init__(self, folder: Path, code: str, timeout: str = "60s", more: str = "") -> None:
        self.folder = folder
        self.count = folder / "count"
        program = folder / "program.py"
        program.write_text(HEAD.format(count=str(self.count)) + code)
        (folder / "project.key").write_bytes(bytes(range(32)))
        (folder / "project.key").chmod(0o600)
        command = [sys.executable, "-I", str(program)]
        (folder / "gateway.yaml").write_text(RULES.format(command=command, timeout=timeout, more=more))
        self.rulebook = Rulebook(folder / "state", compile_ruleset(*take(folder / "gateway.yaml")))
        self.spool = Spool(folder / "state" / "spool", reserve=0)
        self.jobs: list[Job] = []
        self.gone: set[str] = set()
        self.asked = 0

    def stored(self, number: int, uid: str = EXPLICIT_LE, pixels: bool = True) -> Job:
        """One object of the series."""
        source, _ = data_set(anatomy(20, 30, number + 1), uid, SOPInstanceUID=f"1.2.3.{number}", InstanceNumber=number)
        if not pixels:
            source = BytesSource(source.pread(0, check(source, uid).entries[0x7FE00010][1]))
        incoming = self.spool.create(b"")
        incoming.write(source.pread(0, source.size))
        ruleset = self.rulebook.current
        decision = Decision(
            Verdict.DELIVER,
            "trial",
            destinations=("landing",),
            rules_hash=ruleset.digest,
            key_ids=ruleset.key_ids("trial"),
        )
        identity = Identity("1.2.840.10008.5.1.4.1.1.6.1", f"1.2.3.{number}", "1.2.3", "1.2.3.1", "4711", "US")
        origin = Origin("hospital", "a" * 32, "127.0.0.1")
        instance = Instance(identity, origin, incoming.seal(), uid, time.time(), decision)
        self.jobs.append(Job(number + 1, number + 1, instance, "landing", 0, group=7))
        return self.jobs[-1]

    def members(self, group: int, series: str) -> list[Member]:
        """What the writer answers."""
        self.asked += 1
        assert (group, series) == (7, "1.2.3.1")
        each = [job.instance for job in self.jobs]
        return [Member(one.stored, one.syntax, one.received, one.stored.name not in self.gone) for one in each]

    def sent(self, job: Job) -> tuple[Any, tuple[str, ...]]:
        """The pixels that would leave, None where there are none, and the steps that ran."""
        with prepare(job, self.spool, self.rulebook, members=self.members) as outgoing:
            data = BytesSource(outgoing.source.pread(0, outgoing.source.size))
            index = check(data, outgoing.syntax)
            claimed = b"113102" in data.pread(0, data.size)
            assert claimed == (0x7FE00010 in index), "said where it ran on this object, and only there"
            steps = tuple(each for each in outgoing.steps if each.startswith("visual"))
            return (opened(data, outgoing.syntax)[2][0] if claimed else None), steps

    def runs(self) -> int:
        return len(self.count.read_text()) if self.count.exists() else 0


def held(site: Site, job: Job) -> tuple[str, str]:
    with pytest.raises(HoldObject) as told:
        site.sent(job)
    return told.value.reason, told.value.detail


def test_it_gets_all_of_the_series_and_runs_once(tmp_path: Path) -> None:
    site = Site(tmp_path, BRIGHT + SAVE)
    jobs = [site.stored(0, pixels=False), site.stored(1), site.stored(2, forms.RLE), site.stored(3)]
    for job in jobs:
        array, steps = site.sent(job)
        assert (array is None and steps == ()) or ((array == 3).all() and steps == ("visual-features:series",))
        site.gone.add(job.instance.stored.name)  # delivered: its bytes are no longer spooled
    assert (site.runs(), site.asked) == (1, 1)
    again = replace(jobs[1], delivery=99)  # another destination
    assert (site.sent(again)[0] == 3).all() and site.runs() == 1
    assert not list((tmp_path / "state" / "hosted").glob("plugin-*")), "nothing of the work is left"
    (kept,) = (tmp_path / "state" / "hosted" / "series").glob("*.answers")
    assert kept.stat().st_mode & 0o777 == 0o600 and kept.name.startswith("7-")


def test_what_it_gets_names_nobody_and_no_object(tmp_path: Path) -> None:
    told = tmp_path / "told"
    code = BRIGHT + SAVE + f"pathlib.Path({str(told)!r}).write_bytes(b''.join(each.read_bytes() for each in files))\n"
    site = Site(tmp_path, code)
    for number in range(2):
        site.stored(number)
    site.sent(site.jobs[0])
    seen = told.read_bytes()
    assert b"DOE" not in seen and b"4711" not in seen and b"1.2.3.0" not in seen and b"1.2.3.1\0" in seen


def test_other_workers_wait_for_the_run_and_take_it(tmp_path: Path) -> None:
    site = Site(tmp_path, "import time; time.sleep(1)\n" + BRIGHT + SAVE)
    for number in range(4):
        site.stored(number)
    found: list[Any] = []
    threads = [threading.Thread(target=lambda job=job: found.append(site.sent(job)[0])) for job in site.jobs]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert len(found) == 4 and all((each == 4).all() for each in found) and site.runs() == 1


@pytest.mark.parametrize(
    ("code", "reason", "detail"),
    [
        (BRIGHT + "    if image is not images[1]: save(image, file.name)\n", "plugin-answer", "exactly the files"),
        (BRIGHT + SAVE + "save(images[0], '0009.dcm')\n", "plugin-answer", "exactly the files"),
        (BRIGHT + "    save(images[0], file.name)\n", "plugin-answer", "SOP Instance UID"),  # one image three times
        (
            BRIGHT + "for image, file in zip(images[::-1], files): save(image, file.name)\n",
            "plugin-answer",
            "SOP Instance UID",
        ),
        (BRIGHT + "    image.SOPInstanceUID = '1.2.3.4'\n" + SAVE, "plugin-answer", "SOP Instance UID"),
        (BRIGHT + "    image.Rows, image.Columns = 30, 20\n" + SAVE, "plugin-answer", "same image"),
        (BRIGHT + "    image.PixelData = image.PixelData[2:]\n" + SAVE, "plugin-answer", "same image"),
        (BRIGHT + SAVE + "raise SystemExit(3)\n", "hosted-failed", "exit code 3"),
        (BRIGHT + SAVE + "import os; os.kill(os.getpid(), 11)\n", "hosted-killed", "signal 11"),
    ],
)
def test_other_answers_hold_the_series(code: str, reason: str, detail: str, tmp_path: Path) -> None:
    site = Site(tmp_path, code)
    for number in range(3):
        site.stored(number)
    for job in site.jobs:
        found = held(site, job)
        assert found[0] == reason and detail in found[1]
    assert site.runs() == 1, "each is told, nobody waits for it again"
    assert held(site, site.jobs[0])[0] == reason and site.runs() == 2, "a person has released it: it runs again"
    assert held(site, site.jobs[1])[0] == reason and site.runs() == 2


def test_its_time_is_for_the_whole_series(tmp_path: Path) -> None:
    site = Site(tmp_path, "import time; time.sleep(60)\n", timeout="3s")
    for number in range(3):
        site.stored(number)
    begun = time.monotonic()
    assert {held(site, job)[0] for job in site.jobs} == {"hosted-timeout"}
    assert site.runs() == 1 and time.monotonic() - begun < 40


def test_a_program_that_has_been_mended_lets_them_go(tmp_path: Path) -> None:
    site = Site(tmp_path, "raise SystemExit(3)\n")
    for number in range(3):
        site.stored(number)
    for job in site.jobs:
        held(site, job)
    (tmp_path / "program.py").write_text(HEAD.format(count=str(site.count)) + BRIGHT + SAVE)
    for job in site.jobs:
        assert (site.sent(job)[0] == 3).all()
    assert site.runs() == 2


def test_an_object_that_cannot_be_read_holds_the_series(tmp_path: Path) -> None:
    site = Site(tmp_path, BRIGHT + SAVE)
    for number in range(3):
        site.stored(number)
    bad = site.jobs[1].instance
    path = site.spool.folder / "objects" / bad.stored.name
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    site.jobs[1] = replace(site.jobs[1], instance=replace(bad, received=time.time() - FRESH - 1))
    reason, detail = held(site, site.jobs[0])
    assert reason == "plugin-series" and "spool-damaged" in detail and site.runs() == 0


def test_where_others_have_left_nothing_runs_on_the_rest(tmp_path: Path) -> None:
    site = Site(tmp_path, BRIGHT + SAVE)
    for number in range(3):
        site.stored(number)
    site.gone.add(site.jobs[2].instance.stored.name)
    assert held(site, site.jobs[0])[0] == "plugin-series" and site.runs() == 0


def test_one_that_was_not_in_the_run_gets_no_pixels_of_it(tmp_path: Path) -> None:
    site = Site(tmp_path, BRIGHT + SAVE)
    site.stored(0)
    site.sent(site.jobs[0])
    assert held(site, site.stored(1))[0] == "plugin-series"


def test_a_writer_that_is_away_is_waited_for(tmp_path: Path) -> None:
    site = Site(tmp_path, BRIGHT + SAVE)
    job = site.stored(0)

    def away(group: int, series: str) -> list[Member]:
        raise WaitObject("writer-lost")

    with pytest.raises(WaitObject), prepare(job, site.spool, site.rulebook, members=away):
        pass
    assert (site.sent(job)[0] == 1).all()


def test_a_torn_file_of_answers_is_made_again(tmp_path: Path) -> None:
    site = Site(tmp_path, BRIGHT + SAVE)
    for number in range(2):
        site.stored(number)
    site.sent(site.jobs[0])
    (kept,) = (tmp_path / "state" / "hosted" / "series").glob("*.answers")
    kept.write_bytes(kept.read_bytes()[:-3])
    assert (site.sent(site.jobs[1])[0] == 2).all() and site.runs() == 2


def test_without_a_group_each_goes_alone(tmp_path: Path) -> None:
    site = Site(tmp_path, BRIGHT + SAVE)
    for number in range(2):
        site.stored(number)
    for job in site.jobs:
        array, steps = site.sent(replace(job, group=0))
        assert (array == 1).all() and steps == ("visual-features",)
    assert site.runs() == 2 and site.asked == 0


def test_what_a_dead_process_left_is_found_and_what_is_in_use_is_not(tmp_path: Path) -> None:
    hosted = tmp_path / "hosted"
    with working(hosted) as used:
        dead = hosted / "plugin-dead"
        (dead / "in").mkdir(parents=True)
        young = hosted / "plugin-young"
        young.mkdir()
        for each in (used, dead):
            os.utime(each, (1, 1))
        assert left(tmp_path) == [dead]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="no /proc here")
def test_what_steps_put_down_goes_with_the_object(tmp_path: Path) -> None:
    site = Site(tmp_path, BRIGHT + SAVE, more=", {transcode: rle}")
    for number in range(10):
        site.stored(number, forms.RLE)
    site.sent(site.jobs[0])
    before = len(list(Path("/proc/self/fd").iterdir()))
    for job in site.jobs[1:]:
        site.sent(job)
    assert len(list(Path("/proc/self/fd").iterdir())) < before + 5


def test_the_same_series_under_another_program_is_another_run(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", reserve=0)
    series = Series(7, "1.2", "a" * 32, 1, list, spool.open)
    for word, value in (("one", 1), ("two", 2), ("one", 1)):
        with series.pixels(word, tmp_path, lambda v=value: iter([("a" * 32, BytesSource(bytes([v])))])) as found:  # type: ignore[misc]
            assert found is not None and found.pread(0, 9) == bytes([value])
