"""A CDA as the egress check can read it: a data set that holds its bytes, and what stands in it as people read it.

The check knows data sets. A name that XML parts (<given>, <family>), a date in an attribute, an escaped letter: it
would find none of them in the bytes alone.
"""

from __future__ import annotations

from struct import pack
from typing import Final

from lxml import etree  # type: ignore[import-untyped]

_CHARSET: Final = (0x0008, 0x0005, b"CS", b"ISO_IR 192")
_TEXT: Final = (0x0040, 0xA160)  # Text Value
_DOCUMENT: Final = (0x0042, 0x0011)  # Encapsulated Document
_NAMES: Final = frozenset({"name", "value"})


def as_data_set(data: bytes, *, explicit: bool) -> bytes:
    """Specific Character Set, Text Value (all that is read), Encapsulated Document (the bytes)."""
    text = "\n".join(_readings(data)).encode("utf-8", "replace")
    elements = [_CHARSET, (*_TEXT, b"UT", text), (*_DOCUMENT, b"OB", data)]
    return b"".join(_element(*each, explicit=explicit) for each in elements)


def _readings(data: bytes) -> list[str]:
    """Texts, attribute values, and names of persons put together in both orders."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True)
    found: list[str] = []
    for element in etree.fromstring(data, parser).iter(etree.Element):
        found += [str(value) for value in element.attrib.values()]
        if element.text and element.text.strip():
            found.append(element.text)
        if element.tail and element.tail.strip():
            found.append(element.tail)
        if etree.QName(element).localname in _NAMES and len(element):
            parts = {etree.QName(part).localname: (part.text or "") for part in element}
            given, family = parts.get("given", ""), parts.get("family", "")
            if given or family:
                found += [f"{given} {family}", f"{family} {given}", f"{family}^{given}"]
    return found


def _element(group: int, element: int, vr: bytes, value: bytes, *, explicit: bool) -> bytes:
    value += b" " * (len(value) % 2)
    if not explicit:
        return pack("<HHI", group, element, len(value)) + value
    if vr == b"CS":
        return pack("<HH2sH", group, element, vr, len(value)) + value
    return pack("<HH2sHI", group, element, vr, 0, len(value)) + value
