"""Namespaces, versions and enumerations of the AIM schemas."""

from __future__ import annotations

from typing import Final

V4: Final = "gme://caCORE.caCORE/4.4/edu.northwestern.radiology.AIM"  # of AIM 4.0, 4.1 and 4.2
V3: Final = "gme://caCORE.caCORE/3.2/edu.northwestern.radiology.AIM"
ISO: Final = "uri:iso.org:21090"
XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"

SCHEMA_FILES: Final = {"4.0": "AIM_v4_rv44_XML.xsd", "4.2": "AIM_v4.2_rv2_XML.xsd"}
VERSIONS: Final = {"AIMv4_0": "4.0", "AIMv4_1": "4.0", "AIMv4_2": "4.2"}
WRITTEN: Final = {"4.0": "AIMv4_0", "4.2": "AIMv4_2"}

_COMPARISON: Final = frozenset({"Equal", "NotEqual", "LessThan", "LessThanEqual", "GreaterThan", "GreaterThanEqual"})
ENUMERATIONS: Final = {  # (type, attribute) -> its values
    ("CalculationResult", "type"): frozenset({"Array", "Binary", "Histogram", "Matrix", "Scalar", "Vector"}),
    ("Scale", "type"): frozenset({"Nominal", "Ordinal", "Ratio"}),
    ("Numerical", "operator"): _COMPARISON,
    ("Interval", "minOperator"): _COMPARISON,
    ("Interval", "maxOperator"): _COMPARISON,
}
