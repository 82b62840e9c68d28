"""Which UIDs are structural and stay, and how a UI value is replaced (PS3.15 E.3, PS3.6 Annex A).

* Structural: what a standard registered - SOP classes, transfer syntaxes, coding schemes, context groups, well-known
  frames of reference and well-known SOP instances. They name no patient, device or event.
* Only exact registered values stay. A prefix proves nothing: anyone can append an identifier to a registered root.
* Any other UI value is replaced, whether Table E.1-1 lists its attribute or not (docs/adr/0003).
"""

from __future__ import annotations

import re
from typing import Final

from profiles.confidentiality import iod_sop_classes
from transforms.deidentify.context import UidMap
from transforms.dictionary import UID_dictionary

# PS3.16 Table 8-1: UIDs of external coding schemes that objects in the field carry in (0008,010C)
_CODING_SCHEMES: Final = (
    "2.16.840.1.113883.6.1",  # LOINC
    "2.16.840.1.113883.6.2",  # ICD-9-CM
    "2.16.840.1.113883.6.3",  # ICD-10
    "2.16.840.1.113883.6.5",  # SNOMED RT (SRT)
    "2.16.840.1.113883.6.8",  # UCUM
    "2.16.840.1.113883.6.12",  # CPT-4
    "2.16.840.1.113883.6.24",  # MDC
    "2.16.840.1.113883.6.43.1",  # ICD-O-3
    "2.16.840.1.113883.6.88",  # RxNorm
    "2.16.840.1.113883.6.90",  # ICD-10-CM
    "2.16.840.1.113883.6.96",  # SNOMED CT
    "2.16.840.1.113883.6.119",  # FMA
    "2.16.840.1.113883.6.256",  # RadLex
)
REGISTERED: Final[frozenset[bytes]] = frozenset(
    uid.encode("ascii") for uid in (*UID_dictionary, *_CODING_SCHEMES, *iod_sop_classes())
)
# PS3.16: context groups, too many and too new for a list; four digits carry no identifier
_CONTEXT_GROUP: Final = re.compile(rb"1\.2\.840\.10008\.6\.1\.[1-9][0-9]{0,3}")
_DICOMDIR: Final = "1.2.840.10008.1.3.10"
STORAGE_CLASSES: Final[frozenset[str]] = (
    frozenset(
        uid
        for uid, (name, kind, *_) in UID_dictionary.items()
        if kind == "SOP Class" and "Storage" in name and "Commitment" not in name and uid != _DICOMDIR
    )
    | iod_sop_classes()
) - {_DICOMDIR}
_PADDING: Final = b"\0 "
_LONGEST: Final = 128  # bytes of a value whose replacement is remembered


def replaced(value: bytes, uids: UidMap) -> bytes | None:
    """A UI value with every component that is not structural replaced, padded to even length; None if nothing is.

    Values may be multiple (PS3.5 6.4) and padded with NUL, or wrongly with spaces.
    """
    found = uids.values.get(value, b"") if not uids.hears else b""  # who listens is to hear of each
    if found != b"":
        return found
    parts = [part.strip(_PADDING) for part in value.split(b"\\")]
    fresh = [uids(part) if part and not is_structural(part) else part for part in parts]
    joined = b"\\".join(fresh)
    result = None if fresh == parts else joined + b"\0" * (len(joined) & 1)
    if len(value) <= _LONGEST:
        uids.remember(value, result)
    return result


def is_structural(uid: bytes) -> bool:
    """A standard registered it; it says nothing about a patient, device or event."""
    return uid in REGISTERED or _CONTEXT_GROUP.fullmatch(uid) is not None
