"""How MIDI-B compares text: numbers as numbers, else the whole text, else each of its words, as parts of the value.

Rules of this file
* Case does not count, and < and > are taken out.
* Two plain numbers are compared as numbers: 12 and 12.0 are the same.
* A text that is part of the value is there. Otherwise each word of it is looked for as a part of the value: all must
  be there for `retained`, none for `removed`. English function words and punctuation are no words.
* A text without a word cannot be judged.

Words are cut as NLTK's Treebank tokenizer cuts them, in the cases that occur in headers; a rare contraction may be
cut otherwise.
"""

from __future__ import annotations

import re
import string
from typing import Final

_STOP: Final = """
i me my myself we our ours ourselves you your yours yourself yourselves he him his himself she her hers herself it
its itself they them their theirs themselves what which who whom this that these those am is are was were be been
being have has had having do does did doing a an the and but if or because as until while of at by for with about
against between into through during before after above below to from up down in out on off over under again further
then once here there when where why how all any both each few more most other some such no nor not only own same so
than too very s t can will just don should now d ll m o re ve y ain aren couldn didn doesn hadn hasn haven isn ma
mightn mustn needn shan shouldn wasn weren won wouldn don't you're you've you'll you'd she's it's that'll should've
aren't couldn't didn't doesn't hadn't hasn't haven't isn't mightn't mustn't needn't shan't shouldn't wasn't weren't
won't wouldn't
"""
STOP: Final = frozenset(_STOP.split())
PUNCTUATION: Final = frozenset(string.punctuation) | {"“", "”", "‘", "’", "``", "''", "•", "..."}
_TOKEN: Final = re.compile(
    r"""
    \.\.\.
    | [;@\#$%&?!()\[\]{}"“”‘’•]
    | --
    | (?<!\d),(?!\d) | ,(?!\d) | :(?!\d)
    | '(?:s|m|d|ll|re|ve)\b
    | (?:(?!\.\.\.|--|'(?:s|m|d|ll|re|ve)\b)(?:[^\s;@\#$%&?!()\[\]{}"“”‘’•,:]|,(?=\d)|:(?=\d)))+
    """,
    re.VERBOSE,
)


def words(text: str) -> list[str]:
    """The words of a text, in small letters."""
    tokens = _TOKEN.findall(text.lower())
    if tokens and len(tokens[-1]) > 1 and tokens[-1].endswith("."):
        tokens[-1] = tokens[-1].rstrip(".")  # only the last full stop ends a sentence
    return [token for token in tokens if token and token not in STOP and token not in PUNCTUATION]


def compare(value: str, text: str, *, keep: bool) -> bool | None:
    """Whether `text` was kept in (or removed from) `value`; None where it cannot be told."""
    value, text = (each.replace("<", "").replace(">", "").lower() for each in (value, text))
    if _plain(value) and _plain(text):
        return (float(value) == float(text)) is keep
    if text in value:
        return keep
    found = [word in value for word in words(text)]
    if not found:
        return None
    return all(found) if keep else not any(found)


def _plain(text: str) -> bool:
    digits = text.replace(".", "", 1)
    return digits.isascii() and digits.isdigit()
