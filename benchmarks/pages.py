"""docs/benchmarks.md, one section for each comparison: a run replaces the sections that it measured and no other.

Each section tells of what it was measured on, because sections of one page may come from several runs. Within a
section all figures come from one run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_HEAD = """\
# Benchmarks

Written by `make bench BENCH=--write`. Systems take turns within each round, on one machine that also runs sender and \
archive: only ratios inside a round count, each as median (min-max) over the rounds. Every object was found and its \
pixels compared; `leaks` counts objects in which an identity of the patient was left.
"""


def key(title: str) -> str:
    """What is compared, without how much of it: `end-to-end, ct, peers with their defaults`."""
    what, _, how_much = title.partition(":")
    _, comma, tuned = how_much.partition("rounds, ")
    return f"{what}, {tuned}" if comma else what


def sections(page: str) -> dict[str, str]:
    """The sections of a page, by key."""
    found = {}
    for part in ("\n" + page).split("\n## ")[1:]:
        found[key(part.splitlines()[0])] = part.strip() + "\n"
    return found


def merged(page: str, new: Mapping[str, str], works: Sequence[str]) -> str:
    """The page with new sections, in the order of the works."""
    every = {**sections(page), **new}

    def place(name: str) -> tuple[int, str]:
        work = name.partition(",")[0]
        return works.index(work) if work in works else len(works), name

    return "\n## ".join([_HEAD, *(every[name] for name in sorted(every, key=place))])
