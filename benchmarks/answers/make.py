"""Makes the set: objects in a folder and the key beside it. The same wishes give the same bytes.

Rules of this file
* Objects of one patient share identity and study; ten kinds a patient. Character sets take turns.
* Depth x encoding x VR is walked through object by object: 40 objects hold all of its cells.
* Into a corpus object the identity of an invented patient is written, whatever was there; what cannot be read, written
  or planted into is left out and counted.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from pydicom.dataset import Dataset

from benchmarks.answers import content, corpus, forms, key, kinds, leaks, people
from benchmarks.answers.plant import CannotMake, Made, Planter

SMALL: Final = 40
CELLS: Final = 48  # of depth x encoding x VR, an object
OPTIONS: Final = (
    "clean-descriptors", "clean-structured-content", "retain-modified-dates", "retain-patient-characteristics",
)  # fmt: skip
KINDS: Final = tuple(kinds.KINDS)
EVERY_KIND: Final = (*KINDS, kinds.BURNED)
__all__ = ["CELLS", "EVERY_KIND", "KINDS", "OPTIONS", "SMALL", "CannotMake", "Count", "Made", "Wanted", "made", "write"]


@dataclass(frozen=True)
class Wanted:
    """What to make."""

    count: int = SMALL
    seed: int = 42
    options: frozenset[str] = frozenset()
    kinds: tuple[str, ...] = KINDS
    corpus: Path | None = None

    def __post_init__(self) -> None:
        if self.count < 1 or not self.kinds:
            raise CannotMake("at least one object of one kind")


class Count(NamedTuple):
    """What was made."""

    objects: int
    answers: int
    planted: int


def made(wanted: Wanted) -> Iterator[Made]:
    """Every object, one after the other."""
    for number in range(wanted.count):
        kind = wanted.kinds[number % len(wanted.kinds)]
        patient, within = divmod(number, len(wanted.kinds) * 2)
        person = people.person(wanted.seed, patient)
        charset = tuple(forms.CHARSETS)[(number + number // len(wanted.kinds)) % len(forms.CHARSETS)]
        data = kinds.build(kind, 1 + within // len(wanted.kinds), person)
        yield _object(f"{number:05d}.dcm", data, kind, charset, number, person, wanted)
    if wanted.corpus is not None:
        yield from corpus.made(wanted.corpus, wanted.count, wanted.seed, wanted.options)


def write(folder: Path, wanted: Wanted) -> Count:
    """`folder/in/*.dcm` and `folder/key.sqlite`. Raises CannotMake, OSError."""
    (folder / "in").mkdir(parents=True)
    objects = answers = planted = 0

    def rows() -> Iterator[key.Instance]:
        nonlocal objects, answers, planted
        for each in made(wanted):
            (folder / "in" / each.name).write_bytes(each.content)
            objects, answers = objects + 1, answers + len(each.row.answers)
            planted += len(each.row.planted)
            yield each.row

    told = {"seed": str(wanted.seed), "count": str(wanted.count), "options": " ".join(sorted(wanted.options))}
    key.write(folder / "key.sqlite", rows(), told)
    return Count(objects, answers, planted)


def cells(number: int, charset: str) -> list[forms.Combination]:
    """The cells of depth x encoding x VR that this object holds: at its top only what its character set can write."""
    able = [
        each
        for each in forms.combinations()
        if each.depth > 0 or each.encoding in ("ascii", charset, *forms.WRAPPED) or each.vr in forms.BYTE_VRS
    ]
    start = number // len(forms.CHARSETS) * CELLS
    return [able[(start + n) % len(able)] for n in range(CELLS)]


def _object(
    name: str, data: Dataset, kind: str, charset: str, number: int, person: people.Person, wanted: Wanted
) -> Made:
    chance = random.Random(f"{wanted.seed}/object/{number}/{kind}")
    planter = Planter(data, person, chance, wanted.options)
    implicit = data.file_meta.TransferSyntaxUID.is_implicit_VR
    data.SpecificCharacterSet = list(forms.CHARSETS[charset])
    leaks.matrix(planter, cells(number, charset))
    leaks.names(planter, charset)
    leaks.header(planter)
    content.characteristics(planter, chance)
    content.texts(planter, charset)
    content.dates(planter, chance)
    content.own(planter, kind)
    leaks.before(planter)
    leaks.attachments(planter)
    leaks.private(planter, implicit=implicit)
    leaks.forgotten(planter)
    if not implicit:
        leaks.encoded_sequences(planter)
    content.common(planter, kind)
    content.pixels(planter, kind)
    leaks.meta(planter)
    leaks.rim(planter)
    return planter.finish(name)
