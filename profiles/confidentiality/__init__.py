"""What PS3.15 Annex E says, as data: the rows of Table E.1-1 and the attribute types that decide compound actions.

* `basic.py` and `attribute_types.py` are generated (generate.py); this module gives them names and shapes.
* Nothing is interpreted here. transforms/deidentify/profile.py turns a profile into actions.
"""

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple

from profiles.confidentiality import attribute_types, basic

PRIVATE: Final = "private"  # the tag cell of the row for all private attributes


class Row(NamedTuple):
    """One row of Table E.1-1."""

    tag: str  # 8 hex digits with "x" for any digit, or PRIVATE
    name: str
    action: str  # the Basic Profile's: X, Z, D, U or a combination
    options: str  # one letter per column of Profile.options: K, C or a dot

    @property
    def printed(self) -> str:
        """The tag as the standard prints it."""
        return self.tag if self.tag == PRIVATE else f"({self.tag[:4]},{self.tag[4:]})"


class Profile(NamedTuple):
    """An application level confidentiality profile."""

    name: str
    edition: str  # of PS3.15
    code: str  # CID 7050, scheme DCM
    meaning: str
    options: tuple[str, ...]  # columns of the table, in order
    rows: tuple[Row, ...]


def names() -> tuple[str, ...]:
    """The profiles that `load` knows."""
    return ("basic",)


@cache
def load(name: str) -> Profile:
    """A profile by name. Raises KeyError for a name that `names` does not give."""
    if name not in names():
        raise KeyError(name)
    return Profile(
        name="basic",
        edition=basic.EDITION,
        code="113100",
        meaning="Basic Application Confidentiality Profile",
        options=basic.OPTIONS,
        rows=tuple(Row(*cells) for cells in basic.ROWS),
    )


@cache
def top_level_types(sop_class: str) -> dict[int, str] | None:
    """tag -> "1", "1C", "2" or "2C" at the top level of the IOD; None where the IOD is not known.

    Only tags whose action depends on the type; a tag that is missing is type 3 or not in the IOD (PS3.5 section 7.4).
    """
    iod = attribute_types.SOP_CLASSES.get(sop_class)
    return None if iod is None else _types(attribute_types.IODS[iod])


@cache
def nested_types() -> dict[int, dict[int, str]]:
    """The same within items, by the tag of the enclosing sequence: the strongest type any IOD gives."""
    return {parent: _types(pairs) for parent, pairs in attribute_types.NESTED.items()}


def iod_sop_classes() -> frozenset[str]:
    """SOP classes whose IOD is known."""
    return frozenset(attribute_types.SOP_CLASSES)


def _types(pairs: str) -> dict[int, str]:
    return {int(tag, 16): type_ for tag, type_ in (pair.split(":") for pair in pairs.split())}
