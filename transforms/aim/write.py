"""The model -> AIM v4 XML, valid by the schema of its version.

Rules of this file
* Elements come in the schema's order, data types as ISO 21090 has them; nothing is made by pasting strings.
* What AIM 4.0 has no element for is left out when 4.0 is written; `to_version` says what that was.
* What the schema requires and the model lacks is a TransformError, not an invalid file.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from lxml import etree  # type: ignore[import-untyped]

from profiles.aim.names import ISO, SCHEMA_FILES, V4, VERSIONS, WRITTEN, XSI
from profiles.aim.statements import STATEMENTS_4_2
from transforms.aim import schema
from transforms.aim.model.annotation import AnnotationCollection
from transforms.aim.model.datatypes import Attribute, Code, St, Uid
from transforms.aim.model.entities import AnnotationStatement
from transforms.errors import TransformError


def write(collection: AnnotationCollection) -> bytes:
    """The document in UTF-8, of the version that `aim_version` says. Raises TransformError('aim-does-not-fit')."""
    version = VERSIONS.get(collection.aim_version)
    if version is None:
        raise TransformError("aim-version", f"aimVersion is none of {', '.join(VERSIONS)}")
    root = etree.Element(f"{{{V4}}}{type(collection).__name__}", nsmap={None: V4, "iso": ISO, "xsi": XSI})
    root.set(f"{{{XSI}}}schemaLocation", f"{V4} {SCHEMA_FILES[version]}")
    try:
        _fill(root, collection, version)
        written: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
        return written
    except ValueError as error:  # a control character
        raise TransformError("aim-does-not-fit", "a text that XML cannot hold") from error


def to_version(collection: AnnotationCollection, version: str) -> AnnotationCollection:
    """The same collection as `4.0` or `4.2` can hold it."""
    changed = dataclasses.replace(collection, aim_version=Attribute(WRITTEN[version]))
    return changed if version == "4.2" else _without_4_2(changed)


def _without_4_2(value: Any) -> Any:
    """A structure less what came with AIM 4.2."""
    changes: dict[str, Any] = {}
    for part in schema.parts(type(value)):
        held = getattr(value, part.field)
        if part.since:
            changes[part.field] = None
        elif part.is_datatype or held is None:
            continue
        elif part.many:
            changes[part.field] = tuple(
                _without_4_2(each) for each in held if getattr(each, "kind", "") not in STATEMENTS_4_2
            )
        else:
            changes[part.field] = _without_4_2(held)
    return dataclasses.replace(value, **changes)


def _fill(element: etree._Element, value: Any, version: str) -> None:
    """The parts of a structure into its element."""
    for part in schema.parts(type(value)):
        held = getattr(value, part.field)
        if held is None or (part.since and version < part.since):
            continue
        if part.required and held == ():
            raise TransformError("aim-does-not-fit", f"{type(value).__name__} needs {part.element}")
        if part.is_attribute:
            element.set(part.element, held)
        elif part.collection:
            if held:
                _collection(etree.SubElement(element, f"{{{V4}}}{part.element}"), part, held, version)
        elif part.many:
            for each in held:
                _datum(etree.SubElement(element, f"{{{V4}}}{part.element}"), part.type, each)
        elif part.is_datatype:
            _datum(etree.SubElement(element, f"{{{V4}}}{part.element}"), part.type, held)
        else:
            _structure(etree.SubElement(element, f"{{{V4}}}{part.element}"), part.type, held, version)


def _collection(element: etree._Element, part: schema.Part, held: tuple[Any, ...], version: str) -> None:
    for each in held:
        _structure(etree.SubElement(element, f"{{{V4}}}{part.collection}"), part.type, each, version)


def _structure(element: etree._Element, base: object, value: Any, version: str) -> None:
    if isinstance(value, AnnotationStatement):
        element.set(f"{{{XSI}}}type", value.kind)
        for name, uid in (
            ("subjectUniqueIdentifier", value.subject_unique_identifier),
            ("objectUniqueIdentifier", value.object_unique_identifier),
        ):
            etree.SubElement(element, f"{{{V4}}}{name}").set("root", uid)
        return
    if type(value) is not base:
        element.set(f"{{{XSI}}}type", type(value).__name__)
    _fill(element, value, version)


def _datum(element: etree._Element, kind: object, value: Any) -> None:
    if isinstance(value, Code):
        for name, text in (
            ("code", value.code),
            ("codeSystem", value.system),
            ("codeSystemName", value.scheme),
            ("codeSystemVersion", value.version),
        ):
            if text:
                element.set(name, text)
        if value.meaning:
            etree.SubElement(element, f"{{{ISO}}}displayName").set("value", value.meaning)
    elif kind is Uid:
        element.set("root", value)
    elif kind is bool:
        element.set("value", "true" if value else "false")
    elif kind is St or str(value):
        element.set("value", str(value))
    else:
        element.set("nullFlavor", "NI")
