"""The XML of the model: which elements a class has, in which order, derived once from its fields.

Rules of this file
* `model/` is the only place where the structure stands; reader, writer and canonical form all walk it through here.
* The parts come in the order of the XML schema: those of the base type first.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, Final, NamedTuple, get_args, get_origin, get_type_hints

from transforms.aim.model import (
    annotation,
    calculation,
    context,
    entities,
    images,
    markup,
    observation,
    quantification,
)
from transforms.aim.model.datatypes import Attribute, Code, Real, St, Stamp, Uid

ABSTRACT: Final = frozenset(
    {
        "AnnotationCollection",
        "AnnotationEntity",
        "AnnotationStatement",
        "CalculationResult",
        "CharacteristicQuantification",
        "Entity",
        "GeometricShapeEntity",
        "ImageReferenceEntity",
        "LesionObservationEntity",
        "MarkupEntity",
        "SegmentationEntity",
        "ThreeDimensionGeometricShapeEntity",
        "TwoDimensionGeometricShapeEntity",
    }
)
DATATYPES: Final = (Attribute, Code, Real, St, Stamp, Uid, bool, int, str)

CLASSES: Final = {
    name: value
    for module in (annotation, calculation, context, entities, images, markup, observation, quantification)
    for name, value in vars(module).items()
    if isinstance(value, type) and dataclasses.is_dataclass(value)
}


class Part(NamedTuple):
    """A field of a class and what it is in XML."""

    field: str
    element: str  # or attribute
    type: object  # a data type or a class of the model
    required: bool
    many: bool
    collection: str  # the element inside; "" where the element itself repeats or stands alone
    since: str  # "4.2": AIM 4.0 lacks it

    @property
    def is_attribute(self) -> bool:
        """Whether it is an attribute of the element."""
        return self.type is Attribute

    @property
    def is_datatype(self) -> bool:
        """Whether it is one of ISO 21090, not a class of the model."""
        return self.type in DATATYPES


def _parts(cls: type) -> tuple[Part, ...]:
    hints = get_type_hints(cls)
    found = []
    for field in dataclasses.fields(cls):
        hint = hints[field.name]
        many = get_origin(hint) is tuple
        kind = get_args(hint)[0] if many or type(None) in get_args(hint) else hint
        element = "mathML" if field.name == "math_ml" else _camel(field.name)
        inner = kind.__name__ if many and kind not in DATATYPES else ""
        required = field.default is dataclasses.MISSING
        found.append(Part(field.name, element, kind, required, many, inner, field.metadata.get("since", "")))
    return tuple(found)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


_PARTS: Final = {cls: _parts(cls) for cls in CLASSES.values()}
_KINDS: Final = {
    base: {name: each for name, each in CLASSES.items() if issubclass(each, base) and name not in ABSTRACT}
    for base in CLASSES.values()
}


def parts(cls: type) -> tuple[Part, ...]:
    """The parts of a class of the model, in the schema's order."""
    return _PARTS[cls]


def kinds(base: object) -> dict[str, type]:
    """The classes that may stand where `base` is asked for, by their xsi:type."""
    assert isinstance(base, type)
    return _KINDS[base]


def make(cls: type, values: dict[str, Any]) -> Any:
    """An instance of a class of the model, by the names of its fields."""
    return cls(**values)


def codes(value: object) -> Iterator[Code]:
    """All codes of a structure and of what is in it."""
    for part in parts(type(value)):
        held = getattr(value, part.field)
        for each in held if part.many else (held,):
            if isinstance(each, Code):
                yield each
            elif each is not None and not part.is_datatype:
                yield from codes(each)
