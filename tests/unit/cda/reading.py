"""CDA documents as tests read them: by an ordinary parser, by XPath, by what stands in them."""

from __future__ import annotations

from lxml import etree

NS = {"c": "urn:hl7-org:v3", "x": "http://www.w3.org/2001/XMLSchema-instance", "ps3-20": "urn:dicom-org:ps3-20"}


def parsed(data: bytes) -> etree._Element:
    """The document; no entity is resolved, no size is too large."""
    return etree.fromstring(data, etree.XMLParser(huge_tree=True, resolve_entities=False, no_network=True))


def found(root: etree._Element, path: str) -> list[str]:
    """What an XPath finds, as texts."""
    result = root.xpath(path, namespaces=NS)
    return [each if isinstance(each, str) else "".join(each.itertext()) for each in result]  # type: ignore[union-attr]


def one(root: etree._Element, path: str) -> str:
    """The one text that it finds."""
    texts = found(root, path)
    assert len(texts) == 1, (path, texts)
    return texts[0]


def section(code: str) -> str:
    """The XPath of the section with a code."""
    return f"//c:section[c:code/@code='{code}']"
