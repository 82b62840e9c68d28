"""Cross references of `media:` destinations and listeners: application profiles, and who can open what is made.

The certificates it names are read by `check` (gateway/media/secure.py), not here.
"""

from __future__ import annotations

import re
from typing import Any

from gateway.config.document import Positions
from gateway.config.plain import given, text
from gateway.config.problems import Loc, Problem, nearest
from profiles.media import load, names

_LABEL = re.compile(r"[A-Z0-9_]{1,16}")


def problems(block: dict[str, Any], loc: Loc, places: Positions) -> list[Problem]:
    """Every problem of the block under `media`."""
    name = text(block, "profile")
    if name is None:
        return []
    if name not in names():
        known = nearest(name, names())
        return [places.at_value((*loc, "profile"), "no application profile that `media profiles` lists", known)]
    profile = load(name)
    found = []
    for key in ("recipients", "password", "sign"):
        if given(block, key) and not profile.secure:
            message = f"{name} is not a secure profile, so there is no {key!r}: choose a -SEC- one"
            found.append(places.at_key((*loc, key), message))
    if profile.secure and not block.get("recipients") and not given(block, "password"):
        message = f"{name} is a secure profile: say who can open it, by `recipients` or `password`"
        found.append(places.at_value((*loc, "profile"), message))
    if profile.secure and block.get("index") is True:
        found.append(places.at_key((*loc, "index"), "an index page would tell what the encryption hides"))
    kind = text(block, "format")
    if kind in ("zip", "iso") and kind not in profile.medium.formats:
        message = f"{name} is for {profile.medium.name}: write {' or '.join(profile.medium.formats)}"
        found.append(places.at_value((*loc, "format"), message))
    label = text(block, "label")
    if label is not None and not _LABEL.fullmatch(label):
        found.append(places.at_value((*loc, "label"), "a label has 1 to 16 of A-Z, 0-9 and _"))
    return found


def listener_problems(block: dict[str, Any], loc: Loc, places: Positions) -> list[Problem]:
    """Every problem of a listener's block."""
    if given(block, "trust") and not given(block, "identity") and not given(block, "password"):
        message = "`trust` judges who signed secure media: give the `identity` or `password` that opens them"
        return [places.at_key((*loc, "trust"), message)]
    if given(block, "crl") and not given(block, "trust"):
        return [places.at_key((*loc, "crl"), "`crl` says which of the signers under `trust` is revoked: give both")]
    return []
