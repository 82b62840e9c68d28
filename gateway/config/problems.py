"""One thing that is wrong in a rule file, where it stands, and the nearest right word.

Lines and columns count from 1, as editors do. A message may repeat a key, a reference or an operand of the file;
it never holds a secret (secrets do not stand in the file) nor a value of a data set.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

Loc = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem of the file. An `error` refuses the file, a `warning` does not."""

    file: str
    line: int
    column: int
    message: str
    suggestion: str = ""
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        mark = "warning: " if self.severity == "warning" else ""
        hint = f" (did you mean {self.suggestion!r}?)" if self.suggestion else ""
        return f"{self.file}:{self.line}:{self.column}: {mark}{self.message}{hint}"


def errors(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Those that refuse the file, in the order of the file."""
    return tuple(each for each in ordered(problems) if each.severity == "error")


def ordered(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """In the order of the file, each once."""
    return tuple(sorted(dict.fromkeys(problems), key=lambda each: (each.line, each.column, each.message)))


def nearest(word: object, known: Iterable[str]) -> str:
    """The known word that a person most likely meant, or ""."""
    words = list(known)
    text = str(word)[:128]
    folded = {each.casefold(): each for each in words}
    if text.casefold() in folded:
        return folded[text.casefold()]
    found = get_close_matches(text, words, 1, 0.7) or get_close_matches(text.casefold(), folded, 1, 0.7)
    return folded.get(found[0].casefold(), found[0]) if found else ""
