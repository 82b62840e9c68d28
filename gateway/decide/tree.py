"""`match`: all / any / not over predicates, with answers between yes and no.

    TRUE, FALSE     every predicate that matters was answered
    UNKNOWN         an attribute is missing or empty; the route does not match
    HOLD            the same, and the rule says `missing: hold`
    ERROR           a value is not of its VR, or cannot be decoded: the object is held

Rules of this file
* Kleene's logic. `all` is FALSE if any part is, `any` is TRUE if any part is, whatever else is unknown; `not` keeps
  every answer between them as it is. Among those the graver one wins: UNKNOWN < HOLD < ERROR.
* The answer does not depend on the order of the parts.
* Several keys in one map must all hold.
* Whatever is wrong with a match is told when it is compiled, all of it at once. Empty means refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from gateway.config.document import Positions
from gateway.config.problems import Loc, Problem, nearest
from gateway.decide import paths, predicates
from gateway.decide.facts import CONTEXT, Facts, Values
from gateway.decide.values import Kind, WrongValue, kind_of
from transforms.errors import TransformError

MAX_NODES = 5_000
MAX_DEPTH = 32
COMBINERS = ("all", "any", "not")


class Truth(IntEnum):
    """The answer of a match. Sorted by gravity."""

    FALSE = 0
    UNKNOWN = 1
    HOLD = 2
    ERROR = 3
    TRUE = 4


@dataclass(frozen=True, slots=True)
class Leaf:
    """One predicate over one attribute."""

    path: str
    ask: Callable[[Facts, str], Values]
    name: str
    operand: Any
    test: Callable[[Values], bool | None]
    hold_missing: bool
    line: int
    column: int

    def answer(self, facts: Facts) -> Truth:
        """What the attribute's values say. Raises what `facts` raises, but for TransformError, which is ERROR."""
        try:
            found = self.test(self.ask(facts, self.path))
        except (WrongValue, TransformError):
            return Truth.ERROR
        if found is None:
            return Truth.HOLD if self.hold_missing else Truth.UNKNOWN
        return Truth.TRUE if found else Truth.FALSE


