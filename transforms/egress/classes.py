"""Which attributes identify, and as what: a table of this package's own.

* PN, UI, DA and DT elements identify by their VR, wherever they stand; all others by the tables below.
* The classes of a hit are these names. `KEEPS` says which classes an option of PS3.15 E.3 keeps on purpose.
* Dates of devices are a class of their own: retain-device-identity keeps them without any other date.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from transforms.dictionary import DicomDictionary

PATIENT_NAME, PATIENT_ID, BIRTH_DATE = "patient-name", "patient-id", "birth-date"
PHYSICIAN, OPERATOR = "physician", "operator"
UID, DEVICE_UID, STUDY_DATE, DEVICE_DATE = "uid", "device-uid", "study-date", "device-date"
ACCESSION, FREE_ID, ADDRESS, PHONE = "accession", "free-id", "address", "phone"
INSTITUTION, DEVICE, AE_TITLE = "institution", "device", "ae-title"
PEOPLE: Final = frozenset({PATIENT_NAME, PHYSICIAN, OPERATOR})
DATES: Final = frozenset({BIRTH_DATE, STUDY_DATE, DEVICE_DATE})
CLASSES: Final = (
    PATIENT_NAME, PATIENT_ID, BIRTH_DATE, PHYSICIAN, OPERATOR, UID, DEVICE_UID, STUDY_DATE, DEVICE_DATE,
    ACCESSION, FREE_ID, ADDRESS, PHONE, INSTITUTION, DEVICE, AE_TITLE,
)  # fmt: skip

_TEXT: Final[dict[str, tuple[int, ...]]] = {
    PATIENT_ID: (0x00100020, 0x00101000, 0x00101090, 0x00101050, 0x00120040, 0x00120042),
    ACCESSION: (0x00080050,),
    FREE_ID: (
        0x00200010, 0x00380010, 0x00380060, 0x00400009, 0x00400253, 0x00401001, 0x00402006, 0x00402007,
        0x00402016, 0x00402017, 0x00400512, 0x00400551, 0x22000005,
    ),
    ADDRESS: (0x00101040, 0x00080092, 0x00401102, 0x00102152, 0x00380300, 0x00380400),
    PHONE: (0x00102154, 0x00102155, 0x00080094, 0x00401103, 0x00401104, 0x00402010),
    INSTITUTION: (
        0x00080080, 0x00080081, 0x00081040, 0x00120030, 0x00120031, 0x00120060, 0x00120081, 0x00400243,
    ),
    DEVICE: (
        0x00081010, 0x00181000, 0x00181004, 0x00181005, 0x00181007, 0x00181008, 0x00181009, 0x00181010, 0x00181011,
        0x0018700A, 0x00189367, 0x00189371, 0x00400010, 0x00400242, 0x00400011, 0x300A00B2, 0x30080105, 0x00160051,
    ),
    AE_TITLE: (0x00080055, 0x00400001, 0x00400241, 0x00321021, 0x00081000, 0x00020016, 0x00020017, 0x00020018),
}  # fmt: skip
BY_TAG: Final[dict[int, str]] = {tag: name for name, tags in _TEXT.items() for tag in tags}

_PATIENTS_NAMES: Final = frozenset({0x00100010, 0x00101001, 0x00101005, 0x00101060, 0x00102297})
_OPERATORS: Final = frozenset({0x00081070})
_BIRTH: Final = frozenset({0x00100030, 0x00100033, 0x00100034})
_DEVICE_UIDS: Final = frozenset({0x00181002, 0x0018100B})
_DEVICE_DATES: Final = frozenset(
    {
        0x0014407E, 0x00181200, 0x00181202, 0x00181203, 0x00181204, 0x00181205, 0x00181206, 0x0018700C, 0x300C0127,
    }
)  # fmt: skip
# Versions of code tables and templates, and what belongs to a file, not to a patient or study
_NO_DATES: Final = frozenset({0x00080106, 0x00080107, 0x0040DB06, 0x0040DB07})
_CLASS_WORDS: Final = ("ClassUID", "ClassesInStudy", "ClassesInSeries", "ClassesSupported", "TransferSyntax")
# UIDs that name a kind of thing, not a thing (PS3.5 9.1 registers the standard's; vendors have theirs)
CLASS_UIDS: Final = frozenset(
    tag
    for tag, (vr, _, _, _, keyword) in DicomDictionary.items()
    if vr == "UI" and any(word in keyword for word in _CLASS_WORDS) and tag != 0x0018100B
) | {0x0008010C, 0x0008010D, 0x00080117, 0x00080118, 0x00020100, 0x0040DB0C, 0x0040DB0D, 0x00089123}


def class_of(tag: int, vr: str) -> str:
    """The class of what this element identifies by; "" where it identifies nothing."""
    found = BY_TAG.get(tag)
    if found is not None:
        return found
    if vr == "PN":
        return PATIENT_NAME if tag in _PATIENTS_NAMES else OPERATOR if tag in _OPERATORS else PHYSICIAN
    if vr == "UI":
        return "" if tag in CLASS_UIDS else DEVICE_UID if tag in _DEVICE_UIDS else UID
    if vr in ("DA", "DT"):
        if tag in _BIRTH:
            return BIRTH_DATE
        return "" if tag in _NO_DATES else DEVICE_DATE if tag in _DEVICE_DATES else STUDY_DATE
    return ""


class Kept(NamedTuple):
    """What leaves on purpose."""

    classes: frozenset[str] = frozenset()
    tags: frozenset[int] = frozenset()  # attributes that a site keeps with a reason, each in its own place only
    shifted: bool = False  # dates move: one may fall on another of the study


KEEPS: Final[dict[str, frozenset[str]]] = {
    "retain-uids": frozenset({UID, DEVICE_UID}),
    "retain-device-identity": frozenset({DEVICE, DEVICE_UID, DEVICE_DATE}),
    "retain-institution-identity": frozenset({INSTITUTION}),
    "retain-full-dates": frozenset({STUDY_DATE, DEVICE_DATE}),
}
_SHIFTS: Final = "retain-modified-dates"


def kept_by(options: tuple[str, ...], tags: frozenset[int] = frozenset()) -> Kept:
    """What the options of PS3.15 E.3, by name, and a site's own exceptions keep. Unknown options keep nothing."""
    classes = frozenset[str]().union(*(KEEPS.get(name, ()) for name in options))
    shifted = _SHIFTS in options
    return Kept(classes - {DEVICE_DATE} if shifted else classes, tags, shifted)
