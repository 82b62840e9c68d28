"""Reading plain data that may have any shape: what is not what it should be counts as absent.

Cross references are told even where the shape is wrong elsewhere, so they cannot rely on it. What is wrong with the
shape itself is told by shape.py, once.
"""

from __future__ import annotations

from typing import Any


def mapping(value: Any, key: str) -> dict[str, Any]:
    """The map under `key`, or an empty one."""
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def items(value: Any, key: str) -> list[tuple[int, Any]]:
    """The list under `key` with its numbers, or an empty one."""
    found = value.get(key) if isinstance(value, dict) else None
    return list(enumerate(found)) if isinstance(found, list) else []


def words(value: Any, key: str) -> list[tuple[tuple[str | int, ...], str]]:
    """The texts under `key`, a list or a single one, each with its place below `value`."""
    found = value.get(key) if isinstance(value, dict) else None
    if isinstance(found, str):
        return [((key,), found)]
    return [((key, number), each) for number, each in items(value, key) if isinstance(each, str)]


def text(value: Any, key: str) -> str | None:
    """The text under `key`, or None."""
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, str) else None


def given(value: Any, key: str) -> bool:
    """Whether the key stands there with anything at all."""
    return isinstance(value, dict) and value.get(key) is not None
