"""The identifiers of one study: what was harvested, and how each is recognised again.

* A record is (class, text). All else follows from records, so that what is kept on disk is only them.
* Names count by their words, alone and in pairs; ids, addresses and institutions as a whole; numbers, dates and UIDs
  only as whole tokens.
* What is short, ordinary or only a few digits is `short`: it counts as a whole value, never within another.
* It grows while objects of the study come; `version` says that what was searched before must be searched again.

Reason: egress-too-many (more identifiers than any honest study has).
"""

from __future__ import annotations

import re
from enum import IntEnum
from typing import Final, NamedTuple

from transforms.egress.charsets import spellings, variants
from transforms.egress.classes import (
    ACCESSION,
    CLASSES,
    DATES,
    DEVICE_UID,
    PATIENT_ID,
    PEOPLE,
    PHONE,
    UID,
)
from transforms.egress.words import is_ordinary, means_nothing
from transforms.errors import TransformError

Record = tuple[str, str]  # class, text

MOST: Final = 5_000  # records of one study that are no UIDs
MOST_UIDS: Final = 50_000
LONGEST: Final = 1024  # characters of one record; a longer one is cut
_REGISTERED: Final = "1.2.840.10008."
_DUMMY_DATES: Final = frozenset({"19000101", "19700101", "19010101", "18000101", "20000101", "19600101"})
_WORDS: Final = re.compile(r"[\s,;/\\^_.]+")
_SEPARATORS: Final = ("^", " ", ", ", ",", ".", "_", "-", "^ ")
_RANK: Final = {name: rank for rank, name in enumerate(CLASSES)}
# What makes a person of an ordinary word: "Mrs Brown", "Patient Long"
_TITLES: Final = (
    "mr",
    "mr.",
    "mrs",
    "mrs.",
    "ms",
    "ms.",
    "miss",
    "dr",
    "dr.",
    "patient",
    "pat.",
    "herr",
    "frau",
    "mme",
)
_STRONG_IDS: Final = frozenset({PATIENT_ID, ACCESSION})


class Kind(IntEnum):
    """What must stand around a needle."""

    NAME = 1  # no ASCII letter before or after
    WHOLE = 2  # no letter or digit before or after, where it is short
    ANYWHERE = 3


class Needle(NamedTuple):
    """How bytes of lower-case text are judged where they are found."""

    name: str  # the class
    encoding: str
    kind: Kind
    word: bool  # a single word of a name


