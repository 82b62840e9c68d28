"""One level of a data set in memory: the attributes of the object, or of one item of a sequence, taken one by one.

Rules of this file
* The bytes are Explicit VR little endian and framed already (dataset/convert.py, framing.py): nothing is checked twice.
* Every access takes the attribute out of its level, so that what is left at the end is what the model has no field for.
* Items of Content Sequence (0040,A730) become content items while the bytes are walked, and their levels are forgotten:
  a tree of 25,000 items is never in memory twice.
* Text is decoded strictly by the Specific Character Set of its level (PS3.3 C.12.1.1.2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import isfinite
from struct import unpack_from
from typing import Final, TypeAlias

from transforms.dataset.elements import ITEM_END, LITTLE, LONG_VRS, SEQUENCE_END, SHORT_VRS, UNDEFINED, dictionary_vr
from transforms.dataset.framing import Walk
from transforms.dataset.index import Limits
from transforms.dataset.syntax import EXPLICIT_LE, lookup
from transforms.dataset.values import decode
from transforms.dictionary import keyword_for_tag
from transforms.errors import TransformError
from transforms.source import BytesSource
from transforms.sr.model import Item, OtherAttribute, Position

CONTENT: Final = 0x0040A730
_CHARSET: Final = 0x00080005
_TEXTS: Final = frozenset({"LO", "SH", "PN", "UC", "LT", "ST", "UT"})
_SINGLE: Final = frozenset({"LT", "ST", "UT", "UR"})  # a backslash is text (PS3.5 6.2)
_BINARY: Final = {"US": ("H", 2), "SS": ("h", 2), "UL": ("I", 4), "SL": ("i", 4), "FL": ("f", 4), "FD": ("d", 8)}
_NOT_TEXT: Final = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "UN"})
_JAPANESE: Final = frozenset({"ISO_IR 13", "ISO 2022 IR 13"})  # ASCII bytes do not all mean ASCII letters there
_LONGEST_OTHER: Final = 1 << 10  # characters of an attribute that is only told of

Field: TypeAlias = "tuple[str, int, int] | list[Level]"
Build: TypeAlias = "Callable[[Level], Item]"


def dotted(position: Position) -> str:
    """A position as people write it: 1.3.2."""
    return ".".join(map(str, position))


class Level:
    """The attributes of one level; `position` is the content item's, () within its sequences and in the header."""

    __slots__ = ("charset", "children", "data", "fields", "parent", "position", "within")

    def __init__(self, data: bytes, parent: Level | None, within: str, position: Position) -> None:
        self.data = data
        self.parent = parent
        self.within = within  # "RequestAttributesSequence[0]": how the parent calls this level
        self.position = position
        self.charset: tuple[str, ...] = parent.charset if parent is not None else ()
        self.fields: dict[int, Field] = {}
        self.children: list[Item] = []

    @property
    def path(self) -> str:
        """Where this level is: "" at the top, "1.3.2" at a content item, then keywords."""
        if self.position and self.parent is not None:
            return dotted(self.position)
        above = self.parent.path if self.parent is not None else ""
        return f"{above}/{self.within}" if above and self.within else above or self.within

    def fail(self, reason: str, detail: str) -> TransformError:
        """The error that says where it happened, and nothing of the values."""
        return TransformError(reason, f"{self.where}: {detail}")

    @property
    def where(self) -> str:
        """The content item, or the attribute of the header, for people."""
        level: Level | None = self
        while level is not None:
            if level.position:
                return f"content item {dotted(level.position)}"
            level = level.parent
        return self.path or "the document"

    def text(self, tag: int) -> str:
        """The value as it was sent, less padding; "" where missing or empty; several values keep their backslash."""
        return "\\".join(self.texts(tag))

    def texts(self, tag: int) -> tuple[str, ...]:
        """The values, each less its padding; () where missing or empty."""
        field = self.fields.pop(tag, None)
        if field is None:
            return ()
        if isinstance(field, list):
            raise self.fail("sr-encoding", f"{keyword_for_tag(tag)} is a sequence")
        vr, start, end = field
        if start == end:
            return ()
        if vr in _BINARY:
            return tuple(map(str, self._numbers(vr, start, end)))
        raw = self.data[start:end]
        if raw.isascii() and b"\x1b" not in raw and _JAPANESE.isdisjoint(self.charset):
            text = raw.decode("ascii").rstrip(" \0")
            if not text:
                return ()
            if vr in _SINGLE:
                return (text,)
            return tuple([part.strip(" \0") for part in text.split("\\")]) if "\\" in text else (text.strip(" \0"),)
        if vr in ("UN", ""):
            vr = dictionary_vr(tag)
        try:
            return decode(raw, vr, self.charset if vr in _TEXTS else None)
        except TransformError as error:
            raise self.fail(error.reason, f"{keyword_for_tag(tag)}: {error.detail}") from error

    def numbers(self, tag: int) -> tuple[float, ...]:
        """The values of a binary attribute (US, SS, UL, SL, FL, FD); () where missing. Raises sr-number."""
        field = self.fields.pop(tag, None)
        if field is None:
            return ()
        if isinstance(field, list) or field[0] not in _BINARY:
            raise self.fail("sr-encoding", f"{keyword_for_tag(tag)} does not hold binary numbers")
        return self._numbers(*field)

    def integers(self, tag: int) -> tuple[int, ...]:
        """The values of an IS, US, UL or SL attribute. Raises sr-number."""
        found = []
        for text in self.texts(tag):
            try:
                found.append(int(text))
            except ValueError:
                raise self.fail("sr-number", f"{keyword_for_tag(tag)} does not hold integers") from None
        return tuple(found)

    def items(self, tag: int) -> list[Level]:
        """The items of a sequence; [] where it is missing or empty."""
        field = self.fields.pop(tag, None)
        if field is None or (isinstance(field, tuple) and field[1] == field[2]):
            return []
        if isinstance(field, tuple):
            raise self.fail("sr-encoding", f"{keyword_for_tag(tag)} is not a sequence")
        return field

    def item(self, tag: int) -> Level | None:
        """The only item of a sequence; None where there is none. Raises sr-encoding where there are several."""
        found = self.items(tag)
        if len(found) > 1:
            raise self.fail("sr-encoding", f"{keyword_for_tag(tag)} has {len(found)} items, not one")
        return found[0] if found else None

    def rest(self) -> Iterator[OtherAttribute]:
        """What nobody took and is not empty, in order, items of sequences included."""
        if not self.fields:
            return
        prefix = f"{self.path}/" if self.path else ""
        for tag, field in self.fields.items():
            if tag & 0xFFFF == 0:
                continue  # a group length says nothing
            name = prefix + self._name(tag)
            if isinstance(field, list):
                for level in field:
                    yield from level.rest()
            elif field[1] < field[2] or field[0] == "UN":
                yield OtherAttribute(name, self._shown(tag, field))

    def _shown(self, tag: int, field: tuple[str, int, int]) -> tuple[str, ...]:
        vr, start, end = field
        if vr in _NOT_TEXT or end - start > _LONGEST_OTHER:
            return ()
        copy = Level(self.data, self, "", ())
        copy.fields = {tag: field}
        try:
            return copy.texts(tag)
        except TransformError:
            return ()  # told by its name; what nobody asked for does not hold an object

    def _name(self, tag: int) -> str:
        keyword = keyword_for_tag(tag)
        return keyword or f"({tag >> 16:04x},{tag & 0xFFFF:04x})"

    def _numbers(self, vr: str, start: int, end: int) -> tuple[float, ...]:
        code, width = _BINARY[vr]
        if (end - start) % width:
            raise self.fail("bad-value-length", f"a value of VR {vr}")
        found: tuple[float, ...] = unpack_from(f"<{(end - start) // width}{code}", self.data, start)
        if code in "fd" and not all(map(isfinite, found)):
            raise self.fail("sr-number", "a number that is not finite")
        return found


