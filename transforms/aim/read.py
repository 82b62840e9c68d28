"""AIM v4 XML -> the model, strictly.

Rules of this file
* DTDs are refused, entities are not resolved, nothing is fetched. What the parser does not know, it does not skip.
* Every refusal is a TransformError that names the element and its line, never its value.
* The order of different elements carries no meaning and is not insisted on; write.py writes the schema's.
* AIM v3 is read by lift.py.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any, Final

from lxml import etree  # type: ignore[import-untyped]

from profiles.aim.names import ENUMERATIONS, ISO, V4, VERSIONS, XSI
from profiles.aim.statements import STATEMENTS, STATEMENTS_4_2
from transforms.aim import schema
from transforms.aim.checks import is_stamp, is_uid
from transforms.aim.model.annotation import (
    AnnotationCollection,
    AnnotationOfAnnotationCollection,
    ImageAnnotationCollection,
)
from transforms.aim.model.datatypes import Attribute, Code, Real, St, Stamp, Uid
from transforms.aim.model.entities import AnnotationStatement
from transforms.aim.numbers import bounded
from transforms.errors import TransformError

MAX_BYTES: Final = 32 << 20
MAX_MARKUPS: Final = 5_000  # of one file: more is a machine's mask, which belongs into a Segmentation object
MAX_ELEMENTS: Final = 1_000_000
_INT: Final = range(-(1 << 31), 1 << 31)  # xs:int
_ROOTS: Final = {each.__name__: each for each in (ImageAnnotationCollection, AnnotationOfAnnotationCollection)}
_CD: Final = {"code", "codeSystem", "codeSystemName", "codeSystemVersion", "nullFlavor"}
_QUIET: Final = {f"{{{XSI}}}type", f"{{{XSI}}}schemaLocation"}


def parse(data: bytes) -> etree._Element:
    """The root of a document that has no DTD and is not too large. Raises TransformError."""
    if len(data) > MAX_BYTES:
        raise TransformError("aim-too-large", f"more than {MAX_BYTES} bytes")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True, huge_tree=False
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise TransformError("aim-not-xml", f"line {error.lineno or 0}") from error
    if root.getroottree().docinfo.doctype:
        raise TransformError("aim-dtd", "a DOCTYPE has no place in AIM; remove it")
    return root


def read(data: bytes) -> AnnotationCollection:
    """An AIM v4 document. Raises TransformError, see docs/reasons.md (`aim-...`)."""
    return from_xml(parse(data))


def from_xml(root: etree._Element) -> AnnotationCollection:
    """The same of a parsed document."""
    name = etree.QName(root)
    if name.namespace != V4 or name.localname not in _ROOTS:
        raise TransformError("aim-not-aim", "the root is no AIM v4 annotation collection")
    if VERSIONS.get(root.get("aimVersion", "")) is None:
        raise TransformError("aim-version", f"aimVersion is none of {', '.join(VERSIONS)}")
    markups = 0
    for number, element in enumerate(root.iter()):
        markups += element.tag == f"{{{V4}}}MarkupEntity"
        if number >= MAX_ELEMENTS or markups > MAX_MARKUPS:
            raise TransformError("aim-too-large", f"more than {MAX_MARKUPS} markups or {MAX_ELEMENTS} elements")
    found = _structure(root, _ROOTS[name.localname])
    assert isinstance(found, AnnotationCollection)
    return found


def _structure(element: etree._Element, base: object) -> Any:
    """An element as the class that stands there: of `base`, or of the kind that its xsi:type names."""
    assert isinstance(base, type)
    if issubclass(base, AnnotationStatement):
        return _statement(element, base)
    cls = _kind(element, base)
    parts = {part.element: part for part in schema.parts(cls)}
    values: dict[str, Any] = {}
    for name, text in element.attrib.items():
        attribute = parts.get(str(name))
        if attribute is not None and attribute.is_attribute:
            values[attribute.field] = _attribute(element, cls, attribute.element, str(text))
        elif name not in _QUIET:
            raise _error("aim-unknown-attribute", element)
    _no_text(element)
    for child in element:
        part = parts.get(_local(child))
        if part is None or part.is_attribute:
            raise _error("aim-unknown-element", child)
        if part.many and not part.collection:
            values.setdefault(part.field, []).append(_datum(child, part.type))
            continue
        if part.field in values:
            raise _error("aim-repeated-element", child)
        if part.collection:
            values[part.field] = _collection(child, part)
        else:
            value = _datum(child, part.type) if part.is_datatype else _structure(child, part.type)
            if value is not None:
                values[part.field] = value
    for part in schema.parts(cls):
        if part.many:
            values[part.field] = tuple(values.get(part.field, ()))
        if part.required and values.get(part.field, ()) == ():
            raise _error("aim-missing-element", element, part.element)
    return cls(**values)


def _kind(element: etree._Element, base: type) -> type:
    named = element.get(f"{{{XSI}}}type", "").rpartition(":")[2]
    cls = schema.kinds(base).get(named or base.__name__)
    if cls is None:
        raise _error("aim-unknown-type", element)
    return cls


def _collection(element: etree._Element, part: schema.Part) -> list[Any]:
    _no_text(element)
    for child in element:
        if _local(child) != part.collection:
            raise _error("aim-unknown-element", child)
    return [_structure(child, part.type) for child in element]


def _statement(element: etree._Element, base: type) -> Any:
    kind = element.get(f"{{{XSI}}}type", "").rpartition(":")[2]
    if kind not in STATEMENTS and kind not in STATEMENTS_4_2:
        raise _error("aim-unknown-type", element)
    uids = {_local(child): _datum(child, Uid) for child in element}
    if set(uids) != {"subjectUniqueIdentifier", "objectUniqueIdentifier"} or len(element) != 2:
        raise _error("aim-unknown-element", element)
    return base(
        kind=kind,
        subject_unique_identifier=uids["subjectUniqueIdentifier"],
        object_unique_identifier=uids["objectUniqueIdentifier"],
    )


def _datum(element: etree._Element, kind: object) -> Any:
    """A value of ISO 21090; None where it is null and has no empty form."""
    _no_text(element)
    attributes = {str(name): str(text) for name, text in element.attrib.items() if name not in _QUIET}
    if kind is Code:
        return _code(element, attributes)
    if len(element):
        raise _error("aim-unknown-element", element[0])
    name = "root" if kind is Uid else "value"
    if set(attributes) - {name, "nullFlavor"}:
        raise _error("aim-unknown-attribute", element)
    text = attributes.get(name, "")
    if kind is St:
        return St(text)
    text = text.strip()
    if kind is Uid:
        if text and not is_uid(text):
            raise _error("aim-bad-uid", element)
        return Uid(text) if text else None
    if kind is Stamp:
        if text and not is_stamp(text):
            raise _error("aim-bad-value", element)
        return Stamp(text)
    if not text:
        return None
    return _number(element, kind, text)


def _number(element: etree._Element, kind: object, text: str) -> Any:
    if kind is bool:
        if text not in ("true", "false", "1", "0"):
            raise _error("aim-bad-value", element)
        return text in ("true", "1")
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise _error("aim-bad-value", element) from None
    if not bounded(number) or "_" in text or not text.isascii():
        raise _error("aim-bad-value", element)
    if kind is Real:
        return Real(text)
    if number != number.to_integral_value() or int(number) not in _INT:
        raise _error("aim-bad-value", element)
    return int(number)


def _code(element: etree._Element, attributes: dict[str, str]) -> Code | None:
    meaning = ""
    for number, child in enumerate(element):
        if number or child.tag != f"{{{ISO}}}displayName" or set(child.attrib) - {"value"} or len(child):
            raise _error("aim-unknown-element", child)
        meaning = child.get("value", "")
    if set(attributes) - _CD:
        raise _error("aim-unknown-attribute", element)
    code = Code(
        attributes.get("code", ""),
        attributes.get("codeSystemName", ""),
        meaning,
        attributes.get("codeSystem", ""),
        attributes.get("codeSystemVersion", ""),
    )
    return code if code.code or code.meaning else None


def _attribute(element: etree._Element, cls: type, name: str, text: str) -> Attribute:
    allowed = next(
        (ENUMERATIONS[base.__name__, name] for base in cls.__mro__ if (base.__name__, name) in ENUMERATIONS), None
    )
    if allowed is not None and text not in allowed:
        raise _error("aim-bad-value", element, f"attribute {name}")
    return Attribute(text)


def _local(element: etree._Element) -> str:
    """The name of an element of AIM; "" of any other."""
    name = etree.QName(element)
    return name.localname if name.namespace == V4 else ""


def _no_text(element: etree._Element) -> None:
    texts = [element.text, *(child.tail for child in element)]
    if any(text and not text.isspace() for text in texts):
        raise _error("aim-unknown-element", element, "text stands in it")
    for child in element:
        if not isinstance(child.tag, str):  # an entity reference
            raise _error("aim-dtd", element)


def _error(reason: str, element: etree._Element, more: str = "") -> TransformError:
    name = etree.QName(element).localname if isinstance(element.tag, str) else "entity"
    return TransformError(reason, f"line {element.sourceline or 0}, {name}" + (f": {more}" if more else ""))
