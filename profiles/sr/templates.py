"""Root templates of PS3.16 Annex A: their names, and the root concepts that show which one an unidentified document is.

A title that several templates share names the general one; `CHILDREN` tells them apart by a child of the root.
"""

from __future__ import annotations

from typing import Final

# TID -> name
TEMPLATES: Final = {
    "1500": "Measurement Report",
    "2000": "Basic Diagnostic Imaging Report",
    "2005": "Transcribed Diagnostic Imaging Report",
    "2006": "Imaging Report With Conditional Radiation Exposure and Protection Information",
    "2010": "Key Object Selection",
    "2100": "Macular Grid Thickness and Volume Report",
    "3001": "Procedure Log",
    "3200": "Quantitative Arteriography and Ventriculography",
    "3250": "IVUS Report",
    "3500": "Hemodynamics Report",
    "3700": "ECG Report",
    "3900": "CT/MR Cardiovascular Analysis Report",
    "4000": "Mammography CAD Document Root",
    "4100": "Chest CAD Document Root",
    "4120": "Colon CAD Document Root",
    "4200": "Breast Imaging Report",
    "5000": "OB-GYN Ultrasound Procedure Report",
    "5100": "Vascular Ultrasound Report",
    "5200": "Echocardiography Procedure Report",
    "5220": "Pediatric, Fetal and Congenital Cardiac Ultrasound Reports",
    "5300": "Simplified Echo Procedure Report",
    "7000": "Implantation Plan",
    "8101": "Preclinical Small Animal Image Acquisition Context",
    "10001": "Projection X-Ray Radiation Dose",
    "10011": "CT Radiation Dose",
    "10021": "Radiopharmaceutical Radiation Dose",
    "10030": "Patient Radiation Dose",
    "10040": "Enhanced X-Ray Radiation Dose",
    "11001": "Planned Imaging Agent Administration",
    "11020": "Performed Imaging Agent Administration",
}

# (scheme, code value) of the root concept -> TID
ROOTS: Final = {
    ("DCM", "126000"): "1500",
    ("DCM", "126001"): "1500",
    ("DCM", "126002"): "1500",
    ("DCM", "126003"): "1500",
    ("DCM", "111690"): "2100",
    ("DCM", "121120"): "3001",
    ("DCM", "122291"): "3200",
    ("DCM", "122292"): "3200",
    ("DCM", "122325"): "3250",
    ("DCM", "122120"): "3500",
    ("LN", "11524-0"): "3700",
    ("DCM", "122600"): "3900",
    ("DCM", "111036"): "4000",
    ("DCM", "112000"): "4100",
    ("DCM", "112220"): "4120",
    ("DCM", "111400"): "4200",
    ("DCM", "125000"): "5000",
    ("DCM", "125100"): "5100",
    ("DCM", "125200"): "5200",
    ("LN", "59281-6"): "5300",
    ("DCM", "125195"): "5220",
    ("DCM", "125196"): "5220",
    ("DCM", "125197"): "5220",
    ("DCM", "112345"): "7000",
    ("DCM", "127001"): "8101",
    ("DCM", "113701"): "10001",
    ("DCM", "113500"): "10021",
    ("DCM", "128401"): "10030",
    ("DCM", "130182"): "11001",
    ("DCM", "130226"): "11001",
    ("DCM", "130227"): "11020",
}

# TID by the root's concept -> {(scheme, code value) of a child: the TID it really is}
CHILDREN: Final = {"10001": {("DCM", "113811"): "10011", ("DCM", "113819"): "10011"}}

# CID 7000, Diagnostic Imaging Report Document Titles, so far as no other template claims them: TID 2000
_LOINC: Final = """
    11525-3 11528-7 18745-0 18748-4 18750-0 18752-6 18754-2 18756-7 24534-0 24590-2 24601-7 24606-6 24616-5 24627-2
    24725-4 24733-8 24859-1 24884-9 24907-8 24990-4 25002-7 25010-0 25045-6 25056-3 25061-3 28614-6 30695-1 38036-0
    38269-7 39036-9 39445-2 39448-6 39453-6 41806-1 42148-7 43468-8 43771-5 44136-0 44174-1 46375-2 47048-4 49118-3
    49512-7"""
REPORT_TITLES: Final = frozenset({("SCT", "48526000"), *(("LN", code) for code in _LOINC.split())})
