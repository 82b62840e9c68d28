"""What needs two blocks of a rule file to be seen: names that must exist, choices that exclude each other.

Rules of this file
* It reads plain data, so that its problems are told together with those of the shape (shape.py).
* A name that points nowhere gets the nearest one that is there.
* What is legal but surely not meant is a warning.
* What stands inside `match` belongs to gateway/decide.
"""

from __future__ import annotations

import json
from typing import Any

from gateway.config import commitment, deidentification, ends, groups, reports, steps
from gateway.config.document import Positions
from gateway.config.plain import given, items, mapping, text, words
from gateway.config.problems import Loc, Problem, nearest

ACTIONS = ("deliver", "hold", "drop")
OTHERWISE_KEYS = {"id", "otherwise", "reason"}


def problems(data: Any, places: Positions) -> list[Problem]:
    """Every problem between the blocks of a file."""
    return [
        *_state(data, places),
        *ends.problems(data, places),
        *deidentification.problems(data, places),
        *reports.problems(data, places),
        *(
            problem
            for number, listener in items(data, "listeners")
            for problem in reports.seen(
                mapping(mapping(listener, "folder"), "aim"), ("listeners", number, "folder", "aim"), data, places
            )
        ),
        *_routes(data, places),
        *_unused(data, places),
        *_cases(data, places),
    ]


def _state(data: Any, places: Positions) -> list[Problem]:
    ledger = text(mapping(data, "state"), "ledger")
    if ledger is None or ledger == "sqlite":
        return []
    loc = ("state", "ledger")
    if ledger.startswith("postgresql:"):
        return [places.at_value(loc, "a postgresql ledger is not yet supported: write sqlite")]
    return [places.at_value(loc, "a ledger is sqlite", nearest(ledger, ["sqlite"]))]


def _routes(data: Any, places: Positions) -> list[Problem]:
    found: list[Problem] = []
    routes = items(data, "routes")
    if isinstance(data, dict) and isinstance(data.get("routes"), list) and not routes:
        return [places.at_key(("routes",), "there is no route; the last one is {id: rest, otherwise: hold}")]
    seen: dict[str, int] = {}
    matches: dict[str, str] = {}
    for number, route in routes:
        if not isinstance(route, dict):
            continue
        loc: Loc = ("routes", number)
        name = text(route, "id")
        if name is not None and seen.setdefault(name, number) != number:
            found.append(places.at_value((*loc, "id"), f"a second route {name!r}"))
        last = number == len(routes) - 1
        if given(route, "otherwise"):
            found += _otherwise(route, loc, last, places)
            continue
        found += _route(route, loc, data, places)
        if last:
            message = "the last route is the one for all the rest: {id: rest, otherwise: hold, reason: no-route}"
            found.append(places.at_value(loc, message))
        key = json.dumps(route.get("match"), sort_keys=True, default=str)
        if route.get("match") and key in matches:
            found.append(places.warn(loc, f"never reached: route {matches[key]!r} has the same match"))
        elif text(route, "mode") != "all":
            matches[key] = name or "?"
    return found


def _otherwise(route: dict[str, Any], loc: Loc, last: bool, places: Positions) -> list[Problem]:
    found = []
    if not last:
        found.append(places.at_key((*loc, "otherwise"), "only the last route is `otherwise`; those after it are dead"))
    for key in sorted(route.keys() - OTHERWISE_KEYS):
        if key in ("match", "steps", "mode", "group", "commit", *ACTIONS):
            found.append(places.at_key((*loc, key), f"`otherwise` takes no {key!r}: it takes what no route matched"))
    if route["otherwise"] == "drop" and not (text(route, "reason") or "").strip():
        found.append(places.at_value(loc, "`otherwise: drop` needs a reason: it is audited for each object"))
    return found


