"""Codes of SR as codes of HL7 v3: designators become OIDs, retired SNOMED becomes SNOMED CT, units become UCUM.

Rules of this file
* A scheme is what the object says it is (0008,0110), else what the site says, else what PS3.16 says.
* A retired SNOMED code (SRT, SNM3, 99SDM) becomes the SNOMED CT code that PS3.16 Annex O gives it (C.4.3); the code as
  sent stays beside it as a translation.
* A code of a scheme without an OID is not written as a code of none: `known` says so, and it is kept as text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from profiles.cda import CONTEXT, SCHEMES, Scheme
from transforms.sr.header import CodingScheme
from transforms.sr.values import Code

RETIRED_SNOMED: Final = frozenset({"SRT", "SNM3", "99SDM"})
OID: Final = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+\Z")
TOKEN: Final = re.compile(r"\S+\Z")
_PLACES: Final = {concept: name for name, concepts in CONTEXT.items() for concept in concepts}


class Term(NamedTuple):
    """A code in the words of HL7 v3. `known` False: there is no OID for its scheme, or it cannot be a token of XML."""

    code: str
    oid: str
    scheme: str
    version: str
    meaning: str
    known: bool


class Terms:
    """The terms of one document, each looked up once."""

    def __init__(self, identified: tuple[CodingScheme, ...] = (), site: Mapping[str, str] | None = None) -> None:
        self._schemes: dict[str, Scheme] = dict(SCHEMES)
        for designator, oid in (site or {}).items():
            self._schemes[designator] = Scheme(oid, designator)
        for each in identified:
            if OID.match(each.uid) and each.designator not in RETIRED_SNOMED:
                name = SCHEMES[each.designator].name if each.designator in SCHEMES else each.name or each.designator
                self._schemes[each.designator] = Scheme(each.uid, name)
        self._terms: dict[Code, tuple[Term, ...]] = {}

    def of(self, code: Code) -> tuple[Term, ...]:
        """The code and its translations: the retired code it was sent as, and its equivalents (0008,0121)."""
        found = self._terms.get(code)
        if found is None:
            ways = [way for each in _all(code) for way in _current(each)]
            found = self._terms[code] = tuple(map(self._term, ways))
        return found

    def _term(self, code: Code) -> Term:
        scheme = self._schemes.get(code.scheme)
        oid, name = scheme or ("", code.scheme)
        return Term(code.value, oid, name, code.version, code.meaning, bool(oid and TOKEN.match(code.value)))


def _all(code: Code) -> Iterator[Code]:
    """The code and its equivalents, theirs too."""
    yield code
    for each in code.equivalents:
        yield from _all(each)


def _current(code: Code) -> tuple[Code, ...]:
    """The code as it is to be written, then as it was sent where that differs."""
    if code.scheme in RETIRED_SNOMED and (now := snomed_ct(code.value)):
        return Code(now, "SCT", code.meaning), code
    return (code,)


def place_of(code: Code | None) -> str:
    """The name in profiles.cda.CONTEXT of a concept that has a place of its own in CDA; "" for any other."""
    if code is None:
        return ""
    now = _current(code)[0]
    return _PLACES.get((now.scheme, now.value), "")


@lru_cache(maxsize=4096)
def snomed_ct(value: str) -> str:
    """The SNOMED CT code of a retired SNOMED code (PS3.16 Annex O); "" where there is none."""
    from pydicom.sr._snomed_dict import mapping  # 16,000 codes: loaded where one is met

    return str(mapping["SRT"].get(value, ""))
