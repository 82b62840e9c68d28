"""Patterns over whole values: `like` (PS3.4 C.2.2.2.4) and `re`, both in time linear in the value.

`re` is a small language, run as a set of states and never by backtracking, so no value can make it slow:

    abc  .  [a-z0-9_]  [^ ]  \\d \\w \\s \\D \\W \\S  \\. \\\\ ...  (ab|cd)  a* a+ a? a{2} a{2,} a{2,5}

A pattern must match the whole value. There are no anchors, back references, look-arounds, flags or lazy repeats;
they are refused with a sentence. Both are case-sensitive; classes are those of ASCII.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

MAX_PATTERN = 256  # characters
MAX_STATES = 2_000  # after repeats are written out
MAX_REMEMBERED = 2_048  # transitions kept; then forgotten and learnt anew

Test = Callable[[str], bool]  # whether one character may stand here


class PatternError(ValueError):
    """A pattern that is not of this language; the text says what to write instead."""


class _Node(NamedTuple):
    """One piece of a pattern. `kind`: char (with `test`), cat, alt, or repeat (low, high; high -1: no end)."""

    kind: str
    parts: tuple[_Node, ...] = ()
    test: Test | None = None
    low: int = 0
    high: int = 0


def like(pattern: str) -> Callable[[str], bool]:
    """`*` is any characters, `?` exactly one. Raises PatternError."""
    if len(pattern) > MAX_PATTERN:
        raise PatternError(f"a pattern has at most {MAX_PATTERN} characters")
    parts: list[_Node] = []
    for character in pattern:
        if character == "*":
            if not (parts and parts[-1].kind == "repeat"):
                parts.append(_Node("repeat", (_Node("char", test=_any),), low=0, high=-1))
        else:
            parts.append(_Node("char", test=_any if character == "?" else _is(character)))
    return _Machine(_Node("cat", tuple(parts))).matches


def regular(pattern: str) -> Callable[[str], bool]:
    """The whole value matches. Raises PatternError."""
    if len(pattern) > MAX_PATTERN:
        raise PatternError(f"a pattern has at most {MAX_PATTERN} characters")
    return _Machine(_Parser(pattern).whole()).matches


def _any(character: str) -> bool:
    return True


def _is(wanted: str) -> Test:
    return lambda character: character == wanted


def _inside(low: str, high: str) -> Test:
    return lambda character: low <= character <= high


def _either(tests: list[Test], inverted: bool = False) -> Test:
    return lambda character: any(test(character) for test in tests) != inverted


_DIGIT = _inside("0", "9")
_SPACE = _either([_is(each) for each in " \t\n\r\f\v"])
_WORD = _either([_DIGIT, _inside("a", "z"), _inside("A", "Z"), _is("_")])
_CLASSES: dict[str, Test] = {"d": _DIGIT, "s": _SPACE, "w": _WORD}
_CLASSES |= {name.upper(): _either([test], inverted=True) for name, test in _CLASSES.items()}
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "f": "\f"}


class _Parser:
    """Pattern -> _Node, by recursive descent; groups nest at most 32 deep."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.depth = 0

    def whole(self) -> _Node:
        node = self._alternatives()
        if self.at < len(self.pattern):
            raise PatternError("a ')' without '('; write \\) for the character")
        return node

    def _peek(self) -> str:
        return self.pattern[self.at : self.at + 1]

    def _next(self) -> str:
        found = self._peek()
        if not found:
            raise PatternError("the pattern ends too early")
        self.at += 1
        return found

    def _alternatives(self) -> _Node:
        self.depth += 1
        if self.depth > 32:
            raise PatternError("groups nest at most 32 deep")
        found = [self._sequence()]
        while self._peek() == "|":
            self.at += 1
            found.append(self._sequence())
        self.depth -= 1
        return found[0] if len(found) == 1 else _Node("alt", tuple(found))

    def _sequence(self) -> _Node:
        parts = []
        while self._peek() not in ("", "|", ")"):
            parts.append(self._repeated(self._atom()))
        return _Node("cat", tuple(parts))

    def _atom(self) -> _Node:
        character = self._next()
        if character == "(":
            if self._peek() == "?":
                raise PatternError("(?...) is not taken: no flags, look-arounds or named groups; write ( )")
            inner = self._alternatives()
            if self._next() != ")":
                raise PatternError("a '(' without ')'; write \\( for the character")
            return inner
        if character == "[":
            return _Node("char", test=self._set())
        if character == ".":
            return _Node("char", test=_any)
        if character == "\\":
            return _Node("char", test=self._escaped())
        if character in "^$":
            raise PatternError(f"no {character!r}: the whole value must match; write .* where anything may stand")
        if character in "*+?{":
            raise PatternError(f"{character!r} repeats nothing; write \\{character} for the character")
        return _Node("char", test=_is(character))

    def _escaped(self) -> Test:
        character = self._next()
        if character in _CLASSES:
            return _CLASSES[character]
        if character in _CONTROLS:
            return _is(_CONTROLS[character])
        if character.isascii() and character.isalnum():
            raise PatternError(f"\\{character} is not taken; there are \\d \\w \\s \\D \\W \\S")
        return _is(character)

    def _set(self) -> Test:
        inverted = self._peek() == "^"
        self.at += inverted
        tests: list[Test] = []
        while True:
            character = self._next()
            if character == "]" and tests:
                return _either(tests, inverted)
            if character == "[":
                raise PatternError("write \\[ for '[' inside [ ]")
            if character == "\\":
                tests.append(self._escaped())
            elif self._peek() == "-" and self.pattern[self.at + 1 : self.at + 2] not in ("]", ""):
                self.at += 1
                end = self._next()
                if end in "\\[" or end < character:
                    raise PatternError(f"a range goes from the lower to the higher character: {character}-{end}")
                tests.append(_inside(character, end))
            else:
                tests.append(_is(character))

    def _repeated(self, node: _Node) -> _Node:
        character = self._peek()
        if character not in ("*", "+", "?", "{"):
            return node
        self.at += 1
        low, high = {"*": (0, -1), "+": (1, -1), "?": (0, 1)}.get(character) or self._counts()
        if self._peek() in ("*", "+", "?", "{"):
            raise PatternError("no lazy, possessive or doubled repeats; group with ( ) to repeat a repeat")
        return _Node("repeat", (node,), low=low, high=high)

    def _counts(self) -> tuple[int, int]:
        end = self.pattern.find("}", self.at)
        low, comma, high = self.pattern[self.at : end].partition(",") if end >= 0 else ("", "", "")
        self.at = end + 1
        if not _count(low) or (high and not _count(high)):
            raise PatternError("a repeat is {2}, {2,} or {2,5}, at most 999; write \\{ for the character")
        first, last = int(low), int(high) if high else -1 if comma else int(low)
        if last != -1 and last < first:
            raise PatternError("a repeat goes from the lower to the higher count")
        return first, last


