"""Searches pieces of an output for a study's identifiers: quickly for candidates, then value by value.

* `Searcher` is compiled from `Identifiers` less what options keep, and again whenever they have grown.
* The quick pass looks through raw bytes and asks whether a value by value look is worth its time. It may say yes too
  often, never no where the slow pass finds something.
* The slow pass knows what a value is: numbers are no ids, a maker is no patient, a code is no accession.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from struct import pack
from typing import Final, NamedTuple

from transforms.dictionary import DicomDictionary
from transforms.egress.charsets import decoded
from transforms.egress.classes import (
    ACCESSION,
    AE_TITLE,
    CLASS_UIDS,
    DATES,
    DEVICE,
    FREE_ID,
    INSTITUTION,
    PATIENT_ID,
    Kept,
    class_of,
)
from transforms.egress.identifiers import Identifiers, Kind, Needle
from transforms.egress.places import days, forms, free, in_print, least, probe, probes
from transforms.egress.scanner import Leaf
from transforms.egress.views import SMALL, View, printed, views
from transforms.egress.words import is_term, ordinary

_TEXT: Final = frozenset({"AE", "LO", "LT", "PN", "SH", "ST", "UC", "UN", "UR", "UT", "CS", "UI"})
_NUMBERS: Final = frozenset({"AS", "DS", "IS", "TM"})  # digits that number or measure
_BINARY: Final = frozenset(
    {"AT", "FD", "FL", "OB", "OD", "OF", "OL", "OV", "OW", "SL", "SS", "SV", "UL", "UN", "US", "UV"}
)
# Attributes that name makers, products and codes: single words in them name nobody
_VOCABULARY: Final = frozenset(
    {
        0x00080070, 0x00081090, 0x00080100, 0x00080102, 0x00080103, 0x00080105, 0x00080112, 0x00080114, 0x00080115,
        0x00080116, 0x00080119, 0x00080120, 0x00080121, 0x00080122, 0x00181020, 0x00020013, 0x00120063, 0x00120053,
    }
)  # fmt: skip
_STRONG: Final = frozenset({ACCESSION, PATIENT_ID})
_OF_THINGS: Final = frozenset({AE_TITLE, DEVICE, FREE_ID, INSTITUTION})  # a station may be called as its model is
_PN_TAGS: Final = tuple(
    pack("<HH", tag >> 16, tag & 0xFFFF) for tag, entry in DicomDictionary.items() if entry[0] == "PN"
)
_TOKEN: Final = re.compile(rb"\d[\d.\-/]{3,}\d")
_DIGITS: Final = re.compile(rb"\d+")
_CHARSET: Final = 0x00080005
_VERSION: Final = 12  # characters: what looks like a short UID may be a version
_MOMENTS: Final = (8, 10, 12, 14)  # digits that begin with a date
_NO_TAG: Final = -1


class Hit(NamedTuple):
    """One identifier found. `where` is a tag, "file-meta", "name" or "byte N"."""

    name: str  # the class
    encoding: str
    where: str

    def __str__(self) -> str:
        return f"{self.name} as {self.encoding} in {self.where}"


class Suspicion(NamedTuple):
    """What a quick look through raw bytes could not rule out."""

    needles: tuple[tuple[bytes, Needle], ...]
    tokens: bool  # numbers, dates, UIDs
    short: bool
    wrapped: bool  # something stands in an encoding of text


NAMES_ONLY: Final = Suspicion((), False, True, False)  # short values may be the names of files


class Searcher:
    """One study's identifiers, ready to be searched for. It does not change."""

    __slots__ = (
        "_all_uids",
        "_date_tags",
        "_dates",
        "_kept",
        "_least",
        "_masks",
        "_needles",
        "_numbers",
        "_people",
        "_probes",
        "_records",
        "_short",
        "_short_probes",
    )  # fmt: skip

    def __init__(self, known: Identifiers, kept: Kept) -> None:
        gone = kept.classes
        self._kept = kept
        self._needles = [(raw, needle) for raw, needle in known.needles.items() if needle.name not in gone]
        self._masks = [raw for raw, needle in known.needles.items() if needle.name in gone]
        self._probes = probes(raw for raw, _ in self._needles)
        self._least = least(self._probes)
        self._numbers = {raw: name for raw, name in known.numbers.items() if name not in gone}
        self._dates = {raw: name for raw, name in known.dates.items() if name not in gone}
        self._date_tags = known.date_tags
        self._people = {raw: name for raw, name in known.people.items() if name not in gone}
        self._short = {raw: name for raw, name in known.short.items() if name not in gone}
        self._short_probes = tuple({form for raw in self._short for form in forms(raw)})
        self._records = known.records
        self._all_uids = known.uids

    def suspects(self, raw: bytes, explicit: bool) -> Suspicion | None:
        """What these bytes may hold; None where they surely hold nothing."""
        texts = tuple(views(raw))
        folded = texts[0].text
        short = _any(self._short_probes, folded)
        people = b"PN" in raw if explicit else any(tag in raw for tag in _PN_TAGS)
        if not (short or people):  # one look at all of the texts: nearly always there is nothing
            every = b"\0\0".join([view.text for view in texts])
            if not _any(self._least, every) and not any(map(self._perhaps, set(_TOKEN.findall(every)))):
                return None
        seen: set[bytes] = set()
        tokens = wrapped = False
        for view in texts:
            text = view.text
            found = [part for part in self._probes if part in text]
            seen.update(found)
            numbers = any(map(self._perhaps, set(_TOKEN.findall(text))))
            tokens = tokens or numbers
            wrapped = wrapped or (view.encoding != "text" and (numbers or bool(found)))
        if not (seen or tokens or short or people):
            return None
        needles = tuple(each for each in self._needles if probe(each[0]) in seen) if seen else ()
        return Suspicion(needles, tokens, short, wrapped)

    def everything(self) -> Suspicion:
        """Where a quick look is not worth its while."""
        return Suspicion(tuple(self._needles), True, True, True)

    def hits(self, leaf: Leaf, suspicion: Suspicion) -> Iterator[Hit]:
        """What one value gives away."""
        tag, vr, value, _ = leaf
        if tag in self._kept.tags or tag == _CHARSET or not value:
            return
        where = f"({tag >> 16:04X},{tag & 0xFFFF:04X})" if tag >= 0 else "name"
        if vr == "UI" and all(self._kept_uid(each.strip(b"\0 ")) for each in value.split(b"\\")):
            return
        if self._kept.classes and self._kept_value(leaf):
            return
        if vr in _BINARY and len(value) > SMALL:
            yield from self._long_needles(value, where)
            value = printed(value)
        told: set[str] = set()  # one hit a class is enough
        needles, tokens, short, wrapped = suspicion
        if needles or tokens:
            for view in views(value) if wrapped else (View("text", value.lower(), 0),):
                for name in self._found(view, leaf, needles, tokens):
                    if name not in told:
                        told.add(name)
                        yield Hit(name, view.encoding, where)
        if (short or vr == "PN" or tag < 0) and vr in _TEXT:
            for name in self._whole(tag, vr, leaf.value):
                if name not in told:
                    told.add(name)
                    yield Hit(name, "text", where)

    def _kept_uid(self, uid: bytes) -> bool:
        return self._all_uids.get(uid, "") in self._kept.classes

    def _kept_value(self, leaf: Leaf) -> bool:
        """An original value of a class that is kept, in an attribute of that class."""
        own = class_of(leaf.tag, leaf.vr)
        if own not in self._kept.classes:
            return False
        if own in DATES:
            return True
        return any((own, text.strip(" ")) in self._records for text in decoded(leaf.value.strip(b"\0 "), leaf.charset))

    def _uid(self, raw: bytes) -> str:
        found = self._all_uids.get(raw, "")
        return "" if found in self._kept.classes else found

    def _found(self, view: View, leaf: Leaf, needles: tuple[tuple[bytes, Needle], ...], tokens: bool) -> Iterator[str]:
        text = view.text
        for mask in self._masks:
            if mask in text:
                text = text.replace(mask, b" ")
        for raw, needle in needles:
            if len(raw) >= view.least and raw in text and self._counts(raw, needle, text, leaf, view.encoding):
                yield needle.name
        if not tokens:
            return
        if leaf.vr in _NUMBERS and view.encoding == "text":
            yield from self._decoded(text if leaf.vr in ("DS", "IS") and b"." not in text else b"", 8)
            return
        if view.encoding in ("base64", "hex"):
            yield from self._decoded(text, 6)
            return
        for token in _TOKEN.findall(text):
            found = self._token(token, leaf)
            if found:
                yield found

    def _decoded(self, text: bytes, least: int) -> Iterator[str]:
        """Numbers where chance makes digits, or where numbers measure: long ones only."""
        for token in _DIGITS.findall(text):
            if len(token) >= least and token in self._numbers:
                yield self._numbers[token]

    def _counts(self, raw: bytes, needle: Needle, text: bytes, leaf: Leaf, encoding: str) -> bool:
        """Whether one of the places where a needle stands is one that gives somebody away."""
        tag, vr = leaf.tag, leaf.vr
        single = needle.word
        if encoding == "text":
            if vr == "CS" and needle.name in _OF_THINGS:
                return False
            if (single or needle.name in _OF_THINGS) and (tag in _VOCABULARY or _reservation(tag)):
                return False
            if single and vr == "CS" and (len(raw) < 6 or is_term(raw.decode("latin-1"))):
                return False
        binary = vr in _BINARY
        if binary and needle.kind is Kind.ANYWHERE and len(raw) < 5:
            return False
        at = text.find(raw)
        while at >= 0:
            end = at + len(raw)
            if free(text, at, end, needle.kind) and (
                not binary or len(raw) >= 8 or needle.kind is Kind.ANYWHERE or in_print(text, at, end)
            ):
                return True
            at = text.find(raw, at + 1)
        return False

    def _token(self, token: bytes, leaf: Leaf) -> str:
        """The class of digits with dots, dashes or slashes; "" where they are nobody's."""
        found = self._uid(token)
        if found and (len(token) > _VERSION or leaf.vr == "UI"):
            return "" if leaf.vr == "UI" and leaf.tag in CLASS_UIDS else found
        if token.count(b".") > 3:
            return ""
        parts = _DIGITS.findall(token)
        for day in days(parts) if len(parts) == 3 else ():
            if day in self._dates:
                return self._dates[day]
        dates = leaf.vr in ("DA", "DT")
        for part in parts:
            if len(part) in _MOMENTS and part[:8] in self._dates:
                if dates and self._moved(part[:8], leaf.tag):
                    continue
                return self._dates[part[:8]]
            if len(part) >= 5 and part in self._numbers and self._number(part, leaf):
                return self._numbers[part]
        return ""

    def _perhaps(self, token: bytes) -> bool:
        """Whether a token of raw bytes is anybody's, with its last digit or without: that may be of the next header."""
        if self._uid(token) or self._uid(token[:-1]):
            return True
        if token.count(b".") > 3:
            return False
        parts = _DIGITS.findall(token)
        last = parts[-1][:-1]
        cut = [*parts[:-1], last] if last else parts[:-1]
        for each in (parts, cut):
            if len(each) == 3 and any(day in self._dates for day in days(each)):
                return True
        return any(
            (len(part) in _MOMENTS and part[:8] in self._dates) or (len(part) >= 5 and part in self._numbers)
            for part in (*parts, last)
        )

    def _number(self, part: bytes, leaf: Leaf) -> bool:
        if leaf.vr in ("DA", "DT", "TM"):
            return False
        return leaf.tag not in _VOCABULARY or len(part) > 6

    def _moved(self, day: bytes, tag: int) -> bool:
        """A date that was moved onto another of the study: not the one that stood here."""
        return self._kept.shifted and tag not in self._date_tags.get(day, ())

    def _whole(self, tag: int, vr: str, value: bytes) -> Iterator[str]:
        """Values that are short: as a whole, where such a thing is expected."""
        own = class_of(tag, vr)
        if vr == "PN":
            for word in re.split(rb"[\^=\\ ,]+", value.lower().strip(b"\0 ")):
                if word in self._people:
                    yield self._people[word]
        if not self._short:
            return
        if tag < 0:
            stem = value.lower().rpartition(b".")[0] or value.lower()
            for each in (*re.split(rb"[/\\ _-]+", value.lower()), stem):
                if each in self._short and self._short[each] in _STRONG:
                    yield self._short[each]
        for each in value.split(b"\\"):
            folded = each.strip(b" \0").lower()
            name = self._short.get(folded)
            if name is None:
                continue
            anywhere = len(folded) >= 3 and vr not in ("CS", "UI") and tag not in _VOCABULARY and not _plain(folded)
            if name == own or (anywhere and name in _STRONG):
                yield name

    def _long_needles(self, value: bytes, where: str) -> Iterator[Hit]:
        """Names in other alphabets within large bytes: long enough that chance does not make them."""
        folded: bytes | None = None
        for raw, needle in self._needles:
            if len(raw) >= 8 and not raw.isascii():
                if folded is None:
                    folded = value.lower()
                if raw in folded:
                    yield Hit(needle.name, needle.encoding, where)


def _any(parts: tuple[bytes, ...], text: bytes) -> bool:
    """Whether one of them stands there."""
    for part in parts:  # noqa: SIM110  a generator costs as much as the search itself
        if part in text:
            return True
    return False


def _reservation(tag: int) -> bool:
    """(gggg,0010) to (gggg,00FF) of an odd group: a vendor's name (PS3.5 7.8.1)."""
    return bool(tag & 0x10000) and 0x10 <= tag & 0xFFFF <= 0xFF


def _plain(folded: bytes) -> bool:
    return folded.isdigit() or folded.decode("latin-1") in ordinary()
