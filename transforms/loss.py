"""What a conversion did not carry over, carried over in other words, or said without having been told.

Rules of this file
* Shared by every conversion. A line says where in the source (a content item's position 1.8.1, an attribute's keyword,
  an XML path) and what of it; where it went, if anywhere; never a value: it may be shown where its source may not.
* Each line stands once, in the order met. What went where without loss may be told (`carried`) or be plain from the
  names that the converter gave; a converter says which in its own docstring.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple


class Fate(StrEnum):
    """What became of one thing."""

    LEFT_OUT = "left-out"  # the result does not say it
    CHANGED = "changed"  # it says it in other words
    DEFAULTED = "defaulted"  # it says what the source does not
    CARRIED = "carried"  # it says it


class Loss(NamedTuple):
    """One line."""

    fate: Fate
    where: str  # in the source; for what was defaulted, in the result
    what: str
    to: str = ""  # where in the result


class Losses:
    """The lines of one conversion while it goes on."""

    def __init__(self) -> None:
        self._lines: dict[Loss, None] = {}

    def left_out(self, where: str, what: str) -> None:
        """The result has no place for it."""
        self._lines[Loss(Fate.LEFT_OUT, where, what)] = None

    def changed(self, where: str, what: str, to: str = "") -> None:
        """It is there, in other words."""
        self._lines[Loss(Fate.CHANGED, where, what, to)] = None

    def defaulted(self, where: str, what: str) -> None:
        """The source did not say."""
        self._lines[Loss(Fate.DEFAULTED, where, what)] = None

    def carried(self, where: str, what: str, to: str) -> None:
        """It went there as it is."""
        self._lines[Loss(Fate.CARRIED, where, what, to)] = None

    @property
    def lines(self) -> tuple[Loss, ...]:
        """All of them."""
        return tuple(self._lines)


@dataclass(frozen=True, slots=True)
class LossReport:
    """The lines of one conversion, or of several one after another."""

    source: str  # what was converted: its kind, "sr"
    result: str  # what it became: "cda"
    lines: tuple[Loss, ...] = ()
    before: LossReport | None = None  # of the conversion that made this one's source

    def as_json(self) -> str:
        """For programs: {"conversions": [{"from", "to", "counts", "lines": [{"fate", "where", "what", "to"}]}]}."""
        return json.dumps({"conversions": [_plain(each) for each in self.all]}, indent=1, ensure_ascii=False) + "\n"

    def as_text(self) -> str:
        """For people: a heading a conversion and a fate, a line each."""
        return "\n".join(line for each in self.all for line in _told(each)) + "\n"

    @property
    def all(self) -> tuple[LossReport, ...]:
        """This report after those before it."""
        return (*(self.before.all if self.before is not None else ()), self)


_HEADINGS: Final = {
    Fate.LEFT_OUT: "left out: the result has no place for it",
    Fate.CHANGED: "said in other words",
    Fate.DEFAULTED: "said without having been told",
    Fate.CARRIED: "carried over",
}


def _plain(report: LossReport) -> dict[str, object]:
    counts = Counter(line.fate for line in report.lines)
    return {
        "from": report.source,
        "to": report.result,
        "counts": {fate: counts[fate] for fate in Fate},
        "lines": [line._asdict() for line in report.lines],
    }


def _told(report: LossReport) -> list[str]:
    told = [f"{report.source} -> {report.result}"]
    for fate, heading in _HEADINGS.items():
        lines = [line for line in report.lines if line.fate is fate]
        if lines:
            told.append(f"  {heading} ({len(lines)})")
            width = min(max(len(line.where) for line in lines), 40)
            told += [
                f"    {line.where.ljust(width)}  {line.what}{f' -> {line.to}' if line.to else ''}" for line in lines
            ]
    if not report.lines:
        told.append("  nothing lost, nothing defaulted")
    return told
