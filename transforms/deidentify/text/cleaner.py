"""Takes identities out of a text: those of the object, and what looks like one. The rest stays as it was.

* Names are compared without case, accents and German transliteration: Müller, MUELLER and Muller are one. A part of a
  name counts as a whole word, in any order, with initials and titles beside it.
* A part of a name that is also a word of radiology (WORDS: hand, long, may ...) goes only beside another part of a
  name, an initial or a title; the patient's family name always goes.
* Numbers are compared with and without separators. Of a place's name the whole goes, and each word that is not a
  common one.
* Cleaning what is clean changes nothing. Time grows with the length of the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, Protocol

from transforms.deidentify.text.charsets import decoded
from transforms.deidentify.text.identities import Identities, Value
from transforms.deidentify.text.patterns import LOOKS_LIKE, LOOKS_LIKE_SOMEBODY
from transforms.deidentify.text.words import COMMON, PLACES, WORDS

_ROUNDS: Final = 4
_LONGEST_NAMES: Final = 2000  # parts; an object names no more
_EDGES: Final = re.compile(r"^[\s,;:/|^=_-]+|[\s,;:/|^=_-]+$")
_GAPS: Final = re.compile(r"[ \t]{2,}")
_EMPTY: Final = re.compile(r"\(\s*\)|\[\s*\]|\"\s*\"")
_ORPHAN: Final = re.compile(r"[ \t]+([,;:.])|([,;])(?:[ \t]*[,;])+")
_TITLES: Final = r"(?:(?:dr|prof|mrs?|ms|miss|herr|frau|mme|med|pd)\.?\s{1,3}){0,4}"


class Remover(Protocol):
    """More that may be taken out, such as what a named-entity model finds. It can only add removals.

    It says the same of the same text. What it raises holds the object: its text was not looked at.
    """

    def spans(self, text: str) -> Iterable[tuple[int, int]]:
        """Places to take out, as (start, end)."""
        ...  # pragma: no cover

    def __hash__(self) -> int: ...


class Cleaner:
    """What is known of one study, as patterns. Safe to share."""

    __slots__ = ("_known", "_remover", "values")

    def __init__(self, found: Identities, remover: Remover | None = None) -> None:
        self._known = _known(found)
        self._remover = remover
        self.values: dict[tuple[bytes, str, tuple[str, ...]], bytes] = {}  # cleaned already: values.py keeps them

    def clean(self, text: str) -> str:
        """The text without identities; "" where nothing is left that says something."""
        if not text.strip():
            return ""
        for _ in range(_ROUNDS):  # what is taken out may bring together what was apart
            spans = list(self._spans(text))
            if not spans:
                return text
            text = _without(text, spans)
        return "" if list(self._spans(text)) else text

    def _spans(self, text: str) -> Iterable[tuple[int, int]]:
        folded, places = fold(text)
        for pattern in (self._known, LOOKS_LIKE):
            if pattern is not None:
                for match in pattern.finditer(folded):
                    if match.end() > match.start():
                        yield places[match.start()], places[match.end() - 1] + 1
        for match in LOOKS_LIKE_SOMEBODY.finditer(text):
            yield match.span()
        if self._remover is not None:
            yield from ((max(0, a), min(b, len(text))) for a, b in self._remover.spans(text) if a < b)


@lru_cache(maxsize=256)
def cleaner_for(found: Identities, remover: Remover | None = None) -> Cleaner:
    """The cleaner of these identities, made once: the objects of a study bring the same."""
    return Cleaner(found, remover)


def fold(text: str) -> tuple[str, list[int]]:
    """Lower case without accents, and for each character its place in the text."""
    if text.isascii():
        return text.lower(), list(range(len(text)))
    out: list[str] = []
    places: list[int] = []
    for place, char in enumerate(text):
        for piece in unicodedata.normalize("NFKD", char.replace("ß", "ss")).casefold():
            if not unicodedata.combining(piece):
                out.append(piece)
                places.append(place)
    return "".join(out), places


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    parts = []
    at = 0
    for start, end in sorted(spans):
        if start > at:
            parts.append(text[at:start])
        at = max(at, end)
    parts.append(text[at:])
    joined = _GAPS.sub(" ", _EMPTY.sub("", " ".join(part.strip(" ") for part in parts if part.strip(" "))))
    joined = _ORPHAN.sub(lambda found: found[1] or found[2], joined)
    joined = _EDGES.sub("", joined)
    return joined if any(char.isalnum() for char in joined) else ""


def _known(found: Identities) -> re.Pattern[str] | None:
    """One pattern for everything that is known, over folded text."""
    names: set[str] = set()
    families: set[str] = set()
    for text in _texts(found.names):
        for group in text.split("="):
            components = group.split("^")
            families |= set(_parts(components[0]))
            names |= {part for component in components for part in _parts(component)}
    names = set(sorted(names)[:_LONGEST_NAMES])
    plain = {name for name in names if name not in WORDS or name in families} - COMMON
    shy = names - plain  # only beside another part
    phrases = {name for name in map(_squeezed, _texts(found.places)) if len(name) > 3}
    words = {w for phrase in phrases for w in re.findall(r"[^\W\d_]{4,}", phrase)} - PLACES - WORDS - COMMON
    numbers = {number for text in _texts(found.numbers) if len(number := re.sub(r"[\W_]", "", text.lower())) > 3}
    branches = [_spaced(phrase) for phrase in sorted(phrases, key=len, reverse=True)]
    branches += [r"[\W_]{0,2}".join(map(re.escape, number)) for number in sorted(numbers, key=len, reverse=True)]
    bounded = [rf"(?<![^\W_])(?:{branch})(?![^\W_])" for branch in branches]
    if plain | shy:
        one = _either(plain | words) if plain | words else "(?!)"
        every = _either(names)
        initial = r"(?:[^\W\d_]\.?[\s,]+)?"
        # A name, with what stands beside it: titles, initials, further parts
        bounded.append(
            rf"(?<![^\W\d_]){_TITLES}{initial}(?:{one})(?:'?s)?"
            rf"(?:[\s,^_.-]+(?:(?:{every})(?:'?s)?|[^\W\d_]\.)(?![^\W\d_]))*(?![^\W\d_])"
        )
        if shy:
            bounded.append(rf"(?<![^\W\d_])(?:{every})(?:[\s,^_-]+(?:{every}))+(?![^\W\d_])")
            bounded.append(rf"(?<![^\W\d_])(?:(?:dr|prof|mrs?|ms|herr|frau)\.?\s+)(?:{every})(?![^\W\d_])")
    elif words:
        bounded.append(rf"(?<![^\W\d_])(?:{_either(words)})(?![^\W\d_])")
    return re.compile("|".join(bounded)) if bounded else None


def _texts(values: frozenset[Value]) -> Iterable[str]:
    """The values as text: in their character set, and as Latin-1 where that is another reading."""
    for charset, raw in values:
        seen = set()
        for text in decoded(raw, tuple(charset.split("\\"))):
            folded = fold(text)[0]
            if folded not in seen:
                seen.add(folded)
                yield folded


def _parts(component: str) -> Iterable[str]:
    """The words of a name, whole and split at hyphens, with and without German transliteration."""
    for word in re.split(r"[\s,.;()]+", component):
        for part in {word, *word.split("-")}:
            if len(part) > 1 and not part.isdigit():
                yield part
                if any(pair in part for pair in ("ae", "oe", "ue")):
                    yield part.replace("ae", "a").replace("oe", "o").replace("ue", "u")


def _squeezed(text: str) -> str:
    return " ".join(re.findall(r"\w+", text))


def _spaced(phrase: str) -> str:
    return r"[\W_]+".join(map(re.escape, phrase.split()))


def _either(words: set[str]) -> str:
    """An alternative of words; a vowel that a transliteration may spell out matches both ways."""
    spelled = (re.escape(word) for word in sorted(words, key=lambda each: (-len(each), each)))
    return "|".join(re.sub(r"([aou])(?!e)", r"\1e?", word) for word in spelled)
