"""Relationships by reference: every target is there, and no way through the tree comes back to where it was.

* PS3.3 C.17.3.2.4: a relationship by reference leads to an item of the same tree, and makes no loop with the
  relationships by value. What would lead a reader in a circle, or nowhere, is refused with the item's position.
"""

from __future__ import annotations

from transforms.errors import TransformError
from transforms.sr.level import dotted
from transforms.sr.model import Item, Position
from transforms.sr.values import ByReference


def check(root: Item) -> None:
    """Raises TransformError: sr-reference-dangling, sr-reference-cycle."""
    targets: dict[Position, list[Position]] = {}  # source item (the parent of the reference) -> targets
    for item in root.walk():
        if not isinstance(item.value, ByReference):
            continue
        where, target = item.position, item.value.target
        found = root.at(target)
        if found is None or isinstance(found.value, ByReference):
            raise TransformError("sr-reference-dangling", f"content item {dotted(where)} refers to no content item")
        if where[: len(target)] == target:
            raise TransformError("sr-reference-cycle", f"content item {dotted(where)} refers to what contains it")
        targets.setdefault(where[:-1], []).append(target)
    if targets:
        _no_loop(root, targets)


def _no_loop(root: Item, targets: dict[Position, list[Position]]) -> None:
    """Depth first over both kinds of relationship; an item seen again while it is still open closes a loop."""
    open_: set[Position] = set()
    done: set[Position] = set()
    waiting: list[tuple[Position, bool]] = [((1,), False)]
    while waiting:
        position, leaving = waiting.pop()
        if leaving:
            open_.discard(position)
            done.add(position)
            continue
        if position in done:
            continue
        if position in open_:
            raise TransformError("sr-reference-cycle", f"relationships by reference lead back to {dotted(position)}")
        open_.add(position)
        waiting.append((position, True))
        item = root.at(position)
        assert item is not None
        for child in item.children:
            if not isinstance(child.value, ByReference) and (child.children or child.position in targets):
                waiting.append((child.position, False))
        waiting.extend((target, False) for target in targets.get(position, ()))
