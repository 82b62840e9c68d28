"""How much of a characteristic there is. AIM v4 (rv44), fields in the schema's order."""

from __future__ import annotations

from dataclasses import dataclass

from transforms.aim.model.datatypes import Attribute, Code, Real, St


@dataclass(frozen=True, slots=True, kw_only=True)
class CharacteristicQuantification:
    """How much of a characteristic there is. Abstract."""

    annotator_confidence: Real | None = None
    characteristic_quantification_index: int | None = None
    label: St
    value_label: St | None = None
    value_description: St | None = None
    comment: St | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Numerical(CharacteristicQuantification):
    """A number and its unit, perhaps compared."""

    operator: Attribute | None = None
    ucum_string: St
    value: Real


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval(CharacteristicQuantification):
    """Two numbers that it lies between."""

    min_operator: Attribute
    max_operator: Attribute
    min_value: Real
    max_value: Real
    ucum_string: St


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantile(CharacteristicQuantification):
    """One of `bins` parts of a range."""

    bins: int
    selected_bin: int
    min_value: Real
    max_value: Real


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale(CharacteristicQuantification):
    """A value of a scale: Nominal, Ordinal, Ratio."""

    type: Attribute
    value: St


@dataclass(frozen=True, slots=True, kw_only=True)
class NonQuantifiable(CharacteristicQuantification):
    """Why it has no amount."""

    type_code: Code
