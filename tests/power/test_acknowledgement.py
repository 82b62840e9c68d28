"""P1 on a whole gateway, by its system calls; and P3: each bad server is found by them, and its honest twin passes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.power.gateways import Bare, Modality, Seeded
from tests.power.order import Judgement
from tests.power.replay import cuts
from tests.system.harness import wait_for
from tests.system.senders import ct

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore:The value")]


@pytest.fixture
def run(tmp_path: Path, program: Callable[[str], str]) -> Iterator[Callable[..., Seeded]]:
    """Makes traced gateways and sees to it that none outlives its test."""
    program("strace")
    made: list[Seeded] = []

    def start(fault: str = "honest", inject: str = "", do: str = "hold: wait") -> Seeded:
        folder = tmp_path / f"{len(made)}"
        folder.mkdir()
        made.append(Seeded(Bare(folder, do, begun=bool(inject)), fault, traced=True, inject=inject))
        return made[-1].start()

    yield start
    for gateway in made:
        if gateway.process is not None and gateway.process.poll() is None:
            gateway.kill()


def send(gateway: Seeded, associations: int = 4, each: int = 8) -> list[Modality]:
    """So many associations at once, with so many instances each, small and large ones."""
    modalities = [Modality(gateway, f"CT{number}") for number in range(associations)]

    def objects(number: int) -> list[object]:
        sizes = (2_000, 3_000, 300_000, 2_000)
        return [ct(number + at * associations, size=sizes[at % 4]) for at in range(each)]

    threads = [threading.Thread(target=m.send, args=(objects(n),)) for n, m in enumerate(modalities)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return modalities


def judged(gateway: Seeded, modalities: list[Modality]) -> Judgement:
    """The trace's word, once all is over; it must have seen every answer that a modality has."""
    gateway.end()
    found = gateway.judgement()
    heard = {uid for modality in modalities for uid in modality.acknowledged}
    assert heard <= {each.sop_instance for each in found.acknowledged}, "the trace does not show every answer"
    return found


def lost(gateway: Seeded, number: int) -> list[str]:
    """What so many cuts of the power would have cost."""
    return cuts(gateway.calls(), str(gateway.site.folder / "state"), number, seed=number)


def test_nothing_is_acknowledged_before_all_of_it_is_durable(run: Callable[..., Seeded]) -> None:
    gateway = run("", do="deliver: [archive]")
    modalities = send(gateway, each=12)
    wait_for(lambda: len(list((gateway.site.folder / "out").rglob("*.dcm"))) == 48)
    found = judged(gateway, modalities)
    assert len(found.acknowledged) == 48 and not found.refused
    assert list(found.findings) == []
    assert lost(gateway, 60) == []


@pytest.mark.slow
def test_a_thousand_answers_none_too_early(run: Callable[..., Seeded]) -> None:
    gateway = run("", do="deliver: [archive]")
    found = judged(gateway, send(gateway, each=250))
    assert len(found.acknowledged) == 1000
    assert list(found.findings) == []


QUICK = [
    ("acknowledged_before_commit", "", {"row", "commit", "directory", "place"}, False),
    ("file_never_synced", "", {"file"}, True),
    ("renamed_before_synced", "", {"placed-too-early"}, False),
    ("tried_again_after_a_failed_fsync", "fsync:error=EIO:when=4", {"directory"}, False),
]
SLOW = [
    ("answered_before_commit", "", {"row", "directory"}, False),
    ("directory_never_synced", "", {"directory"}, True),
    ("directory_synced_after_commit", "", {"row"}, False),
    ("written_under_the_final_name", "", {"placed-too-early"}, False),
    ("ledger_never_synced", "", {"commit"}, True),
    ("ledger_synced_at_checkpoints", "", {"commit"}, True),
    ("acknowledged_although_it_failed", "fsync:error=EIO:when=4", {"directory", "row"}, False),
]


@pytest.mark.parametrize(
    ("fault", "inject", "rules", "costly"), [*QUICK, *(pytest.param(*case, marks=pytest.mark.slow) for case in SLOW)]
)
def test_a_bad_server_is_found(
    run: Callable[..., Seeded], fault: str, inject: str, rules: set[str], costly: bool
) -> None:
    gateway = run(fault, inject)
    found = judged(gateway, send(gateway, each=4))
    assert found.acknowledged, "it has promised nothing, so it was no bad server"
    assert found.rules & rules, f"{fault} was not found: {found.rules}"
    if costly:
        assert lost(gateway, 30), f"{fault} cost nothing at 30 cuts of the power"


@pytest.mark.slow
def test_five_thousand_cuts_of_the_power_lose_and_tear_nothing(run: Callable[..., Seeded]) -> None:
    gateway = run("", do="deliver: [archive]")
    found = judged(gateway, send(gateway, each=8))
    assert len(found.acknowledged) == 32
    assert lost(gateway, 5000) == []


@pytest.mark.slow
def test_the_honest_twin_passes_with_the_same_launcher(run: Callable[..., Seeded]) -> None:
    gateway = run("honest")
    found = judged(gateway, send(gateway, each=4))
    assert len(found.acknowledged) == 16 and not found.rules


@pytest.mark.slow
@pytest.mark.parametrize("inject", ["fsync:error=EIO:when=4", "fsync:error=EIO:when=4+", "fsync:error=ENOSPC:when=4"])
def test_after_a_failed_fsync_that_writer_promises_nothing_more(run: Callable[..., Seeded], inject: str) -> None:
    gateway = run("honest", inject)
    modalities = send(gateway, each=6)
    found = judged(gateway, modalities)
    failed = next(c for c in gateway.calls() if c.name == "fsync" and not c.well)
    assert failed.path.endswith("/spool/objects")
    assert any(status == 0xA700 for m in modalities for status in m.statuses.values())
    assert not found.rules
    later = [c for c in gateway.calls() if c.pid == failed.pid and c.name == "fsync" and c.begun > failed.ended]
    assert later == [], "it tried again"


@pytest.mark.slow
def test_a_full_disk_under_the_log_costs_no_promise(run: Callable[..., Seeded]) -> None:
    gateway = run("honest", "pwrite64:error=ENOSPC:when=60..140+8")
    modality = Modality(gateway)
    for first in range(0, 40, 4):
        modality.send([ct(number) for number in range(first, first + 4)])
    found = judged(gateway, [modality])
    assert 0xA700 in modality.statuses.values() and modality.acknowledged
    assert not found.rules


@pytest.mark.slow
def test_the_folders_of_what_was_promised_are_durable_too(run: Callable[..., Seeded]) -> None:
    gateway = run("")
    assert "folder" not in judged(gateway, send(gateway, 1, 2)).rules


@pytest.mark.slow
def test_a_new_writer_does_not_build_on_what_the_last_one_could_not_sync(run: Callable[..., Seeded]) -> None:
    gateway = run("honest", "fdatasync:error=EIO:when=22")
    modality = Modality(gateway)
    for first in range(0, 60, 6):
        modality.send([ct(number) for number in range(first, first + 6)])
        time.sleep(0.3)
    found = judged(gateway, [modality])
    assert gateway.log.read_bytes().count(b"writer-ready") > 1, "no writer has failed"
    assert "log" not in found.rules and lost(gateway, 100) == []
