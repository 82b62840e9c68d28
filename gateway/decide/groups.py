"""When a study or series is complete: values in, values out. docs/groups.md tells it to operators.

Rules of this file
* A group is closed by evidence: no arrival for `quiet` seconds AND no association open that brought something of it AND
  as many instances as were announced, where that is known. Only the cap, `max_wait`, goes past that, and says so.
* What is announced is a floor: more than announced is no fault, less is waited for.
* A clock that was set back makes a group wait as if its last instance had come now; it never closes one.
* What arrives after the end is a follow-up group with evidence of its own; counts go over all groups of the study.

What it does not do: keep anything (gateway/store/groups.py), or know why a sender stopped.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from gateway.config.schema import Group
from gateway.decide.facts import Facts
from gateway.errors import HoldObject
from gateway.model import Grouping

QUIET: Final = "quiet"  # closed: nothing came any more, nobody was sending, and nobody had said how many there are
EXPECTED: Final = "expected"  # closed: as QUIET, and as many came as were announced
CAP: Final = "max-wait"  # closed: by the cap, whatever is missing
BY_HAND: Final = "by-hand"  # closed: by a person, whatever is missing

STILL_ARRIVING: Final = "group-arriving"
BEING_SENT: Final = "group-being-sent"
INCOMPLETE: Final = "group-incomplete"

_UIDS = {"study": "StudyInstanceUID", "series": "SeriesInstanceUID"}
_MOST_EXPECTED = 10_000_000  # an announcement beyond it is a mistake, not a study


class Evidence(NamedTuple):
    """What is known of one open group."""

    opened: float  # when its first instance came, seconds since the epoch
    last: float  # when its last one came, a second time counted too
    arrived: int  # different SOP instances, those of earlier groups of the same study or series included
    expected: int  # the most that was announced; 0: nobody said
    bringing: bool  # an association is open that brought something of it


class Waits(NamedTuple):
    """It is open. `until`: when it is to be judged again, whatever happens."""

    reason: str
    until: float


class Closed(NamedTuple):
    """It is closed; `why` is QUIET, EXPECTED or CAP."""

    why: str


def judge(quiet: float, max_wait: float, evidence: Evidence, now: float) -> Waits | Closed:
    """Whether a group is complete at `now`."""
    cap = min(evidence.opened, now) + max_wait
    if now >= cap:
        return Closed(CAP)
    still = min(evidence.last, now) + quiet
    if now < still:
        return Waits(STILL_ARRIVING, min(still, cap))
    if evidence.bringing:
        return Waits(BEING_SENT, cap)
    if evidence.arrived < evidence.expected:
        return Waits(INCOMPLETE, cap)
    return Closed(EXPECTED if evidence.expected else QUIET)


def grouping(group: Group, facts: Facts) -> Grouping:
    """What the deliveries of an object wait for. Raises HoldObject where it does not say what it belongs to."""
    uid = _first(facts, _UIDS[group.by])
    if not uid:
        raise HoldObject(
            "group-uid-missing", f"the route groups by {group.by}, and {_UIDS[group.by]} is missing or empty"
        )
    return Grouping(group.by, uid, group.quiet, group.max_wait, _expected(group.expect, facts))


def _expected(expect: int | str | None, facts: Facts) -> int:
    """How many are announced. What is no sensible number announces nothing."""
    if not isinstance(expect, str):
        return expect or 0
    said = _first(facts, expect)
    number = int(said) if said.isascii() and said.isdigit() and len(said) < 12 else 0
    return number if number <= _MOST_EXPECTED else 0


def _first(facts: Facts, path: str) -> str:
    return (facts.get(path) or ("",))[0].strip()
