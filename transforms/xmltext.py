"""XML from strangers, read safely: no document type, no entity, no network, whatever the document says.

* A document that declares a type is refused before anything of it is used: that is where entities come from.
* Then, and only then, long texts are allowed: reports carry images.
"""

from __future__ import annotations

from typing import Any, Final

from lxml import etree  # type: ignore[import-untyped]

from transforms.errors import TransformError

_CHUNK: Final = 1 << 12
_SAFE: Final = {"resolve_entities": False, "no_network": True, "load_dtd": False}


def root_name(data: bytes) -> str:
    """The root's name, {namespace}local. Raises TransformError: xml-malformed, xml-doctype."""
    parser = etree.XMLPullParser(events=("start",), **_SAFE)
    try:
        for at in range(0, len(data), _CHUNK):
            parser.feed(data[at : at + _CHUNK])
            if root := next(parser.read_events(), None):
                break
        else:
            parser.close()  # a short document is read at its end
            root = next(parser.read_events())
    except (etree.XMLSyntaxError, StopIteration) as error:
        raise TransformError("xml-malformed", "the document is no well-formed XML") from error
    if root[1].getroottree().docinfo.internalDTD is not None:
        raise TransformError("xml-doctype", "the document declares a document type, which ours may not")
    return str(root[1].tag)


def parsed(data: bytes) -> Any:
    """The root element (lxml). Raises TransformError: xml-malformed, xml-doctype."""
    root_name(data)
    try:
        return etree.fromstring(data, etree.XMLParser(huge_tree=True, **_SAFE))
    except etree.XMLSyntaxError as error:
        raise TransformError("xml-malformed", f"at line {error.lineno}") from error
