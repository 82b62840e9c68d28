"""What is left to be done with an object that has come before: values in, values out (docs/adr/0016).

Rules of this file
* A destination has an object where it was, is being or will be delivered to it as the same: made by the same recipe.
  What a person gave up for one destination is decided for it, too.
* It is a duplicate where nothing is left: every destination that its route names now has it, or a rule drops what is
  kept already.
* What is held is held for those who sent it: the rules are asked anew when it is released, with its own source. So it
  makes a duplicate only of what came the same way and is decided alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import replace

from gateway.model import Decision, Instance, InstanceState, Origin, Verdict


class Before(NamedTuple):
    """An object of equal content under the same SOP Instance UID that is neither discarded nor forgotten."""

    state: InstanceState
    instance: Instance
    destinations: frozenset[str]  # it has a delivery to them, in whatever state


def left(instance: Instance, before: Sequence[Before]) -> Decision | None:
    """The decision for what is still to be done; None where it is a duplicate. `before` is not empty."""
    decision = instance.decision
    if decision.verdict is Verdict.DROP:
        return None
    if decision.verdict is Verdict.DELIVER:
        same = (each for each in before if each.instance.decision.recipe == decision.recipe)
        there = frozenset[str]().union(*(each.destinations for each in same))
        decision = replace(decision, destinations=tuple(d for d in decision.destinations if d not in there))
        if not decision.destinations:
            return None
    if any(_waits_with(each, instance.origin, decision) for each in before if each.state is InstanceState.HELD):
        return None
    return decision


def _waits_with(held: Before, origin: Origin, decision: Decision) -> bool:
    """Whether a person who releases what is held does all that this one asks for."""
    first = held.instance.decision
    return (
        _way(held.instance.origin) == _way(origin)
        and _word(first) == _word(decision)
        and set(decision.destinations) <= set(first.destinations)
    )


def _way(origin: Origin) -> tuple[str, ...]:
    """All that a rule may ask of a source."""
    return (origin.listener, origin.calling_ae, origin.called_ae, origin.subject)


def _word(decision: Decision) -> tuple[str, ...]:
    return (decision.verdict, decision.route, decision.reason, decision.recipe, decision.on_conflict)
