"""The routes of a file, compiled, and what they decide for one object.

Rules of this file
* Routes are asked in order. The first that matches decides; after one with `mode: all` the next are asked too.
* What no route takes is `otherwise`'s, which every file has.
* A match that is HOLD or ERROR holds the object there and then: an earlier route took it or did not, a later one must
  not, because the one in between might have been meant.
* Several matching routes are one decision where they have the same steps: the first is named, the destinations are
  put together. With different steps they cannot be, and the object is held (`several-routes`).
* `hold` wins over every delivery that `mode: all` gathered; `drop` after such a delivery only ends the asking.
* Whatever is raised in here, by a predicate or by the facts, holds the object (`rule-error`). `decide` never raises.
* No detail holds a value: it names the route, the attribute and the line of the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from gateway.config.document import Positions
from gateway.config.problems import errors
from gateway.config.schema import Config, Route
from gateway.decide.facts import Facts, Remembered
from gateway.decide.groups import grouping
from gateway.decide.tree import Compiler, Node, Truth, leaves
from gateway.errors import ConfigRefused, HoldObject
from gateway.model import Decision, Verdict

NO_ROUTE = "no-route"
TYPE_ERROR = "rule-type-error"
MISSING = "rule-missing"
RULE_ERROR = "rule-error"
SEVERAL = "several-routes"


@dataclass(frozen=True, slots=True)
class CompiledRoute:
    """One route; `node` is None for `otherwise`."""

    route: Route
    node: Node | None
    line: int

    @property
    def steps(self) -> tuple[str, ...]:
        """What is done before delivery, and what is waited for, in words that compare."""
        group = self.route.group.model_dump_json() if self.route.group else ""
        return (*(step.model_dump_json() for step in self.route.steps), group)


@dataclass(frozen=True, slots=True)
class Rules:
    """All routes of a file, ready to be asked. `file` is named in details."""

    routes: tuple[CompiledRoute, ...]
    file: str


def compile_rules(config: Config) -> Rules:
    """Raises ConfigRefused with every problem of every match."""
    places: Positions = config.places
    compiler = Compiler(places)
    found = []
    for number, route in enumerate(config.routes):
        loc = ("routes", number)
        node = compiler.match(route.match, (*loc, "match")) if route.otherwise is None else None
        found.append(CompiledRoute(route, node, places.value(loc)[0]))
    wrong = list(compiler.problems)
    if not found or found[-1].route.otherwise is None:
        wrong.append(places.at_key(("routes",), "the last route is `otherwise`"))
    if wrong:
        raise ConfigRefused(errors(wrong))
    return Rules(tuple(found), places.file)


class Asked(NamedTuple):
    """One route that was asked, and its answer; None where asking it failed."""

    route: CompiledRoute
    answer: Truth | None


def decide(rules: Rules, facts: Facts) -> Decision:
    """What is to be done with the object. Never raises; `rules_hash` and `key_ids` are the caller's to add."""
    try:
        known = Remembered(facts)
        return _conclude(rules, list(ask_routes(rules, known)), known)
    except Exception as error:  # the promise of this module: whatever went wrong, the object is kept
        return Decision(Verdict.HOLD, "", RULE_ERROR, detail=type(error).__name__)


def ask_routes(rules: Rules, facts: Facts) -> Iterator[Asked]:
    """Routes in order, each with its answer, up to the one that ends the asking. `otherwise` answers TRUE."""
    matched = False
    for each in rules.routes:
        if each.node is None:
            if not matched:
                yield Asked(each, Truth.TRUE)
            return
        try:
            answer = each.node.answer(facts)
        except Exception:  # facts that cannot be read hold the object, as `_conclude` says
            yield Asked(each, None)
            return
        yield Asked(each, answer)
        if answer in (Truth.HOLD, Truth.ERROR):
            return
        if answer is Truth.TRUE:
            matched = True
            if each.route.mode == "first":
                return


def _conclude(rules: Rules, asked: list[Asked], facts: Facts) -> Decision:
    taken = [each.route for each in asked if each.answer is Truth.TRUE]
    last = asked[-1]
    if last.answer is None:
        return Decision(Verdict.HOLD, last.route.route.id, RULE_ERROR, detail=_where(rules, last.route, None, facts))
    if last.answer in (Truth.HOLD, Truth.ERROR):
        reason = MISSING if last.answer is Truth.HOLD else TYPE_ERROR
        detail = _where(rules, last.route, last.answer, facts)
        return Decision(Verdict.HOLD, last.route.route.id, reason, detail=detail)
    if not taken:
        return Decision(Verdict.HOLD, "", NO_ROUTE)
    for each in taken:
        if each.route.hold is not None or each.route.otherwise == "hold":
            return Decision(Verdict.HOLD, each.route.id, each.route.hold or each.route.reason or NO_ROUTE)
    delivering = [each for each in taken if each.route.deliver]
    if not delivering:
        route = taken[0].route
        why = route.drop or (route.reason if route.otherwise == "drop" else None)
        if not why:
            return Decision(Verdict.HOLD, route.id, RULE_ERROR, detail="a route that neither delivers nor says why not")
        return Decision(Verdict.DROP, route.id, why)
    if len({each.steps for each in delivering}) > 1:
        names = ", ".join(each.route.id for each in delivering)
        return Decision(Verdict.HOLD, delivering[0].route.id, SEVERAL, detail=f"routes with different steps: {names}")
    destinations = dict.fromkeys(name for each in delivering for name in each.route.deliver)
    first = delivering[0].route
    try:
        group = grouping(first.group, facts) if first.group else None
    except HoldObject as error:
        return Decision(Verdict.HOLD, first.id, error.reason, detail=error.detail)
    commit = first.commit if all(each.route.commit and not each.route.steps for each in delivering) else None
    return Decision(Verdict.DELIVER, first.id, destinations=tuple(destinations), group=group, commit=commit or "")


def _where(rules: Rules, route: CompiledRoute, answer: Truth | None, facts: Facts) -> str:
    """The predicate that could not be answered: attribute and line, never a value."""
    for leaf in leaves(route.node) if route.node else ():
        try:
            found = leaf.answer(facts)
        except Exception:  # this is the one being looked for
            found = None
        if found is answer:
            return f"{leaf.path}, {leaf.name}, line {leaf.line} of the rules"
    return f"route at line {route.line} of the rules"
