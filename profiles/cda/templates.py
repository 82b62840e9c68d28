"""The templates of PS3.20 chapters 7 to 10: identifiers, fixed codes, titles, and where each stands.

A `Section` has the code that its template fixes; its title is what a reader sees where the SR has none.
"""

from __future__ import annotations

from typing import Final, NamedTuple

IMAGING_REPORT: Final = "1.2.840.10008.9.1"  # 7.1
ADDENDUM_REPORT: Final = "1.2.840.10008.9.24"  # 7.2
GENERAL_HEADER: Final = "1.2.840.10008.9.20"  # 8.1
IMAGING_HEADER: Final = "1.2.840.10008.9.21"  # 8.2
PARENT_DOCUMENT: Final = "1.2.840.10008.9.22"  # 8.3
CDA_TYPE: Final = ("2.16.840.1.113883.1.3", "POCD_HD000040")


class Section(NamedTuple):
    """A section template of chapter 9."""

    root: str  # templateId/@root
    code: str  # "": the template forbids a code (9.8.9)
    scheme: str
    name: str  # displayName of the code
    title: str
    within: str = ""  # the section it stands in; "": structuredBody


SECTIONS: Final[dict[str, Section]] = {
    "clinical": Section("1.2.840.10008.9.2", "55752-0", "LN", "Clinical Information", "Clinical Information"),
    "request": Section("1.2.840.10008.9.7", "55115-0", "LN", "Request", "Request", "clinical"),
    "indications": Section(
        "2.16.840.1.113883.10.20.22.2.29", "59768-2", "LN", "Procedure Indications", "Indications for Procedure",
        "clinical",
    ),
    "history": Section(
        "2.16.840.1.113883.10.20.22.2.39", "11329-0", "LN", "History General", "History", "clinical"
    ),
    "procedure": Section(
        "1.2.840.10008.9.3", "55111-9", "LN", "Current Imaging Procedure Description", "Imaging Procedure Description"
    ),
    "complications": Section(
        "2.16.840.1.113883.10.20.22.2.37", "55109-3", "LN", "Complications", "Complications", "procedure"
    ),
    "radiation": Section(
        "1.2.840.10008.9.8", "73569-6", "LN", "Radiation exposure and protection information",
        "Radiation Exposure and Protection Information", "procedure",
    ),
    "catalog": Section(
        "2.16.840.1.113883.10.20.6.1.1", "121181", "DCM", "DICOM Object Catalog", "DICOM Object Catalog", "procedure"
    ),
    "comparison": Section("1.2.840.10008.9.4", "18834-2", "LN", "Radiology Comparison study", "Comparison Study"),
    "findings": Section("2.16.840.1.113883.10.20.6.1.2", "59776-5", "LN", "Procedure Findings", "Findings"),
    "fetus": Section(
        "1.2.840.10008.9.9", "76514-9", "LN", "Fetal Study observation", "Fetus Findings", "findings"
    ),
    "impression": Section("1.2.840.10008.9.5", "19005-8", "LN", "Impressions", "Impression"),
    "communication": Section(
        "1.2.840.10008.9.11", "73568-8", "LN", "Communication of Critical Results",
        "Communication of Actionable Findings", "impression",
    ),
    "key-images": Section(
        "1.3.6.1.4.1.19376.1.4.1.2.14", "55113-5", "LN", "Key Images", "Key Images", "impression"
    ),
    "recommendation": Section(
        "1.2.840.10008.9.12", "18783-1", "LN", "Study recommendation", "Recommendation", "impression"
    ),
    "addendum": Section("1.2.840.10008.9.6", "55107-7", "LN", "Addendum", "Addendum"),
    "labeled": Section("1.2.840.10008.9.10", "", "", "", "Details"),  # 9.8.9: in any other, its title is its meaning
}  # fmt: skip

# structuredBody, in the order of 7.1; sections within a section, in the order of 9.2 to 9.6
TOP: Final = ("clinical", "procedure", "comparison", "findings", "impression", "addendum")

ENTRIES: Final[dict[str, str]] = {
    "coded": "2.16.840.1.113883.10.20.6.2.13",  # 10.1
    "medication": "1.2.840.10008.9.13",  # 10.2
    "media": "1.3.6.1.4.1.19376.1.4.1.4.7",  # 10.3
    "technique": "1.2.840.10008.9.14",  # 10.4
    "quantity": "2.16.840.1.113883.10.20.6.2.14",  # 10.5
    "study": "1.2.840.10008.9.16",  # 10.6
    "series": "1.2.840.10008.9.17",  # 10.7
    "sop-instance": "1.2.840.10008.9.18",  # 10.8
    "quality": "1.2.840.10008.9.15",  # 10.9
}
