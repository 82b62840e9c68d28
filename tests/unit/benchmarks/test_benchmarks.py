"""The benchmark's own judge and arithmetic: a figure of a lost, changed or leaking object is never printed."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

import pydicom
import pytest
import study

from benchmarks.corpus import QUICK, Corpus, Sizes, corpus
from benchmarks.process import Tree, free_port, listening
from benchmarks.profile import page, shares
from benchmarks.report import faults, order, ratios, spread, table
from benchmarks.verify import judge, part10
from benchmarks.works import Outcome, batches, fresh

SMALL = Sizes(ct=3, frames=2, frame_bytes=500_000, reports=5)


@pytest.fixture(scope="module")
def slices(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Three CT slices."""
    return corpus(tmp_path_factory.mktemp("bench"), "ct", SMALL)


@pytest.fixture
def copied(slices: Corpus, tmp_path: Path) -> Path:
    """A perfect output of a pass-through."""
    shutil.copytree(slices.folder, tmp_path / "out")
    return tmp_path / "out"


def outcome(system: str, seconds: float, **changes: object) -> Outcome:
    """An outcome of ten objects."""
    made = Outcome(system, seconds, 10, 1000, 0.5, 2**20, 2**20, None, (), 0, ())
    return made._replace(**changes)


@pytest.mark.parametrize(("kind", "count"), [("ct", 3), ("multiframe", 2), ("sr", 5)])
def test_the_corpus_is_what_was_asked_and_the_same_again(tmp_path: Path, kind: str, count: int) -> None:
    first, second = (corpus(tmp_path / name, kind, SMALL) for name in "ab")
    assert len(first.pieces) == count
    assert [(first.folder / p.file).read_bytes() for p in first.pieces] == [
        (second.folder / p.file).read_bytes() for p in second.pieces
    ]
    assert len({pydicom.dcmread(first.folder / p.file).SOPInstanceUID for p in first.pieces}) == count
    assert {bool(p.pixels) for p in first.pieces} == {kind != "sr"}


def test_a_perfect_copy_is_found_perfect(slices: Corpus, copied: Path) -> None:
    assert judge(slices, part10(copied), pseudonymous=False).problems == ()


def test_a_lost_object_is_found(slices: Corpus, copied: Path) -> None:
    (copied / slices.pieces[0].file).unlink()
    assert judge(slices, part10(copied), pseudonymous=False).problems


def test_a_doubled_object_is_found(slices: Corpus, copied: Path) -> None:
    shutil.copy(copied / slices.pieces[0].file, copied / "again.dcm")
    assert judge(slices, part10(copied), pseudonymous=False).problems


def test_a_changed_pixel_is_found(slices: Corpus, copied: Path) -> None:
    path = copied / slices.pieces[0].file
    content = bytearray(path.read_bytes())
    content[-1000] ^= 1
    path.write_bytes(content)
    assert judge(slices, part10(copied), pseudonymous=False).problems


def test_an_identity_left_is_found_and_named(slices: Corpus, copied: Path) -> None:
    verdict = judge(slices, part10(copied), pseudonymous=True)
    assert verdict.leaking == 3
    assert set(verdict.words) == set(study.IDENTITIES)


def test_studies_stay_together(slices: Corpus) -> None:
    assert sorted(len(b) for b in batches(slices, 2)) == [1, 2]
    assert sum(len(b) for b in batches(slices, 8)) == 3


def test_everyone_begins_once() -> None:
    names = ["a", "b", "c"]
    assert [order(names, n)[0] for n in range(4)] == ["a", "b", "c", "a"]
    assert all(sorted(order(names, n)) == names for n in range(4))


def test_ratios_are_paired_by_round_and_need_both_whole() -> None:
    rounds = [
        {"gateway": outcome("gateway", 1.0), "peer": outcome("peer", 2.0)},
        {"gateway": outcome("gateway", 2.0), "peer": outcome("peer", 8.0)},
        {"gateway": outcome("gateway", 1.0), "peer": outcome("peer", 1.0, problems=("lost one",))},
        {"peer": outcome("peer", 1.0)},
    ]
    assert ratios(rounds, "peer") == [2.0, 4.0]


def test_a_gateway_that_lost_or_leaked_has_no_figure() -> None:
    good = [{"gateway": outcome("gateway", 1.0)}]
    assert faults(good) == []
    assert faults([{"gateway": outcome("gateway", 1.0, problems=("lost one",))}])
    assert faults([{"gateway": outcome("gateway", 1.0, leaking=1, words=("Mustermann",))}])
    assert faults([{}])


def test_the_table_says_what_is_not_measured() -> None:
    rounds = [{"gateway": outcome("gateway", 1.0), "bad": outcome("bad", 1.0, problems=("lost one",))}]
    text = table(rounds, ["gateway", "bad", "absent"], {"absent": "not run: not installed"})
    assert "| gateway | 10.0 (10.0-10.0) |" in text
    assert "| bad | no figure: lost one |" in text
    assert "| absent | no figure: not run: not installed |" in text


def test_a_spread_is_median_and_ends() -> None:
    assert spread([3, 1, 2]) == "2 (1-3)"
    assert spread([1.25], 2) == "1.25 (1.25-1.25)"


def test_a_tree_is_measured_and_ends(tmp_path: Path) -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'while True: pass'])"
    tree = Tree([sys.executable, "-c", code], tmp_path)
    try:
        deadline = time.monotonic() + 20
        while (tree.usage().cpu < 0.5 or len(tree.pids()) < 2) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert tree.usage().cpu >= 0.5  # the child's, which did the work
        assert tree.usage().resident > tree.usage().largest > 2**20
    finally:
        tree.stop()
    assert tree.living() == []


def test_a_program_that_ends_is_not_waited_for(tmp_path: Path) -> None:
    tree = Tree([sys.executable, "-c", "print('no such option')"], tmp_path)
    with pytest.raises(RuntimeError, match="no such option"):
        listening(tree, free_port())
    tree.stop()


def test_a_run_leaves_nothing(tmp_path: Path) -> None:
    with fresh(tmp_path / "x") as folder:
        (folder / "file").touch()
    assert not folder.exists()


def test_the_quick_corpus_is_small() -> None:
    assert QUICK.ct * 0.55 + QUICK.frames * QUICK.frame_bytes / 1e6 < 200  # MB


def test_a_profile_counts_own_and_inner_time() -> None:
    raw = (
        "main (a.py:1);walk (b.py:7) 3\n"
        "main (a.py:2);walk (b.py:9);read (c.py:1) 1\n"
        "<module> (a.py:1);load (<frozen importlib._bootstrap>:3) 9\n"
        "no line at all\n"
    )
    own, within, total = shares(raw)
    assert (total, own["walk (b.py)"], within["walk (b.py)"], within["main (a.py)"]) == (4, 3, 4, 4)
    assert "| `walk (b.py)` | 75.0 % |" in page(raw, "x")
    assert "No samples" in page("", "x")
