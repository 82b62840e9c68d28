"""Media as data: the application profiles of PS3.11 and the directory records of PS3.3 Annex F.

`names()` and `load(name)` give application profiles; records.py says which record an object gets and its keys.
"""

from __future__ import annotations

from profiles.media.application import PROFILES, ApplicationProfile, Medium

__all__ = ["ApplicationProfile", "Medium", "load", "names"]


def names() -> tuple[str, ...]:
    """The application profiles there are, by PS3.11's own names."""
    return tuple(PROFILES)


def load(name: str) -> ApplicationProfile:
    """The application profile of that name. Raises KeyError."""
    return PROFILES[name]
