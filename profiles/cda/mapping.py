"""PS3.20 Annex C as data: which SR section becomes which CDA section, and which concepts have a place of their own.

* Table C.4-1 lists LOINC codes. Reports made before CID 7001 changed (2018) name the same sections by DCM codes, as the
  example of C.5 does; both are here.
* `CONTEXT` names the concepts whose items a header or a section takes up whole; where it does not, they are narrative.
"""

from __future__ import annotations

from typing import Final

# (scheme, value) of a CONTAINER directly below the root -> section; "medication": entries of "procedure" (10.2)
SECTION_OF: Final[dict[tuple[str, str], str]] = {
    ("LN", "11329-0"): "history",
    ("LN", "55115-0"): "request",
    ("LN", "55111-9"): "procedure",
    ("LN", "55114-3"): "comparison",
    ("LN", "18834-2"): "comparison",
    ("LN", "18782-3"): "findings",
    ("LN", "59776-5"): "findings",
    ("LN", "19005-8"): "impression",
    ("LN", "18783-1"): "recommendation",
    ("LN", "55110-1"): "impression",
    ("LN", "55107-7"): "addendum",
    ("LN", "18785-6"): "indications",
    ("LN", "55108-5"): "clinical",
    ("LN", "55109-3"): "complications",
    ("LN", "55112-7"): "impression",
    ("LN", "55113-5"): "key-images",
    ("LN", "73569-6"): "radiation",
    ("LN", "55752-0"): "clinical",
    ("LN", "29549-3"): "medication",
    ("LN", "73568-8"): "communication",
    # the DCM codes that CID 7001 had before
    ("DCM", "121060"): "history",
    ("DCM", "121062"): "request",
    ("DCM", "121064"): "procedure",
    ("DCM", "121066"): "comparison",
    ("DCM", "121068"): "comparison",
    ("DCM", "121070"): "findings",
    ("DCM", "121072"): "impression",
    ("DCM", "121074"): "recommendation",
    ("DCM", "121076"): "impression",
    ("DCM", "121078"): "addendum",
    ("DCM", "121109"): "indications",
    ("DCM", "121110"): "clinical",
    ("DCM", "121111"): "impression",
    ("DCM", "121113"): "complications",
    ("DCM", "121180"): "key-images",
    ("DCM", "113923"): "radiation",
}

# Concepts with a place of their own (Tables C.3-1, C.4-3 to C.4-14), by the name that code uses
CONTEXT: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "language": (("DCM", "121049"),),
    "country": (("DCM", "121046"),),
    "equivalent-meaning": (("DCM", "121050"),),
    "modality": (("DCM", "122142"),),
    "region": (("DCM", "123014"),),
    "observer-type": (("DCM", "121005"),),
    "person-name": (("DCM", "121008"),),
    "person-organization": (("DCM", "121009"),),
    "device-uid": (("DCM", "121012"),),
    "device-name": (("DCM", "121013"),),
    "device-model": (("DCM", "121015"),),
    "procedure-study": (("DCM", "121018"),),
    "procedure-code": (("DCM", "121023"),),
    "procedure-description": (("DCM", "121065"),),
    "study-date": (("DCM", "111060"),),
    "study-time": (("DCM", "111061"),),
    "subject-class": (("DCM", "121024"),),
    "subject-id": (("DCM", "121030"), ("LN", "11951-1")),
    "finding-site": (("SCT", "363698007"),),
    "laterality": (("SCT", "272741003"),),
    "topography": (("SCT", "106233006"),),
    "method": (("SCT", "370129005"),),
    "irradiation-authorizing": (("DCM", "113850"),),
    "dose-report": (("DCM", "113701"),),
    "pregnancy": (("DCM", "111532"),),
    "indications": (("LN", "18785-6"), ("DCM", "121109")),
    "radioactive-substance": (("DCM", "113922"),),
    "key-object-description": (("DCM", "113012"),),
    "image-quality": (("DCM", "111050"),),
    "route": (("SCT", "410675002"),),
    "follow-up-date": (("DCM", "111054"),),
    "volume-administered": (("DCM", "122091"),),
}

# Relationship Type (0040,A010) of an item to its parent -> entryRelationship/@typeCode (10.1, 10.5, C.4.3.5, C.4.3.6)
TYPE_CODE: Final[dict[str, str]] = {
    "INFERRED FROM": "SPRT",
    "SELECTED FROM": "SPRT",
    "HAS PROPERTIES": "SUBJ",
    "HAS CONCEPT MOD": "SUBJ",
    "HAS OBS CONTEXT": "SUBJ",
    "HAS ACQ CONTEXT": "SUBJ",
    "CONTAINS": "COMP",
}
