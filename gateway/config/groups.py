"""Cross references of a route's `group`: times that can be, and destinations that need one."""

from __future__ import annotations

from typing import Any

from gateway.config.document import Positions
from gateway.config.plain import given, mapping, text, words
from gateway.config.problems import Loc, Problem
from gateway.config.units import duration


def problems(route: dict[str, Any], loc: Loc, data: Any, places: Positions) -> list[Problem]:
    """Every problem of the group of one route."""
    found: list[Problem] = []
    here = (*loc, "group")
    group = mapping(route, "group")
    if given(route, "group") and not words(route, "deliver"):
        found.append(places.at_key(here, "a `group` is for a route that delivers: it says when the delivery begins"))
    if (quiet := _seconds(group, "quiet", 90.0)) >= (cap := _seconds(group, "max_wait", 4 * 3600.0)):
        message = (
            f"`max_wait` ({cap:g} s) is not above `quiet` ({quiet:g} s): no group would ever be closed as complete"
        )
        found.append(places.at_value(here, message))
    expect = group.get("expect")
    if isinstance(expect, bool) or (isinstance(expect, int) and expect < 1):
        message = "`expect` is a number of instances above zero, or the attribute that says it"
        found.append(places.at_value((*here, "expect"), message))
    for below, name in words(route, "deliver"):
        if not given(route, "group") and takes_groups(mapping(mapping(data, "destinations"), name)):
            message = f"{name!r} takes whole groups: say when one is complete, such as group: {{by: study, quiet: 90s}}"
            found.append(places.at_value((*loc, *below), message))
    return found


def takes_groups(destination: Any) -> bool:
    """As schema.Destination.whole, of plain data."""
    whole = given(destination, "media") or given(destination, "mail")
    return whole or text(mapping(destination, "folder"), "layout") == "group"


def _seconds(group: dict[str, Any], key: str, default: float) -> float:
    try:
        return duration(group.get(key, default))
    except ValueError:  # told by shape.py
        return default
