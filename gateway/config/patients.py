"""Cross references of `patients` within a `deidentify` block: what each kind of map needs and what it has no
use for. A key that would do nothing is an error: its author believes that it does.
"""

from __future__ import annotations

from typing import Any

from gateway.config.document import Positions
from gateway.config.plain import given, mapping, text
from gateway.config.problems import Loc, Problem

NEEDS = {"key": (), "csv": ("map",), "service": ("url", "tls")}
KEYS = {
    "key": ("by",),
    "csv": ("by", "map", "allow_merge"),
    "service": ("by", "url", "tls", "token", "timeout", "max_answer", "recheck", "allow_merge"),
}
_WORDS = {
    "map": "`by: csv` needs `map: file:PATH`, a table with the columns issuer,patient_id,pseudonym",
    "url": "`by: service` needs `url: https://example.org/path`",
    "tls": "`by: service` needs `tls: {trust: ...}`: the anchors to check the service's certificate by",
}


def between(data: Any, places: Positions) -> list[Problem]:
    """Blocks that share key and project share their patients: else one patient would have two pseudonyms in it."""
    found = []
    first: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {}
    for name, block in mapping(data, "deidentify").items():
        domain = text(block, "key") or "", text(block, "project") or name
        source = {key: value for key, value in mapping(block, "patients").items() if key != "by"}
        source["by"] = text(mapping(block, "patients"), "by") or "key"
        owner, other = first.setdefault(domain, (name, source))
        if source != other:
            message = f"its key and project are those of {owner!r}, so its `patients` must be, too"
            found.append(places.at_key(("deidentify", name), message))
    return found


def problems(block: Any, above: Loc, places: Positions) -> list[Problem]:
    """Every problem of one `deidentify` block's `patients`."""
    wanted = mapping(block, "patients")
    if not wanted:
        return []
    loc: Loc = (*above, "patients")
    by = text(wanted, "by") or "key"
    if by not in KEYS:
        return []  # told by the shape
    found = [places.at_value(loc, _WORDS[key]) for key in NEEDS[by] if not given(wanted, key)]
    for key in sorted(wanted.keys() & {each for keys in KEYS.values() for each in keys}):
        if key not in KEYS[by]:
            owners = " and ".join(f"`by: {kind}`" for kind, keys in KEYS.items() if key in keys)
            found.append(places.at_key((*loc, key), f"{key!r} belongs to {owners}; this says `by: {by}`"))
    if "allow_merge" in wanted and not (text(wanted, "allow_merge") or "").strip():
        found.append(places.at_value((*loc, "allow_merge"), "`allow_merge` needs the reason, as text"))
    return found
