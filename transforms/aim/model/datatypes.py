"""The ISO 21090 data types that AIM uses, as frozen values.

Rules of this file
* What was text stays the text that was sent: no digit of a number and no part of a time is lost.
* A null (`nullFlavor`) and an empty text are one: "" (PS3.21 A.8).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NewType

St = NewType("St", str)  # ST
Uid = NewType("Uid", str)  # II by its root: a UID, 64 characters at most
Stamp = NewType("Stamp", str)  # TS: 20170201180043 or 2017-02-01T18:00:43
Real = NewType("Real", str)  # REAL: a finite decimal, as sent
Attribute = NewType("Attribute", str)  # an attribute of the element itself, one of a list

V4_2: Final = MappingProxyType({"since": "4.2"})  # metadata of a field that AIM 4.0 lacks


@dataclass(frozen=True, slots=True)
class Code:
    """CD. `scheme` is what DICOM calls Coding Scheme Designator, `system` its UID or OID."""

    code: str
    scheme: str  # codeSystemName
    meaning: str = ""  # displayName
    system: str = ""  # codeSystem
    version: str = ""  # codeSystemVersion
