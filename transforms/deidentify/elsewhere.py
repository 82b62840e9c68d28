"""What became of the same element in another object: images of a series repeat most of theirs.

* Only elements of the top level whose outcome hangs on their own bytes and on what `alike` is asked with (profile.py
  gives them a code of their own); a walk that tells what it does looks at each anew.
* An outcome is bytes: the element's own where it stays, others where it is replaced, none where it goes.
* What follows each other in many objects is remembered as one (`Same`): elements with an outcome of that kind, and
  those that the table alone keeps, drops or notes. Their outcome is that of each, one after the other.
* It remembers so as to save time. Forgetting changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from transforms.dataset.repeated import Part, Repeated, Run
from transforms.deidentify.cleaning import Cleaning
from transforms.deidentify.context import Context
from transforms.deidentify.edit import Edit, Mark
from transforms.deidentify.profile import ActionTable
from transforms.source import Copy

MOST: Final = 1_000  # elements of one study
LONGEST: Final = 2_048  # bytes of one


class Outcome(NamedTuple):
    """What stands in an element's place, and the SOP Instance UIDs that it refers to, as they are now."""

    data: bytes
    references: frozenset[str]


class Same(Run):
    """Elements that follow each other, and what stands in their place."""

    __slots__ = ("highest", "noted", "out", "references")

    def __init__(
        self, data: bytes, parts: list[Part], outcomes: Mapping[int, Outcome], noted: dict[int, bytes]
    ) -> None:
        super().__init__(data, parts)
        self.highest = max(tag for tag, _, _ in parts)
        self.out = b"".join(outcomes[tag].data for tag, _, _ in parts)
        self.references = frozenset[str]().union(*(outcomes[tag].references for tag, _, _ in parts))
        self.noted = {tag: noted[tag] for tag, _, _ in parts if tag in noted}


class Known:
    """What became of elements and of runs of them, in objects that have in common what `alike` was asked with."""

    __slots__ = ("elements", "repeated")

    def __init__(self) -> None:
        self.elements: dict[bytes, Outcome] = {}  # by the element, header and all
        self.repeated: Repeated[Same] = Repeated()


@lru_cache(maxsize=64)  # twice for a study: before its character set is known, and after
def alike(
    table: ActionTable, context: Context, sop_class: str, cleaning: Cleaning | None, charset: tuple[str, ...]
) -> Known:
    """What is known of objects that have all this in common."""
    return Known()


def learn(known: Known, element: bytes, start: int, edit: Edit, before: Mark, references: frozenset[str]) -> None:
    """Remember what the walk has made of `element`, which begins at byte `start` of the source."""
    if len(known.elements) >= MOST:
        known.elements.clear()
    parts = []
    for piece in edit.out[before.pieces :]:
        if isinstance(piece, Copy):
            parts.append(element[max(0, piece.offset - start) : max(0, piece.offset + piece.length - start)])
        else:
            parts.append(piece.data)
    parts.append(element[max(0, edit.run - start) :])
    known.elements[element] = Outcome(b"".join(parts), references)
