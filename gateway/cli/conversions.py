"""The conversions there are, for `dicom-gateway convert`: one line each, and what an input is.

To add one: its function (data, given) -> Converted in transforms, its line below. What comes from CDA also comes from
whatever becomes CDA: the two are then done one after another.
"""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import Final

from profiles.sr.sop_classes import SOP_CLASSES
from transforms.conversion import Convert, Converted, Given
from transforms.dataset.framing import check
from transforms.dataset.part10 import split
from transforms.dataset.values import identity
from transforms.encapsulate import ENCAPSULATED_CDA
from transforms.errors import TransformError
from transforms.source import BytesSource, Copy, EditPlan
from transforms.xmltext import root_name

# (what the input is, --to) -> module and function; imported when it is called for
CONVERSIONS: Final[dict[tuple[str, str], tuple[str, str]]] = {
    ("sr", "sr"): ("transforms.sr.rewrite", "convert"),
    ("sr", "cda"): ("transforms.cda.conversions", "to_cda"),
    ("cda", "mdm"): ("transforms.hl7.mdm", "convert"),
    ("cda", "encapsulated-cda"): ("transforms.encapsulate", "wrap"),
    ("encapsulated-cda", "cda"): ("transforms.encapsulate", "unwrap"),
    ("cda", "html"): ("transforms.cda.html", "convert"),
    ("aim", "sr"): ("transforms.aim.convert", "aim_to_sr"),
    ("sr", "aim"): ("transforms.aim.convert", "sr_to_aim"),
    ("aim", "aim"): ("transforms.aim.convert", "aim_to_aim"),
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
    if source == "sr":
        given = replace(given, source=_identity(data))
    converted = _function(*CONVERSIONS[steps[0]])(data, given)
    for step in steps[1:]:
        after = _function(*CONVERSIONS[step])(converted.data, given)
        converted = replace(after, losses=replace(after.losses, before=converted.losses))
    return converted


def kind_of(data: bytes) -> str:
    """What the bytes are: sr, encapsulated-cda, cda, aim. Raises TransformError: conversion-unknown, xml-*."""
    if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return _kind_of_xml(data)
    sop_class, _ = _identity(data)
    if sop_class in SOP_CLASSES:
        return "sr"
    if sop_class == ENCAPSULATED_CDA:
        return "encapsulated-cda"
    raise TransformError("conversion-unknown", "the input is a DICOM object of a class that is not converted")


def _identity(data: bytes) -> tuple[str, str]:
    """SOP Class and Instance UID of a DICOM file."""
    source = BytesSource(data)
    found = split(source, tolerant=True)
    body = EditPlan(source, (Copy(found.offset, source.size - found.offset),))
    said = identity(body, check(body, found.syntax))
    return said.get("SOPClassUID", ""), said.get("SOPInstanceUID", "")


def _kind_of_xml(data: bytes) -> str:
    name = root_name(data)
    found = _XML_ROOTS.get(name) or (_XML_ROOTS.get(name.rpartition("}")[2]) if name.startswith("{gme://") else None)
    if found is None:
        raise TransformError("conversion-unknown", "the input is XML of a kind that is not converted")
    return found


def _function(module: str, name: str) -> Convert:
    found: Convert = getattr(import_module(module), name)
    return found
