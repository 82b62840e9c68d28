"""The general purpose application profiles of PS3.11, and the dental one for e-mail, as one table.

* Annexes D (CD, DVD-RAM, BD), H (DVD), I (DVD video), J (USB, cards), L (ZIP over e-mail), M and N (BD, compressed).
* A secure profile (`-SEC-`) has the syntaxes and keys of its plain twin; every file of it is a Secure DICOM File.
* Left out: the clinical profiles of Annexes A to C, E to G and K, which ask for one modality and its image attributes.
* Sizes of media are those of PS3.12's physical media: a CD-R of 80 minutes, one layer of a DVD or BD. Flash memory and
  e-mail have none here: the user names it.

The rows are those of Tables D.3-1, H.3-1, I.3-1, J.3-1, L.3-1, L.3-2, M.3-1 and N.3-1 of PS3.11, edition 2020c.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Format = Literal["folder", "zip", "iso"]

EXPLICIT_LE: Final = "1.2.840.10008.1.2.1"
_JPEG_ARC: Final = "1.2.840.10008.1.2.4."
_JPEG: Final = tuple(_JPEG_ARC + each for each in ("70", "50", "51"))  # Tables H.3-1, J.3-1, M.3-1
_J2K: Final = tuple(_JPEG_ARC + each for each in ("90", "91"))


@dataclass(frozen=True, slots=True)
class Medium:
    """A physical medium of PS3.12: bytes it holds (0: the user says), and the forms a set for it may be written in."""

    name: str
    capacity: int
    formats: tuple[Format, ...]  # the first is what the medium is made of
    udf: bool = False  # PS3.12: UDF, beside ISO 9660
    longest_file: int = 0  # bytes; 0: what the format itself allows


@dataclass(frozen=True, slots=True)
class ApplicationProfile:
    """One application profile. `syntaxes` empty: any that can be stored, as the conformance statement says (L.3.1)."""

    name: str
    annex: str  # of PS3.11
    medium: Medium
    syntaxes: tuple[str, ...]  # of composite instances; the DICOMDIR is always Explicit VR little endian
    secure: bool = False
    sop_classes: tuple[str, ...] = ()  # empty: every Media Storage SOP class of PS3.4 Annex I
    keys: Literal["none", "basic", "extended"] = (
        "basic"  # additional DICOMDIR keys: Table D.3-2, or H.3-2 (holds I.3-2)
    )


_SECTOR: Final = 2048
CD: Final = Medium("CD-R", 360_000 * _SECTOR, ("iso", "folder"))
DVD: Final = Medium("DVD", 2_298_496 * _SECTOR, ("iso", "folder"), udf=True)
DVD_RAM: Final = Medium("DVD-RAM", 2_236_704 * _SECTOR, ("iso", "folder"), udf=True)
BD: Final = Medium("BD", 12_219_392 * _SECTOR, ("iso", "folder"), udf=True)
_FAT32: Final = (4 << 30) - 1
USB: Final = Medium("USB", 0, ("folder",), longest_file=_FAT32)
CARDS: Final = {
    name: Medium(title, 0, ("folder",), longest_file=(2 << 30) - 1)  # FAT16
    for name, title in (("MMC", "Multimedia Card"), ("CF", "CompactFlash"), ("SD", "Secure Digital Card"))
}
MAIL: Final = Medium("e-mail", 0, ("zip", "folder"))

# Dental images (Table L.3-2)
_DENTAL: Final = ("1.2.840.10008.5.1.4.1.1.1.3", "1.2.840.10008.5.1.4.1.1.1.1")

# name in the middle of the profile's -> (annex, medium, syntaxes beside Explicit VR little endian, additional keys)
_GENERAL: Final[dict[str, tuple[str, Medium, tuple[str, ...], Literal["basic", "extended"]]]] = {
    "CD": ("D", CD, (), "basic"),
    "DVD-RAM": ("D", DVD_RAM, (), "basic"),
    "BD": ("D", BD, (), "basic"),
    "DVD-JPEG": ("H", DVD, _JPEG, "extended"),
    "DVD-J2K": ("H", DVD, _J2K, "extended"),
    **{
        f"{name}-{kind}": ("J", medium, syntaxes, "extended")
        for name, medium in {"USB": USB, **CARDS}.items()
        for kind, syntaxes in (("JPEG", _JPEG), ("J2K", _J2K))
    },
    "BD-JPEG": ("M", BD, _JPEG, "extended"),
    "BD-J2K": ("M", BD, _J2K, "extended"),
    "BD-MPEG2-MPML": ("M", BD, (_JPEG_ARC + "100",), "extended"),
    "BD-MPEG2-MPHL": ("M", BD, (_JPEG_ARC + "101",), "extended"),
    "BD-MPEG4-HPLV41": ("M", BD, (_JPEG_ARC + "102",), "extended"),
    "BD-MPEG4-HPLV41BD": ("M", BD, (_JPEG_ARC + "103",), "extended"),
}
# Tables I.3-1 and N.3-1: video alone, nothing uncompressed but the DICOMDIR. Whole names, with their secure twins
_VIDEO: Final = {
    ("STD-DVD-MPEG2-MPML", "STD-DVD-SEC-MPEG2-MPML"): ("I", DVD, "100"),
    ("STD-GEN-BD-MPEG4-HPLV42-2D", "STD-GEN-SEC-BD-MPEG4-HPLV42-2D"): ("N", BD, "104"),
    ("STD-GEN-BD-MPEG4-HPLV42-3D", "STD-GEN-SEC-BD-MPEG4-HPLV42-3D"): ("N", BD, "105"),
    ("STD-GEN-BD-MPEG4-SHPLV42", "STD-GEN-SEC-BD-MPEG4-SHPLV42"): ("N", BD, "106"),
}


def _all() -> dict[str, ApplicationProfile]:
    found = []
    for secure, prefix in ((False, "STD-GEN-"), (True, "STD-GEN-SEC-")):
        for middle, (annex, medium, syntaxes, keys) in _GENERAL.items():
            name = prefix + middle
            found.append(ApplicationProfile(name, annex, medium, (EXPLICIT_LE, *syntaxes), secure, keys=keys))
        for twins, (annex, medium, video) in _VIDEO.items():
            found.append(
                ApplicationProfile(twins[secure], annex, medium, (_JPEG_ARC + video,), secure, keys="extended")
            )
        found.append(ApplicationProfile(f"{prefix}ZIP-MAIL", "L", MAIL, (), secure, keys="none"))
    found.append(ApplicationProfile("STD-DTL-SEC-ZIP-MAIL", "L", MAIL, (EXPLICIT_LE,), True, _DENTAL, "none"))
    table = {each.name: each for each in found}
    if len(table) != len(found):
        raise RuntimeError("an application profile stands twice in the table")
    return table


PROFILES: Final[dict[str, ApplicationProfile]] = _all()
