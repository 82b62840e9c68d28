"""Judges what a system made of the corpus: every object there, pixels identical, no identity left.

A judge that finds nothing is worth nothing: tests/unit/benchmarks feeds it losses, changes and leaks.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pydicom
import study

from benchmarks.corpus import Corpus


class Judgement(NamedTuple):
    """What was found."""

    problems: tuple[str, ...]  # losses and changes; empty is good
    leaking: int  # objects with an identity in them
    words: tuple[str, ...]  # which identities


def part10(folder: Path) -> Iterator[Path]:
    """Files that are DICOM, whatever their names."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                file.seek(128)
                if file.read(4) == b"DICM":
                    yield path


def judge(found: Corpus, outputs: Iterable[Path], *, pseudonymous: bool) -> Judgement:
    """Compare outputs with the corpus, as multisets of pixels."""
    wanted = Counter(piece.pixels for piece in found.pieces)
    got: Counter[str] = Counter()
    instances = set()
    leaking, words = 0, set()
    for path in outputs:
        content = path.read_bytes()
        data = pydicom.dcmread(path)
        pixels = data.get("PixelData")
        got[hashlib.sha256(pixels).hexdigest() if pixels is not None else ""] += 1
        instances.add(str(data.SOPInstanceUID))
        if pseudonymous:
            rest = content.replace(pixels, b"") if pixels else content
            left = {word for word in study.IDENTITIES if word.encode() in rest}
            leaking += bool(left)
            words |= left
    problems = []
    if missing := sum((wanted - got).values()):
        problems.append(f"{missing} of {len(found.pieces)} objects are missing or their pixels differ")
    if extra := sum((got - wanted).values()):
        problems.append(f"{extra} objects that nobody sent")
    if len(instances) != len(found.pieces):
        problems.append(f"{len(instances)} SOP Instance UIDs for {len(found.pieces)} objects")
    return Judgement(tuple(problems), leaking, tuple(sorted(words)))
