"""What a rule can ask of the values of one attribute. To add a predicate: one function, one line in PREDICATES.

    eq, in           the value, or one of several          lt, gt, between   order; `between` includes both ends
    like             * and ?, the whole value              exists            the attribute is there, even if empty
    re               patterns.py, the whole value          vm                how many values there are

Rules of this file
* Values compare by the VR that PS3.6 gives the attribute (values.py), never as the text that happens to be there.
* Of several values any may match. Empty values among them match nothing.
* A missing or empty attribute answers neither yes nor no, but for `exists` and `vm` (tree.py says what follows).
* An operand that does not fit the VR is an `OperandError` when the file is loaded; a value that does not fit it is a
  `WrongValue` when an object comes, and holds that object.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gateway.config.problems import nearest
from gateway.decide import patterns
from gateway.decide.facts import Facts, Values, ask, ask_presence
from gateway.decide.values import READERS, Kind, Moment, WrongValue, text

MAX_VALUES = 4_096  # of one attribute that a rule looks at
MAX_OPERANDS = 10_000
MAX_OPERAND = 1_024  # characters

Answer = bool | None  # None: there is nothing to answer from
Test = Callable[[Values], Answer]  # raises WrongValue

ORDERED = frozenset({Kind.DATE, Kind.TIME, Kind.DATETIME, Kind.AGE, Kind.NUMBER})
NAMED = frozenset(Kind) - {Kind.BYTES, Kind.SEQUENCE}
WRITTEN = frozenset({Kind.TEXT, Kind.PERSON, Kind.UID})


class OperandError(ValueError):
    """An operand that the predicate cannot take; the text says what to write instead."""

    def __init__(self, message: str, suggestion: str = "") -> None:
        super().__init__(message)
        self.suggestion = suggestion


@dataclass(frozen=True, slots=True)
class Predicate:
    """One row of the table."""

    kinds: frozenset[Kind]
    build: Callable[[Kind, Any], Test]
    ask: Callable[[Facts, str], Values] = ask


def build(name: str, kind: Kind, operand: Any) -> Test:
    """The test of one predicate with its operand. Raises OperandError."""
    row = PREDICATES.get(name)
    if row is None:
        raise OperandError(f"no predicate {name[:64]!r}", nearest(name, PREDICATES))
    if kind not in row.kinds:
        usable = ", ".join(each for each, other in PREDICATES.items() if kind in other.kinds)
        raise OperandError(f"`{name}` cannot be asked of {kind}; there are: {usable}")
    return row.build(kind, operand)


def _eq(kind: Kind, operand: Any) -> Test:
    wanted = _operand(kind, operand)
    return _any(kind, lambda value: _same(value, wanted))


def _in(kind: Kind, operand: Any) -> Test:
    if not isinstance(operand, list | tuple) or not operand:
        raise OperandError("`in` takes a list with at least one value: [CT, MR]")
    if len(operand) > MAX_OPERANDS:
        raise OperandError(f"`in` takes at most {MAX_OPERANDS} values")
    wanted = [_operand(kind, each) for each in operand]
    if kind in (Kind.PERSON, Kind.DATETIME):
        return _any(kind, lambda value: any(_same(value, each) for each in wanted))
    known = frozenset(wanted)
    return _any(kind, lambda value: value in known)


def _lt(kind: Kind, operand: Any) -> Test:
    limit = _operand(kind, operand)
    return _any(kind, lambda value: _order(value, limit) < 0)


def _gt(kind: Kind, operand: Any) -> Test:
    limit = _operand(kind, operand)
    return _any(kind, lambda value: _order(value, limit) > 0)


def _between(kind: Kind, operand: Any) -> Test:
    if not isinstance(operand, list | tuple) or len(operand) != 2:
        raise OperandError("`between` takes the lowest and the highest value: [40Y, 65Y]")
    low, high = (_operand(kind, each) for each in operand)
    try:
        if _order(low, high) > 0:
            raise OperandError("`between` takes the lower value first")
    except WrongValue:
        raise OperandError("both ends say their offset from UTC, or neither does") from None
    return _any(kind, lambda value: _order(value, low) >= 0 and _order(value, high) <= 0)


def _like(kind: Kind, operand: Any) -> Test:
    return _pattern(kind, operand, patterns.like)


def _re(kind: Kind, operand: Any) -> Test:
    return _pattern(kind, operand, patterns.regular)


def _exists(kind: Kind, operand: Any) -> Test:
    if not isinstance(operand, bool):
        raise OperandError("`exists` is true or false")
    return lambda values: (values is not None) == operand


def _vm(kind: Kind, operand: Any) -> Test:
    counts = operand if isinstance(operand, list | tuple) else [operand]
    if not counts or not all(isinstance(each, int) and not isinstance(each, bool) and each >= 0 for each in counts):
        raise OperandError("`vm` takes a number of values or a list of them: 1, [2, 3]")
    known = frozenset(counts)
    return lambda values: None if values is None else len(values) in known


PREDICATES: dict[str, Predicate] = {
    "eq": Predicate(NAMED, _eq),
    "in": Predicate(NAMED, _in),
    "like": Predicate(WRITTEN, _like),
    "re": Predicate(WRITTEN, _re),
    "lt": Predicate(ORDERED, _lt),
    "gt": Predicate(ORDERED, _gt),
    "between": Predicate(ORDERED, _between),
    "exists": Predicate(frozenset(Kind), _exists, ask_presence),
    "vm": Predicate(frozenset(Kind) - {Kind.BYTES}, _vm),
}

_EXAMPLES = {
    Kind.DATE: "20241231 or 2024-12-31",
    Kind.TIME: "'0830' or '08:30', in quotes",
    Kind.DATETIME: "'20241231083000' or '20241231083000+0100'",
    Kind.AGE: "90Y, 18M, 6W or 3D",
    Kind.NUMBER: "1.5",
    Kind.TAG: "'(0010,0010)'",
}


def _operand(kind: Kind, operand: Any) -> Any:
    """An operand as something to compare. Numbers may be bare, dates too; all else is text."""
    bare = isinstance(operand, int | float) and not isinstance(operand, bool)
    if bare and (kind is Kind.NUMBER or (kind in (Kind.DATE, Kind.DATETIME) and isinstance(operand, int))):
        operand = str(operand)
    if not isinstance(operand, str):
        quoted = f"; put {str(operand)!r} in quotes" if bare else ""
        hint = f": write {_EXAMPLES[kind]}" if kind in _EXAMPLES else quoted
        raise OperandError(f"the attribute is {kind}, the operand is not{hint}")
    if len(operand) > MAX_OPERAND:
        raise OperandError(f"an operand has at most {MAX_OPERAND} characters")
    if not text(operand):
        raise OperandError("nothing equals the empty value; ask `vm: 0` for an empty one, `exists: false` for none")
    try:
        return READERS[kind](operand)
    except WrongValue:
        raise OperandError(f"{operand[:64]!r} is not {kind}: write {_EXAMPLES[kind]}") from None


def _pattern(kind: Kind, operand: Any, compile_pattern: Callable[[str], Callable[[str], bool]]) -> Test:
    if not isinstance(operand, str) or not operand:
        raise OperandError("a pattern is text; put it in quotes")
    try:
        matches = compile_pattern(operand)
    except patterns.PatternError as error:
        raise OperandError(str(error)) from None
    if kind is Kind.PERSON:
        return _any(kind, lambda name: any(matches("^".join(group)) for group in name if group))
    return _any(kind, matches)


def _any(kind: Kind, matches: Callable[[Any], bool]) -> Test:
    """Any value matches. All are read, so that what is wrong with one is seen whatever the others say."""
    read = READERS[kind]

    def test(values: Values) -> Answer:
        if not values:
            return None
        if len(values) > MAX_VALUES:
            raise WrongValue(f"more than {MAX_VALUES} values")
        there = [value for value in values if text(value)]
        if not there:
            return None
        answers = [matches(read(value)) for value in there]
        return any(answers)

    return test


def _same(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, Moment):
        return _order(value, wanted) == 0
    if isinstance(wanted, tuple) and len(wanted) == 1:
        return bool(wanted[0] in value)  # one component group asked for: any of the three may be it
    return bool(value == wanted)


def _order(value: Any, limit: Any) -> int:
    if isinstance(limit, Moment):
        if limit.utc is None:
            value, limit = value.wall, limit.wall
        elif value.utc is None:
            raise WrongValue("a value does not say its offset from UTC, and the rule asks for one")
        else:
            value, limit = value.utc, limit.utc
    return int(value > limit) - int(value < limit)
