"""`reports` blocks: OIDs that are OIDs, and a warning where an EHR usually insists on what is missing."""

from __future__ import annotations

from typing import Any, Final

from gateway.config.document import Positions
from gateway.config.plain import given, items, mapping, text, words
from gateway.config.problems import Loc, Problem, nearest
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


def seen(block: Any, loc: Loc, data: Any, places: Positions) -> list[Problem]:
    """`images` of a block or step: listeners that exist, and a warning where they are gone when asked for."""
    known = [name for _, each in items(data, "listeners") if (name := text(each, "id"))]
    found = [
        places.at_value((*loc, *below), f"no listener {name!r}", nearest(name, known))
        for below, name in words(block, "images")
        if name not in known
    ]
    if words(block, "images") and not given(mapping(data, "state"), "keep_spooled"):
        message = "what is delivered leaves the spool at once, and is not at hand then: `state: {keep_spooled: 6h}`"
        found.append(places.warn((*loc, "images"), message))
    return found


def problems(data: Any, places: Positions) -> list[Problem]:
    """Every problem of the `reports` blocks that a route uses or that cannot be used."""
    used = {text(step, "cda") for _, route in items(data, "routes") for _, step in items(route, "steps")}
    found: list[Problem] = []
    for name, block in mapping(data, "reports").items():
        loc: Loc = ("reports", name)
        if not isinstance(block, dict):
            continue
        try:
            settings.read({key: value for key, value in block.items() if key != "images"})
        except TransformError as error:
            found.append(places.at_key(loc, error.detail))
            continue
        found += seen(block, loc, data, places)
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
