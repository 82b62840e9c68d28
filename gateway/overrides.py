"""Overrides with `when`: which of them hold for one object, and the profile's table with just those.

* A condition is asked like a route's match (gateway/decide). Where an attribute it asks for is missing, the stricter
  side counts: a line that lets more through does not hold, any other does.
* A value that is not of its VR, or `missing: hold`, holds the object (override-unanswered).
* Tables are compiled once for each set of active lines. They share their UIDs: a study stays whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gateway.errors import ConfigRefused, HoldObject
from transforms.dataset import framing
from transforms.deidentify.overrides import Override
from transforms.deidentify.profile import REMOVE, ActionTable, compile_profile
from transforms.source import ByteSource

if TYPE_CHECKING:  # few files have conditions: `deid` does not wait for what reads them
    from gateway.config.document import Positions
    from gateway.config.problems import Loc
    from gateway.decide.facts import Facts
    from gateway.decide.tree import Node


class Tables:
    """The tables of one profile with a site's overrides. Safe to use from many threads."""

    def __init__(
        self,
        profile: str,
        options: Sequence[str],
        overrides: Sequence[Override],
        *,
        media: bool = False,
        documents: str = REMOVE,
        named: bool = False,
        places: Positions | None = None,
        loc: Loc = (),
    ) -> None:
        """`places` and `loc`: where `override` stands. Raises TransformError, ConfigRefused."""

        def compile_with(active: frozenset[int]) -> ActionTable:
            return compile_profile(
                profile, options, overrides, media=media, documents=documents, named=named, active=active
            )

        self._compile = compile_with
        self.plain = compile_with(frozenset())  # the one where no condition is true
        self._known = {frozenset[int](): self.plain}
        self._conditions: list[tuple[int, Node]] = []
        if not self.plain.conditional:
            return
        from gateway.config.document import Positions
        from gateway.config.problems import errors
        from gateway.decide.check import compiled

        for number in self.plain.conditional:
            where = (*loc, number - 1, "when")
            node, problems = compiled(overrides[number - 1].when, where, places or Positions("profile"))
            if node is None:
                raise ConfigRefused(errors(problems))
            self._conditions.append((number, node))

    def of(self, source: ByteSource, syntax: str) -> ActionTable:
        """The table for one data set, little endian, which is read only where there are conditions.

        Raises HoldObject, TransformError.
        """
        if not self._conditions:
            return self.plain
        from gateway.decide.facts import ObjectFacts
        from gateway.model import Origin

        # A condition asks for attributes: on what association they came says nothing of them
        facts = ObjectFacts(Origin("", "", ""), source, framing.check(source, syntax))
        active = frozenset(number for number, node in self._conditions if self._holds(number, node, facts))
        if active not in self._known:
            self._known[active] = self._compile(active)
        return self._known[active]

    def _holds(self, number: int, node: Node, facts: Facts) -> bool:
        from gateway.decide.tree import Truth

        answer = node.answer(facts)
        if answer in (Truth.HOLD, Truth.ERROR):
            raise HoldObject("override-unanswered", f"the condition of override {number} cannot be answered")
        return answer is Truth.TRUE or (answer is Truth.UNKNOWN and not self.plain.conditional[number])
