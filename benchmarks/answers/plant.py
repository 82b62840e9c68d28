"""Puts identifiers into one object and notes what must become of them.

Rules of this file
* `Spot` is a data set with its path: the top, or an item. Nothing is noted for a place that was not made.
* The value in an answer is read back from the written bytes by `finish`: what stands there, not what was meant.
* A canary is planted once; the patient's own identifiers stand in many places and are planted bytes as well.
* An object whose key cannot be followed (a word to remove is part of a text to keep in the same value) is refused.
"""

from __future__ import annotations

import io
import random
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import pydicom
from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from benchmarks.answers import forms, people
from benchmarks.answers.index import Index, item, step
from benchmarks.answers.key import COLUMNS, Answer, Instance, Planted
from benchmarks.answers.search import SHORTEST
from benchmarks.answers.words import compare

# MIDI-B names HIPAA's identifiers by letter (45 CFR 164.514(b)(2)(i)); ours by label
HIPAA: Final = {
    "name": "HIPAA-A", "place": "HIPAA-B", "date": "HIPAA-C", "telephone": "HIPAA-D", "mail": "HIPAA-F",
    "record": "HIPAA-H", "account": "HIPAA-J", "device": "HIPAA-M", "url": "HIPAA-N", "uid": "HIPAA-R",
}  # fmt: skip


class CannotMake(ValueError):
    """The set cannot be made. No value is in the message."""


class Made(NamedTuple):
    """One object: its file's name, its bytes, its row of the key."""

    name: str
    content: bytes
    row: Instance


@dataclass
class Spot:
    """A data set and how it is reached."""

    data: Dataset
    before: str = ""
    depth: int = 0

    def place(self, tag: int, creator: str = "") -> str:
        """The path of an element here."""
        return self.before + step(tag, creator)

    def item(self, keyword: str, number: int = 0) -> Spot:
        """An item of a sequence, made where it is missing."""
        tag = tag_of(keyword)
        if tag not in self.data:
            setattr(self.data, keyword, Sequence([]))
        items = self.data[tag].value
        while len(items) <= number:
            items.append(Dataset())
        return Spot(items[number], item(self.place(tag), number), self.depth + 1)


def tag_of(keyword: str) -> int:
    """An attribute's tag."""
    found = tag_for_keyword(keyword)
    if found is None:
        raise CannotMake(f"{keyword} is no attribute")
    return found


