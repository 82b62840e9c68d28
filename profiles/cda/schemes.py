"""Coding Scheme Designator (0008,0102) -> the OID that HL7 knows it by (PS3.16 Tables 8-1 and 8-2).

Designators without an OID in those tables (BARI, BI, ...) are absent: an object may name them itself in Coding Scheme
Identification Sequence (0008,0110), a site in its rule file.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Scheme(NamedTuple):
    """A coding scheme as HL7 v3 writes it."""

    oid: str
    name: str  # codeSystemName


SCHEMES: Final[dict[str, Scheme]] = {
    "ACR": Scheme("2.16.840.1.113883.6.76", "ACR Index"),
    "ASTM-sigpurpose": Scheme("1.2.840.10065.1.12", "ASTM E 2084"),
    "C4": Scheme("2.16.840.1.113883.6.12", "CPT-4"),
    "C5": Scheme("2.16.840.1.113883.6.82", "CPT-5"),
    "caDSR": Scheme("2.16.840.1.113883.3.26.2", "caDSR"),
    "CD2": Scheme("2.16.840.1.113883.6.13", "CDT-2"),
    "CTV3": Scheme("2.16.840.1.113883.6.6", "CTV3"),
    "DC": Scheme("1.2.840.10008.2.16.10", "Dublin Core"),
    "DCM": Scheme("1.2.840.10008.2.16.4", "DCM"),
    "DCMUID": Scheme("1.2.840.10008.2.6.1", "DCMUID"),
    "FMA": Scheme("2.16.840.1.113883.6.119", "FMA"),
    "HPC": Scheme("2.16.840.1.113883.6.14", "HCPCS"),
    "I9": Scheme("2.16.840.1.113883.6.42", "ICD-9"),
    "I9C": Scheme("2.16.840.1.113883.6.2", "ICD-9-CM"),
    "I10": Scheme("2.16.840.1.113883.6.3", "ICD-10"),
    "I10C": Scheme("2.16.840.1.113883.6.90", "ICD-10-CM"),
    "I10P": Scheme("2.16.840.1.113883.6.4", "ICD-10-PCS"),
    "I11": Scheme("1.2.840.10008.2.16.16", "ICD-11"),
    "IBSI": Scheme("1.2.840.10008.2.16.13", "IBSI"),
    "ICDO3": Scheme("2.16.840.1.113883.6.43.1", "ICD-O-3"),
    "ISO3166_1": Scheme("2.16.1", "ISO 3166-1"),
    "ISO639_1": Scheme("2.16.840.1.113883.6.99", "ISO 639-1"),
    "ISO639_2": Scheme("2.16.840.1.113883.6.100", "ISO 639-2"),
    "ITIS_TSN": Scheme("1.2.840.10008.2.16.7", "ITIS TSN"),
    "LN": Scheme("2.16.840.1.113883.6.1", "LOINC"),
    "MA": Scheme("1.2.840.10008.2.16.5", "MA"),
    "MAYOASRG": Scheme("1.2.840.10008.2.16.12", "MAYOASRG"),
    "MGI": Scheme("1.2.840.10008.2.16.8", "MGI"),
    "MSH": Scheme("2.16.840.1.113883.6.177", "MeSH"),
    "NCIt": Scheme("2.16.840.1.113883.3.26.1.1", "NCI Thesaurus"),
    "NDC": Scheme("2.16.840.1.113883.6.69", "NDC"),
    "NEU": Scheme("2.16.840.1.113883.6.210", "NeuroNames"),
    "NICIP": Scheme("2.16.840.1.113883.2.1.3.2.4.21", "NICIP"),
    "NYUMCCG": Scheme("1.2.840.10008.2.16.11", "NYUMCCG"),
    "PATHLEX": Scheme("1.3.6.1.4.1.19376.1.8.2.1", "PathLex"),
    "POS": Scheme("2.16.840.1.113883.6.50", "POS"),
    "PUBCHEM_CID": Scheme("1.2.840.10008.2.16.9", "PubChem"),
    "RADELEMENT": Scheme("1.2.840.10008.2.16.15", "RadElement"),
    "RADLEX": Scheme("2.16.840.1.113883.6.256", "RadLex"),
    "RFC3066": Scheme("2.16.840.1.113883.6.121", "RFC 3066"),
    "RFC5646": Scheme("2.16.840.1.113883.6.316", "RFC 5646"),
    "RO": Scheme("1.2.840.10008.2.16.14", "Radiomics Ontology"),
    "RRID": Scheme("1.2.840.10008.2.16.18", "RRID"),
    "RXNORM": Scheme("2.16.840.1.113883.6.88", "RxNorm"),
    "99SDM": Scheme("2.16.840.1.113883.6.53", "SDM"),
    "SNM3": Scheme("2.16.840.1.113883.6.51", "SNOMED V3"),
    "SCT": Scheme("2.16.840.1.113883.6.96", "SNOMED CT"),
    "SRT": Scheme("2.16.840.1.113883.6.5", "SNOMED RT"),
    "UBERON": Scheme("1.2.840.10008.2.16.6", "UBERON"),
    "UCUM": Scheme("2.16.840.1.113883.6.8", "UCUM"),
    "UMLS": Scheme("2.16.840.1.113883.6.86", "UMLS"),
    "UNS": Scheme("1.2.840.10008.2.16.17", "UNS"),
    "UPC": Scheme("2.16.840.1.113883.6.55", "UPC"),
}
