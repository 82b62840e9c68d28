"""The tests that a rule file carries: what comes of an object, said beside the rules that decide it.

Rules of this file
* Pure: the caller gives the facts of a case, and runs the route's steps where a case expects something of them.
* Every expectation that fails is told, with its line. No value of an object is told, only which attribute differs.
* What a case does not expect is not checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gateway.config.document import Positions
from gateway.config.problems import Loc, Problem
from gateway.config.schema import Case, Config, Route
from gateway.decide.facts import Facts, Values
from gateway.decide.routes import Rules, decide
from gateway.errors import GatewayError
from gateway.model import Decision, Verdict


@dataclass(frozen=True, slots=True)
class Effects:
    """One object before and after the steps of its route."""

    before: Callable[[str], Values]  # path -> values
    after: Callable[[str], Values]
    pixels_identical: bool  # every byte of Pixel Data


FactsOf = Callable[[Case], Facts]  # raises GatewayError where the case's file cannot be read
Transform = Callable[[Case, Route], Effects]  # raises GatewayError where a step holds the object


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one case."""

    name: str
    line: int
    decision: Decision | None
    failures: tuple[Problem, ...]

    @property
    def passed(self) -> bool:
        """Every expectation was met."""
        return not self.failures


def run(config: Config, rules: Rules, facts_of: FactsOf, transform: Transform) -> tuple[Outcome, ...]:
    """Every case of the file, in its order."""
    return tuple(_run(config, rules, number, case, facts_of, transform) for number, case in enumerate(config.cases))


def _run(config: Config, rules: Rules, number: int, case: Case, facts_of: FactsOf, transform: Transform) -> Outcome:
    places = config.places
    loc: Loc = ("cases", number)
    line = places.value(loc)[0]
    try:
        decision = decide(rules, facts_of(case))
    except GatewayError as error:
        return Outcome(case.name, line, None, (places.at_value((*loc, "given"), str(error)),))
    failures = list(_of_decision(case, decision, (*loc, "expect"), places))
    if case.expect.removed or case.expect.changed or case.expect.kept or case.expect.pixels:
        failures += _of_steps(config, case, decision, (*loc, "expect"), transform)
    return Outcome(case.name, line, decision, tuple(failures))


def _of_decision(case: Case, decision: Decision, loc: Loc, places: Positions) -> Iterator[Problem]:
    expect = case.expect
    why = f" ({decision.detail})" if decision.detail else ""
    for key, wanted, found in (
        ("route", expect.route, decision.route),
        ("verdict", expect.verdict, str(decision.verdict)),
        ("reason", expect.reason, decision.reason),
    ):
        if wanted is not None and wanted != found:
            yield places.at_value((*loc, key), f"expected {key} {wanted!r}, got {found or 'none'!r}{why}")
    if expect.destinations is not None and set(expect.destinations) != set(decision.destinations):
        got = ", ".join(decision.destinations) or "none"
        wanted = ", ".join(expect.destinations) or "none"
        yield places.at_value((*loc, "destinations"), f"expected destinations {wanted}; got {got}{why}")


def _of_steps(config: Config, case: Case, decision: Decision, loc: Loc, transform: Transform) -> Iterator[Problem]:
    places, expect = config.places, case.expect
    if decision.verdict is not Verdict.DELIVER:
        yield places.at_value(loc, f"nothing leaves: the verdict is {decision.verdict} ({decision.reason})")
        return
    route = next(each for each in config.routes if each.id == decision.route)
    try:
        effects = transform(case, route)
    except GatewayError as error:
        yield places.at_value(loc, f"a step held the object: {error}")
        return
    for key, paths, right in (
        ("removed", expect.removed, lambda before, after: after is None),
        ("changed", expect.changed, lambda before, after: after is not None and after != before),
        ("kept", expect.kept, lambda before, after: after == before),
    ):
        for number, path in enumerate(paths):
            before, after = effects.before(path), effects.after(path)
            here = (*loc, key, number)
            if before is None:
                yield places.at_value(here, f"{path} is not in the object: expecting it {key} proves nothing")
            elif not right(before, after):
                yield places.at_value(here, f"expected {path} {key}, it was {_what(before, after)}")
    if expect.pixels == "identical" and not effects.pixels_identical:
        yield places.at_value((*loc, "pixels"), "expected the same pixel data, it differs")


def _what(before: Values, after: Values) -> str:
    if after is None:
        return "removed"
    return "kept" if after == before else "emptied" if not after else "changed"