class Walker:
    """Walks the bytes of one data set once; `build` makes a content item of the level of each Content Sequence item."""

    __slots__ = ("build", "data", "items", "limit")

    def __init__(self, data: bytes, build: Build, limit: int) -> None:
        self.data = data
        self.build = build
        self.limit = limit  # content items
        self.items = 1  # the root

    def top(self) -> Level:
        """The level of the object itself, its children built."""
        level = Level(self.data, None, "", (1,))
        self._elements(0, len(self.data), level)
        return level

    def _elements(self, at: int, end: int, level: Level) -> int:
        data = self.data
        unpack, unpack_length = LITTLE.short.unpack_from, LITTLE.long.unpack_from
        short_vr, fields = SHORT_VRS.get, level.fields
        while at < end:
            group, element, raw, length = unpack(data, at)
            tag = group << 16 | element
            vr = short_vr(raw)
            if vr is not None:
                value = at + 8
            elif tag == ITEM_END:
                return at + 8
            else:
                vr = LONG_VRS[raw]
                (length,) = unpack_length(data, at + 8)
                value = at + 12
                if vr == "SQ":
                    at = self._sequence(tag, value, length, level)
                    continue
                if vr == "UN" and dictionary_vr(tag) == "SQ":  # its items are in Implicit VR (PS3.5 6.2.2)
                    raise level.fail("sr-encoding", f"{keyword_for_tag(tag)} was sent with VR UN")
                if length == UNDEFINED:  # an unknown sequence as UN: told of, not read
                    fields[tag] = (vr, value, value)
                    at = Walk(BytesSource(data), lookup(EXPLICIT_LE), Limits()).undefined(vr, tag, value, end, 0)
                    continue
            at = value + length
            fields[tag] = (vr, value, at)
            if tag == _CHARSET:
                self._charset(level)
        return at

    def _charset(self, level: Level) -> None:
        """What holds for the level and all within it; it stands before what it is for, as tags ascend (PS3.5 7.1)."""
        if any(isinstance(field, list) for field in level.fields.values()) or level.children:
            raise level.fail("sr-encoding", "the Specific Character Set follows what it is for")
        field = level.fields[_CHARSET]
        level.charset = level.texts(_CHARSET)
        if level.position == (1,):
            level.fields[_CHARSET] = field

    def _sequence(self, tag: int, at: int, length: int, level: Level) -> int:
        end = len(self.data) if length == UNDEFINED else at + length
        content = tag == CONTENT
        found: list[Level] = []
        number = 0
        while at < end:
            group, element, size = LITTLE.implicit.unpack_from(self.data, at)
            at += 8
            if group << 16 | element == SEQUENCE_END:
                break
            number += 1
            if content:
                self.items += 1
                if self.items > self.limit:
                    raise TransformError("sr-too-many-items", f"more than {self.limit} content items")
                inner = Level(self.data, level, "", (*level.position, number))
            else:
                inner = Level(self.data, level, f"{keyword_for_tag(tag) or f'{tag:08x}'}[{number - 1}]", ())
            at = self._elements(at, len(self.data) if size == UNDEFINED else at + size, inner)
            if content:
                level.children.append(self.build(inner))
            else:
                found.append(inner)
        if content:
            level.fields.pop(tag, None)
        else:
            level.fields[tag] = found
        return at
