"""AIM in a watched folder: each document becomes an SR that is stored like any object; what it does not say is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import StorageFailed
from gateway.model import Instance
from gateway.receive import aim
from tests.unit.aim.part21 import SAMPLE
from tests.unit.receive.test_archives import zipped
from tests.unit.receive.test_folder import Stage
from tests.wire.web import file_of, uid_of
from transforms.aim.model.datatypes import Uid
from transforms.aim.write import write
from transforms.dataset.syntax import EXPLICIT_LE
from transforms.source import BytesSource
from transforms.sr.read import read
from transforms.sr.templates import template_of

DOCUMENT = write(SAMPLE)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path, "aim: {}")


def asking(stage: Stage, answer: Any) -> None:
    stage.writer.sought = answer  # type: ignore[attr-defined]


def sr(stage: Stage, instance: Instance) -> Any:
    with stage.spool.open(instance.stored) as source:
        return read(BytesSource(source.pread(0, source.size)), EXPLICIT_LE)


def test_a_document_becomes_a_report(stage: Stage) -> None:
    stage.drop("lesion.xml", DOCUMENT)
    assert stage.settle() == 1
    (instance,) = stage.writer.instances
    assert instance.identity.sop_instance == SAMPLE.unique_identifier
    assert instance.identity.modality == "SR"
    assert SAMPLE.person is not None
    assert instance.identity.patient_id == SAMPLE.person.id
    assert template_of(sr(stage, instance)).tid == "1500"
    assert stage.names("processed") == ["lesion.xml", "lesion.xml.losses"]
    (losses,) = (stage.folder / "processed").glob("*.losses")
    assert losses.read_text().startswith("aim -> sr\n")
    assert losses.stat().st_mode & 0o777 == 0o600


def test_the_same_document_is_the_same_report_again(stage: Stage) -> None:
    stage.drop("a.xml", DOCUMENT)
    stage.settle()
    stage.drop("b.xml", DOCUMENT)
    stage.settle()
    first, second = stage.writer.instances
    assert (first.stored.sha256, first.identity) == (second.stored.sha256, second.identity)


def test_documents_in_an_archive_beside_objects_and_other_files(stage: Stage) -> None:
    other = write(replace(SAMPLE, unique_identifier=Uid("1.2.3.4")))
    stage.drop(
        "export.zip",
        zipped(
            {
                "a.xml": DOCUMENT,
                "b.xml": b"\xef\xbb\xbf" + other,
                "c.dcm": file_of(1),
                "d.xml": b"<manifest/>",
                "e.txt": b"x",
            }
        ),
    )
    stage.settle()
    assert set(stage.stored()) == {SAMPLE.unique_identifier, "1.2.3.4", uid_of(1)}
    assert stage.names("failed") == []


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (DOCUMENT[:-40], "aim-not-xml"),
        (b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]>" + DOCUMENT.split(b"?>", 1)[-1], "xml-doctype"),
        (DOCUMENT.replace(b"<imageAnnotations>", b"<surprise/><imageAnnotations>"), "aim-unknown-element"),
        (b"<html/>", "not-part10"),
        (b"<", "xml-malformed"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_what_cannot_be_converted_fails_with_its_reason(stage: Stage, document: bytes, reason: str) -> None:
    stage.drop("bad.xml", document)
    stage.settle()
    assert stage.writer.instances == []
    assert stage.reasons() == {reason}


def test_a_document_beyond_the_limit_fails(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aim, "LONGEST", 1000)
    stage.drop("long.xml", DOCUMENT)
    stage.settle()
    assert stage.reasons() == {"aim-too-large"}


def test_a_folder_that_does_not_say_aim_takes_none(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.drop("lesion.xml", DOCUMENT)
    stage.settle()
    assert stage.reasons() == {"not-part10"}


def test_where_nobody_can_say_what_is_at_hand_the_file_stays(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "aim: {images: [inbox]}")

    def lost(_: object) -> list[Instance]:
        raise StorageFailed("writer-lost")

    asking(stage, lost)
    path = stage.drop("lesion.xml", DOCUMENT)
    with pytest.raises(StorageFailed):
        stage.settle()
    assert path.exists()
    asking(stage, lambda _: [])
    stage.settle()
    assert [each.identity.sop_instance for each in stage.writer.instances] == [SAMPLE.unique_identifier]
    (losses,) = (stage.folder / "processed").glob("*.losses")
    assert "of the images were not at hand" in losses.read_text()


def test_objects_are_taken_as_ever(stage: Stage) -> None:
    stage.drop("a.dcm", file_of(1))
    stage.settle()
    assert set(stage.stored()) == {uid_of(1)}
    assert stage.names("processed") == ["a.dcm"]
