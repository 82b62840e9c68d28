"""A folder with a DICOMDIR that somebody dropped: one thing; what is missing or too many is told; nothing leads out."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from gateway.errors import StorageFailed
from gateway.media.making import Order, make
from gateway.media.members import found
from profiles.media import load
from tests.unit.media.objects import files
from tests.unit.receive.test_folder import Stage
from tests.wire.web import file_of, uid_of


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def dropped(stage: Stage, name: str = "disc", age: float = 10.0) -> Path:
    """A File-set of five objects, copied into the watched folder some time ago."""
    base = stage.folder.parent
    files(base / "in", 3)
    make(found([base / "in"]), Order(load("STD-GEN-USB-J2K")), base / "made")
    place = stage.folder / name
    shutil.move(base / "made", place)
    aged(place, age)
    return place


def aged(place: Path, age: float = 10.0) -> None:
    then = time.time() - age
    for path in [*place.rglob("*"), place]:
        os.utime(path, (then, then), follow_symlinks=False)


def objects(place: Path) -> list[Path]:
    """Its files but the DICOMDIR, and what else a maker puts there."""
    return sorted(path for path in place.rglob("*") if path.is_file() and path.read_bytes()[128:132] == b"DICM"
                  and path.name != "DICOMDIR")  # fmt: skip


def test_a_file_set_is_received_and_moves_as_a_whole(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    place = dropped(stage)
    inside = sorted(str(path.relative_to(place)) for path in place.rglob("*"))
    with caplog.at_level("INFO"):
        assert stage.inbox.scan() == 0, "seen once is not yet complete"
        assert stage.inbox.scan() == 1
    assert len(stage.stored()) == 5 and not place.exists()
    (moved,) = (stage.folder / "processed").iterdir()
    assert sorted(str(path.relative_to(moved)) for path in moved.rglob("*")) == inside
    assert stage.names("failed") == [] and stage.settle() == 0
    assert "fileset-taken" in caplog.text and "instances=5 missing=0 unlisted=0" in caplog.text
    assert "fileset-odd" not in caplog.text


def test_what_is_listed_and_missing_is_said_and_the_rest_is_stored(stage: Stage) -> None:
    place = dropped(stage)
    objects(place)[0].unlink()
    aged(place)
    assert stage.settle() == 1
    assert len(stage.stored()) == 4 and stage.reasons() == {"fileset-incomplete"}
    assert stage.names("failed") == ["disc", "disc.reason"] and stage.names("processed") == []


def test_what_is_not_listed_is_taken_and_said(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    place = dropped(stage)
    (place / "EXTRA").write_bytes(file_of(1))
    (place / "AUTORUN.INF").write_bytes(b"words")
    aged(place)
    assert stage.settle() == 1
    assert len(stage.stored()) == 6 and uid_of(1) in stage.stored()
    assert stage.names("processed") == ["disc"] and "reason=fileset-unlisted" in caplog.text


def test_a_bad_object_sends_the_set_to_failed_and_the_others_are_stored(stage: Stage) -> None:
    place = dropped(stage)
    bad = objects(place)[2]
    bad.write_bytes(bad.read_bytes()[:-9])
    aged(place)
    assert stage.settle() == 1
    assert len(stage.stored()) == 4 and stage.names("failed") == ["disc", "disc.reason"]
    listed_and_none = objects(stage.folder / "failed")  # one that is listed may not be any file at all
    assert listed_and_none and len(stage.reasons()) == 1


def test_a_directory_that_cannot_be_read_hides_nothing(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    place = dropped(stage)
    (place / "DICOMDIR").write_bytes(b"no directory at all")
    aged(place)
    assert stage.settle() == 1
    assert len(stage.stored()) == 5 and "reason=fileset-directory" in caplog.text
    assert stage.names("processed") == ["disc"]


def test_it_waits_while_anything_in_it_changes(stage: Stage) -> None:
    place = dropped(stage)
    late = objects(place)[-1].with_name("LATE.part")
    late.write_bytes(file_of(1)[:99])
    assert stage.settle() == 0
    aged(place)
    assert stage.settle() == 0 and stage.inbox.scan() == 0, "its name says that it is being copied"
    late.write_bytes(file_of(1))
    late.rename(late.with_name("LATE"))
    aged(place)
    assert stage.settle() == 1 and len(stage.stored()) == 6


def test_a_set_that_changes_while_it_is_read_comes_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    place = dropped(stage)
    begin, more = stage.inbox._begin, [1]

    def meanwhile(claim: object) -> object:
        if more:
            more.clear()
            (place / "MORE").write_bytes(file_of(1))
        return begin(claim)  # type: ignore[arg-type]

    monkeypatch.setattr(stage.inbox, "_begin", meanwhile)
    assert stage.settle() == 0 and place.exists()
    aged(place)
    assert stage.settle() == 1 and len(stage.stored()) == 6


def test_a_crash_between_makes_duplicates_and_no_loss(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    place = dropped(stage)
    monkeypatch.setattr(stage.inbox, "_move", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        stage.settle()
    monkeypatch.undo()
    assert place.exists() and stage.settle() == 1
    assert len(stage.writer.instances) == 10 and len(stage.stored()) == 5
    assert stage.names("failed") == [], "nothing is missing that was taken before"


def test_a_full_disk_leaves_it_where_it_is(stage: Stage) -> None:
    place = dropped(stage)
    stage.writer.full = True
    with pytest.raises(StorageFailed):
        stage.settle()
    assert place.exists() and stage.stored() == {} and stage.names("failed") == []
    stage.writer.full = False
    assert stage.settle() == 1 and len(stage.stored()) == 5


def test_nothing_of_it_is_followed(stage: Stage, tmp_path: Path) -> None:
    place = dropped(stage)
    (tmp_path / "secret.dcm").write_bytes(file_of(1))
    (place / "LINK").symlink_to(tmp_path / "secret.dcm")
    objects(place)[0].unlink()
    (stage.folder / "also").symlink_to(place)
    aged(place)
    assert stage.settle() == 1
    assert uid_of(1) not in stage.stored() and len(stage.stored()) == 4
    assert (tmp_path / "secret.dcm").exists() and (stage.folder / "also").is_symlink()


def test_removed_is_only_what_was_nothing_but_objects(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "keep: remove")
    place = dropped(stage)
    for path in [path for path in place.rglob("*") if path.is_file() and path not in objects(place)]:
        if path.name != "DICOMDIR":
            path.unlink()
    aged(place)
    assert stage.settle() == 1 and len(stage.stored()) == 5
    assert list((stage.folder / "processed").iterdir()) == []


def test_no_log_line_names_it(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    place = dropped(stage, "Mustermann^Erika")
    objects(place)[0].unlink()
    (place / "Mustermann").write_bytes(b"words")
    aged(place)
    with caplog.at_level("DEBUG"):
        assert stage.settle() == 1
    assert "fileset-incomplete" in caplog.text and "Mustermann" not in caplog.text
