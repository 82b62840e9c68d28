"""What became of the same element in another object: images of a series repeat most of theirs.

* Only elements of the top level whose outcome hangs on their own bytes and on what `alike` is asked with (profile.py
  gives them a code of their own); a walk that tells what it does looks at each anew.
* An outcome is bytes: the element's own where it stays, others where it is replaced, none where it goes.
* It remembers so as to save time. Forgetting changes nothing.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

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


Known = dict[bytes, Outcome]  # by the element, header and all


@lru_cache(maxsize=32)
def alike(
    table: ActionTable, context: Context, sop_class: str, cleaning: Cleaning | None, charset: tuple[str, ...]
) -> Known:
    """What is known of objects that have all this in common."""
    return {}


def learn(known: Known, element: bytes, start: int, edit: Edit, before: Mark, references: frozenset[str]) -> None:
    """Remember what the walk has made of `element`, which begins at byte `start` of the source."""
    if len(known) >= MOST:
        known.clear()
    parts = []
    for piece in edit.out[before.pieces :]:
        if isinstance(piece, Copy):
            parts.append(element[max(0, piece.offset - start) : max(0, piece.offset + piece.length - start)])
        else:
            parts.append(piece.data)
    parts.append(element[max(0, edit.run - start) :])
    known[element] = Outcome(b"".join(parts), references)
