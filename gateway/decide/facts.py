"""What a rule may ask of one object and of the association it came on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from gateway.model import Origin
from transforms.dataset import values as read
from transforms.dataset.index import Index
from transforms.errors import TransformError
from transforms.source import ByteSource

Values = tuple[str, ...] | None  # None: the attribute is missing; (): it is there and empty

CONTEXT = ("listener", "called_ae", "calling_ae", "subject")  # asked like attributes; empty counts as missing


class Facts(Protocol):
    """One object, as the rules see it."""

    @property
    def listener(self) -> str: ...
    @property
    def called_ae(self) -> str: ...
    @property
    def calling_ae(self) -> str: ...
    @property
    def subject(self) -> str: ...

    def get(self, path: str) -> Values:
        """The values at a path of gateway/decide/paths.py, as text; None where it is missing, () where it is empty.

        Of a sequence: one text an item, whatever it says.
        """
        ...


@dataclass(frozen=True, slots=True)
class DictFacts:
    """Facts out of a mapping of path -> values, over other facts where there are some (cases and tests)."""

    values: Mapping[str, Values] = field(default_factory=dict)
    listener: str = ""
    called_ae: str = ""
    calling_ae: str = ""
    subject: str = ""
    beneath: Facts | None = None

    def get(self, path: str) -> Values:
        if path in self.values:
            return self.values[path]
        return self.beneath.get(path) if self.beneath else None


class ObjectFacts:
    """What the rules may ask of a received object."""

    def __init__(self, origin: Origin, source: ByteSource, index: Index) -> None:
        self.listener = origin.listener
        self.called_ae = origin.called_ae
        self.calling_ae = origin.calling_ae
        self.subject = origin.subject
        self._source = source
        self._index = index

    def get(self, path: str) -> tuple[str, ...] | None:
        """The values at a path; None where it is missing, () where it is empty."""
        return read.read_path(self._source, self._index, path)


class Remembered:
    """Facts that are read once, however many predicates ask. For one decision, then thrown away."""

    __slots__ = ("_facts", "_known", "called_ae", "calling_ae", "listener", "subject")

    def __init__(self, facts: Facts) -> None:
        self.listener = facts.listener
        self.called_ae = facts.called_ae
        self.calling_ae = facts.calling_ae
        self.subject = facts.subject
        self._facts = facts
        self._known: dict[str, Values] = {}

    def get(self, path: str) -> Values:
        if path not in self._known:
            self._known[path] = self._facts.get(path)
        return self._known[path]


def ask(facts: Facts, path: str) -> Values:
    """The values of an attribute or of a word of CONTEXT."""
    if path in CONTEXT:
        text = str(getattr(facts, path))
        return (text,) if text else None
    return facts.get(path)


# A value that is bytes, or too long to look at, is there all the same.
_THERE = ("not-text", "value-too-long")


def ask_presence(facts: Facts, path: str) -> Values:
    """() where the attribute is there, whatever it holds; None where it is missing."""
    try:
        return None if ask(facts, path) is None else ()
    except TransformError as error:
        # Inside items a length tells of the sequence, not of the attribute.
        if error.reason == "not-text" or (error.reason in _THERE and "." not in path):
            return ()
        raise
