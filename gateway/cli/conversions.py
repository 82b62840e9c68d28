"""The conversions there are, for `dicom-gateway convert`: one line each, and what an input is.

To add one: its function (data, given) -> Converted in transforms, its line below. What comes from CDA also comes from
whatever becomes CDA: the two are then done one after another.
"""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import Final

from lxml import etree  # type: ignore[import-untyped]

from profiles.sr.sop_classes import SOP_CLASSES
from transforms.conversion import Convert, Converted, Given
from transforms.dataset.framing import check
from transforms.dataset.part10 import split
from transforms.dataset.values import identity
from transforms.errors import TransformError
from transforms.source import BytesSource, Copy, EditPlan

ENCAPSULATED_CDA: Final = "1.2.840.10008.5.1.4.1.1.104.2"

# (what the input is, --to) -> module and function; imported when it is called for
CONVERSIONS: Final[dict[tuple[str, str], tuple[str, str]]] = {
    ("sr", "sr"): ("transforms.sr.rewrite", "convert"),
    ("sr", "cda"): ("transforms.cda.conversions", "to_cda"),
}
_XML_ROOTS: Final = {
    "{urn:hl7-org:v3}ClinicalDocument": "cda",
    "ImageAnnotationCollection": "aim",
    "ImageAnnotation": "aim",
}


def targets() -> tuple[str, ...]:
    """What --to may say, in the order of the table."""
    return tuple(dict.fromkeys(target for _, target in CONVERSIONS))


def way(source: str, target: str) -> tuple[tuple[str, str], ...]:
    """The conversions, one after another, that lead from one to the other; () where none do."""
    if (source, target) in CONVERSIONS:
        return ((source, target),)
    by_cda = ((source, "cda"), ("cda", target))
    return by_cda if all(each in CONVERSIONS for each in by_cda) else ()


def run(data: bytes, target: str, given: Given) -> Converted:
    """The input, whatever it is, as `target`. Raises TransformError: conversion-unknown, and as the conversions do."""
    source = kind_of(data)
    steps = way(source, target)
    if not steps:
        takes = ", ".join(sorted({each for each, _ in CONVERSIONS if way(each, target)}))
        raise TransformError("conversion-unknown", f"{target} is made from {takes}; the input is {source}")
    converted = _function(*CONVERSIONS[steps[0]])(data, given)
    for step in steps[1:]:
        after = _function(*CONVERSIONS[step])(converted.data, given)
        converted = replace(after, losses=replace(after.losses, before=converted.losses))
    return converted


def kind_of(data: bytes) -> str:
    """What the bytes are: sr, encapsulated-cda, cda, aim. Raises TransformError: conversion-unknown, xml-*."""
    if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return _kind_of_xml(data)
    source = BytesSource(data)
    found = split(source, tolerant=True)
    body = EditPlan(source, (Copy(found.offset, source.size - found.offset),))
    sop_class = identity(body, check(body, found.syntax)).get("SOPClassUID", "")
    if sop_class in SOP_CLASSES:
        return "sr"
    if sop_class == ENCAPSULATED_CDA:
        return "encapsulated-cda"
    raise TransformError("conversion-unknown", "the input is a DICOM object of a class that is not converted")


def _kind_of_xml(data: bytes) -> str:
    """By the name of its root. No entity is resolved; a document with a DTD is refused, whatever it is."""
    parser = etree.XMLPullParser(events=("start",), resolve_entities=False, no_network=True, load_dtd=False)
    try:
        parser.feed(data)
        root = next((element for _, element in parser.read_events()), None)
    except etree.XMLSyntaxError as error:
        raise TransformError("xml-malformed", "the input is no well-formed XML") from error
    if root is None:
        raise TransformError("xml-malformed", "the input is no well-formed XML")
    if root.getroottree().docinfo.doctype:
        raise TransformError("xml-doctype", "the input declares a document type, which no document of ours may")
    tag = str(root.tag)
    found = _XML_ROOTS.get(tag) or _XML_ROOTS.get(etree.QName(tag).localname if "gme://" in tag else "")
    if found is None:
        raise TransformError("conversion-unknown", "the input is XML of a kind that is not converted")
    return found


def _function(module: str, name: str) -> Convert:
    found: Convert = getattr(import_module(module), name)
    return found
