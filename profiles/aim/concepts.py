"""The coded concepts of the mapping AIM <-> TID 1500 (PS3.21 A.6.1.2): (code value, scheme designator, meaning)."""

from __future__ import annotations

from typing import Final, TypeAlias

Triplet: TypeAlias = tuple[str, str, str]

# TID 1500 and what it includes
REPORT: Final = ("126000", "DCM", "Imaging Measurement Report")
LANGUAGE: Final = ("121049", "DCM", "Language of Content Item and Descendants")
COUNTRY: Final = ("121046", "DCM", "Country of Language")
ENGLISH: Final = ("eng", "RFC5646", "English")
UNITED_STATES: Final = ("US", "ISO3166_1", "United States")
PROCEDURE_REPORTED: Final = ("121058", "DCM", "Procedure reported")
IMAGING_PROCEDURE: Final = ("363679005", "SCT", "Imaging procedure")
LIBRARY: Final = ("111028", "DCM", "Image Library")
LIBRARY_GROUP: Final = ("126200", "DCM", "Image Library Group")
MEASUREMENTS: Final = ("126010", "DCM", "Imaging Measurements")
GROUP: Final = ("125007", "DCM", "Measurement Group")
DERIVED: Final = ("126011", "DCM", "Derived Imaging Measurements")
EVALUATIONS: Final = ("C0034375", "UMLS", "Qualitative Evaluations")
# TID 1501, 1410, 1411, 1419
TRACKING_IDENTIFIER: Final = ("112039", "DCM", "Tracking Identifier")
TRACKING_UID: Final = ("112040", "DCM", "Tracking Unique Identifier")
FINDING: Final = ("121071", "DCM", "Finding")
FINDING_SITE: Final = ("363698007", "SCT", "Finding Site")
COMMENT: Final = ("121106", "DCM", "Comment")
IMAGE_REGION: Final = ("111030", "DCM", "Image Region")
VOLUME_SURFACE: Final = ("121231", "DCM", "Volume Surface")
REFERENCED_SEGMENT: Final = ("121191", "DCM", "Referenced Segment")
SEGMENTATION_FRAME: Final = ("121214", "DCM", "Referenced Segmentation Frame")
SOURCE_IMAGE: Final = ("121233", "DCM", "Source image for segmentation")
SOURCE_SERIES: Final = ("121232", "DCM", "Source series for segmentation")
SOURCE: Final = ("260753009", "SCT", "Source")  # of a group without a region (TID 1501)
METHOD: Final = ("370129005", "SCT", "Measurement Method")
DERIVATION: Final = ("121401", "DCM", "Derivation")
EQUIVALENT_MEANING: Final = ("121050", "DCM", "Equivalent Meaning of Concept Name")
# TID 4019
ALGORITHM_NAME: Final = ("111001", "DCM", "Algorithm Name")
ALGORITHM_PARAMETERS: Final = ("111002", "DCM", "Algorithm Parameters")
ALGORITHM_VERSION: Final = ("111003", "DCM", "Algorithm Version")
# TID 1003
OBSERVER_NAME: Final = ("121008", "DCM", "Person Observer Name")
LOGIN_NAME: Final = ("128774", "DCM", "Person Observer's Login Name")
PROCEDURE_ROLE: Final = ("121011", "DCM", "Person Observer's Role in this Procedure")
ROLE_IDENTIFIER: Final = ("128775", "DCM", "Identifier within Person Observer's Role")
# TID 1602, 1604
MODALITY: Final = ("121139", "DCM", "Modality")
ACCESSION: Final = ("121022", "DCM", "Accession Number")
STUDY_DATE: Final = ("111060", "DCM", "Study Date")
STUDY_TIME: Final = ("111061", "DCM", "Study Time")
# Values
YES: Final = ("373066001", "SCT", "Yes")
NO: Final = ("373067005", "SCT", "No")
NO_UNITS: Final = ("1", "UCUM", "no units")
MM: Final = ("mm", "UCUM", "mm")
DOUBLE: Final = ("C48870", "NCI", "Double")
CALCULATION: Final = ("RID12780", "RadLex", "Calculation")  # the type of every algorithm that an SR names
NOT_A_NUMBER: Final = ("114000", "DCM", "Not a number")
NEGATIVE_INFINITY: Final = ("114001", "DCM", "Negative Infinity")
POSITIVE_INFINITY: Final = ("114002", "DCM", "Positive Infinity")

# What AIM says and TID 1500 has no row for. The AIM toolkit's own scheme names some entities; the fields of others are
# named by their elements in a scheme of this project.
PHYSICAL_ENTITY: Final = ("AS011", "99NCIAIM", "Imaging Physical Entity")
OBSERVATION_ENTITY: Final = ("AS009", "99NCIAIM", "Imaging Observation Entity")
TEXT_ANNOTATION: Final = ("AS015", "99NCIAIM", "Text Annotation Entity")
FIELDS: Final = "99DGAIM"
FIELDS_NAME: Final = "Elements of AIM v4, by name"
SOURCE_DOCUMENT: Final = ("convertedFrom", FIELDS, "Document that this was converted from")
