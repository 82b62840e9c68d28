"""Find what was done to an audit trail: records changed, removed, reordered, duplicated or put in, and a cut end.

Rules of this file
* It reads and never writes; a trail that is being appended to can be verified.
* Every fault is told with file and line; after one the search goes on from what the line claims, so that one change
  gives one or two findings and not as many as there are records after it.
* The head the ledger keeps is what proves the end. Without it a cut after a whole record, or a trail written anew
  from some record on, cannot be seen, and nobody should say that it was.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from gateway.audit.chain import EMPTY, GENESIS, Head, Record, intact, parse
from gateway.audit.trail import files, first_number


class Finding(NamedTuple):
    """One fault. `str()` gives `file:line: what`."""

    file: Path
    line: int  # from 1; 0 for the file or folder as a whole
    kind: str  # changed, removed, reordered, unchained, unreadable, incomplete, misnamed, cut, missing, stray
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.kind}: {self.text}"


def verify(folder: Path, expected_head: Head | None = None) -> list[Finding]:
    """Every fault of the trail in `folder`; empty where it is intact. Raises OSError where it cannot be read.

    `expected_head` is what the ledger saw last; the trail may have gone on since, but must hold that record.
    """
    if not folder.is_dir():
        if expected_head is None or expected_head.seq == 0:
            return []
        return [Finding(folder, 0, "missing", f"there is no trail; the ledger saw {expected_head.seq} records")]
    search = _Search(expected_head)
    there = files(folder)
    for file in there:
        search.file(file)
    for stray in sorted(set(folder.glob("*")) - set(there) - {folder / ".lock"}):
        search.findings.append(Finding(stray, 0, "stray", "not a file of the trail"))
    search.end(folder)
    return search.findings


class _Search:
    """The state between two lines."""

    def __init__(self, expected: Head | None) -> None:
        self.findings: list[Finding] = []
        self._expected = expected if expected is not None and expected.seq else None
        self._proved = False
        self._before: Head | None = EMPTY  # what the next record must follow; None after a line that is no record
        self._last = 0  # number of the last record read
        self._place: tuple[Path, int] | None = None

    def file(self, file: Path) -> None:
        first = True
        with file.open("rb") as stream:
            for number, line in enumerate(stream, 1):
                self._place = (file, number)
                if not line.endswith(b"\n"):
                    self._say("incomplete", "the line has no end")
                    self._before = None
                    continue
                try:
                    record = parse(line[:-1])
                except ValueError:
                    self._say("unreadable", "the line is no record as the trail writes it")
                    self._before = None
                    continue
                if first and record.seq != first_number(file):
                    self._say("misnamed", f"the file's name promises record {first_number(file)}, not {record.seq}")
                first = False
                self._record(record)

    def end(self, folder: Path) -> None:
        if self._expected is None or self._proved:
            return
        file, line = self._place or (folder, 0)
        want = self._expected.seq
        text = f"the trail ends at record {self._last}, the ledger saw record {want}"
        if self._last >= want:
            text = f"record {want}, which the ledger saw, is not there"
        self.findings.append(Finding(file, line, "cut", text))

    def _record(self, record: Record) -> None:
        if not intact(record):
            self._say("changed", f"record {record.seq} does not match its hash")
        before = self._before
        if before is None:
            if record.seq <= self._last:
                self._say("reordered", f"record {record.seq} after record {self._last}")
        elif record.seq > before.seq + 1:
            self._say("removed", f"records {before.seq + 1} to {record.seq - 1} are missing before this one")
        elif record.seq <= before.seq:
            self._say("reordered", f"record {record.seq} after record {before.seq}: reordered, duplicated or put in")
        elif record.prev != before.hash:
            if record.prev == GENESIS or before is not EMPTY:
                self._say("unchained", f"record {record.seq} does not follow the record before it")
            else:
                self._say("removed", "the first record follows one that is not there")
        if self._expected is not None and record.seq == self._expected.seq:
            self._proved = True
            if record.hash != self._expected.hash:
                self._say("changed", f"record {record.seq} is not the one that the ledger saw")
        self._before = Head(record.seq, record.hash)
        self._last = record.seq

    def _say(self, kind: str, text: str) -> None:
        assert self._place is not None
        self.findings.append(Finding(*self._place, kind, text))