class Identifiers:
    """Grows by `add`; read by search.py."""

    __slots__ = ("date_tags", "dates", "needles", "numbers", "people", "records", "short", "uid_log", "uids", "version")

    def __init__(self) -> None:
        self.records: set[Record] = set()
        self.needles: dict[bytes, Needle] = {}
        self.numbers: dict[bytes, str] = {}
        self.dates: dict[bytes, str] = {}
        self.date_tags: dict[bytes, set[int]] = {}  # where an original held a date
        self.uids: dict[bytes, str] = {}
        self.uid_log: list[bytes] = []  # the same, in the order they came
        self.short: dict[bytes, str] = {}
        self.people: dict[bytes, str] = {}  # words of names, folded, however short
        self.version = 0

    def __repr__(self) -> str:
        return f"Identifiers({len(self.records)} records, {len(self.uids)} UIDs)"

    def add(self, name: str, text: str) -> bool:
        """Learn of one value of a class; whether it was new. Raises TransformError(egress-too-many)."""
        text = text.strip(" \0\t\r\n")[:LONGEST]
        if not text or (name, text) in self.records:
            return False
        if name in (UID, DEVICE_UID):
            return self._uid(name, text)
        self.bounded()
        self.records.add((name, text))
        self.version += 1
        self.bounded()  # the one too many stays: who reads or asks again must know that some are missing
        if name in PEOPLE:
            self._person(name, text)
        elif name in DATES:
            self._date(name, text)
        else:
            self._text(name, text)
        return True

    def bounded(self) -> None:
        """Raises TransformError(egress-too-many) where a study has, or had, more than are kept."""
        if len(self.records) > MOST:
            raise TransformError("egress-too-many", f"more than {MOST} identifiers in one study")

    def forget_uids(self) -> None:
        """Begin anew with UIDs: each object brings its own, and a study may have more than memory should hold."""
        self.uids.clear()
        self.uid_log.clear()
        self.version += 1

    def add_date(self, name: str, day: bytes, tag: int) -> None:
        """Learn of a date YYYYMMDD and of the attribute that holds it. Raises TransformError(egress-too-many)."""
        self.add(name, day.decode("ascii"))
        tags = self.date_tags.setdefault(day, set())
        if tag not in tags:
            tags.add(tag)
            self.version += 1

    def _uid(self, name: str, text: str) -> bool:
        if text.startswith(_REGISTERED) or means_nothing(text):
            return False
        raw = text.encode("utf-8", "replace")
        if raw in self.uids:
            return False
        if len(self.uids) >= MOST_UIDS:
            raise TransformError("egress-too-many", f"more than {MOST_UIDS} UIDs in one object")
        self.uids[raw] = name
        self.uid_log.append(raw)
        return True

    def _date(self, name: str, text: str) -> None:
        for part in text.split("\\"):
            day = part.strip()[:8]
            if len(day) == 8 and day.isdigit() and day.isascii() and day not in _DUMMY_DATES and _plausible(day):
                _first(self.dates, day.encode("ascii"), name)

    def _person(self, name: str, text: str) -> None:
        for one in text.split("\\"):
            for group in one.split("="):
                words = [
                    [word for word in _WORDS.split(part) if word]  # family, given, middle; titles identify nobody
                    for part in group.split("^")[:3]
                ]
                self._words(name, [word for part in words for word in part])
                if group.count("^") + 1 > 1 and len(words) > 1 and words[0] and words[1]:
                    self._pair(name, words[0], words[1])
                elif len(words[0]) > 1:
                    self._pair(name, words[0][:1], words[0][1:2])

    def _words(self, name: str, words: list[str]) -> None:
        for word in words:
            folded = word.lower()
            if means_nothing(word) or len(folded) < 2:
                continue
            for each in variants(word):
                for raw, _ in spellings(each):
                    _first(self.people, raw, name)
            if _strong(folded):
                self._needles(name, word, Kind.NAME, word=True)
            elif folded.isascii() and folded.isalpha() and len(folded) > 2:
                for title in _TITLES:
                    self._needles(name, f"{title} {folded}", Kind.WHOLE)
            for half in folded.split("-") if "-" in folded else ():
                if len(half) > 4 and _strong(half):
                    self._needles(name, half, Kind.NAME, word=True)

    def _pair(self, name: str, family: list[str], given: list[str]) -> None:
        """Names of two words of which neither is told on its own: in every order."""
        a, b = " ".join(family), " ".join(given)
        weak = not any(_strong(word.lower()) for word in (*family, *given))
        if means_nothing(a) or means_nothing(b) or len(a) + len(b) < 3 or a.isdigit() or b.isdigit():
            return
        # A strong word finds them all; joined without a mark between them it would not stand free
        separators = (*_SEPARATORS, "") if weak else ("",)
        for separator in separators:
            if separator or len(a) + len(b) >= (8 if a.isascii() else 2):
                for text in (f"{a}{separator}{b}", f"{b}{separator}{a}"):
                    self._needles(name, text, Kind.WHOLE)
        if not a.isascii():
            self._needles(name, f"{a}\u3000{b}", Kind.WHOLE)

    def _text(self, name: str, text: str) -> None:
        for part in text.split("\\"):
            value = part.strip(" \0")
            if means_nothing(value):
                continue
            bare = re.sub(r"[^0-9A-Za-z]", "", value)
            if bare.isdigit() and not set(value) - set("0123456789-./ ()+"):
                self._number(name, value, bare)
                continue
            least = 4 if name in _STRONG_IDS else 5
            if len(value) < least or _ordinary(value):
                self._whole(name, value)
                continue
            self._needles(name, value, Kind.WHOLE)
            if bare.isascii() and value.isascii() and bare != value and len(bare) >= 8 and not bare.isalpha():
                self._needles(name, bare, Kind.WHOLE)
            for piece in re.split(r"[,;^\r\n]+", value) if name in ("address",) else ():
                piece = piece.strip()
                if len(piece) >= 8 and piece != value and not _ordinary(piece):
                    self._needles(name, piece, Kind.WHOLE)

    def _number(self, name: str, value: str, bare: str) -> None:
        """Digits, with or without marks between them: whole numbers of five digits and more."""
        if not bare.strip("0"):
            return
        if len(bare) < (7 if name == PHONE else 5):
            self._whole(name, value)
            return
        _first(self.numbers, bare.encode("ascii"), name)
        plain = bare.lstrip("0")
        if len(plain) >= 6:
            _first(self.numbers, plain.encode("ascii"), name)
        if value != bare:
            self._needles(name, value, Kind.WHOLE)

    def _whole(self, name: str, value: str) -> None:
        for raw in {value.lower().encode("utf-8"), value.lower().encode("latin-1", "ignore")}:
            if raw:
                _first(self.short, raw, name)

    def _needles(self, name: str, text: str, kind: Kind, *, word: bool = False) -> None:
        for each in variants(text):
            for raw, encoding in spellings(each):
                if len(raw) >= 3:
                    ascii_only = encoding == "ascii"
                    needle = Needle(name, encoding, kind if ascii_only else Kind.ANYWHERE, word)
                    known = self.needles.get(raw)
                    if known is None or _RANK[name] < _RANK[known.name]:
                        self.needles[raw] = needle


def _first(known: dict[bytes, str], raw: bytes, name: str) -> None:
    """What several classes have in common is told by the one that identifies most."""
    if raw not in known or _RANK[name] < _RANK[known[raw]]:
        known[raw] = name


def _strong(folded: str) -> bool:
    """A word of a name that says who is meant wherever it stands."""
    if folded.isascii():
        return len(folded) >= 4 and not is_ordinary(folded) and any(each.isalpha() for each in folded)
    wide = any(ord(each) > 0x2E7F for each in folded)  # ideographs and syllables: two are a name
    return len(folded) >= (2 if wide else 4)


def _ordinary(value: str) -> bool:
    """Nothing but ordinary words."""
    words = re.findall(r"[^\W_]+", value.lower())
    return all((len(word) < 3 and word.isalpha()) or is_ordinary(word) for word in words)


def _plausible(day: str) -> bool:
    return "1850" < day[:4] < "2200" and "01" <= day[4:6] <= "12" and "01" <= day[6:] <= "31"