class Planter:
    """One object at work. `chance` is its own, so that objects do not hang on each other."""

    def __init__(self, data: Dataset, person: people.Person, chance: random.Random, options: frozenset[str]) -> None:
        self.top = Spot(data)
        self.data = data
        self.person = person
        self.chance = chance
        self.options = options
        self.answers: list[Answer] = []
        self.planted: list[Planted] = []
        self.used: set[str] = set()  # places where something was planted
        self.tail = b""  # goes behind the pixels
        self.preamble = b""

    tag = staticmethod(tag_of)

    def canary(self, script: str = "ascii") -> str:
        """A name that stands in one place only."""
        return people.word(self.chance, script)

    def note(self, action: str, place: str, text: str = "", leak: str = "", **categories: str) -> None:
        """What must become of an element."""
        self.answers.append(Answer(action, place, text=text, leak=leak, categories=tuple(categories.items())))

    def hide(
        self, leak: str, place: str, pattern: bytes, depth: int = 0, encoding: str = "ascii", vr: str = ""
    ) -> None:
        """Bytes that no output may hold."""
        if len(pattern) < SHORTEST:
            raise CannotMake(f"{leak}: too short to look for")
        self.planted.append(Planted(leak, place, depth, encoding, vr, pattern))

    def remove(
        self, spot: Spot, keyword: str, word: str, leak: str, *, value: Any = None, encoding: str = "ascii",
        label: str = "name",
    ) -> None:  # fmt: skip
        """Put `value` (the word itself, if none is given) there; the word must go."""
        tag = tag_of(keyword)
        vr = dictionary_VR(tag)
        written = forms.text(encoding, word)
        setattr(spot.data, keyword, written if value is None else value)
        self.gone(spot.place(tag), written, leak, label, hide=False)
        self.hide(leak, spot.place(tag), forms.pattern(encoding, word), spot.depth, encoding, vr)

    def private(
        self, spot: Spot, group: int, creator: str, low: int, vr: str, word: str, leak: str, *, encoding: str = "ascii"
    ) -> None:  # fmt: skip
        """The same for a private element."""
        block = spot.data.private_block(group, creator, create=True)
        value: Any = forms.raw(encoding, word) if vr in forms.BYTE_VRS else forms.text(encoding, word)
        block.add_new(low, vr, value + b"\0" * (len(value) & 1) if isinstance(value, bytes) else value)
        place = spot.place(block.get_tag(low), creator)
        if vr not in forms.BYTE_VRS or encoding not in ("utf-16", *tuple(forms.CHARSETS)[1:]):
            self.gone(place, forms.text(encoding, word), leak, hide=False)
        self.hide(leak, place, forms.pattern(encoding, word), spot.depth, encoding, vr)

    def unknown(self, spot: Spot, tag: int, value: bytes, words: Iterable[tuple[str, str]], leak: str) -> None:
        """An element of VR UN, written as it is; `words` with their encodings stand in it."""
        value += b"\0" * (len(value) & 1)
        spot.data[Tag(tag)] = RawDataElement(Tag(tag), "UN", len(value), value, 0, False, True)
        for word, encoding in words:
            self.hide(leak, spot.place(tag), forms.pattern(encoding, word), spot.depth, encoding, "UN")

    def text(self, spot: Spot, keyword: str, value: str, kept: str, gone: Iterable[tuple[str, str]], leak: str) -> None:
        """A descriptor: what is harmless stays under Clean Descriptors, `gone` (word, label) goes in any case."""
        setattr(spot.data, keyword, value)
        place = spot.place(tag_of(keyword))
        for word, label in gone:
            self.gone(place, word, leak, label, hide=False)
        if kept and "clean-descriptors" in self.options:
            self.note("text_retained", place, kept, "kept: descriptor", tcia_p15="TCIA-P15-DESC-C")

    def date(self, spot: Spot, keyword: str, value: str, leak: str) -> None:
        """A DA, DT or TM value that must change or go; under modified dates an element that was there stays."""
        setattr(spot.data, keyword, value)
        tag = tag_of(keyword)
        if dictionary_VR(tag) != "TM":  # the day moves, not the time of day (PS3.15 E.3.6)
            self.note("date_shifted", spot.place(tag), leak=leak)
        if "retain-modified-dates" in self.options and dictionary_VR(tag) != "TM":
            self.note("text_notnull", spot.place(tag), leak="kept: date", dicom_iod="DICOM-IOD-1")

    def uid(self, spot: Spot, keyword: str, value: str, leak: str, *, mapped: bool = True) -> None:
        """A UID that must be replaced, everywhere by the same one."""
        setattr(spot.data, keyword, value)
        place = spot.place(tag_of(keyword))
        self.note("uid_changed", place, leak=leak)
        if mapped:
            self.note("uid_consistent", place, leak="kept: reference")

    def keep(self, spot: Spot, *keywords: str, empty: bool = False) -> None:
        """Attributes that no profile takes away, where the object has them."""
        for keyword in keywords:
            tag = tag_of(keyword)
            if tag in spot.data and (empty or spot.data[tag].value not in (None, "")):
                text = Index(spot.data).text(step(tag)) or ""
                self.note("text_retained", spot.place(tag), text, "kept: " + _kind(spot), tcia_p15="TCIA-P15-K")

    def stays(self, spot: Spot, *keywords: str, filled: bool = False) -> None:
        """Attributes of type 2 (there) or 1 (there, with a value), whatever the value."""
        for keyword in keywords:
            if tag_of(keyword) in spot.data:
                action, kind = ("text_notnull", "1") if filled else ("tag_retained", "2")
                self.note(action, spot.place(tag_of(keyword)), leak=f"kept: type {kind}", dicom_iod=f"DICOM-IOD-{kind}")

    def gone(self, place: str, word: str, leak: str, label: str = "name", *, hide: bool = True) -> None:
        """A word that stands at `place` must go; unless `hide` is false it must not be anywhere."""
        self.used.add(place)
        self.note("text_removed", place, word, leak, hipaa_z=HIPAA[label])
        if hide:
            self.hide(leak, place, word.encode())

    def finish(self, name: str) -> Made:
        """The file under a name that says nothing, and its row of the key. Raises CannotMake."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self._finish(name)

    def _finish(self, name: str) -> Made:
        file = io.BytesIO()
        self.data.preamble = self.preamble.ljust(128, b"\0")
        if self.tail:
            self.data.PixelData += self.tail + b"\0" * (len(self.tail) & 1)
        self.data.save_as(file, enforce_file_format=True)
        index = Index(pydicom.dcmread(io.BytesIO(file.getvalue())))
        answers = [self._seen(answer, index) for answer in self.answers]
        _followable(answers)
        for planted in self.planted:
            if planted.pattern not in file.getvalue():
                raise CannotMake(f"{planted.leak} ({planted.encoding}, {planted.vr}) did not get into the object")
        ids = tuple(str(self.data.get(keyword, "")) for keyword in COLUMNS)
        return Made(name, file.getvalue(), Instance(ids, tuple(answers), tuple(self.planted)))

    def _seen(self, answer: Answer, index: Index) -> Answer:
        if not answer.place:
            return answer
        value = index.text(answer.place)
        if value is None and answer.leak != "marking":
            raise CannotMake(f"{answer.leak}: {answer.place.count('[')} items deep, not there after writing")
        if answer.action == "text_removed" and compare(value or "", answer.text, keep=False) is not False:
            raise CannotMake(f"{answer.leak}: what is to be removed is not there")
        tag = answer.place.rpartition("<(")[2][:9].replace(",", "")
        name = keyword_for_tag(int(tag, 16)) if '"' not in tag else ""
        return replace(answer, value=value or "", name=name)


def _kind(spot: Spot) -> str:
    return "top" if spot.depth == 0 else "item"


def _followable(answers: list[Answer]) -> None:
    """No text to keep holds a word to remove from the same element."""
    kept = {a.place: a.text for a in answers if a.action == "text_retained"}
    for answer in answers:
        text = kept.get(answer.place)
        if answer.action == "text_removed" and text and compare(text, answer.text, keep=False) is not True:
            raise CannotMake("a word to remove is part of a text to keep")
