"""A score for people and for programs. No value of an object is in either."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from benchmarks.answers.key import ACTIONS, KEEPING
from benchmarks.answers.score import NO_OUTPUT, Score, Tally, Wrong


def page(result: Score, made_with: dict[str, str], most: int = 40) -> str:
    """Tables in Markdown, and the first `most` wrong answers."""
    made = "a key of ours: our own set, not MIDI-B's" if made_with else "somebody else's key"
    lines = [
        f"{result.rows} rows of {made}; {result.absent} without output, {result.strangers} strangers, "
        f"{result.doubles} doubles, {result.unreadable} unreadable.",
        "",
        f"removal {percent(result.removal)}, required-keep {percent(result.keeping)}, "
        f"all ten actions {percent(result.share())}, planted bytes left {result.survivors}.",
        "",
        *_table("action", ((f"{name} ({_side(name)})", result.actions[name]) for name in ACTIONS)),
        *_table("category", sorted(result.categories.items())),
        *_table("class", sorted(result.leaks.items())),
    ]
    if result.planted:
        lines += _table("planted bytes, anywhere", sorted(result.planted.items()))
    if result.wrong:
        told = list(_wrong(result.wrong))
        lines += [f"Wrong: {len(result.wrong)}" + (f", the first {most} lines" if len(told) > most else ""), ""]
        lines += told[:most]
    return "\n".join(lines) + "\n"


def numbers(result: Score, keep: float) -> dict[str, object]:
    """The same for a program."""
    return {
        "rows": result.rows,
        "absent": result.absent,
        "strangers": result.strangers,
        "doubles": result.doubles,
        "unreadable": result.unreadable,
        "removal": result.removal,
        "keeping": result.keeping,
        "all": result.share(),
        "survivors": result.survivors,
        "passed": result.passes(keep),
        "actions": {name: _counts(tally) for name, tally in result.actions.items()},
        "categories": {name: _counts(tally) for name, tally in sorted(result.categories.items())},
        "classes": {name: _counts(tally) for name, tally in sorted(result.leaks.items())},
        "planted": {name: _counts(tally) for name, tally in sorted(result.planted.items())},
        "wrong": [wrong._asdict() for wrong in result.wrong],
    }


def _wrong(wrong: list[Wrong]) -> Iterator[str]:
    """A line for each; one for all answers of an input without output."""
    absent = Counter((each.row, each.modality) for each in wrong if each.why == NO_OUTPUT)
    for (row, modality), count in absent.items():
        yield f"row {row} {modality}: no output, {count} answers"
    for each in wrong:
        if each.why != NO_OUTPUT:
            yield f"row {each.row} {each.modality}: {each.action} {_short(each.place)} [{each.leak}]: {each.why}"


def _short(place: str) -> str:
    """A deep path by its ends."""
    parts = place.split("]")
    return place if len(parts) < 5 else f"{parts[0]}] ... {len(parts) - 2} deep ... {parts[-1]}"


def percent(share: float) -> str:
    """Never rounded up to 100."""
    return "100 %" if share == 1 else f"{min(99.999, 100 * share):.3f} %"


def _side(action: str) -> str:
    return "keep" if action in KEEPING else "removal"


def _counts(tally: Tally) -> dict[str, int]:
    return {"passed": tally.passed, "failed": tally.failed, "blank": tally.blank}


def _table(title: str, rows: Iterable[tuple[str, Tally]]) -> list[str]:
    lines = [f"| {title} | followed | not | blank | score |", "|---|---:|---:|---:|---:|"]
    for name, tally in rows:
        if tally.total:
            lines.append(f"| {name} | {tally.passed} | {tally.failed} | {tally.blank} | {percent(tally.share)} |")
    return [*lines, ""]
