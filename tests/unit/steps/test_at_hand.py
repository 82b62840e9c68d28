"""Which images of the spool a step sees: of which listener, which patient, in which state; and why it sees none."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.at_hand import AtHand
from gateway.config.load import examine_bytes
from gateway.errors import StorageFailed, WaitObject
from gateway.model import Instance, Result, Verdict
from gateway.writer import process as process_module
from gateway.writer.messages import Discard, Found, Sought
from tests.unit.writer.inside import Clock, End, Inside
from tests.unit.writer.stage import Stage
from transforms.source import chunks

HOUR = 3600.0


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def at_hand(stage: Stage, *there: Instance, listeners: Sequence[str] = ("in",), of: str = "PAT1") -> AtHand:
    return AtHand(
        of, listeners, lambda uids: [each for each in there if each.identity.sop_instance in uids], stage.spool
    )


def test_the_file_of_an_image_is_given_whole(stage: Stage) -> None:
    with at_hand(stage, stage.make("1.1", b"bytes")) as images:
        source = images("1.1")
        assert source is not None
        assert b"".join(chunks(source)) == b"metabytes"
        assert images("1.2") is None
        assert images.told == "images:1-of-2"
        assert images.missing == 1


def test_only_of_a_listener_that_the_rule_names(stage: Stage) -> None:
    with at_hand(stage, stage.make("1.1"), listeners=("elsewhere",)) as images:
        assert images("1.1") is None


@pytest.mark.parametrize("patient", ["PAT2", "", "pat1"])
def test_only_of_the_patient_that_the_report_is_of(stage: Stage, patient: str) -> None:
    with at_hand(stage, stage.make("1.1"), of=patient) as images:
        assert images("1.1") is None


def test_two_of_one_uid_are_none(stage: Stage) -> None:
    with at_hand(stage, stage.make("1.1", b"one"), stage.make("1.1", b"other")) as images:
        assert images("1.1") is None


def test_what_is_deleted_meanwhile_is_read_to_its_end_or_not_at_hand(stage: Stage) -> None:
    first, second = stage.make("1.1", b"bytes"), stage.make("1.2")
    with at_hand(stage, first, second) as images:
        source = images("1.1")
        stage.spool.remove(first.stored.name)
        stage.spool.remove(second.stored.name)
        assert source is not None and b"".join(chunks(source)) == b"metabytes"
        assert images("1.2") is None
        assert images.told == "images:1-of-2"


def test_rotten_bytes_are_not_at_hand(stage: Stage) -> None:
    image = replace(stage.make("1.1", b"bytes"), received=time.time() - HOUR)
    path = stage.spool.folder / "objects" / image.stored.name
    path.write_bytes(b"metabytEs")
    with at_hand(stage, image) as images:
        assert images("1.1") is None


def test_where_nobody_can_say_the_report_waits(stage: Stage) -> None:
    def lost(_: Sequence[str]) -> list[Instance]:
        raise StorageFailed("writer-lost")

    with AtHand("PAT1", ["in"], lost, stage.spool) as images, pytest.raises(WaitObject, match="writer-lost"):
        images("1.1")


def test_many_images_are_few_open_files(stage: Stage) -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    there = [stage.make(f"1.{number}", b"bytes") for number in range(100)]
    before = descriptors()
    with at_hand(stage, *there) as images:
        assert all(images(f"1.{number}") is not None for number in range(100))
        assert descriptors() - before <= 64
        again = images("1.0")
        assert again is not None and b"".join(chunks(again)) == b"metabytes"
    assert descriptors() == before


# -- the writer -------------------------------------------------------------------------------------------------------


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(process_module, "time", found)
    return found


@pytest.fixture
def it(tmp_path: Path, clock: Clock) -> Iterator[Inside]:
    inside = Inside(Stage(tmp_path, keep_spooled="2h", reserve=0))
    yield inside
    inside.close()


def sought(it: Inside, worker: End, *uids: str) -> list[str]:
    number = worker.say(Sought(uids))
    it.turn(worker)
    answer = worker.answers[number]
    assert isinstance(answer, Found)
    return [each.identity.sop_instance for each in answer.instances]


def names(it: Inside) -> set[str]:
    it.process._remover.close()
    it.process._remover = process_module.Remover(it.process._spool)
    return set(it.stage.spool.names())


def test_the_writer_finds_what_is_on_its_way_or_delivered(it: Inside) -> None:
    worker = it.worker("w1")
    it.stored(worker, it.stage.make("1.1"))
    assert sought(it, worker, "1.1", "1.2") == ["1.1"]
    it.deliver(worker)
    assert sought(it, worker, "1.1") == ["1.1"]


def test_what_a_person_has_to_look_at_is_not_found(it: Inside) -> None:
    worker = it.worker("w1")
    it.stored(worker, it.stage.make("1.1", verdict=Verdict.HOLD, reason="no-route", to=()))
    it.stored(worker, it.stage.make("1.2", verdict=Verdict.DROP, reason="noise", to=()))
    number = it.stored(worker, it.stage.make("1.3")).instance_id
    it.deliver(worker, Result.HELD, reason="refused")
    worker.say(Discard(number, "a test", "somebody"))
    it.turn(worker)
    it.stored(worker, it.stage.make("1.4", b"one"))
    it.stored(worker, it.stage.make("1.4", b"other"))
    assert sought(it, worker, "1.1", "1.2", "1.3", "1.4") == ["1.4"]


def test_what_is_done_stays_for_its_time_and_goes_then(
    it: Inside, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_module.Spool, "old", lambda spool: iter(spool.names()))
    worker = it.worker("w1")
    image = it.stage.make("1.1")
    it.stored(worker, image)
    it.deliver(worker)
    for hours, there in ((1.0, {image.stored.name}), (0.9, {image.stored.name}), (0.2, set())):
        clock.sleep(hours * HOUR)
        it.turn(worker)
        assert names(it) == there, hours
    assert sought(it, worker, "1.1") == []


def test_what_stays_survives_a_start_and_goes_at_one(tmp_path: Path, clock: Clock) -> None:
    it = Inside(Stage(tmp_path, keep_spooled="2h", reserve=0))
    worker = it.worker("w1")
    image = it.stage.make("1.1")
    it.stored(worker, image)
    it.deliver(worker)
    for hours, there in ((1.0, {image.stored.name}), (1.5, set())):
        it.close()
        clock.sleep(hours * HOUR)
        it = Inside(it.stage, fresh=True)
        assert names(it) == there
    it.close()


def test_where_the_disk_fills_nothing_stays(it: Inside, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_module.Spool, "old", lambda spool: iter(spool.names()))
    worker = it.worker("w1")
    it.stored(worker, it.stage.make("1.1"))
    it.deliver(worker)
    monkeypatch.setattr(process_module.Spool, "short", lambda spool: True)
    clock.sleep(601)
    it.turn(worker)
    assert names(it) == set()


def test_a_discarded_object_goes_at_once(it: Inside) -> None:
    worker = it.worker("w1")
    number = it.stored(worker, it.stage.make("1.1")).instance_id
    it.deliver(worker, Result.HELD, reason="refused")
    worker.say(Discard(number, "a test", "somebody"))
    it.turn(worker)
    assert names(it) == set()


# -- the rule file ----------------------------------------------------------------------------------------------------

RULES = """
version: 1
state: {dir: state%s}
listeners: [{id: hospital, dimse: {ae: GATEWAY, port: 2762}, tls: {trust: ca.pem}}]
identity: {certificate: gateway.pem, key: gateway.key}
destinations: {landing: {folder: {dir: out}}}
reports: {ehr: {images: [%s]}}
routes:
  - {id: ehr, match: {Modality: SR}, steps: [{cda: ehr}], deliver: landing}
  - {id: aim, match: {Modality: PR}, steps: [{aim: {images: [%s]}}], deliver: landing}
  - {id: rest, otherwise: hold, reason: no-route}
"""


def problems(*said: Any) -> list[str]:
    _, found = examine_bytes((RULES % said).encode(), "x", Path("/base"))
    return [
        each.message
        for each in found
        if "images" in each.message or "listener" in each.message or "spool" in each.message
    ]


def test_a_listener_that_is_not_there_is_told() -> None:
    assert problems(", keep_spooled: 1h", "hospital", "hospital") == []
    assert problems(", keep_spooled: 1h", "hospitel", "hospital") == ["no listener 'hospitel'"]
    assert problems(", keep_spooled: 1h", "hospital", "nowhere") == ["no listener 'nowhere'"]


def test_images_that_will_be_gone_are_warned_of() -> None:
    told = problems("", "hospital", "hospital")
    assert len(told) == 2 and all("keep_spooled" in each for each in told)
