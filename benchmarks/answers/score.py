"""Scores a folder of outputs by a key: how many answers were followed, by action, category and class of leak.

Rules of this file
* An output is found by its SOP Instance UID through uid.csv, never by its name. One that no table leads back is told as
  a stranger, and two of one input as a double: both forbid a pass.
* Score = followed / (followed + not followed + blank), as MIDI-B's.
* What is told of a wrong answer: number of the row, modality, action, path, class. Never a value, a UID or a file name.
* Passed: nothing of what was to go is left, at least `keep` of what was to stay is there.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

import pydicom

from benchmarks.answers.index import Index, shown
from benchmarks.answers.judge import Maps, judge
from benchmarks.answers.key import ACTIONS, KEEPING, BadKey, Instance
from benchmarks.answers.search import survivor

KEEP: Final = 0.9995
TABLES: Final = ("uid.csv", "patient_id.csv")
NO_OUTPUT: Final = "no output"
NOT_THERE: Final = "planted"  # the action that a survivor counts under; ours, not one of the ten


class Wrong(NamedTuple):
    """One answer that was not followed."""

    row: int  # of the key, from 1
    modality: str
    action: str
    place: str
    leak: str
    why: str  # "not followed", "blank", NO_OUTPUT, or the form in which planted bytes survive


@dataclass
class Tally:
    """Followed, not followed, blank."""

    passed: int = 0
    failed: int = 0
    blank: int = 0

    def add(self, verdict: bool | None) -> None:
        """Count one."""
        self.passed += verdict is True
        self.failed += verdict is False
        self.blank += verdict is None

    @property
    def total(self) -> int:
        """All of them."""
        return self.passed + self.failed + self.blank

    @property
    def share(self) -> float:
        """Followed of all; 1 where there was nothing to follow."""
        return self.passed / self.total if self.total else 1.0


@dataclass
class Score:
    """What came out."""

    actions: dict[str, Tally] = field(default_factory=lambda: {each: Tally() for each in ACTIONS})
    categories: defaultdict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    leaks: defaultdict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    planted: defaultdict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    wrong: list[Wrong] = field(default_factory=list)
    rows: int = 0
    absent: int = 0
    strangers: int = 0
    doubles: int = 0
    unreadable: int = 0

    def share(self, *actions: str) -> float:
        """The score of some actions; of all ten without any."""
        both = Tally()
        for each in actions or ACTIONS:
            tally = self.actions[each]
            both.passed, both.failed, both.blank = (
                both.passed + tally.passed, both.failed + tally.failed, both.blank + tally.blank,
            )  # fmt: skip
        return both.share

    @property
    def removal(self) -> float:
        """Of the four actions that ask for something to go."""
        return self.share(*(each for each in ACTIONS if each not in KEEPING))

    @property
    def keeping(self) -> float:
        """Of the six actions that ask for something to stay."""
        return self.share(*(each for each in ACTIONS if each in KEEPING))

    @property
    def survivors(self) -> int:
        """Planted bytes found anywhere in an output."""
        return sum(each.failed for each in self.planted.values())

    def passes(self, keep: float = KEEP) -> bool:
        """Whether nothing leaked and enough stayed. An empty key passes nothing."""
        if not self.rows or self.strangers or self.doubles or self.unreadable:
            return False
        return self.removal == 1.0 and self.survivors == 0 and self.keeping >= keep


class Table(NamedTuple):
    """A mapping table, both ways."""

    new: dict[str, frozenset[str]]
    old: dict[str, str]


def table(path: Path) -> Table:
    """`id_old,id_new`. An old id may have several new ones. Raises BadKey; no value is in the message."""
    new: defaultdict[str, set[str]] = defaultdict(set)
    old: dict[str, str] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            if not {"id_old", "id_new"} <= set(rows.fieldnames or ()):
                raise BadKey(f"{path.name} has no columns id_old,id_new")
            for number, row in enumerate(rows, 2):
                before, after = row["id_old"], row["id_new"]
                if before is None or after is None:
                    raise BadKey(f"{path.name} line {number} is not complete")
                if old.setdefault(after, before) != before and path.name == TABLES[0]:
                    raise BadKey(f"{path.name} line {number}: two old ids became one")
                new[before].add(after)
    except (OSError, UnicodeDecodeError, csv.Error):
        raise BadKey(f"{path.name} cannot be read") from None
    return Table({before: frozenset(after) for before, after in new.items()}, old)


def score(key: Iterable[Instance], outputs: Path, uids: Table, patients: Table) -> Score:
    """The whole folder by the whole key, a row at a time."""
    result = Score()
    files = _files(outputs, uids, result)
    spoken: set[Path] = set()
    for number, row in enumerate(key, 1):
        result.rows = number
        places = [files[row.instance]] if row.instance in files else []
        if row.scope != "Instance":
            places = list(_of_scope(row, files, uids))
        result.absent += not places
        spoken.update(places)
        for path in places or [None]:
            _one(number, row, path, uids.new, patients.new, result)
    result.strangers += len(files) - len(spoken)  # mapped, but the key does not speak of them
    return result


def _one(number: int, row: Instance, path: Path | None, uids: Maps, patients: Maps, result: Score) -> None:
    index = Index.of(path) if path else None
    for answer in row.answers:
        verdict = judge(answer, index, uids, patients)
        result.actions[answer.action].add(verdict)
        result.categories[answer.category].add(verdict)
        result.leaks[answer.leak or answer.action].add(verdict)
        if verdict is not True:
            why = NO_OUTPUT if index is None else "not followed" if verdict is False else "blank"
            result.wrong.append(Wrong(number, row.modality, answer.action, shown(answer.place), answer.leak, why))
    content = path.read_bytes() if path else b""
    for planted in row.planted:
        form = survivor(planted, content, path.name if path else "")
        result.planted[planted.leak].add(not form)
        if form:
            told = f"{planted.leak} depth {planted.depth} {planted.encoding} {planted.vr}"
            result.wrong.append(Wrong(number, row.modality, NOT_THERE, shown(planted.place), told, form))


def _files(outputs: Path, uids: Table, result: Score) -> dict[str, Path]:
    """Old SOP Instance UID -> file."""
    found: dict[str, Path] = {}
    for path in sorted(each for each in outputs.rglob("*") if each.is_file()):
        try:
            new = str(pydicom.dcmread(path, force=True, specific_tags=["SOPInstanceUID"]).SOPInstanceUID)
        except Exception:  # whatever is no DICOM object
            result.unreadable += 1
            continue
        old = uids.old.get(new)
        if old is None:
            result.strangers += 1
        elif old in found:
            result.doubles += 1
        else:
            found[old] = path
    return found


def _of_scope(row: Instance, files: dict[str, Path], uids: Table) -> Iterator[Path]:
    """The outputs that a row of MIDI-B speaks of when it speaks of a series or more."""
    keyword, old = ("SeriesInstanceUID", row.ids[4]) if row.scope == "Series" else ("StudyInstanceUID", row.ids[3])
    for path in files.values():
        if str(Index.of(path).data.get(keyword, "")) in uids.new.get(old, frozenset()):
            yield path
