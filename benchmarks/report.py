"""Turns outcomes into medians, paired ratios and a Markdown page. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from benchmarks.systems import OURS
from benchmarks.works import Outcome


def order(systems: Sequence[str], number: int) -> list[str]:
    """Who goes when in a round: each round begins with another one."""
    at = number % len(systems)
    return [*systems[at:], *systems[:at]]


def spread(values: Sequence[float], digits: int = 0) -> str:
    """`median (min-max)`."""
    shown = [f"{v:.{digits}f}" for v in (statistics.median(values), min(values), max(values))]
    return f"{shown[0]} ({shown[1]}-{shown[2]})"


def ratios(rounds: Sequence[Mapping[str, Outcome]], other: str) -> list[float]:
    """The gateway's rate over another's, round by round; only rounds where both did the whole work."""
    return [
        each[OURS].rate / each[other].rate
        for each in rounds
        if OURS in each and other in each and not each[OURS].problems and not each[other].problems
    ]


def faults(rounds: Sequence[Mapping[str, Outcome]]) -> list[str]:
    """What forbids the gateway's figures."""
    found = []
    for number, each in enumerate(rounds, 1):
        if OURS not in each:
            found.append(f"round {number}: the gateway has no figure")
            continue
        ours = each[OURS]
        found += [f"round {number}: {problem.splitlines()[0]}" for problem in ours.problems]
        if ours.leaking:
            found.append(f"round {number}: {ours.leaking} objects still hold {', '.join(ours.words)}")
    return found


def leaks(rounds: Sequence[Mapping[str, Outcome]], name: str) -> str:
    """Which identities of the patient a system left."""
    words = sorted({word for each in rounds if name in each for word in each[name].words})
    return f"; left in its output: {', '.join(words)}" if words else ""


def table(rounds: Sequence[Mapping[str, Outcome]], names: Sequence[str], notes: Mapping[str, str]) -> str:
    """One work on one kind of corpus."""
    head = "| system | objects/s | MB/s | CPU ms/object | RSS MiB all / largest | ms p50 / p99 | leaks | gateway / it |"
    lines = [head, "|---|---|---|---|---|---|---|---|"]
    for name in names:
        done = [each[name] for each in rounds if name in each]
        good = [outcome for outcome in done if not outcome.problems]
        if not good:
            why = done[0].problems[0].splitlines()[0] if done else notes.get(name, "not run")
            lines.append(f"| {name} | no figure: {why} | | | | | | |")
            continue
        compared = ratios(rounds, name) if name != OURS else []
        latency = [outcome.latency for outcome in good if outcome.latency]
        cells = (
            name + (f" ({len(good)} of {len(done)} rounds)" if len(good) < len(done) else ""),
            spread([o.rate for o in good], 1 if good[0].rate < 20 else 0),
            spread([o.size / o.seconds / 1e6 for o in good], 1 if good[0].size / good[0].seconds < 2e7 else 0),
            f"{statistics.median([1000 * o.cpu / o.objects for o in good]):.1f}",
            f"{max(o.resident for o in good) / 2**20:.0f} / {max(o.largest for o in good) / 2**20:.0f}",
            f"{1000 * statistics.median([p[0] for p in latency]):.1f} / "
            f"{1000 * statistics.median([p[1] for p in latency]):.1f}"
            if latency
            else "",
            str(max(o.leaking for o in good)),
            f"{spread(compared, 2)} x" if compared else "",
        )
        lines.append("| " + " | ".join(cells) + " |")
    told = [f"* {name}: {notes[name]}{leaks(rounds, name)}" for name in names if notes.get(name)]
    return "\n".join(lines) + "\n\n" + "\n".join(told) + "\n"
