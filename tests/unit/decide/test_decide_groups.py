"""A study is called complete on evidence alone: quiet, nobody sending, as many as announced; or by the cap, said so."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.schema import Group
from gateway.decide.facts import DictFacts
from gateway.decide.groups import (
    BEING_SENT,
    CAP,
    EXPECTED,
    INCOMPLETE,
    QUIET,
    STILL_ARRIVING,
    Closed,
    Evidence,
    Waits,
    grouping,
    judge,
)
from gateway.errors import HoldObject

MOMENTS = st.floats(0, 1e6)


@given(MOMENTS, MOMENTS, st.integers(0, 50), st.integers(0, 50), st.booleans(), st.floats(1, 1e4), MOMENTS)
def test_closed_means_evidence_or_the_cap(
    opened: float, later: float, arrived: int, expected: int, bringing: bool, quiet: float, now: float
) -> None:
    cap = quiet * 10
    evidence = Evidence(opened, opened + later, arrived, expected, bringing)
    match judge(quiet, cap, evidence, now):
        case Closed(why):
            assert now >= opened
            if why == CAP:
                assert now - opened >= cap * 0.999999
            else:
                assert now - evidence.last >= quiet * 0.999999 and not bringing and arrived >= expected
                assert (why == EXPECTED) == (expected > 0)
        case Waits(_, until):
            assert now < until <= now + cap


def test_each_missing_piece_of_evidence_has_its_own_reason() -> None:
    def asked(now: float, *, arrived: int = 3, expected: int = 3, bringing: bool = False) -> object:
        return judge(90, 1000, Evidence(100, 200, arrived, expected, bringing), now)

    assert asked(289) == Waits(STILL_ARRIVING, 290)
    assert asked(290) == Closed(EXPECTED)
    assert asked(290, expected=0) == Closed(QUIET)
    assert asked(290, bringing=True) == Waits(BEING_SENT, 1100)
    assert asked(290, arrived=2) == Waits(INCOMPLETE, 1100)
    assert asked(290, arrived=4) == Closed(EXPECTED)
    assert asked(1100, arrived=2, bringing=True) == Closed(CAP)


def test_a_clock_that_is_set_back_closes_nothing_and_stalls_nothing() -> None:
    evidence = Evidence(10_000, 10_050, 1, 0, False)
    assert judge(90, 1000, evidence, 500) == Waits(STILL_ARRIVING, 590)


@pytest.mark.parametrize(
    ("expect", "values", "number"),
    [
        (None, {}, 0),
        (7, {}, 7),
        ("NumberOfStudyRelatedInstances", {"NumberOfStudyRelatedInstances": ("12",)}, 12),
        ("NumberOfStudyRelatedInstances", {"NumberOfStudyRelatedInstances": (" 12 ",)}, 12),
        ("NumberOfStudyRelatedInstances", {}, 0),
        ("NumberOfStudyRelatedInstances", {"NumberOfStudyRelatedInstances": ()}, 0),
        ("NumberOfStudyRelatedInstances", {"NumberOfStudyRelatedInstances": ("-3",)}, 0),
        ("NumberOfStudyRelatedInstances", {"NumberOfStudyRelatedInstances": ("1e9",)}, 0),
        ("NumberOfStudyRelatedInstances", {"NumberOfStudyRelatedInstances": ("99999999999",)}, 0),
    ],
)
def test_what_is_announced(expect: int | str | None, values: dict[str, tuple[str, ...]], number: int) -> None:
    facts = DictFacts({"StudyInstanceUID": ("1.2",), **values})
    assert grouping(Group(expect=expect), facts).expected == number


def test_an_object_of_no_study_is_held_and_not_put_with_others_of_none() -> None:
    for values in ({}, {"StudyInstanceUID": ()}, {"StudyInstanceUID": (" ",)}):
        with pytest.raises(HoldObject, match="group-uid-missing"):
            grouping(Group(), DictFacts(values))
    assert grouping(Group(by="series"), DictFacts({"SeriesInstanceUID": ("1.3",)})).uid == "1.3"


@dataclass
class Study:
    """One study of the model: what its sender has, and what has come."""

    size: int
    announced: bool
    opened: float | None = None
    last: float = 0.0
    here: set[int] = field(default_factory=set)
    bringing: int = 0

    def evidence(self) -> Evidence:
        """As the ledger would have it."""
        assert self.opened is not None
        return Evidence(self.opened, self.last, len(self.here), self.size if self.announced else 0, bool(self.bringing))


def test_a_thousand_studies_permuted_withheld_and_repeated() -> None:
    """Senders send in any order, stop half way, come again, say things twice; the clock is restarted now and then.

    Every judgement is held against what the model knows: whatever is closed has its evidence, whatever has it closes.
    """
    chance = random.Random(20261126)
    quiet, cap = 90.0, 3600.0
    whys: dict[str, int] = {}
    for _ in range(1000):
        study = Study(chance.randint(1, 30), announced=chance.random() < 0.6)
        order = list(range(study.size))
        chance.shuffle(order)
        withheld = set(order[: chance.choice((0, 0, 0, 1, study.size // 2))]) if study.size > 1 else set()
        queue = [n for n in order if n not in withheld]
        now = chance.uniform(0, 1e6)
        while True:
            act = chance.choice(("send", "send", "send", "again", "pause", "open", "close", "restart"))
            if act == "send" and queue:
                study.here.add(queue.pop())
            elif act == "again" and study.here:
                pass
            elif act == "open" and (queue or chance.random() < 0.02):
                study.bringing += 1
            elif act == "close" or act == "restart":  # a process that dies closes what it had open
                study.bringing = 0 if act == "restart" else max(0, study.bringing - 1)
            if act in ("send", "again") and study.here:
                study.opened = now if study.opened is None else study.opened
                study.last = now
            now += chance.choice((0.01, 1.0, 5.0, 89.0, 91.0))
            if study.opened is None:
                continue
            judged = judge(quiet, cap, study.evidence(), now)
            complete = now - study.last >= quiet and not study.bringing
            complete = complete and (not study.announced or len(study.here) >= study.size)
            capped = now - study.opened >= cap
            assert isinstance(judged, Closed) == (complete or capped)
            if isinstance(judged, Closed):
                assert (judged.why == CAP) == capped
                whys[judged.why] = whys.get(judged.why, 0) + 1
                break
    assert set(whys) == {QUIET, EXPECTED, CAP} and min(whys.values()) > 50, whys
