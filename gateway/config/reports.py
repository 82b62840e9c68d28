"""`reports` blocks: OIDs that are OIDs, and a warning where an EHR usually insists on what is missing."""

from __future__ import annotations

from typing import Any, Final

from gateway.config.document import Positions
from gateway.config.plain import items, mapping, text
from gateway.config.problems import Loc, Problem
from transforms.cda import settings
from transforms.errors import TransformError

# what most receivers refuse a document without, though PS3.20 allows a nullFlavor
_WANTED: Final = (
    (("custodian", "name"), "who keeps the document"),
    (("custodian", "root"), "the OID of who keeps the document"),
    (("authorities", "patient"), "the OID of who assigns patient numbers"),
    (("authorities", "accession"), "the OID of who assigns accession numbers"),
    (("language",), "the language of reports that name none"),
)


def problems(data: Any, places: Positions) -> list[Problem]:
    """Every problem of the `reports` blocks that a route uses or that cannot be used."""
    used = {text(step, "cda") for _, route in items(data, "routes") for _, step in items(route, "steps")}
    found: list[Problem] = []
    for name, block in mapping(data, "reports").items():
        loc: Loc = ("reports", name)
        if not isinstance(block, dict):
            continue
        try:
            settings.read(block)
        except TransformError as error:
            found.append(places.at_key(loc, error.detail))
            continue
        if name not in used:
            found.append(places.warn(loc, "no route uses it"))
        for path, what in _WANTED:
            inner: Any = block
            for key in path:
                inner = mapping({"": inner}, "").get(key)
            if not inner:
                message = f"{'.'.join(path)} is missing: {what}; many an EHR refuses a document without it"
                found.append(places.warn(loc, message))
    return found
