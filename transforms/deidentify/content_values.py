"""The value attributes of a content item (PS3.3 C.17.3, 10.2), and what holds for them where no concept speaks.

* Every mapping has a rule for every value attribute, whatever the item's value type: text in an item that says NUM is
  text all the same.
* Mappings are made once for each set of options and shared: do not change them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Final

from transforms.deidentify.options import FULL_DATES, MODIFIED_DATES, UIDS, How
from transforms.deidentify.rules import Action, Rule

DATE_TIME: Final = 0x0040A120
DATE: Final = 0x0040A121
TIME: Final = 0x0040A122
PERSON_NAME: Final = 0x0040A123
UID: Final = 0x0040A124
TEXT: Final = 0x0040A160
FLOATING: Final = 0x0040A161
RATIONAL: Final = 0x0040A162
DENOMINATOR: Final = 0x0040A163
CODE: Final = 0x0040A168
MEASURED: Final = 0x0040A300
UNITS: Final = 0x004008EA  # Measurement Units Code Sequence: beside the number, in the item or in MEASURED
NUMERIC: Final = 0x0040A30A
ANNOTATION: Final = 0x00700006  # Unformatted Text Value, of waveform annotations
_DATES: Final = (DATE_TIME, DATE, TIME)
_NUMBERS: Final = (MEASURED, NUMERIC, FLOATING, RATIONAL, DENOMINATOR)
# Where the value of each type stands
OWN: Final[dict[str, tuple[int, ...]]] = {
    "TEXT": (TEXT, ANNOTATION),
    "PNAME": (PERSON_NAME,),
    "DATE": (DATE,),
    "TIME": (TIME,),
    "DATETIME": (DATE_TIME,),
    "UIDREF": (UID,),
    "NUM": _NUMBERS,
    "CODE": (CODE,),
}
TAGS: Final[frozenset[int]] = frozenset(tag for tags in OWN.values() for tag in tags)


@cache
def defaults(options: frozenset[str]) -> Mapping[int, Rule]:
    """The rules by value type alone, under these options."""
    found = {
        PERSON_NAME: Rule(Action.DUMMY, "E.1-1 (0040,A123)", "Person Name"),
        UID: Rule(Action.UID, "E.1-1 (0040,A124)", "UID"),
    }
    if UIDS in options:
        found[UID] = Rule(Action.KEEP, f"E.3.4 UIDREF, {UIDS}", "UID")
    for tag, value_type in ((DATE_TIME, "DATETIME"), (DATE, "DATE"), (TIME, "TIME")):
        if MODIFIED_DATES in options:
            rule = Rule(Action.CLEAN, f"E.3.4 {value_type}, {MODIFIED_DATES}", "shifted", how=How.SHIFT)
        elif FULL_DATES in options:
            rule = Rule(Action.KEEP, f"E.3.4 {value_type}, {FULL_DATES}", "a date or time")
        else:
            rule = Rule(Action.DUMMY, f"E.3.4 {value_type}", "a date or time")
        found[tag] = rule
    text = Rule(Action.DUMMY, "E.3.4 TEXT", "free text, and no option that cleans it")
    if "clean-descriptors" in options:
        text = Rule(Action.CLEAN, "E.3.4 TEXT, clean-descriptors", "free text", how=How.TEXT)
    found[TEXT] = found[ANNOTATION] = text
    number = Rule(Action.KEEP, "E.3.4 NUM", "a measurement")
    found.update(dict.fromkeys(_NUMBERS, number))
    found[CODE] = Rule(Action.KEEP, "E.3.4 CODE", "a code; its items are walked")
    return MappingProxyType(found)


@cache
def blanked(options: frozenset[str], source: str, reason: str) -> Mapping[int, Rule]:
    """No value attribute says anything: dummies, new UIDs, no measurement."""
    dummy = Rule(Action.DUMMY, source, reason)
    found = dict.fromkeys(TAGS, dummy)
    found[UID] = Rule(Action.UID, source, reason)
    found[MEASURED] = Rule(Action.EMPTY, source, reason)  # type 2: "no value" is a value (PS3.3 C.18.1)
    return MappingProxyType(found)


@cache
def oldest(options: frozenset[str]) -> Mapping[int, Rule]:
    """The age is told as 90 years, whatever unit it was told in (dummies.OLDEST)."""
    rule = Rule(Action.DUMMY, "E.3.4-1 (121033, DCM) NUM", "above 89 years: told as 90")
    gone = Rule(Action.REMOVE, rule.source, rule.reason)
    numbers = {FLOATING: gone, RATIONAL: gone, DENOMINATOR: gone}
    return MappingProxyType({**defaults(options), MEASURED: rule, NUMERIC: rule, UNITS: rule, **numbers})


def owned(options: frozenset[str], value_type: str, rule: Rule) -> Mapping[int, Rule]:
    """The defaults, but for the value of this type."""
    return MappingProxyType({**defaults(options), **dict.fromkeys(OWN.get(value_type, ()), rule)})
