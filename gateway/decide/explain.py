"""Which route an object takes and why the others not: predicate by predicate, with the line of the file.

It asks every predicate of the routes that were asked, also those whose answer no longer mattered, and says so of the
routes that were not. The decision is the one of `decide`. No value of the object is told unless asked for; operands of
the file are told with values only, since a rule may name a patient.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import msgspec

from gateway.config.schema import Step
from gateway.decide.facts import Facts, Remembered, Values
from gateway.decide.routes import CompiledRoute, Rules, ask_routes, decide
from gateway.decide.tree import All, AnyOf, Leaf, Node, Not, Truth
from gateway.model import Decision, Grouping, Verdict

WORDS = {
    Truth.TRUE: "true",
    Truth.FALSE: "false",
    Truth.UNKNOWN: "unknown",
    Truth.HOLD: "unknown, hold",
    Truth.ERROR: "cannot be answered, hold",
    None: "cannot be read, hold",
}
NOT_ASKED = "not asked"


@dataclass(frozen=True, slots=True)
class Line:
    """One predicate or combiner of a match."""

    depth: int
    text: str  # "Modality in", "all", "any", "not"
    answer: str  # of WORDS
    why: str  # "missing", "empty", or ""
    line: int  # of the file; 0 for a combiner
    operand: str | None = None  # only with values
    values: tuple[str, ...] | None = None  # only with values


@dataclass(frozen=True, slots=True)
class RouteTold:
    """One route."""

    id: str
    line: int
    answer: str  # of WORDS, or NOT_ASKED
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """The decision, and every route's part in it."""

    decision: Decision
    routes: tuple[RouteTold, ...]
    route_steps: tuple[Step, ...]  # of the route that delivers
    file: str

    def as_text(self) -> str:
        """For people."""
        told = self.decision
        head = f"{told.verdict}: route {told.route or '(none)'}"
        head += f" to {', '.join(told.destinations)}" if told.destinations else ""
        head += f", reason {told.reason}" if told.reason else ""
        head += f" ({told.detail})" if told.detail else ""
        rows = [head]
        if told.group:
            rows.append(_waits(told.group))
        if told.commit:
            rows.append(f"a sender that asks is committed to: {told.commit}")
        for route in self.routes:
            rows.append(f"{route.id} (line {route.line}): {route.answer}")
            rows += [_row(line) for line in route.lines]
        return "\n".join(rows)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "file": self.file,
            "verdict": str(self.decision.verdict),
            "route": self.decision.route,
            "reason": self.decision.reason,
            "detail": self.decision.detail,
            "destinations": list(self.decision.destinations),
            "group": msgspec.structs.asdict(self.decision.group) if self.decision.group else None,
            "commit": self.decision.commit,
            "routes": [
                {
                    "id": each.id,
                    "line": each.line,
                    "answer": each.answer,
                    "match": [_plain(line) for line in each.lines],
                }
                for each in self.routes
            ],
        }


def _waits(group: Grouping) -> str:
    """What the deliveries wait for (docs/groups.md)."""
    announced = f", {group.expected} instances are announced" if group.expected else ""
    times = f"nothing came for {group.quiet:g} s and nobody sends it, at most {group.max_wait:g} s"
    return f"delivered when its {group.by} is complete: {times}{announced}"


def explain(rules: Rules, facts: Facts, *, values: bool = False) -> Explanation:
    """Decide, and say why. `values` shows what the object and the rule say."""
    known = Remembered(facts)
    decision = decide(rules, known)
    try:
        asked = {id(each.route): each.answer for each in ask_routes(rules, known)}
    except Exception:  # `decide` held the object for it; what can be told is told
        asked = {}
    told = tuple(_route(each, asked, known, values) for each in rules.routes)
    steps: tuple[Step, ...] = ()
    if decision.verdict is Verdict.DELIVER:
        route = next(each.route for each in rules.routes if each.route.id == decision.route)
        steps = route.steps
    return Explanation(decision, told, steps, rules.file)


def _route(each: CompiledRoute, asked: dict[int, Truth | None], facts: Facts, values: bool) -> RouteTold:
    if id(each) not in asked:
        return RouteTold(each.route.id, each.line, NOT_ASKED, ())
    answer = WORDS[asked[id(each)]]
    if each.node is None:
        return RouteTold(each.route.id, each.line, "takes what no route matched", ())
    return RouteTold(each.route.id, each.line, answer, tuple(_lines(each.node, facts, 1, values)))


def _lines(node: Node, facts: Facts, depth: int, values: bool) -> list[Line]:
    if isinstance(node, Leaf):
        return [_leaf(node, facts, depth, values)]
    name = {All: "all", AnyOf: "any", Not: "not"}[type(node)]
    parts = (node.part,) if isinstance(node, Not) else node.parts
    below = [line for part in parts for line in _lines(part, facts, depth + 1, values)]
    return [Line(depth, name, WORDS[_answer(node, facts)], "", 0), *below]


def _answer(node: Node, facts: Facts) -> Truth | None:
    try:
        return node.answer(facts)
    except Exception:  # told as "cannot be read"
        return None


def _leaf(leaf: Leaf, facts: Facts, depth: int, values: bool) -> Line:
    answer = _answer(leaf, facts)
    found: Values = None
    why = ""
    if answer not in (None, Truth.ERROR):
        found = leaf.ask(facts, leaf.path)
        if answer in (Truth.UNKNOWN, Truth.HOLD):
            why = "missing" if found is None else "empty"
    shown = (str(leaf.operand), found) if values else (None, None)
    return Line(depth, f"{leaf.path} {leaf.name}", WORDS[answer], why, leaf.line, *shown)


def _row(line: Line) -> str:
    where = f"  [line {line.line}]" if line.line else ""
    why = f" ({line.why})" if line.why else ""
    operand = f" {line.operand}" if line.operand is not None else ""
    value = f", is {_shown(line.values)}" if line.values else ""
    return f"{'  ' * line.depth}{line.text}{operand}: {line.answer}{why}{value}{where}"


def _shown(values: tuple[str, ...]) -> str:
    """As one line that cannot move a terminal's cursor."""
    return "".join(each if each.isprintable() else "?" for each in "\\".join(values))


def _plain(line: Line) -> dict[str, Any]:
    return {key: value for key, value in asdict(line).items() if value not in (None, "", 0) or key == "answer"}
