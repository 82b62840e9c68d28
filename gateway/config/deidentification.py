"""Cross references of `deidentify` blocks: profiles and options that exist (PS3.15 Annex E), objects that lose much.

The options' names are those of PS3.15 E.3. An option that a file asks for and does not get would be a leak or a loss.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from gateway.config import patients, pixels
from gateway.config.document import Positions
from gateway.config.plain import given, items, mapping, text, words
from gateway.config.problems import Loc, Problem, nearest
from transforms.deidentify.options import ALL, CLEAN_TEXT, FULL_DATES, MODIFIED_DATES


def profiles() -> tuple[str, ...]:
    """The profiles that can be named."""
    try:
        found = import_module("profiles.confidentiality").names()
    except (ImportError, AttributeError):
        found = ()
    return tuple(found) or ("basic",)


def problems(data: Any, places: Positions) -> list[Problem]:
    """Every problem of the `deidentify` blocks."""
    found = patients.between(data, places)
    for name, block in mapping(data, "deidentify").items():
        loc: Loc = ("deidentify", name)
        profile = text(block, "profile")
        if profile is not None and profile not in profiles():
            message = f"no profile {profile!r}; there are: {', '.join(profiles())}"
            found.append(places.at_value((*loc, "profile"), message, nearest(profile, profiles())))
        named = words(block, "options")
        for below, option in named:
            found += _option(option, (*loc, *below), places)
        if {each for _, each in named}.issuperset((FULL_DATES, MODIFIED_DATES)):
            found.append(places.at_value((*loc, "options"), f"{FULL_DATES} and {MODIFIED_DATES} exclude each other"))
        found += patients.problems(block, loc, places)
        found += pixels.problems(block, loc, places)
        if given(block, "named_entities") and not {each for _, each in named} & CLEAN_TEXT:
            message = (
                f"`named_entities` does nothing without an option that cleans text: {', '.join(sorted(CLEAN_TEXT))}"
            )
            found.append(places.at_key((*loc, "named_entities"), message))
        for number, override in items(block, "override"):
            if not (text(override, "why") or "x").strip():
                found.append(places.at_value((*loc, "override", number, "why"), "an override needs a reason"))
    return found


def _option(option: str, loc: Loc, places: Positions) -> list[Problem]:
    if option in ALL:
        return []
    return [places.at_value(loc, f"no option {option!r} in PS3.15 E.3", nearest(option, tuple(ALL)))]


def reports(route: dict[str, Any], block: Any, loc: Loc, places: Positions) -> list[Problem]:
    """A warning where a structured report may come this way and would lose what it says."""
    if "clean-structured-content" in [option for _, option in words(block, "options")]:
        return []
    if not _may_be_report(route.get("match")):
        return []
    message = "a structured report leaves this route with a dummy for its content: no option clean-structured-content"
    return [places.warn(loc, message)]


def _may_be_report(match: Any) -> bool:
    """False only where `match` surely asks for other modalities than SR."""
    if not isinstance(match, dict):
        return True
    if isinstance(match.get("all"), list):
        return all(_may_be_report(each) for each in match["all"])
    asked = match.get("Modality")
    if isinstance(asked, dict):
        asked = asked.get("eq", asked.get("in"))
    if isinstance(asked, str):
        asked = [asked]
    return not isinstance(asked, list) or "SR" in asked
