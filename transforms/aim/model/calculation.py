"""Calculations: what was measured, by which algorithm, with which result.

AIM v4 (rv44), fields in the schema's order.
"""

from __future__ import annotations

from dataclasses import dataclass

from transforms.aim.model.datatypes import Attribute, Code, St, Uid
from transforms.aim.model.entities import Entity


@dataclass(frozen=True, slots=True, kw_only=True)
class Coordinate:
    """Where a datum stands in one dimension of its result."""

    dimension_index: int
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CalculationData:
    """One value of a result with several."""

    value: St
    coordinate_collection: tuple[Coordinate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """A dimension of a result and its size."""

    index: int
    size: int
    label: St


@dataclass(frozen=True, slots=True, kw_only=True)
class CalculationResult:
    """What a calculation gave: Scalar, Vector, Histogram, Matrix, Array, Binary. Abstract."""

    type: Attribute
    unit_of_measure: St
    data_type: Code
    dimension_collection: tuple[Dimension, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactCalculationResult(CalculationResult):
    """All of it in one text."""

    value: St
    encoding: Code | None = None
    compression: Code | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtendedCalculationResult(CalculationResult):
    """Value by value."""

    calculation_data_collection: tuple[CalculationData, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """What an algorithm was set to."""

    name: St
    value: St
    data_type: Code


@dataclass(frozen=True, slots=True, kw_only=True)
class Algorithm:
    """What calculated."""

    name: St
    type: tuple[Code, ...]
    unique_identifier: Uid | None = None
    version: St | None = None
    description: St | None = None
    parameter_collection: tuple[Parameter, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CalculationEntity(Entity):
    """A measurement: the first type code is what, further ones how."""

    type_code: tuple[Code, ...]
    question_type_code: tuple[Code, ...] = ()
    description: St
    math_ml: St | None = None
    question_index: int | None = None
    calculation_result_collection: tuple[CalculationResult, ...] = ()
    algorithm: Algorithm | None = None
