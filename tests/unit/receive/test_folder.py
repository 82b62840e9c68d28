"""A watched folder: what is complete is stored and moved, what is none is told, and nothing is followed."""

from __future__ import annotations

import errno
import io
import os
import shutil
import threading
import time
import zipfile
from pathlib import Path

import pytest

from gateway.config.load import examine_bytes, rules_hash
from gateway.errors import GatewayError, StorageFailed
from gateway.receive import folder as folder_module
from gateway.receive.folder import Inbox
from gateway.rulebook import compile_ruleset
from gateway.store.spool import Spool
from tests.unit.receive.test_archives import tarred, zipped
from tests.wire.web import FakeWriter, digest_of, file_of, uid_of

RULES = """\
version: 1
state: {{dir: ./state, reserve: 0B}}
listeners:
  - id: inbox
    folder: {{dir: ./inbox, quiet: 100ms, poll: 10ms, {more}}}
routes:
  - {{id: rest, otherwise: hold, reason: no-route}}
"""


class Stage:
    """One inbox and what it stored."""

    def __init__(self, base: Path, more: str = "archives: true") -> None:
        config, problems = examine_bytes(RULES.format(more=more).encode(), "gateway.yaml", base)
        assert config is not None, [str(p) for p in problems]
        self.folder = base / "inbox"
        self.folder.mkdir()
        self.writer = FakeWriter()
        self.stop = threading.Event()
        self.spool = Spool(base / "state" / "spool", reserve=0)
        ruleset = compile_ruleset(config, rules_hash(config))
        self.inbox = Inbox(config.listeners[0], ruleset, self.spool, self.writer, self.stop.is_set)  # type: ignore[arg-type]

    def drop(self, name: str, data: bytes, age: float = 10.0) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        then = time.time() - age
        os.utime(path, (then, then))
        return path

    def settle(self) -> int:
        return self.inbox.scan() + self.inbox.scan()

    def stored(self) -> dict[str, str]:
        return {each.identity.sop_instance: each.stored.sha256 for each in self.writer.instances}

    def names(self, end: str) -> list[str]:
        """What lies in `processed` or `failed`, without the random beginning."""
        return sorted(path.name.split("-", 1)[1] for path in (self.folder / end).iterdir())

    def reasons(self) -> set[str]:
        return {path.read_text().strip() for path in (self.folder / "failed").glob("*.reason")}


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_files_in_sub_folders_are_stored_and_move(stage: Stage) -> None:
    stage.drop("a.dcm", file_of(1))
    stage.drop("deep/er/b", file_of(2))
    assert stage.inbox.scan() == 0, "seen once is not yet complete"
    assert stage.inbox.scan() == 2
    assert stage.stored() == {uid_of(1): digest_of(1), uid_of(2): digest_of(2)}
    assert stage.names("processed") == ["a.dcm", "b"] and stage.names("failed") == []
    assert stage.settle() == 0
    assert len(stage.writer.opens) == len(stage.writer.closes) == 1
    assert stage.writer.opens[0].source.address.endswith("/inbox")


def test_a_file_under_way_waits(stage: Stage) -> None:
    fresh = stage.drop("fresh.dcm", file_of(1)[:100], age=0)
    for name in (".hidden", "a.tmp", "b.PART", "c.filepart"):
        stage.drop(name, file_of(2))
    assert stage.settle() == 0 and stage.stored() == {}
    fresh.write_bytes(file_of(1))
    assert stage.settle() == 0
    time.sleep(0.15)
    assert stage.settle() == 1
    (stage.folder / "a.tmp").rename(stage.folder / "a.dcm")
    assert stage.settle() == 1
    assert set(stage.stored()) == {uid_of(1), uid_of(2)} and stage.names("failed") == []


def test_a_file_that_changes_while_it_is_read_is_read_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    path = stage.drop("a.dcm", file_of(1))
    begin = stage.inbox._begin

    def meanwhile(claim: object) -> object:
        with path.open("ab") as out:
            out.write(b"more")
        return begin(claim)  # type: ignore[arg-type]

    monkeypatch.setattr(stage.inbox, "_begin", meanwhile)
    assert stage.settle() == 0
    assert stage.stored() == {} and path.exists() and list(stage.spool.folder.rglob("incoming/*")) == []