@dataclass(frozen=True, slots=True)
class All:
    """Every part."""

    parts: tuple[Node, ...]

    def answer(self, facts: Facts) -> Truth:
        """FALSE if any part is, else the gravest answer, else TRUE."""
        worst = Truth.TRUE
        for part in self.parts:
            found = part.answer(facts)
            if found is Truth.FALSE:
                return found
            worst = _graver(worst, found, Truth.TRUE)
        return worst


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part."""

    parts: tuple[Node, ...]

    def answer(self, facts: Facts) -> Truth:
        """TRUE if any part is, else the gravest answer, else FALSE."""
        worst = Truth.FALSE
        for part in self.parts:
            found = part.answer(facts)
            if found is Truth.TRUE:
                return found
            worst = _graver(worst, found, Truth.FALSE)
        return worst


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: Node

    def answer(self, facts: Facts) -> Truth:
        """The opposite; an answer between yes and no stays as it is."""
        found = self.part.answer(facts)
        if found is Truth.TRUE:
            return Truth.FALSE
        return Truth.TRUE if found is Truth.FALSE else found


Node = Leaf | All | AnyOf | Not


def _graver(one: Truth, other: Truth, plain: Truth) -> Truth:
    """Of two answers the one nearer to ERROR; `plain` is the one that says least."""
    if one is plain:
        return other
    return one if other is plain else max(one, other)


def leaves(node: Node) -> Sequence[Leaf]:
    """The predicates of a match, in the order of the file."""
    if isinstance(node, Leaf):
        return (node,)
    if isinstance(node, Not):
        return leaves(node.part)
    return [leaf for part in node.parts for leaf in leaves(part)]


class Compiler:
    """Plain data -> Node; collects problems instead of raising them. One for each file."""

    def __init__(self, places: Positions) -> None:
        self.places = places
        self.problems: list[Problem] = []
        self._nodes = 0

    def match(self, value: Any, loc: Loc, depth: int = 0) -> Node | None:
        """The tree of one match, or None where something in it is wrong."""
        if not isinstance(value, dict):
            self._wrong(loc, "a match is a map: {Modality: CT}, {all: [...]}, {any: [...]}, {not: {...}}")
            return None
        if not value:
            self._wrong(loc, "an empty match; to take everything is what `otherwise` is for")
            return None
        if depth > MAX_DEPTH:
            self._wrong(loc, f"a match is nested at most {MAX_DEPTH} deep")
            return None
        parts: list[Node | None] = []
        for key, below in value.items():
            here = (*loc, key)
            if key in COMBINERS:
                parts.append(self._combined(key, below, here, depth))
            else:
                parts += self._asked(key, below, here)
        return _joined(All, parts)

    def _combined(self, key: str, value: Any, loc: Loc, depth: int) -> Node | None:
        if key == "not":
            part = self.match(value, loc, depth + 1)
            return None if part is None else Not(part)
        if not isinstance(value, list | tuple) or not value:
            self._wrong(loc, f"`{key}` takes a list with at least one map")
            return None
        parts = [self.match(each, (*loc, number), depth + 1) for number, each in enumerate(value)]
        return _joined(All if key == "all" else AnyOf, parts)

    def _asked(self, key: str, value: Any, loc: Loc) -> list[Node | None]:
        """The predicates over one attribute."""
        kind, path = self.attribute(key, loc)
        asked = value if isinstance(value, dict) else {"in" if isinstance(value, list | tuple) else "eq": value}
        hold = self._missing(asked, loc)
        names = [name for name in asked if name != "missing"]
        if not names:
            self._wrong(loc, f"nothing is asked of {key}: write {{{key}: {{exists: true}}}} or another predicate")
            return [None]
        return [self._leaf(path, kind, name, asked[name], hold, self._below(value, loc, name)) for name in names]

    def _below(self, value: Any, loc: Loc, name: str) -> Loc:
        return (*loc, name) if isinstance(value, dict) else loc

    def _leaf(self, path: str | None, kind: Kind | None, name: str, operand: Any, hold: bool, loc: Loc) -> Node | None:
        self._nodes += 1
        if self._nodes == MAX_NODES + 1:
            self._wrong(loc, f"the file asks more than {MAX_NODES} predicates")
        if self._nodes > MAX_NODES:
            return None
        try:
            test = predicates.build(name, kind or Kind.TEXT, operand)
        except predicates.OperandError as error:
            if kind is not None or name not in predicates.PREDICATES:
                self._wrong(loc, str(error), error.suggestion)
            return None
        if path is None:
            return None
        line, column = self.places.key(loc)
        return Leaf(path, predicates.PREDICATES[name].ask, name, operand, test, hold, line, column)

    def _missing(self, asked: dict[str, Any], loc: Loc) -> bool:
        if "missing" not in asked:
            return False
        if asked["missing"] != "hold":
            self._wrong((*loc, "missing"), "`missing` is `hold`; without it a missing attribute matches nothing")
        if "exists" in asked:
            self._wrong((*loc, "missing"), "`exists` always has an answer: `missing` means nothing beside it")
        return True

    def attribute(self, key: str, loc: Loc) -> tuple[Kind | None, str | None]:
        """Kind and path of an attribute or of a word of the context; None where there is no such."""
        if key in CONTEXT:
            return Kind.TEXT, key
        try:
            path = paths.parse(key)
        except paths.PathError as error:
            hint = error.suggestion
            if not hint and key.islower():
                hint = nearest(key, (*CONTEXT, *COMBINERS))
            self.problems.append(self.places.at_key(loc, str(error), hint))
            return None, None
        return kind_of(path.vr), path.text

    def _wrong(self, loc: Loc, message: str, suggestion: str = "") -> None:
        self.problems.append(self.places.at_value(loc, message, suggestion))


def _joined(how: type[All] | type[AnyOf], parts: list[Node | None]) -> Node | None:
    there = [part for part in parts if part is not None]
    if len(there) != len(parts):
        return None
    return there[0] if len(there) == 1 else how(tuple(there))
