"""Calculations <-> NUM items (TID 300, 1419, 4019, 320).

Rules of this file
* The first type code is the concept name; a further one is a derivation where CID 7464 has it. Of others AIM says what
  they are in the question codes, one for each, where they came from an SR; else no row has them (PS3.21 A.6.1.2).
* The value is that of the first result. Whatever of a calculation does not come back from its NUM is said in fields.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from profiles.aim import concepts
from profiles.aim.codes import DERIVATIONS, PROPERTIES, UNITS
from transforms.aim import fields, tree
from transforms.aim.model.calculation import (
    Algorithm,
    CalculationEntity,
    CalculationResult,
    CompactCalculationResult,
    Dimension,
    ExtendedCalculationResult,
    Parameter,
)
from transforms.aim.model.datatypes import Attribute, Code, St, Uid
from transforms.aim.numbers import QUALIFIERS, decimal_string, number_text
from transforms.aim.options import Options
from transforms.sr import values as sr
from transforms.sr.model import Item
from transforms.sr.values import Coded, Num, Text

_DERIVATION = tree.triplet(concepts.DERIVATION)
_QUALIFIED = {triplet[0]: text for text, triplet in reversed(QUALIFIERS.items())}


def number(calculation: CalculationEntity, below: Iterable[Item], options: Options) -> Item:
    """A calculation as a NUM; `below`: the shapes it was measured on."""
    name = tree.to_sr(calculation.type_code[0])
    children = (*_modifiers(calculation), *_meaning(calculation), *_algorithm(calculation.algorithm))
    item = tree.item(tree.CONTAINS, name, _value(calculation), *children, uid=calculation.unique_identifier)
    if options.fields:
        back = calculated(item, calculation.unique_identifier)
        item = tree.with_children(item, *fields.unsaid(calculation, back, tree.PROPERTY))
    return tree.with_children(item, *below)


def calculated(item: Item, uid: str) -> CalculationEntity:
    """The calculation that a NUM is; `uid` where it has none of its own."""
    assert isinstance(item.value, Num) and item.name is not None
    modifiers = [(each.name, each.value.code) for each in item.children if _modifies(each)]  # type: ignore[union-attr]
    types = (tree.from_sr(item.name), *(tree.from_sr(code) for _, code in modifiers))
    names = tuple(tree.from_sr(name) for name, _ in modifiers if name is not None)
    known = all(name == _DERIVATION and _is_derivation(code) for name, code in zip(names, types[1:], strict=True))
    said = tree.text_of(item.children, concepts.EQUIVALENT_MEANING)
    calculation = fields.restored(
        item.children,
        CalculationEntity,
        {
            "unique_identifier": Uid(item.observation_uid or uid),
            "type_code": types,
            "question_type_code": () if known else names,
            "description": St(said or _joined(types)),
            "calculation_result_collection": _results(item.value, types),
            "algorithm": _algorithm_of(item.children),
        },
    )
    assert isinstance(calculation, CalculationEntity)
    return calculation


def _modifies(item: Item) -> bool:
    if item.name is None or item.name.scheme == concepts.FIELDS or not isinstance(item.value, Coded):
        return False
    return item.relationship in (tree.MODIFIER, tree.PROPERTY)


def _is_derivation(code: Code) -> bool:
    return (code.scheme, code.code) in DERIVATIONS


def _modifiers(calculation: CalculationEntity) -> Iterator[Item]:
    """The further type codes, each under what it is."""
    further, questions = calculation.type_code[1:], calculation.question_type_code
    asked = questions if len(questions) == len(further) else (None,) * len(further)
    for code, question in zip(further, asked, strict=True):
        if question is None and not _is_derivation(code):
            continue
        name = tree.to_sr(question or _DERIVATION)
        relationship = tree.PROPERTY if (name.scheme, name.value) in PROPERTIES else tree.MODIFIER
        yield tree.item(relationship, name, Coded(tree.to_sr(code)))


def _joined(types: tuple[Code, ...]) -> str:
    return " ".join(code.meaning for code in types if code.meaning)


def _meaning(calculation: CalculationEntity) -> Iterator[Item]:
    if calculation.description and calculation.description != _joined(calculation.type_code):
        yield tree.text(tree.MODIFIER, concepts.EQUIVALENT_MEANING, calculation.description)


def _value(calculation: CalculationEntity) -> Num:
    result = next(iter(calculation.calculation_result_collection), None)
    text = _text(result)
    qualifier = QUALIFIERS.get(text)
    if qualifier is not None:
        return Num("", None, tree.concept(qualifier))
    decimal = decimal_string(text)
    if result is None or decimal is None:
        return Num("", None)
    return Num(decimal[0], _unit(result.unit_of_measure), floating=decimal[1])


def _text(result: CalculationResult | None) -> str:
    if isinstance(result, CompactCalculationResult):
        return result.value
    if isinstance(result, ExtendedCalculationResult) and result.calculation_data_collection:
        return result.calculation_data_collection[0].value
    return ""


def _unit(text: str) -> sr.Code:
    value = UNITS.get(text, text) or "1"
    return tree.to_sr(Code(value, "UCUM", text or "no units"))


def _unit_text(code: sr.Code) -> str:
    """A unit's code as AIM's text: the UCUM code, or what AIM calls it."""
    if code.meaning != code.value and UNITS.get(code.meaning) == code.value:
        return code.meaning
    return code.value


def _results(value: Num, types: tuple[Code, ...]) -> tuple[CalculationResult, ...]:
    text = number_text(value.decimal, value.floating)
    if value.qualifier is not None:
        text = _QUALIFIED.get(value.qualifier.value, text)
    if not text:
        return ()
    return (
        CompactCalculationResult(
            type=Attribute("Scalar"),
            unit_of_measure=St(_unit_text(value.unit) if value.unit is not None else ""),
            data_type=tree.triplet(concepts.DOUBLE),
            dimension_collection=(Dimension(index=0, size=1, label=St(types[-1].meaning)),),
            value=St(text),
        ),
    )


def _algorithm(algorithm: Algorithm | None) -> Iterator[Item]:
    """TID 4019."""
    if algorithm is None or not algorithm.name:
        return
    yield tree.text(tree.MODIFIER, concepts.ALGORITHM_NAME, algorithm.name)
    if algorithm.version:
        yield tree.text(tree.MODIFIER, concepts.ALGORITHM_VERSION, algorithm.version)
    for parameter in algorithm.parameter_collection:
        yield tree.text(tree.MODIFIER, concepts.ALGORITHM_PARAMETERS, f"{parameter.name}={parameter.value}")


def _algorithm_of(items: tuple[Item, ...]) -> Algorithm | None:
    name = tree.text_of(items, concepts.ALGORITHM_NAME)
    if not name:
        return None
    said = [
        item.value.text for item in tree.named(items, concepts.ALGORITHM_PARAMETERS) if isinstance(item.value, Text)
    ]
    parameters = [text.partition("=") for text in said]
    version = tree.text_of(items, concepts.ALGORITHM_VERSION)
    return Algorithm(
        name=St(name),
        type=(tree.triplet(concepts.CALCULATION),),
        version=St(version) if version else None,
        parameter_collection=tuple(
            Parameter(name=St(key), value=St(value), data_type=tree.triplet(concepts.DOUBLE))
            for key, _, value in parameters
        ),
    )
