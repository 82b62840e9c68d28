"""The forms in which an identity is planted: character sets of the standard, and other encodings inside a value.

Rules of this file
* A character set is declared where it is used (PS3.3 C.12.1.1.2): at the top or in an item.
* UTF-16 is not DICOM's: it stands in byte strings only. Base64, hex and percent stand in text and byte strings.
"""

from __future__ import annotations

import base64
from typing import Final, NamedTuple
from urllib.parse import quote

DEPTHS: Final = (0, 1, 2, 5, 31)
CHARSETS: Final[dict[str, tuple[str, ...]]] = {
    "ascii": (),
    "latin-1": ("ISO_IR 100",),
    "utf-8": ("ISO_IR 192",),
    "iso-2022-jp": ("", "ISO 2022 IR 87"),
    "gb18030": ("GB18030",),
}
CODECS: Final = {
    "ascii": "ascii", "latin-1": "latin-1", "utf-8": "utf-8", "iso-2022-jp": "iso2022_jp", "gb18030": "gb18030",
}  # fmt: skip
WRAPPED: Final = ("utf-16", "base64", "hex", "percent")
ENCODINGS: Final = (*CHARSETS, *WRAPPED)
TEXT_VRS: Final = ("PN", "LO", "SH", "LT", "ST", "UT", "UC")
BYTE_VRS: Final = ("UN", "OB")
# Elements that the Basic Profile removes, empties or replaces, whichever option of E.3 for text or dates is chosen
# (Table E.1-1 has no C there); by VR, in the order in which plantings take them.
REMOVED: Final[dict[str, tuple[str, ...]]] = {
    "PN": ("OtherPatientNames", "RequestingPhysician", "PatientBirthName", "PhysiciansOfRecord", "OperatorsName"),
    "LO": ("CurrentPatientLocation", "MedicalRecordLocator", "PatientAddress", "AdmissionID", "MilitaryRank"),
    "SH": ("PatientTelephoneNumbers", "PerformedLocation", "OrderCallbackPhoneNumber", "OrderEntererLocation"),
    "LT": ("PatientTelecomInformation", "PersonTelecomInformation", "OrderCallbackTelecomInformation"),
    "ST": ("InstitutionAddress", "ReferringPhysicianAddress", "PersonAddress"),
    "UT": ("CameraOwnerName", "GPSMapDatum", "GPSSatellites"),
    "UC": ("DeviceAlternateIdentifier",),
    "UR": ("RetrieveURL", "RetrieveURI"),
    "AE": ("RetrieveAETitle", "PerformedStationAETitle"),
}


class Combination(NamedTuple):
    """One cell of depth x encoding x VR."""

    depth: int
    encoding: str
    vr: str


def combinations() -> tuple[Combination, ...]:
    """Every cell that can exist."""
    return tuple(
        Combination(depth, encoding, vr)
        for encoding in ENCODINGS
        for vr in (*TEXT_VRS, "UR", "AE", *BYTE_VRS)
        if _exists(encoding, vr)
        for depth in DEPTHS
    )


def _exists(encoding: str, vr: str) -> bool:
    if vr in BYTE_VRS:
        return True  # whatever is in a byte string, nothing declares it
    if encoding == "utf-16":
        return False
    if vr in ("UR", "AE"):
        return encoding in ("ascii", "percent") if vr == "UR" else encoding == "ascii"
    return encoding in CHARSETS or vr in ("LO", "LT", "ST", "UT", "UC")


def script(encoding: str) -> str:
    """The script of people.py that this encoding can write."""
    return encoding if encoding in CHARSETS else "utf-8" if encoding == "percent" else "ascii"


def text(encoding: str, word: str) -> str:
    """What stands in a text value."""
    match encoding:
        case "base64":
            return base64.b64encode(word.encode()).decode()
        case "hex":
            return word.encode().hex()
        case "percent":
            return quote(word)
    return word


def raw(encoding: str, word: str) -> bytes:
    """What stands in a byte string."""
    if encoding == "utf-16":
        return word.encode("utf-16-le")
    return text(encoding, word).encode(CODECS.get(encoding, "ascii"))


def pattern(encoding: str, word: str) -> bytes:
    """What to look for in an output's bytes: `raw`, without the escapes that a writer may put elsewhere."""
    found = raw(encoding, word)
    return found[3:-3] if encoding == "iso-2022-jp" else found
