"""Does a text name somebody? For texts of which nothing can be cut out: a document, a page.

* It does where the cleaner would take something out, or where a known name or number stands in it once everything but
  letters and digits is left out: letters that are set one by one, numbers across lines.
* It says yes rather than no.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from transforms.deidentify.text.charsets import decoded
from transforms.deidentify.text.cleaner import Cleaner, fold
from transforms.deidentify.text.identities import Identities, Value
from transforms.deidentify.text.words import COMMON, PLACES, WORDS

_SHORTEST: Final = 5  # characters of a needle in a text without blanks: shorter ones stand everywhere
_OTHERS: Final = re.compile(r"[\W_]+")


def named(texts: Iterable[str], found: Identities, cleaner: Cleaner) -> bool:
    """Whether one of the texts names somebody, as far as `found` and the cleaner's patterns know."""
    needles = set(_needles(found))
    for text in texts:
        if text.strip() and cleaner.clean(text) != text:
            return True
        squeezed = _OTHERS.sub("", fold(text)[0])
        if any(needle in squeezed for needle in needles):
            return True
    return False


def _needles(found: Identities) -> Iterable[str]:
    for values in found:
        for text in _folded(values):
            for part in (text, *re.split(r"[\W_]+", text)):
                needle = _OTHERS.sub("", part)
                if len(needle) >= _SHORTEST and needle not in WORDS | COMMON | PLACES:
                    yield needle


def _folded(values: frozenset[Value]) -> Iterable[str]:
    for charset, raw in values:
        for text in decoded(raw, tuple(charset.split("\\"))):
            yield fold(text)[0]
