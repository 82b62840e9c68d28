"""The Native DICOM Model in XML -> model (PS3.19 A.1).

Rules of this file
* A document with a DTD is refused, nothing is resolved, nothing is fetched: neither entities nor schemas.
* Private attributes name their creator; blocks are given out anew, in the order in which creators appear.
"""

from __future__ import annotations

from collections.abc import Iterator

from lxml import etree  # type: ignore[import-untyped]

from transforms.errors import TransformError
from transforms.models.json_model import inline
from transforms.models.model import Attribute, Budget, DataSet, MetadataError, stored, tag_of, vr_of
from transforms.xmltext import parsed

NAMESPACE = "http://dicom.nema.org/PS3.19/models/NativeDICOM"
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_COMPONENTS = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")


def read(data: bytes) -> tuple[DataSet, str]:
    """The data set of a document, with the transfer syntax it names, "" for none. Raises MetadataError."""
    try:
        root = parsed(data)
    except TransformError as error:
        raise MetadataError("metadata-malformed", error.detail) from error
    if root.tag != f"{{{NAMESPACE}}}NativeDicomModel":
        raise MetadataError("metadata-malformed", "not a Native DICOM Model")
    attributes = _attributes(root, Budget(), 0)
    syntax = next((a.values[0] for a in attributes if a.tag == 0x00020010 and a.values), "")
    return stored(attributes), syntax


def _attributes(parent: etree._Element, budget: Budget, depth: int) -> list[Attribute]:
    found: list[Attribute] = []
    blocks: dict[tuple[int, str], int] = {}
    for element in _children(parent):
        if _name(element) != "DicomAttribute":
            raise MetadataError("metadata-malformed", "a data set consists of DicomAttributes")
        budget.spend(depth)
        found.append(_attribute(element, blocks, budget, depth))
    claimed = {group for group, _ in blocks}
    kept = [each for each in found if not (each.tag >> 16 in claimed and 0x10 <= each.tag & 0xFFFF <= 0xFF)]
    for (group, creator), block in blocks.items():
        kept.append(Attribute(group << 16 | block, "LO", values=(creator,)))
    return kept


def _attribute(element: etree._Element, blocks: dict[tuple[int, str], int], budget: Budget, depth: int) -> Attribute:
    tag, vr = tag_of(element.get("tag")), vr_of(element.get("vr"))
    creator = element.get("privateCreator")
    if creator is not None:
        group = tag >> 16
        if group % 2 == 0 or not creator:
            raise MetadataError("metadata-tag", "a private creator of what is not private")
        taken = sum(each == group for each, _ in blocks)
        block = blocks.setdefault((group, creator), 0x10 + taken)
        if block > 0xFF:
            raise MetadataError("metadata-tag", "more private creators than a group has blocks")
        tag = group << 16 | block << 8 | tag & 0xFF
    children = list(_children(element))
    names = {_name(each) for each in children}
    if len(names) > 1:
        raise MetadataError("metadata-malformed", "an attribute has one kind of value")
    if not names:
        return Attribute(tag, vr)
    (name,) = names
    if name == "Item" and vr == "SQ":
        items = tuple(stored(_attributes(each, budget, depth + 1)) for each in _numbered(children))
        return Attribute(tag, vr, items=items)
    if name == "Value" and vr not in ("SQ", "PN"):
        return Attribute(tag, vr, values=tuple(_text(each) for each in _numbered(children)))
    if name == "PersonName" and vr == "PN":
        return Attribute(tag, vr, values=tuple(_person(each) for each in _numbered(children)))
    if name == "InlineBinary" and len(children) == 1:
        return Attribute(tag, vr, inline=inline("".join(_text(children[0]).split())))
    if name == "BulkData" and len(children) == 1 and vr != "SQ":
        uri = children[0].get("uri") or children[0].get("uuid")
        if uri:
            return Attribute(tag, vr, bulk=uri)
    raise MetadataError("metadata-malformed", "a kind of value that this VR does not have")


def _children(parent: etree._Element) -> Iterator[etree._Element]:
    for each in parent:
        if isinstance(each.tag, str):  # comments and instructions have none
            yield each
        elif isinstance(each, etree._Entity):
            raise MetadataError("metadata-malformed", "an entity is not resolved")


def _name(element: etree._Element) -> str:
    name: str = element.tag
    if not name.startswith(f"{{{NAMESPACE}}}"):
        raise MetadataError("metadata-malformed", "an element of another namespace")
    return name.rpartition("}")[2]


def _numbered(children: list[etree._Element]) -> list[etree._Element]:
    """In the order of their numbers, which are 1, 2, 3 ..."""
    numbers = [each.get("number", "") for each in children]
    if sorted(numbers, key=lambda text: (len(text), text)) != [str(n) for n in range(1, len(children) + 1)]:
        raise MetadataError("metadata-malformed", "values are numbered from 1")
    return sorted(children, key=lambda each: int(each.get("number")))


def _text(element: etree._Element) -> str:
    if len(element):
        raise MetadataError("metadata-malformed", "a value is text")
    return element.text or ""


def _person(element: etree._Element) -> str:
    groups = dict.fromkeys(_GROUPS, "")
    for group in _children(element):
        parts = dict.fromkeys(_COMPONENTS, "")
        for part in _children(group):
            if _name(part) not in parts:
                raise MetadataError("metadata-malformed", "a name has five components")
            parts[_name(part)] = _text(part)
        if _name(group) not in groups or any(set("^=\\") & set(each) for each in parts.values()):
            raise MetadataError("metadata-malformed", "a name has three groups, and no delimiters within them")
        groups[_name(group)] = "^".join(parts.values()).rstrip("^")
    return "=".join(groups.values()).rstrip("=")