def test_what_is_no_object_is_told_and_kept(stage: Stage) -> None:
    stage.drop("Thumbs.db", b"no DICOM")
    stage.drop("cut.dcm", file_of(1)[:-50])
    stage.drop("empty", b"")
    stage.settle()
    assert stage.stored() == {} and stage.names("processed") == []
    assert stage.names("failed") == [
        "Thumbs.db", "Thumbs.db.reason", "cut.dcm", "cut.dcm.reason", "empty", "empty.reason"
    ]  # fmt: skip
    assert "not-part10" in stage.reasons() and len(stage.reasons()) == 2


def test_archives_are_opened(stage: Stage) -> None:
    files = {"x/1": file_of(1), "../2": file_of(2), "README": b"words"}
    stage.drop("a.zip", zipped(files))
    stage.drop("b.tar", tarred({"3": file_of(3)}))
    stage.drop("c.zip", zipped({"README": b"words"}))
    stage.drop("d.zip", zipped({"4": file_of(4), "5": file_of(5)[:-9], "6": file_of(6)}))
    stage.drop("e.zip", zipped({"7": bytes(200 << 20)}))
    stage.settle()
    assert set(stage.stored()) == {uid_of(n) for n in (1, 2, 3, 4, 6)}
    assert stage.names("processed") == ["a.zip", "b.tar"]
    assert [n for n in stage.names("failed") if not n.endswith("reason")] == ["c.zip", "d.zip", "e.zip"]
    assert {"archive-empty", "archive-too-large"} < stage.reasons()
    assert sorted(path.name for path in stage.folder.iterdir()) == ["failed", "processed"]


def test_archives_may_be_switched_off(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "archives: false")
    stage.drop("a.zip", zipped({"1": file_of(1)}))
    stage.settle()
    assert stage.stored() == {} and stage.reasons() == {"not-part10"}


def test_removed_is_only_what_is_stored_as_a_whole(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "keep: remove")
    stage.drop("a.dcm", file_of(1))
    stage.drop("b.zip", zipped({"2": file_of(2)}))
    stage.drop("c.zip", zipped({"3": file_of(3), "README": b"words"}))
    stage.settle()
    assert set(stage.stored()) == {uid_of(n) for n in (1, 2, 3)}
    assert stage.names("processed") == ["c.zip"]


