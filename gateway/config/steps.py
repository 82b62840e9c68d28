"""Cross references of a route's steps: blocks that exist, and parts that fit each other (kinds.py)."""

from __future__ import annotations

from typing import Any

from gateway.config import deidentification, kinds, reports
from gateway.config.document import Positions
from gateway.config.kinds import Kind
from gateway.config.plain import given, items, mapping, text, words
from gateway.config.problems import Loc, Problem, nearest


def problems(route: dict[str, Any], loc: Loc, data: Any, places: Positions) -> list[Problem]:
    """Every problem of the steps of one route."""
    found: list[Problem] = []
    kind = Kind.DICOM
    for number, step in items(route, "steps"):
        here = (*loc, "steps", number)
        if not isinstance(step, dict):
            continue
        names = [name for name in kinds.STEPS if given(step, name)]
        if len(names) != 1:
            message = "a step is exactly one transform, such as {deidentify: NAME}; there are: "
            found.append(places.at_value(here, message + ", ".join(kinds.STEPS)))
            continue
        flow = kinds.STEPS[names[0]]
        if flow.accepts is not kind:
            found.append(places.at_value(here, f"`{names[0]}` takes {flow.accepts}, and what comes here is {kind}"))
        kind = flow.produces
    found += _deidentified(route, loc, data, places)
    found += _reported(route, loc, data, places)
    found += _signed_too_early(route, loc, places)
    return found + _taken(route, kind, loc, data, places)


def _deidentified(route: dict[str, Any], loc: Loc, data: Any, places: Positions) -> list[Problem]:
    found: list[Problem] = []
    known = mapping(data, "deidentify")
    steps = 0
    for number, step in items(route, "steps"):
        here = (*loc, "steps", number)
        name = text(step, "deidentify")
        if name is None:
            continue
        steps += 1
        if name not in known:
            found.append(places.at_value((*here, "deidentify"), f"no deidentify block {name!r}", nearest(name, known)))
        elif steps > 1:
            found.append(
                places.at_value(here, "one de-identification a route: the second would see the first's output")
            )
        else:
            found += deidentification.reports(route, known[name], (*here, "deidentify"), places)
    return found


def _reported(route: dict[str, Any], loc: Loc, data: Any, places: Positions) -> list[Problem]:
    known = mapping(data, "reports")
    found = [
        problem
        for number, step in items(route, "steps")
        for name in ("aim", "sr")
        for problem in reports.seen(mapping(step, name), (*loc, "steps", number, name), data, places)
    ]
    return found + [
        places.at_value((*loc, "steps", number, "cda"), f"no reports block {name!r}", nearest(name, known))
        for number, step in items(route, "steps")
        if (name := text(step, "cda")) is not None and name not in known
    ]


def _signed_too_early(route: dict[str, Any], loc: Loc, places: Positions) -> list[Problem]:
    """De-identification removes every signature (PS3.15 Table E.1-1)."""
    steps = [(number, step) for number, step in items(route, "steps") if isinstance(step, dict)]
    last = max((number for number, step in steps if given(step, "deidentify")), default=-1)
    message = "the de-identification after it would remove this signature; sign after it"
    return [
        places.at_value((*loc, "steps", number), message)
        for number, step in steps
        if given(step, "sign") and number < last
    ]


def _taken(route: dict[str, Any], kind: Kind, loc: Loc, data: Any, places: Positions) -> list[Problem]:
    """A destination takes what the last step gives."""
    found: list[Problem] = []
    destinations = mapping(data, "destinations")
    for below, name in words(route, "deliver"):
        block = mapping(destinations, name)
        made_there = frozenset(each for each in kinds.MADE_THERE if given(block, each))
        for destination in kinds.DESTINATIONS:
            takes = kinds.taken(destination, made_there)
            if given(block, destination) and kind not in takes:
                message = f"{name!r} is a {destination} and takes {', '.join(sorted(takes))}; this route gives {kind}"
                found.append(places.at_value((*loc, *below), message))
    return found
