"""The UIDs the upper layer decides by: storage SOP classes and transfer syntaxes (PS3.6 Table A-1).

Rules of this file
* The list of classes comes from pydicom's dictionary, so that an update of the standard is an update of pydicom.
* A class is a storage class by its name; the few whose name misleads are listed with the reason.
* A syntax can be stored where a data set of it is a run of bytes that can be framed and kept.
"""

from __future__ import annotations

from transforms.dataset.syntax import SYNTAXES
from transforms.dictionary import UID_dictionary

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"  # PS3.7 A.2.1
VERIFICATION = "1.2.840.10008.1.1"

IMPLICIT_LE = "1.2.840.10008.1.2"
EXPLICIT_LE = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
EXPLICIT_BE = "1.2.840.10008.1.2.2"
UNCOMPRESSED = (EXPLICIT_LE, IMPLICIT_LE, EXPLICIT_BE, DEFLATED)  # no step between them touches a pixel

_NOT_STORED_BY_C_STORE = {
    "1.2.840.10008.1.3.10": "a DICOMDIR exists on media only (PS3.4 Annex I)",
    "1.2.840.10008.1.20.1": "storage commitment is an N-ACTION service (PS3.4 Annex J)",
    "1.2.840.10008.1.20.2": "storage commitment is an N-ACTION service (PS3.4 Annex J)",
}

UNSTORABLE_SYNTAXES = {
    "1.2.840.10008.1.2.4.94": "JPIP referenced: the pixels are elsewhere",
    "1.2.840.10008.1.2.4.95": "JPIP referenced: the pixels are elsewhere",
    "1.2.840.10008.1.2.4.204": "JPIP referenced: the pixels are elsewhere",
    "1.2.840.10008.1.2.4.205": "JPIP referenced: the pixels are elsewhere",
    "1.2.840.10008.1.2.6.1": "RFC 2557 is a MIME form, not a data set",
    "1.2.840.10008.1.2.6.2": "XML encoding is not a data set",
    "1.2.840.10008.1.2.7.1": "SMPTE ST 2110 is a live flow (PS3.22)",
    "1.2.840.10008.1.2.7.2": "SMPTE ST 2110 is a live flow (PS3.22)",
    "1.2.840.10008.1.2.7.3": "SMPTE ST 2110 is a live flow (PS3.22)",
    "1.2.840.10008.1.20": "Papyrus 3 is a file of its own structure",
}

_CLASSES = {uid: row[0] for uid, row in UID_dictionary.items() if row[1] == "SOP Class"}

STORAGE_CLASSES = frozenset(
    uid for uid, name in _CLASSES.items() if "Storage" in name and uid not in _NOT_STORED_BY_C_STORE
)
# Composite storage classes are registered below this arc. A class that is newer than the dictionary is told by it.
STORAGE_ARC = "1.2.840.10008.5.1.4.1.1."
# What the standard knows to be another service is never stored, whatever a rule says.
OTHER_CLASSES = frozenset(uid for uid, name in _CLASSES.items() if name and uid not in STORAGE_CLASSES)

STORABLE_SYNTAXES = frozenset(uid for uid, each in SYNTAXES.items() if each.storable)


def is_storage(sop_class: str) -> bool:
    """A storage SOP class of the standard: by name, or by its arc where the dictionary does not know it yet."""
    return sop_class in STORAGE_CLASSES or (sop_class.startswith(STORAGE_ARC) and sop_class not in OTHER_CLASSES)


def name_of(uid: str) -> str:
    """The standard's name of a UID, or the UID itself."""
    if uid in SYNTAXES:
        return SYNTAXES[uid].name
    row = UID_dictionary.get(uid)
    return row[0] if row and row[0] else uid
