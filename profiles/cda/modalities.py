"""SOP Class of an image -> the modality that made it (CID 29, CID 32), where the class leaves no doubt.

An SR names SOP classes in its evidence, not modalities; the series of a DICOM Object Catalog (10.7) need one.
"""

from __future__ import annotations

from typing import Final

_STORAGE: Final = "1.2.840.10008.5.1.4.1.1."
_SR: Final = ("SR", "SR Document")

# made of images, not of a patient: they say nothing of how a study was acquired (CID 29)
DERIVED: Final = frozenset({"SC", "RTDOSE", "RTSTRUCT", "RTPLAN", "PR", "SEG", "REG", "KO", "SR"})

MODALITY_OF: Final[dict[str, tuple[str, str]]] = {
    _STORAGE + tail: modality
    for modality, tails in {
        ("CR", "Computed Radiography"): ("1",),
        ("DX", "Digital Radiography"): ("1.1", "1.1.1"),
        ("MG", "Mammography"): ("1.2", "1.2.1", "13.1.3", "13.1.4", "13.1.5"),
        ("IO", "Intra-oral Radiography"): ("1.3", "1.3.1"),
        ("CT", "Computed Tomography"): ("2", "2.1", "2.2"),
        ("US", "Ultrasound"): ("3.1", "6.1", "6.2", "3", "6"),
        ("MR", "Magnetic Resonance"): ("4", "4.1", "4.2", "4.3", "4.4"),
        ("XA", "X-Ray Angiography"): ("12.1", "12.1.1", "13.1.1"),
        ("RF", "Radiofluoroscopy"): ("12.2", "12.2.1"),
        ("NM", "Nuclear Medicine"): ("20",),
        ("PT", "Positron emission tomography"): ("128", "130", "128.1"),
        ("SC", "Secondary Capture"): ("7",),
        ("ES", "Endoscopy"): ("77.1.1", "77.1.1.1"),
        ("GM", "General Microscopy"): ("77.1.2", "77.1.2.1"),
        ("SM", "Slide Microscopy"): ("77.1.3", "77.1.6"),
        ("XC", "External-camera Photography"): ("77.1.4", "77.1.4.1"),
        ("OP", "Ophthalmic Photography"): ("77.1.5.1", "77.1.5.2"),
        ("OPT", "Ophthalmic Tomography"): ("77.1.5.4",),
        ("RTIMAGE", "Radiotherapy Image"): ("481.1",),
        ("RTDOSE", "Radiotherapy Dose"): ("481.2",),
        ("RTSTRUCT", "Radiotherapy Structure Set"): ("481.3",),
        ("RTPLAN", "Radiotherapy Plan"): ("481.5",),
        ("PR", "Presentation State"): ("11.1", "11.2", "11.3", "11.4", "11.8"),
        ("SEG", "Segmentation"): ("66.4",),
        ("REG", "Registration"): ("66.1", "66.3"),
        ("KO", "Key Object Selection"): ("88.59",),
        _SR: tuple(
            f"88.{number}" for number in (11, 22, 33, 34, 35, 40, 50, 65, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76)
        ),
    }.items()
    for tail in tails
}
