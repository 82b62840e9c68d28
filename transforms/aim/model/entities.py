"""What every entity has, and the statements between entities. AIM v4 (rv44), fields in the schema's order."""

from __future__ import annotations

from dataclasses import dataclass

from transforms.aim.model.datatypes import Uid


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """Whatever a statement may speak of. Abstract."""

    unique_identifier: Uid


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotationStatement:
    """A sentence about two entities; `kind` is its type (profiles/aim/statements.py). Abstract."""

    kind: str
    subject_unique_identifier: Uid
    object_unique_identifier: Uid


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageAnnotationStatement(AnnotationStatement):
    """Of an image annotation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotationOfAnnotationStatement(AnnotationStatement):
    """Of an annotation of annotations."""
