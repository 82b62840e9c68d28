"""Cross references of storage commitment: what a route may promise, and who can hear and tell (docs/commitment.md)."""

from __future__ import annotations

from typing import Any

from gateway.config.document import Positions
from gateway.config.plain import given, items, mapping, text, words
from gateway.config.problems import Loc, Problem


def of_route(route: dict[str, Any], loc: Loc, data: Any, places: Positions) -> list[Problem]:
    """Every problem of the `commit` of one route."""
    if not given(route, "commit"):
        return []
    here = (*loc, "commit")
    found: list[Problem] = []
    if not words(route, "deliver"):
        return [places.at_key(here, "`commit` is for a route that delivers: nothing else may be relied on")]
    if items(route, "steps"):
        message = "a route with steps commits to nothing: what leaves is not the object that the sender would delete"
        found.append(places.at_key(here, message))
    if text(route, "commit") == "after-commitment":
        for below, name in words(route, "deliver"):
            if not given(_dimse(data, name), "confirm"):
                message = (
                    f"{name!r} does not commit itself: give it `confirm: storage-commitment`, or say after-delivery"
                )
                found.append(places.at_value((*loc, *below), message))
    if not _listeners(data):
        found.append(places.warn(here, "no listener says `commitment: true`: nobody can ask"))
    return found


def of_destination(block: dict[str, Any], loc: Loc, data: Any, places: Positions) -> list[Problem]:
    """What should be seen of a destination that has to commit."""
    if not given(mapping(block, "dimse"), "confirm"):
        return []
    here = (*loc, "dimse", "confirm")
    listeners = _listeners(data)
    if not listeners:
        message = "no listener says `commitment: true`: a report is heard only on the association that asks for it"
        return [places.warn(here, message)]
    if not any(items(mapping(each, "dimse"), "ae_map") for each in listeners):
        message = "no listener that takes reports has an ae_map: any certificate may call itself this destination"
        return [places.warn(here, message)]
    return []


def _listeners(data: Any) -> list[Any]:
    return [each for _, each in items(data, "listeners") if mapping(each, "dimse").get("commitment") is True]


def _dimse(data: Any, name: str) -> dict[str, Any]:
    return mapping(mapping(mapping(data, "destinations"), name), "dimse")