def test_nothing_is_followed(stage: Stage, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.dcm").write_bytes(file_of(1))
    (stage.folder / "link.dcm").symlink_to(outside / "secret.dcm")
    (stage.folder / "folder").symlink_to(outside)
    os.mkfifo(stage.folder / "pipe")
    assert stage.settle() == 0
    assert stage.stored() == {} and (outside / "secret.dcm").exists()


def test_ends_that_are_links_are_refused(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (stage.folder / "processed").symlink_to(tmp_path / "elsewhere")
    stage.drop("a.dcm", file_of(1))
    with pytest.raises(OSError):
        stage.inbox.scan()
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_full_disk_leaves_all_where_it_is(stage: Stage) -> None:
    path = stage.drop("a.dcm", file_of(1))
    stage.writer.full = True
    with pytest.raises(StorageFailed):
        stage.settle()
    assert path.exists() and stage.stored() == {} and stage.names("failed") == []
    assert [p for p in stage.spool.folder.rglob("*") if p.is_file() and "incoming" in str(p)] == []
    stage.writer.full = False
    assert stage.settle() == 1 and set(stage.stored()) == {uid_of(1)}


def test_a_crash_between_makes_a_duplicate_and_no_loss(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stored and not yet moved: it comes again, and is the duplicate that it is."""
    stage.drop("a.dcm", file_of(1))
    monkeypatch.setattr(stage.inbox, "_move", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        stage.settle()
    monkeypatch.undo()
    assert stage.settle() == 1
    assert [each.stored.sha256 for each in stage.writer.instances] == [digest_of(1)] * 2


def test_only_one_process_watches(stage: Stage) -> None:
    stage.drop("a.dcm", file_of(1))
    with stage.inbox._locked() as ours:
        assert ours
        thread = threading.Thread(target=stage.inbox.run, args=(stage.stop.wait,))
        thread.start()
        time.sleep(0.3)
        assert stage.stored() == {}
    deadline = time.monotonic() + 5
    while not stage.stored() and time.monotonic() < deadline:
        time.sleep(0.02)
    stage.stop.set()
    thread.join(5)
    assert set(stage.stored()) == {uid_of(1)}


def test_no_log_line_names_a_file(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.drop("Mustermann^Erika.dcm", b"none")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("Mustermann.dcm", b"none")
    stage.drop("Mustermann.zip", out.getvalue())
    with caplog.at_level("DEBUG"):
        stage.settle()
    assert caplog.text.count("file-failed") == 2 and "Mustermann" not in caplog.text


def test_files_with_long_names_lose_neither_each_other_nor_the_rest(stage: Stage) -> None:
    """A name's end is kept, never its random beginning; the names of others are not in the way."""
    long = "x" * 240 + ".dcm"
    for folder in ("a", "b", "c"):
        stage.drop(f"{folder}/{long}", f"no DICOM {folder}".encode())
    stage.drop("\N{HIRAGANA LETTER A}" * 80 + ".dcm", b"no DICOM either")
    stage.drop("z.dcm", file_of(1))
    stage.settle()
    failed = [path for path in (stage.folder / "failed").iterdir() if path.suffix == ".dcm"]
    assert {path.read_bytes() for path in failed} == {
        b"no DICOM a",
        b"no DICOM b",
        b"no DICOM c",
        b"no DICOM either",
    }
    assert set(stage.stored()) == {uid_of(1)}, "what comes after them is taken too"


def test_a_fault_of_ours_does_not_end_the_watch(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.drop("a.dcm", file_of(1))
    scan, faults = stage.inbox.scan, [KeyError("a value")]

    def faulty() -> int:
        if faults:
            raise faults.pop()
        return scan()

    def wait(_: float) -> None:
        if stage.stored():
            stage.stop.set()

    monkeypatch.setattr(stage.inbox, "scan", faulty)
    stage.inbox.run(wait)
    assert set(stage.stored()) == {uid_of(1)}


def test_an_end_that_somebody_took_away_is_made_anew(stage: Stage) -> None:
    stage.drop("a.dcm", file_of(1))
    stage.settle()
    shutil.rmtree(stage.folder / "processed")
    (stage.folder / "failed").rename(stage.folder.parent / "looked-at")
    stage.drop("b.dcm", file_of(2))
    stage.drop("c.dcm", b"no DICOM")
    assert stage.settle() == 2
    assert stage.names("processed") == ["b.dcm"] and stage.reasons() == {"not-part10"}


def elsewhere(monkeypatch: pytest.MonkeyPatch, *places: Path) -> None:
    """These are mounts of their own, as far as anybody can tell; and so says rename."""
    real, rename = folder_module.mount, os.rename
    inodes = {place.stat().st_ino for place in places}

    def mount(place: Path | int) -> tuple[int, int]:
        device, number = real(place)
        return device, number + (os.stat(place).st_ino in inodes)  # noqa: PTH116

    def refused(source: object, target: object, **how: int) -> None:
        if {os.fstat(each).st_ino for each in how.values()} & inodes:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        rename(source, target, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(folder_module, "mount", mount)
    monkeypatch.setattr(os, "rename", refused)


@pytest.mark.parametrize("end", ["processed", "failed"])
def test_an_end_on_another_mount_takes_nothing_and_says_so(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, end: str
) -> None:
    """What cannot leave its place would be stored again and again."""
    (stage.folder / end).mkdir()
    stage.drop("a.dcm", file_of(1))
    with monkeypatch.context() as patched:
        elsewhere(patched, stage.folder / end)
        for _ in range(3):
            with pytest.raises(GatewayError, match=f"ends-elsewhere: `{end}` is mounted apart"):
                stage.inbox.scan()
        assert stage.stored() == {} and (stage.folder / "a.dcm").exists()
        turns = iter([False, False, True, True, True])
        stage.inbox._stopping = lambda: next(turns)
        stage.inbox.run(lambda _: None)
        assert "inbox-waits" in caplog.text and "reason=ends-elsewhere" in caplog.text
        stage.inbox._stopping = stage.stop.is_set
    assert stage.settle() == 1 and stage.names("processed") == ["a.dcm"]


def test_a_sub_folder_on_another_mount_is_left_and_told_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    there = stage.drop("share/deep/b.dcm", file_of(2))
    stage.drop("a.dcm", file_of(1))
    elsewhere(monkeypatch, stage.folder / "share")
    assert stage.settle() == 1 and stage.settle() == 0
    assert stage.stored() == {uid_of(1): digest_of(1)} and there.exists()
    assert caplog.text.count("folder-elsewhere") == 1 and "share" not in caplog.text
