"""What every destination of whole groups obeys (gateway/deliver/contract.py): all of a unit is there, or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from msgspec.structs import replace as changed

from gateway.config.schema import Destination, FolderDestination
from gateway.deliver.contract import UnitCarrier
from gateway.deliver.group_folder import GroupFolderCarrier
from gateway.errors import DestinationDown, HoldObject, WaitObject
from gateway.model import Result, Unit
from gateway.pipeline import Outgoing
from tests.contracts.test_destinations import NEEDS, outgoing
from transforms.dataset import part10
from transforms.source import BytesSource

UNIT = Unit(1, "r", "study", "1.9", 0, "quiet", 3)


@dataclass
class Stage:
    """One destination of whole groups and how to look behind it."""

    carrier: UnitCarrier
    block: Destination  # as the rule file has it
    out: Path
    broken: UnitCarrier  # the same kind, out of reach

    def things(self) -> list[Path]:
        """What has a final name."""
        return sorted(p for p in self.out.iterdir() if not p.name.startswith(".")) if self.out.exists() else []


@pytest.fixture(params=["folder"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Stage:
    (tmp_path / "file").write_text("not a folder")
    block = FolderDestination(dir=tmp_path / "out", layout="group")
    bad = FolderDestination(dir=tmp_path / "file" / "below", layout="group")
    return Stage(
        GroupFolderCarrier(block, b"secret"),
        Destination(folder=block),
        tmp_path / "out",
        GroupFolderCarrier(bad, b"secret"),
    )


def members(*numbers: int) -> Iterator[Outgoing]:
    yield from map(outgoing, numbers)


def test_the_rule_file_says_the_same_of_it(stage: Stage) -> None:
    assert stage.carrier.whole and stage.block.whole


def test_each_member_has_an_answer_and_its_bytes_are_there(stage: Stage) -> None:
    session = stage.carrier.open(NEEDS)
    answers = session.send(UNIT, members(1, 2, 3))
    session.close()
    assert {n: a.result for n, a in answers.items()} == dict.fromkeys((1, 2, 3), Result.DELIVERED)
    (thing,) = stage.things()
    files = {p.relative_to(stage.out).as_posix(): p.read_bytes() for p in thing.rglob("*") if p.is_file()}
    assert set(files) == {answer.file for answer in answers.values()}
    for number, answer in answers.items():
        data = files[answer.file]
        assert data[part10.split(BytesSource(data)).offset :] == outgoing(number).source.pread(0, 1 << 20)


def test_the_same_unit_again_is_the_same_thing_and_another_is_another(stage: Stage) -> None:
    for numbers, unit in (((1, 2), UNIT), ((1, 2), UNIT), ((3,), UNIT), ((4,), changed(UNIT, group=2, follow_up=1))):
        session = stage.carrier.open(NEEDS)
        assert set(session.send(unit, members(*numbers))) == set(numbers)
        session.close()
    assert len(stage.things()) == 3
    assert [("late-1" in thing.name) for thing in stage.things()].count(True) == 1
    assert len({thing.name.split("-")[0] for thing in stage.things()}) == 1, "one study, told by its name"


@pytest.mark.parametrize("error", [WaitObject("no-service", ""), OSError(28, "full"), HoldObject("x", "")])
def test_a_unit_that_breaks_off_leaves_nothing(stage: Stage, error: Exception) -> None:
    def broken() -> Iterator[Outgoing]:
        yield outgoing(1)
        raise error

    session = stage.carrier.open(NEEDS)
    with pytest.raises((type(error), DestinationDown)):
        session.send(UNIT, broken())
    session.close(orderly=False)
    assert stage.things() == []


def test_a_unit_that_was_killed_half_way_is_made_anew(stage: Stage) -> None:
    def killed() -> Iterator[Outgoing]:
        yield outgoing(1)
        raise KeyboardInterrupt  # stands in for SIGKILL: what it left is put back below

    session = stage.carrier.open(NEEDS)
    with pytest.raises(KeyboardInterrupt):
        session.send(UNIT, killed())
    session = stage.carrier.open(NEEDS)
    assert set(session.send(UNIT, members(1, 2))) == {1, 2}
    assert len(stage.things()) == 1 and len(list(stage.out.iterdir())) == 1, "and nothing hidden stays"


def test_no_member_is_no_thing(stage: Stage) -> None:
    session = stage.carrier.open(NEEDS)
    assert session.send(UNIT, members()) == {}
    assert stage.things() == []


def test_a_thing_that_somebody_changed_is_an_obstacle_and_not_replaced(stage: Stage) -> None:
    session = stage.carrier.open(NEEDS)
    session.send(UNIT, members(1, 2))
    (thing,) = stage.things()
    changed_file = next(p for p in thing.rglob("*") if p.is_file())
    changed_file.write_bytes(b"changed")
    with pytest.raises(DestinationDown):
        stage.carrier.open(NEEDS).send(UNIT, members(1, 2))
    assert changed_file.read_bytes() == b"changed"


def test_out_of_reach_is_down(stage: Stage) -> None:
    with pytest.raises(DestinationDown) as caught:
        stage.broken.open(NEEDS).send(UNIT, members(1))
    assert caught.value.reason


def test_names_tell_nothing(stage: Stage) -> None:
    session = stage.carrier.open(NEEDS)
    session.send(UNIT, members(1, 2))
    each = outgoing(1)
    for path in stage.out.rglob("*"):
        name = str(path.relative_to(stage.out))
        assert each.identity.sop_instance not in name and UNIT.uid not in name
        assert each.job.instance.stored.name not in name
    assert replace(each).kind is each.kind
