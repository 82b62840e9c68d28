"""How a rule names an attribute, and what the data dictionary (PS3.6) says of it.

    Keyword                      StudyDescription
    (gggg,eeee)                  (0008,1030)
    Sequence[n].rest             RequestAttributesSequence[0].ScheduledProcedureStepID    items count from 0
    (gggg,"CREATOR",ee)          (0029,"SIEMENS CSA HEADER",10)                           a private element of a creator

A misspelt keyword is an error with the nearest right one. What the dictionary does not know has no keyword and is
asked as text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from gateway.config.problems import nearest
from transforms.dataset.elements import dictionary_vr
from transforms.dictionary import DicomDictionary, keyword_for_tag, tag_for_keyword

MAX_LENGTH = 512
MAX_SEGMENTS = 16

_SEGMENT = re.compile(
    r"(?P<keyword>[A-Za-z][A-Za-z0-9]*)"
    r"|\((?P<group>[0-9A-Fa-f]{4}),\s*(?P<element>[0-9A-Fa-f]{4})\)"
    r'|\((?P<odd>[0-9A-Fa-f]{4}),\s*"(?P<creator>[^"\\\x00-\x1f]{1,64})",\s*(?P<low>[0-9A-Fa-f]{2})\)'
)
_INDEX = re.compile(r"\[(0|[1-9][0-9]{0,4})\]")


class PathError(ValueError):
    """A path that names nothing. `suggestion` is the nearest one that does."""

    def __init__(self, message: str, suggestion: str = "") -> None:
        super().__init__(message)
        self.suggestion = suggestion


@dataclass(frozen=True, slots=True)
class Path:
    """An attribute that can be asked for."""

    text: str  # in the one way `Facts.get` is asked
    vr: str  # of PS3.6, "US or SS" among them; "" where the dictionary does not know it


@lru_cache(maxsize=4096)
def parse(text: str) -> Path:
    """The attribute that a path names. Raises PathError."""
    if len(text) > MAX_LENGTH:
        raise PathError(f"a path has at most {MAX_LENGTH} characters")
    shown: list[str] = []
    vr = ""
    at = 0
    while True:
        found = _SEGMENT.match(text, at)
        if not found:
            raise PathError(f"{text!r} is no attribute: write Keyword, (gggg,eeee) or Sequence[0].Keyword")
        segment, vr = _segment(found)
        at = found.end()
        if at == len(text):
            return Path(".".join([*shown, segment]), vr)
        index = _INDEX.match(text, at)
        if not index or text[index.end() : index.end() + 1] != ".":
            raise PathError(f"{text!r}: after {segment} comes [0]. and the attribute inside the item")
        if vr not in ("SQ", "", "UN"):
            raise PathError(f"{segment} is no sequence, its VR is {vr}")
        shown.append(segment + index[0])
        at = index.end() + 1
        if len(shown) >= MAX_SEGMENTS:
            raise PathError(f"a path has at most {MAX_SEGMENTS} levels")


def _segment(found: re.Match[str]) -> tuple[str, str]:
    if found["keyword"]:
        keyword = found["keyword"]
        tag = tag_for_keyword(keyword)
        if tag is None:
            raise PathError(f"unknown attribute {keyword[:64]!r}", nearest(keyword, _keywords()))
        return keyword, dictionary_vr(tag)
    if found["creator"]:
        if not int(found["odd"], 16) & 1:
            raise PathError(f"group {found['odd']} is even: a private group is odd (PS3.5 7.8)")
        return f'({found["odd"].lower()},"{found["creator"]}",{found["low"].lower()})', ""
    tag = int(found["group"] + found["element"], 16)
    if tag >> 16 == 0x0002 or tag >> 16 == 0x0000:
        raise PathError(f"group {found['group']} is not part of the data set")
    vr = dictionary_vr(tag)
    keyword = keyword_for_tag(tag) if tag in DicomDictionary else ""
    return keyword or f"({tag >> 16:04x},{tag & 0xFFFF:04x})", vr


@lru_cache(maxsize=1)
def _keywords() -> tuple[str, ...]:
    return tuple(entry[4] for entry in DicomDictionary.values() if entry[4])
