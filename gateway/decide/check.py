"""Problems of everything in a rule file that speaks of attributes: matches, overrides, cases.

For `gateway.config.load.load(path, also=(problems,))`: it reads the file's plain data, so that its problems are told
together with those of its shape.
"""

from __future__ import annotations

from typing import Any

from gateway.config.document import Positions
from gateway.config.plain import items, mapping, text, words
from gateway.config.problems import Loc, Problem, nearest
from gateway.decide.facts import CONTEXT
from gateway.decide.tree import COMBINERS, Compiler, Node
from gateway.decide.values import Kind


def problems(data: Any, places: Positions) -> list[Problem]:
    """Every problem of a file's matches, overrides and cases."""
    compiler = Compiler(places)
    found: list[Problem] = []
    earlier: list[tuple[str, list[str]]] = []
    for number, route in items(data, "routes"):
        loc: Loc = ("routes", number)
        _expect(mapping(route, "group"), (*loc, "group", "expect"), compiler)
        if not isinstance(route, dict) or route.get("match") is None:
            continue
        here = (*loc, "match")
        compiler.match(route["match"], here)
        found += _context(route["match"], here, data, places)
        found += _several(route, loc, earlier, places)
    for name, block in mapping(data, "deidentify").items():
        for number, override in items(block, "override"):
            here = ("deidentify", name, "override", number)
            _override(override, here, compiler)
    for number, case in items(data, "cases"):
        _case(case, ("cases", number), compiler)
    return [*compiler.problems, *found]


def compiled(match: Any, loc: Loc, places: Positions) -> tuple[Node | None, list[Problem]]:
    """One match by itself (an override's `when`)."""
    compiler = Compiler(places)
    return compiler.match(match, loc), compiler.problems


def _override(override: Any, loc: Loc, compiler: Compiler) -> None:
    at = text(override, "at")
    for part in at.split(".") if at is not None else ():  # Sequence.Attribute: of every item
        _attribute(part, (*loc, "at"), compiler)
    if isinstance(override, dict) and override.get("when") is not None:
        compiler.match(override["when"], (*loc, "when"))


def _expect(group: Any, loc: Loc, compiler: Compiler) -> None:
    name = text(group, "expect")
    if name is not None:
        kind, _ = compiler.attribute(name, loc)
        if kind is not None and kind is not Kind.NUMBER:
            compiler.problems.append(compiler.places.at_value(loc, f"{name!r} is no number of instances"))


def _case(case: Any, loc: Loc, compiler: Compiler) -> None:
    for name in mapping(mapping(case, "given"), "set"):
        _attribute(name, (*loc, "given", "set", name), compiler)
    for key in ("removed", "changed", "kept"):
        for below, name in words(mapping(case, "expect"), key):
            _attribute(name, (*loc, "expect", *below), compiler)


def _attribute(name: str, loc: Loc, compiler: Compiler) -> None:
    if name in CONTEXT:
        compiler.problems.append(compiler.places.at_key(loc, f"{name!r} is no attribute of the object"))
    else:
        compiler.attribute(name, loc)


def _context(match: Any, loc: Loc, data: Any, places: Positions) -> list[Problem]:
    """Names of listeners and called AE titles that no listener has: a match that can never be."""
    found: list[Problem] = []
    if isinstance(match, list):
        for number, each in enumerate(match):
            found += _context(each, (*loc, number), data, places)
    if not isinstance(match, dict) or len(loc) > 80:
        return found
    listeners = [each for _, each in items(data, "listeners")]
    known = {
        "listener": [name for each in listeners if (name := text(each, "id"))],
        "called_ae": [name for each in listeners for _, name in words(mapping(each, "dimse"), "ae")],
    }
    for key, below in match.items():
        here = (*loc, key)
        if key in COMBINERS:
            found += _context(below, here, data, places)
        for where, name in _named(below) if key in known else ():
            if name not in known[key]:
                what = "listener" if key == "listener" else "listener with the AE title"
                found.append(places.at_value((*here, *where), f"no {what} {name!r}", nearest(name, known[key])))
    return found


def _named(value: Any) -> list[tuple[Loc, str]]:
    """The words that `eq` and `in` name, with their places."""
    whole: dict[str, Any] = {"": value}
    found = [((*below[1:],), name) for below, name in words(whole, "")]
    return [*found, *words(value, "eq"), *words(value, "in")]


def _several(route: dict[str, Any], loc: Loc, earlier: list[tuple[str, list[str]]], places: Positions) -> list[Problem]:
    """A warning where `mode: all` may find an object two routes with different steps."""
    if not words(route, "deliver"):
        return []
    steps = [name for _, step in items(route, "steps") if (name := text(step, "deidentify"))]
    found = [
        places.warn(loc, f"an object that {name!r} takes too is held: the steps of the two routes differ")
        for name, other in earlier
        if other != steps
    ]
    if text(route, "mode") == "all":
        earlier.append((text(route, "id") or "?", steps))
    return found
