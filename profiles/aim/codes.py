"""Code maps between AIM and DICOM: schemes, SNOMED RT style codes, roles, derivations, units, shapes, modalities."""

from __future__ import annotations

from typing import Final

# codeSystemName as found in AIM -> Coding Scheme Designator (PS3.16 Table 8-1)
SCHEMES: Final = {
    "RadLex": "RADLEX",
    "Radlex": "RADLEX",
    "RadLex3.8": "RADLEX",
    "SNOMED-CT": "SCT",
    "SNOMED CT": "SCT",
    "SNOMEDCT": "SCT",
    "NCI Thesaurus": "NCIt",
    "NCIT": "NCIt",
    "LOINC": "LN",
}

# SNOMED RT style codes that older SRs use for concept names (PS3.16 Table 8.1-1) -> SNOMED CT
SCT_OF_SRT: Final = {
    "G-C0E3": "363698007",  # Finding Site
    "G-C036": "370129005",  # Measurement Method
    "G-C171": "272741003",  # Laterality
    "G-A1F8": "106233006",  # Topographical modifier
}

# Person Observer's Role in this Procedure (PS3.16 CID 7453), by the text that AIM has for it
ROLES: Final = {
    "Performing": "121094",
    "Referring": "121095",
    "Requesting": "121096",
    "Recording": "121097",
    "Verifying": "121098",
    "Assisting": "121099",
    "Circulating": "121100",
    "Standby": "121101",
}

# Values of (121401, DCM, "Derivation") (PS3.16 CID 7464), by which a further typeCode is known as one
DERIVATIONS: Final = frozenset(
    {
        ("DCM", "126051"),  # Skewness
        ("DCM", "126052"),  # Kurtosis
        ("DCM", "126031"),  # Peak Value Within ROI
        ("SCT", "386136009"),  # Standard Deviation
        ("SCT", "373100007"),  # Mode
        ("SCT", "255605001"),  # Minimum
        ("SCT", "56851009"),  # Maximum
        ("SCT", "255619001"),  # Total
        ("SCT", "373098007"),  # Mean
        ("SCT", "373099004"),  # Median
        ("UMLS", "C0681921"),  # Coefficient of Variance
        ("UMLS", "C1711260"),  # Variance
        ("UMLS", "C2347976"),  # Root Mean Square
        ("SRT", "R-10047"),  # Standard Deviation
        ("SRT", "R-0032E"),  # Mode
        ("SRT", "R-404FB"),  # Minimum
        ("SRT", "G-A437"),  # Maximum
        ("SRT", "R-40507"),  # Total
        ("SRT", "R-00317"),  # Mean
        ("SRT", "R-00319"),  # Median
    }
)
# Concept names of modifiers that are HAS PROPERTIES, not HAS CONCEPT MOD (PS3.16 TID 310)
PROPERTIES: Final = frozenset({("DCM", "121402"), ("DCM", "121403"), ("DCM", "121404"), ("DCM", "121405")})
# Concept names of a group's codes that are HAS CONCEPT MOD, not CONTAINS (TID 1501, 1419)
GROUP_MODIFIERS: Final = frozenset({("SCT", "370129005"), ("SRT", "G-C036")})

# Labels of physical entities that are locations (PS3.21 A.6.1.2, TID 1501)
LOCATION: Final = "Location"
LOCATIONS: Final = frozenset({LOCATION, "Lobar Location", "Segmental Location", "OrganType"})

# AIM's unitOfMeasure where it is no UCUM -> UCUM
UNITS: Final = {
    "HU": "[hnsf'U]",
    "pixel": "{pixels}",
    "pixels": "{pixels}",
    "no units": "1",
    "SUV": "{SUV}",
}

# AIM shape -> Graphic Type (PS3.3 C.18.6.1.2, C.18.9.1.2). Points that belong together become POINTs under one UID:
# TID 1410 and 1411 forbid MULTIPOINT.
SHAPES: Final = {
    "TwoDimensionPoint": "POINT",
    "TwoDimensionMultiPoint": "MULTIPOINT",
    "TwoDimensionPolyline": "POLYLINE",
    "TwoDimensionCircle": "CIRCLE",
    "TwoDimensionEllipse": "ELLIPSE",
}
SHAPES_3D: Final = {
    "ThreeDimensionPoint": "POINT",
    "ThreeDimensionMultiPoint": "MULTIPOINT",
    "ThreeDimensionPolyline": "POLYLINE",
    "ThreeDimensionPolygon": "POLYGON",
    "ThreeDimensionEllipse": "ELLIPSE",
    "ThreeDimensionEllipsoid": "ELLIPSOID",
}
POINTS: Final = {"POINT": 1, "CIRCLE": 2, "ELLIPSE": 4, "ELLIPSOID": 6}  # exactly; the others have one or more

# SOP class of an image -> Modality (0008,0060) and its meaning (CID 29), where the SR does not say
MODALITIES: Final = {
    "1.2.840.10008.5.1.4.1.1.2": ("CT", "Computed Tomography"),
    "1.2.840.10008.5.1.4.1.1.2.1": ("CT", "Computed Tomography"),
    "1.2.840.10008.5.1.4.1.1.4": ("MR", "Magnetic Resonance"),
    "1.2.840.10008.5.1.4.1.1.4.1": ("MR", "Magnetic Resonance"),
    "1.2.840.10008.5.1.4.1.1.128": ("PT", "Positron emission tomography"),
    "1.2.840.10008.5.1.4.1.1.130": ("PT", "Positron emission tomography"),
    "1.2.840.10008.5.1.4.1.1.1": ("CR", "Computed Radiography"),
    "1.2.840.10008.5.1.4.1.1.1.1": ("DX", "Digital Radiography"),
    "1.2.840.10008.5.1.4.1.1.1.2": ("MG", "Mammography"),
    "1.2.840.10008.5.1.4.1.1.6.1": ("US", "Ultrasound"),
    "1.2.840.10008.5.1.4.1.1.3.1": ("US", "Ultrasound"),
    "1.2.840.10008.5.1.4.1.1.20": ("NM", "Nuclear Medicine"),
    "1.2.840.10008.5.1.4.1.1.77.1.6": ("SM", "Slide Microscopy"),
}
OTHER_MODALITY: Final = ("OT", "Other")

# Image plane (PS3.16 TID 1604): AIM element -> concept and unit
PLANE: Final = {
    "row_image_orientation_x": ("110904", "Image Orientation (Patient) Row X", "{-1:1}"),
    "row_image_orientation_y": ("110905", "Image Orientation (Patient) Row Y", "{-1:1}"),
    "row_image_orientation_z": ("110906", "Image Orientation (Patient) Row Z", "{-1:1}"),
    "column_image_orientation_x": ("110907", "Image Orientation (Patient) Column X", "{-1:1}"),
    "column_image_orientation_y": ("110908", "Image Orientation (Patient) Column Y", "{-1:1}"),
    "column_image_orientation_z": ("110909", "Image Orientation (Patient) Column Z", "{-1:1}"),
    "vertical_pixel_spacing": ("111066", "Vertical Pixel Spacing", "mm"),
    "horizontal_pixel_spacing": ("111026", "Horizontal Pixel Spacing", "mm"),
    "slice_thickness": ("112225", "Slice Thickness", "mm"),
    "image_position_x": ("110901", "Image Position (Patient) X", "mm"),
    "image_position_y": ("110902", "Image Position (Patient) Y", "mm"),
    "image_position_z": ("110903", "Image Position (Patient) Z", "mm"),
}
