"""A CDA, or other XML, as a reader reads it, for the egress check: what XML parts and escapes, put together again.

A name in <given> and <family>, a date in an attribute, an escaped letter: the check would find none of them in the
bytes alone.
"""

from __future__ import annotations

from typing import Final

from lxml import etree  # type: ignore[import-untyped]

from transforms.xmltext import parsed

_NAMES: Final = frozenset({"name", "value"})


def readings(data: bytes) -> str:
    """The document as it is, its texts and attribute values, and names of persons in both orders, a line each."""
    found = [data.decode()]
    for element in parsed(data).iter(etree.Element):
        found += [str(value) for value in element.attrib.values()]
        found += [text for text in (element.text, element.tail) if text and text.strip()]
        if etree.QName(element).localname in _NAMES and len(element):
            parts = {etree.QName(part).localname: (part.text or "") for part in element}
            given, family = parts.get("given", ""), parts.get("family", "")
            if given or family:
                found += [f"{given} {family}", f"{family} {given}", f"{family}^{given}"]
    return "\n".join(found)
