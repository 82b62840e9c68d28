"""YAML text -> plain data that knows where each piece of it stood.

Rules of this file
* Built from the parser's events, so that every duplicate key, alias and tag is told at once, with its place.
* YAML 1.2 core scalars: null, true/false, integers, decimals. A date, `yes`, `.inf` or `1:30` is text.
* An integer with a leading zero is text too: `0012345` is an identifier, and no identifier loses its zeros here.
* Aliases, merge keys and tags are refused: small input must not become large data. So are 1 MiB and 64 levels.
* It knows nothing of gateways.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from gateway.config.problems import Loc, Problem

MAX_BYTES = 1 << 20
MAX_DEPTH = 64

_INT = re.compile(r"[-+]?(0|[1-9][0-9]{0,29})")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*|(?=[eE])))([eE][-+]?[0-9]{1,3})?")
_WORDS: dict[str, bool | None] = {
    "": None,
    "~": None,
    **dict.fromkeys(("null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


class Positions:
    """Where the keys and values of one file stand. Lines and columns count from 1."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._keys: dict[Loc, tuple[int, int]] = {}
        self._values: dict[Loc, tuple[int, int]] = {(): (1, 1)}

    def add(self, loc: Loc, key: tuple[int, int] | None, value: tuple[int, int]) -> None:
        """Remember one value, and its key where it has one."""
        if key:
            self._keys[loc] = key
        self._values[loc] = value

    def key(self, loc: Loc) -> tuple[int, int]:
        """Of the key at `loc`, else of the nearest place above it."""
        return self._keys.get(loc) or self.value(loc)

    def value(self, loc: Loc) -> tuple[int, int]:
        """Of the value at `loc`, else of the nearest place above it."""
        while loc not in self._values:
            loc = loc[:-1]
        return self._values[loc]

    def known(self, loc: Loc) -> Loc:
        """The longest beginning of `loc` that stands in the file."""
        while loc not in self._values:
            loc = loc[:-1]
        return loc

    def at_key(self, loc: Loc, message: str, suggestion: str = "") -> Problem:
        """A problem with the key at `loc`."""
        return Problem(self.file, *self.key(loc), message, suggestion)

    def at_value(self, loc: Loc, message: str, suggestion: str = "") -> Problem:
        """A problem with the value at `loc`."""
        return Problem(self.file, *self.value(loc), message, suggestion)

    def warn(self, loc: Loc, message: str, suggestion: str = "") -> Problem:
        """A warning about the value at `loc`."""
        return Problem(self.file, *self.value(loc), message, suggestion, "warning")


def parse(data: bytes, file: str) -> tuple[Any, Positions, list[Problem]]:
    """Plain data (dict, list, str, int, float, bool, None), its places, and what is wrong with it as YAML.

    Never raises: a file that cannot be read at all gives None and a problem.
    """
    places = Positions(file)
    if len(data) > MAX_BYTES:
        return None, places, [places.at_value((), f"the file is larger than {MAX_BYTES >> 20} MiB")]
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        return None, places, [Problem(file, line, column, "the file is not UTF-8")]
    builder = _Builder(places)
    try:
        value = builder.document(YAML(typ="safe", pure=True).parse(text))
    except _Stop:
        value = None
    except MarkedYAMLError as error:
        value = None
        builder.problems.append(_syntax(file, error))
    except ReaderError as error:
        value = None
        line = text.count("\n", 0, error.position) + 1
        column = error.position - (text.rfind("\n", 0, error.position) + 1) + 1
        builder.problems.append(Problem(file, line, column, "not YAML: a control character"))
    except (YAMLError, ValueError, RecursionError, AssertionError, AttributeError, IndexError, KeyError, TypeError):
        value = None  # the parser's own faults on hostile input; it tells no place
        builder.problems.append(places.at_value((), "not YAML"))
    return value, places, builder.problems


def _syntax(file: str, error: MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    context = f"{error.context}: " if error.context else ""
    return Problem(file, line, column, f"not YAML: {context}{error.problem or 'syntax error'}".replace("\n", " "))


class _Stop(Exception):
    """Nothing more can be told of this file."""


class _Builder:
    def __init__(self, places: Positions) -> None:
        self.places = places
        self.problems: list[Problem] = []

    def document(self, events: Iterator[Event]) -> Any:
        documents = 0
        value: Any = None
        for event in events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._wrong(event, "one document a file: remove this '---' and what follows")
                    raise _Stop
                first = next(events)
                self.places.add((), None, _at(first))
                value = self._node(first, events, (), 0)
        return value

    def _node(self, event: Event, events: Iterator[Event], loc: Loc, depth: int) -> Any:
        if depth > MAX_DEPTH:
            self._wrong(event, f"nested more than {MAX_DEPTH} levels deep")
            raise _Stop
        if isinstance(event, AliasEvent):
            self._wrong(event, "aliases are not taken: write it out")
            return None
        tag = getattr(event, "tag", None)
        if tag is not None and str(tag) != "!":
            self._wrong(event, "tags are not taken")
        if isinstance(event, ScalarEvent):
            return _scalar(event)
        if isinstance(event, SequenceStartEvent):
            return self._sequence(events, loc, depth)
        return self._mapping(events, loc, depth)

    def _sequence(self, events: Iterator[Event], loc: Loc, depth: int) -> list[Any]:
        found: list[Any] = []
        for event in events:
            if isinstance(event, SequenceEndEvent):
                break
            here = (*loc, len(found))
            self.places.add(here, None, _at(event))
            found.append(self._node(event, events, here, depth + 1))
        return found

    def _mapping(self, events: Iterator[Event], loc: Loc, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for event in events:
            if isinstance(event, MappingEndEvent):
                break
            key = self._key(event, events, loc, depth)
            fresh = key not in found and key != "<<"
            if key == "<<":
                self._wrong(event, "merge keys are not taken: write it out")
            elif not fresh:
                self._wrong(event, f"duplicate key {key!r}")
            value = next(events)
            here = (*loc, key)
            if fresh:
                self.places.add(here, _at(event), _at(value))
            built = self._node(value, events, here if fresh else (*loc, f"{key} (again)"), depth + 1)
            if fresh:
                found[key] = built
        return found

    def _key(self, event: Event, events: Iterator[Event], loc: Loc, depth: int) -> str:
        if isinstance(event, ScalarEvent):
            return str(event.value)
        self._wrong(event, "a key is plain text")
        if isinstance(event, SequenceStartEvent | MappingStartEvent):
            self._node(event, events, (*loc, "(key)"), depth + 1)
        return f"(key at {event.start_mark.line})"

    def _wrong(self, event: Event, message: str) -> None:
        self.problems.append(Problem(self.places.file, *_at(event), message))


def _at(event: Event) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _scalar(event: ScalarEvent) -> Any:
    text = str(event.value)
    if not event.implicit[0]:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    return text
