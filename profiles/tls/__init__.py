"""TLS profiles of PS3.15 Annex B as data: `names()`, `load(name)`.

What they say is in bcp195.py; whether this platform can do it, gateway/security/tls.py finds out by asking OpenSSL.
"""

from __future__ import annotations

from profiles.tls.bcp195 import PROFILES, Suite, TlsProfile, Version

__all__ = ["Suite", "TlsProfile", "Version", "load", "names"]


def names() -> tuple[str, ...]:
    """The profiles there are, by the names gateway.yaml uses."""
    return tuple(PROFILES)


def load(name: str) -> TlsProfile:
    """The profile of that name. Raises KeyError."""
    return PROFILES[name]