def _count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 3


class _Machine:
    """A set of states moved along the value; the moves seen are remembered, so that it becomes a table."""

    def __init__(self, node: _Node) -> None:
        self._tests: list[Test | None] = []  # of state n, or None where it only branches
        self._onward: list[list[int]] = []
        self._built = 0
        start = self._state(None)
        self._end = self._build(node, start)
        self._start = self._closed({start})
        self._moves: dict[tuple[frozenset[int], str], frozenset[int]] = {}

    def matches(self, value: str) -> bool:
        states = self._start
        moves = self._moves
        for character in value:
            onward = moves.get((states, character))
            if onward is None:
                onward = self._move(states, character)
                if len(moves) >= MAX_REMEMBERED:
                    moves.clear()
                moves[states, character] = onward
            if not onward:
                return False
            states = onward
        return self._end in states

    def _move(self, states: frozenset[int], character: str) -> frozenset[int]:
        reached: set[int] = set()
        for state in states:
            test = self._tests[state]
            if test is not None and test(character):
                reached.update(self._onward[state])
        return self._closed(reached)

    def _closed(self, states: set[int]) -> frozenset[int]:
        """With all that is reached without a character."""
        todo = list(states)
        seen = set(states)
        while todo:
            state = todo.pop()
            if self._tests[state] is None:
                for each in self._onward[state]:
                    if each not in seen:
                        seen.add(each)
                        todo.append(each)
        return frozenset(seen)

    def _state(self, test: Test | None) -> int:
        if len(self._tests) >= MAX_STATES:
            raise PatternError("the pattern repeats too much")
        self._tests.append(test)
        self._onward.append([])
        return len(self._tests) - 1

    def _build(self, node: _Node, start: int) -> int:
        """Add `node` after the state `start`; the state it ends in."""
        self._built += 1
        if self._built > 4 * MAX_STATES:  # repeats of nothing make no states, and still must end
            raise PatternError("the pattern repeats too much")
        if node.kind == "char":
            state = self._state(node.test)
            self._onward[start].append(state)
            end = self._state(None)
            self._onward[state].append(end)
            return end
        if node.kind == "cat":
            for part in node.parts:
                start = self._build(part, start)
            return start
        if node.kind == "alt":
            end = self._state(None)
            for part in node.parts:
                self._onward[self._build(part, self._after(start))].append(end)
            return end
        for _ in range(node.low):
            start = self._build(node.parts[0], start)
        if node.high == -1:
            loop = self._after(start)
            self._onward[self._build(node.parts[0], loop)].append(loop)
            return self._after(loop)
        end = self._state(None)
        for _ in range(node.high - node.low):
            self._onward[start].append(end)
            start = self._build(node.parts[0], start)
        self._onward[start].append(end)
        return end

    def _after(self, start: int) -> int:
        state = self._state(None)
        self._onward[start].append(state)
        return state
