"""What C of Table E.1-1 makes of one value: how options.py says, with what is known of the patient.

* A value that cannot be cleaned (a date that is none) gives None, and the caller takes a dummy: the uncleaned value
  never leaves.
* What is needed of the object - the patient's shift, the study's identities - is made once for each object.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from transforms.deidentify.ages import OLDEST
from transforms.deidentify.context import Context
from transforms.deidentify.dates import moved
from transforms.deidentify.options import How
from transforms.deidentify.text import Cleaner, clean_value

_AGE: Final = re.compile(rb"([0-9]{3})Y[ \0]*")
_SHORT: Final = 32  # bytes; the dates of a study are few
_moved = lru_cache(maxsize=4096)(moved)


class Cleaning(NamedTuple):
    """What cleaning one object takes."""

    context: Context
    days: int  # by which the patient's dates move
    cleaner: Cleaner | None  # None where no text is cleaned

    def value(self, how: How, vr: str, raw: bytes, charset: tuple[str, ...]) -> bytes | None:
        """A cleaned value of even length; None where it cannot be cleaned. Raises `charset-undecodable`."""
        if how is How.SHIFT:
            return _moved(vr, raw, self.days) if len(raw) <= _SHORT else moved(vr, raw, self.days)
        if how is How.AGE:
            return _age(raw)
        if how is How.PSEUDONYM:
            return ("AE" + self.context.pseudonym("ae", raw.strip(b" \0")))[:16].encode("ascii")
        if how is How.TEXT and self.cleaner is not None:
            fresh = clean_value(raw, vr, charset, self.cleaner)
            return fresh + b" " * (len(fresh) & 1)
        return None


def _age(raw: bytes) -> bytes | None:
    found = _AGE.fullmatch(raw)
    if found is None:
        return raw if re.fullmatch(rb"[0-9]{3}[DWM][ \0]*", raw) else None
    return b"090Y" if int(found[1]) > OLDEST else raw
