"""Which images may hold burned-in text, and what is asked about the device that made one.

* An image is risky by what it is, not by what it says of itself: Burned In Annotation NO is no evidence (PS3.3 C.7.6.3
  leaves it to devices, and devices lie), YES is.
* Not risky are the plain slices of CT, MR, PET and the like, in grey, ORIGINAL or DERIVED but not SECONDARY. `images:
  all` has every image looked at.
"""

from __future__ import annotations

import hashlib
from dataclasses import astuple, dataclass
from typing import Final

from transforms.dataset import values
from transforms.dataset.index import Index
from transforms.errors import TransformError
from transforms.source import ByteSource

# Modalities whose images are made by devices that do not draw on them (PS3.3 C.7.3.1.1.1)
PLAIN: Final = frozenset(
    {"AR", "CR", "CT", "DX", "IO", "IVOCT", "KER", "LEN", "MG", "MR", "NM", "OCT", "OP", "OPT", "PT", "PX", "RTDOSE",
     "RTIMAGE", "SEG", "SM"}
)  # fmt: skip
# SOP classes whose images are screens, films, or drawn on (PS3.4 Annex B.5)
_DRAWN: Final = (
    "1.2.840.10008.5.1.4.1.1.7",  # Secondary Capture, and the multi-frame ones below it
    "1.2.840.10008.5.1.4.1.1.3",  # ultrasound multi-frame
    "1.2.840.10008.5.1.4.1.1.6",  # ultrasound
    "1.2.840.10008.5.1.4.1.1.12",  # X-ray angiography, radiofluoroscopy
    "1.2.840.10008.5.1.4.1.1.77.1.1",  # endoscopy
    "1.2.840.10008.5.1.4.1.1.77.1.2.1",  # video microscopy
    "1.2.840.10008.5.1.4.1.1.77.1.4",  # photography
)
_SCREENS: Final = ("SCREEN", "REPORT", "DOSE", "SAVE", "LABEL", "OVERVIEW")  # the last two: of a slide


@dataclass(frozen=True, slots=True)
class Shape:
    """Device and form of an image: what a line of the catalogue is about. Nothing of a patient."""

    manufacturer: str = ""
    model: str = ""
    software: str = ""
    modality: str = ""
    sop_class: str = ""
    image_type: str = ""  # values joined by a backslash
    photometric: str = ""
    rows: int = 0
    columns: int = 0

    @property
    def group(self) -> str:
        """Twelve hex digits: images that one decision covers have the same."""
        return hashlib.sha256("\0".join(str(each) for each in astuple(self)).encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of an image before its pixels are looked at."""

    shape: Shape
    burned_in: str = ""
    conversion: str = ""


def facts_of(source: ByteSource, index: Index) -> Facts:
    """The facts of a framed data set. What cannot be read counts as missing."""

    def text(tag: int) -> str:
        try:
            return "\\".join(values.read(source, index, tag) or ())
        except TransformError:
            return ""

    def number(tag: int) -> int:
        told = text(tag)
        return int(told) if told.isascii() and told.isdigit() else 0

    shape = Shape(
        manufacturer=text(0x00080070), model=text(0x00081090), software=text(0x00181020), modality=text(0x00080060),
        sop_class=text(0x00080016), image_type=text(0x00080008), photometric=text(0x00280004),
        rows=number(0x00280010), columns=number(0x00280011),
    )  # fmt: skip
    return Facts(shape, burned_in=text(0x00280301), conversion=text(0x00080064))


def risk(facts: Facts) -> str:
    """Why the image may hold burned-in text, for people; "" where nothing says so."""
    shape = facts.shape
    types = [each.strip().upper() for each in shape.image_type.split("\\")]
    if facts.burned_in.strip().upper() == "YES":
        return "Burned In Annotation is YES"
    if shape.modality not in PLAIN:
        return f"modality {shape.modality}" if shape.modality.isalnum() else "no modality"
    if any(shape.sop_class == each or shape.sop_class.startswith(f"{each}.") for each in _DRAWN):
        return "its SOP class"
    if facts.conversion:
        return "it was converted (Conversion Type)"
    if "SECONDARY" in types[1:2] or any(word in each for each in types[2:] for word in _SCREENS):
        return "its Image Type"
    if shape.photometric not in ("MONOCHROME1", "MONOCHROME2") and shape.modality in ("CT", "MR", "PT", "NM"):
        return "colours in a modality of grey images"
    return ""