def _route(route: dict[str, Any], loc: Loc, data: Any, places: Positions) -> list[Problem]:
    found = []
    actions = [key for key in ACTIONS if given(route, key)]
    if len(actions) != 1:
        what = "none of them" if not actions else " and ".join(actions)
        found.append(places.at_value(loc, f"a route has exactly one of deliver, hold, drop; this has {what}"))
    if not given(route, "match"):
        found.append(places.at_value(loc, "a route has a match; only the last one has `otherwise` instead"))
    if given(route, "reason"):
        found.append(
            places.at_key((*loc, "reason"), "`reason` belongs to `otherwise`: write `hold: why` or `drop: why`")
        )
    for key in ("hold", "drop"):
        if key in actions and not (text(route, key) or "").strip():
            found.append(places.at_value((*loc, key), f"`{key}` needs a reason"))
        for other in ("steps", "mode"):
            if key in actions and given(route, other):
                found.append(
                    places.at_key((*loc, other), f"a route that says `{key}` has no {other!r}: nothing leaves")
                )
    found += _deliver(route, loc, data, places)
    found += groups.problems(route, loc, data, places)
    found += commitment.of_route(route, loc, data, places)
    found += steps.problems(route, loc, data, places)
    return found


def _deliver(route: dict[str, Any], loc: Loc, data: Any, places: Positions) -> list[Problem]:
    found = []
    known = mapping(data, "destinations")
    names = words(route, "deliver")
    if isinstance(route.get("deliver"), list) and not route["deliver"]:
        found.append(
            places.at_value((*loc, "deliver"), "`deliver` names no destination; to keep the object write `hold`")
        )
    for number, (below, name) in enumerate(names):
        if name not in known:
            found.append(places.at_value((*loc, *below), f"no destination {name!r}", nearest(name, known)))
        elif name in [each for _, each in names[:number]]:
            found.append(places.at_value((*loc, *below), f"destination {name!r} is named twice"))
    return found


def _unused(data: Any, places: Positions) -> list[Problem]:
    routes = [route for _, route in items(data, "routes")]
    delivered = {name for route in routes for _, name in words(route, "deliver")}
    stepped = {text(step, "deidentify") for route in routes for _, step in items(route, "steps")}
    found = []
    for block, used in (("destinations", delivered), ("deidentify", stepped)):
        for name in mapping(data, block):
            if name not in used:
                found.append(places.warn((block, name), f"no route uses {name!r}"))
    return found


def _cases(data: Any, places: Positions) -> list[Problem]:
    found: list[Problem] = []
    listeners = [name for _, each in items(data, "listeners") if (name := text(each, "id"))]
    routes = [name for _, each in items(data, "routes") if (name := text(each, "id"))]
    seen: set[str] = set()
    for number, case in items(data, "cases"):
        loc: Loc = ("cases", number)
        name = text(case, "name")
        if name is not None and name in seen:
            found.append(places.at_value((*loc, "name"), f"a second case {name!r}"))
        seen.add(name or "")
        wanted, expected = mapping(case, "given"), mapping(case, "expect")
        if isinstance(case, dict) and case.get("expect") == {}:
            found.append(places.at_value((*loc, "expect"), "a case expects something: a route, a verdict, ..."))
        for key, known, below, block in (
            ("listener", listeners, "given", wanted),
            ("route", routes, "expect", expected),
        ):
            named = text(block, key)
            if named is not None and named not in known:
                found.append(places.at_value((*loc, below, key), f"no {key} {named!r}", nearest(named, known)))
        for key in ("removed", "changed", "kept", "pixels"):
            if given(expected, key) and not given(wanted, "file"):
                message = f"{key!r} needs a whole object: name one under `given: {{file: ...}}`"
                found.append(places.at_key((*loc, "expect", key), message))
        for where, named in words(expected, "destinations"):
            if named not in mapping(data, "destinations"):
                hint = nearest(named, mapping(data, "destinations"))
                found.append(places.at_value((*loc, "expect", *where), f"no destination {named!r}", hint))
    return found
