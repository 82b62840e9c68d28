"""SOP classes whose objects hold an SR content tree (PS3.3 A.35, PS3.4 Table B.5-1), with the IOD each is of.

The retired trial classes (1.2.840.10008.5.1.4.1.1.88.1 to .4) hold trees of another shape and are not here.
"""

from __future__ import annotations

from typing import Final

_SR: Final = "1.2.840.10008.5.1.4.1.1.88."

SOP_CLASSES: Final = {
    _SR + "11": "Basic Text SR",
    _SR + "22": "Enhanced SR",
    _SR + "33": "Comprehensive SR",
    _SR + "34": "Comprehensive 3D SR",
    _SR + "35": "Extensible SR",
    _SR + "40": "Procedure Log",
    _SR + "50": "Mammography CAD SR",
    _SR + "59": "Key Object Selection Document",
    _SR + "65": "Chest CAD SR",
    _SR + "67": "X-Ray Radiation Dose SR",
    _SR + "68": "Radiopharmaceutical Radiation Dose SR",
    _SR + "69": "Colon CAD SR",
    _SR + "70": "Implantation Plan SR Document",
    _SR + "71": "Acquisition Context SR",
    _SR + "72": "Simplified Adult Echo SR",
    _SR + "73": "Patient Radiation Dose SR",
    _SR + "74": "Planned Imaging Agent Administration SR",
    _SR + "75": "Performed Imaging Agent Administration SR",
    _SR + "76": "Enhanced X-Ray Radiation Dose SR",
    _SR + "77": "Waveform Annotation SR",
    "1.2.840.10008.5.1.4.1.1.79.1": "Macular Grid Thickness and Volume Report",
}
KEY_OBJECTS: Final = _SR + "59"
