"""What an object is between two steps of a route, and what each step and each destination takes.

Rules of this file
* One line a step, one line a destination; a route whose parts do not fit is refused when the file is loaded.
* The keys are those of schema.Step and schema.Destination. What a step does stands in gateway/steps, what a destination
  does in gateway/deliver; tests hold the three tables together.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple


class Kind(StrEnum):
    """What the bytes are."""

    DICOM = "dicom"  # a data set in a transfer syntax
    CDA = "cda"  # HL7 CDA R2, XML in UTF-8
    HL7V2 = "hl7v2"  # one HL7 v2 message, segments ended by CR
    AIM = "aim"  # an AIM v4 annotation collection, XML in UTF-8


class Flow(NamedTuple):
    """What a step takes and what it gives."""

    accepts: Kind
    produces: Kind


STEPS: Final[dict[str, Flow]] = {
    "deidentify": Flow(Kind.DICOM, Kind.DICOM),
    "mdm": Flow(Kind.CDA, Kind.HL7V2),
    "encapsulate": Flow(Kind.CDA, Kind.DICOM),
    "cda": Flow(Kind.DICOM, Kind.CDA),
    "transcode": Flow(Kind.DICOM, Kind.DICOM),
    "aim": Flow(Kind.DICOM, Kind.AIM),
    "sr": Flow(Kind.AIM, Kind.DICOM),
    "verify": Flow(Kind.DICOM, Kind.DICOM),
    "sign": Flow(Kind.DICOM, Kind.DICOM),
    "drop_signatures": Flow(Kind.DICOM, Kind.DICOM),
}

DESTINATIONS: Final[dict[str, frozenset[Kind]]] = {
    "dimse": frozenset({Kind.DICOM}),
    "folder": frozenset(Kind),
    "stow": frozenset({Kind.DICOM}),
    "media": frozenset({Kind.DICOM}),
    "mail": frozenset({Kind.DICOM}),
    "mllp": frozenset({Kind.HL7V2}),
    "http": frozenset({Kind.AIM, Kind.CDA}),
}

# What a destination may make of a document before it takes it, by the key beside its kind: a step of that name.
MADE_THERE: Final[dict[str, frozenset[str]]] = {
    "mdm": frozenset({"mllp", "folder"}),
    "encapsulate": frozenset({"dimse", "stow", "media", "folder"}),
}


def taken(destination: str, made_there: frozenset[str]) -> frozenset[Kind]:
    """What a destination of that kind takes, with those keys of MADE_THERE beside it."""
    here = frozenset(STEPS[each].accepts for each in made_there if destination in MADE_THERE[each])
    return DESTINATIONS[destination] | here
