"""Dummies: what stands where Table E.1-1 says D, valid for the VR and for what readers need of the attribute.

* A dummy never depends on the value it replaces, but for identifiers that tell things of one object apart: those get
  a keyed pseudonym, the same wherever the same identifier stood.
* All text is of A-Z, 0-9, "^", "." and blanks: the same bytes in every character set of PS3.3 C.12.1.1.2.
* A sequence gets the smallest items that the IODs accept, an encapsulated document the smallest file of its kind.
"""

from __future__ import annotations

from typing import Final

from transforms.dataset.elements import header_bytes

WORD: Final = "ANONYMIZED"

# PS3.5 Table 6.2-1. Numbers and bytes are zero, of the width of one value
BY_VR: Final[dict[str, bytes]] = {
    "AE": b"ANONYMIZED",
    "AS": b"000Y",
    "CS": b"ANONYMIZED",
    "DA": b"19000101",
    "DS": b"0 ",
    "DT": b"19000101000000",
    "IS": b"0 ",
    "LO": b"ANONYMIZED",
    "LT": b"ANONYMIZED",
    "PN": b"ANONYMIZED",
    "SH": b"ANONYMIZED",
    "ST": b"ANONYMIZED",
    "TM": b"000000",
    "UC": b"ANONYMIZED",
    "UR": b"about:blank ",
    "UT": b"ANONYMIZED",
    "AT": bytes(4), "FD": bytes(8), "FL": bytes(4), "OB": bytes(2), "OD": bytes(8), "OF": bytes(4), "OL": bytes(4),
    "OV": bytes(8), "OW": bytes(2), "SL": bytes(4), "SS": bytes(2), "SV": bytes(8), "UL": bytes(4), "UN": bytes(2),
    "US": bytes(2), "UV": bytes(8),
}  # fmt: skip

# Where the VR alone does not say what is valid
BY_TAG: Final[dict[int, bytes]] = {0x00080201: b"+0000 "}  # Timezone Offset From UTC

# Identifiers of one thing among several of an object (specimens, subjects, treatment parts): a pseudonym each.
# The text is what keeps kinds apart in the key's domain; LO and SH both hold 16 characters.
IDENTIFIERS: Final[dict[int, str]] = {
    0x00200010: "study-id",
    0x00120040: "subject",
    0x00120042: "reading",
    0x00400512: "container",
    0x00400551: "specimen",
    0x00687005: "uri",
}

_MPPS: Final = "1.2.840.10008.3.1.2.3.3"
# A constant of ours, a UUID as PS3.5 B.2 has it: it names nothing
_NOTHING: Final = "2.25.139443263529862174563246478413587204321"

Template = tuple[tuple[int, str, "bytes | tuple[Template, ...]"], ...]


def _text(tag: int, vr: str, text: str) -> tuple[int, str, bytes]:
    raw = text.encode("ascii")
    return tag, vr, raw + (b"\0" if vr == "UI" else b" ") * (len(raw) & 1)


def code(value: str, scheme: str, meaning: str) -> Template:
    """The item of a code sequence (PS3.3 8.8): value, scheme designator, meaning."""
    return _text(0x00080100, "SH", value), _text(0x00080102, "SH", scheme), _text(0x00080104, "LO", meaning)


_YEAR: Final[Template] = code("a", "UCUM", "year")
# A NUM content item that says 90 years (PS3.3 C.18.1, and 10.2): where an age is above 89
OLDEST: Final[dict[int, bytes | tuple[Template, ...]]] = {
    0x0040A300: (((0x004008EA, "SQ", (_YEAR,)), _text(0x0040A30A, "DS", "90")),),
    0x004008EA: (_YEAR,),
    0x0040A30A: b"90",
}
_PERSON: Final[Template] = code("ANONYMIZED", "99ANONYMIZED", WORD)
_COMMENT: Final[Template] = code("121106", "DCM", "Comment")
_REPORT: Final[Template] = (
    _text(0x0040A010, "CS", "CONTAINS"),
    _text(0x0040A040, "CS", "TEXT"),
    (0x0040A043, "SQ", (_COMMENT,)),
    _text(0x0040A160, "UT", WORD),
)
_SECTION: Final[Template] = (
    _text(0x0040A010, "CS", "CONTAINS"),
    _text(0x0040A040, "CS", "CONTAINER"),
    (0x0040A043, "SQ", (_COMMENT,)),
    _text(0x0040A050, "CS", "SEPARATE"),
)
CONTENT_SEQUENCE: Final = 0x0040A730
# SR IODs whose relationships know no TEXT content item by value (PS3.3 A.35.5, A.35.6: the CAD documents)
SECTIONS_ONLY: Final = frozenset({"1.2.840.10008.5.1.4.1.1.88.50", "1.2.840.10008.5.1.4.1.1.88.65"})

ITEMS: Final[dict[int, tuple[Template, ...]]] = {
    0x00080082: (_PERSON,),  # Institution Code Sequence
    0x00081072: ((_text(0x00080080, "LO", WORD), (0x00401101, "SQ", (_PERSON,))),),  # Operator Identification
    0x00081110: ((_text(0x00081150, "UI", _MPPS), _text(0x00081155, "UI", _NOTHING)),),  # references (rules.REFERENCES)
    0x00081111: ((_text(0x00081150, "UI", _MPPS), _text(0x00081155, "UI", _NOTHING)),),
    0x00340001: (((0x00340002, "OB", bytes(2)), (0x00340007, "OB", bytes(2))),),  # Flow Identifier
    0x00401101: (_PERSON,),  # Person Identification Code Sequence
    0x0040A073: (  # Verifying Observer Sequence
        (
            _text(0x0040A027, "LO", WORD),
            _text(0x0040A030, "DT", "19000101000000"),
            _text(0x0040A075, "PN", WORD),
            (0x0040A088, "SQ", ()),
        ),
    ),
    0x0040A168: (_PERSON,),  # Concept Code Sequence
    CONTENT_SEQUENCE: (_REPORT,),
    0x0040B020: (  # Waveform Annotation Sequence: a remark on the first channel
        (
            (0x0040A0B0, "US", b"\1\0\1\0"),
            (0x0040A180, "US", b"\1\0"),
            _text(0x00700006, "ST", WORD),
        ),
    ),
    0x00700001: (  # Graphic Annotation Sequence: one point in a corner
        (
            _text(0x00700002, "CS", WORD),
            (
                0x00700009,
                "SQ",
                (
                    (
                        _text(0x00700005, "CS", "DISPLAY"),
                        (0x00700020, "US", b"\2\0"),
                        (0x00700021, "US", b"\1\0"),
                        (0x00700022, "FL", bytes(8)),
                        _text(0x00700023, "CS", "POINT"),
                        _text(0x00700024, "CS", "N"),
                    ),
                ),
            ),
        ),
    ),
}

_PDF: Final = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 72 72]/Resources<<>>>>endobj\nxref\n0 4\n"
    b"0000000000 65535 f \n0000000009 00000 n \n0000000052 00000 n \n0000000101 00000 n \n"
    b"trailer<</Size 4/Root 1 0 R>>\nstartxref\n176\n%%EOF\n"
)
_CDA: Final = b'<?xml version="1.0" encoding="UTF-8"?>\n<ClinicalDocument xmlns="urn:hl7-org:v3"/>\n'
ENCAPSULATED_DOCUMENT: Final = 0x00420011
# MIME Type of Encapsulated Document (0042,0012), in lower case -> the smallest file of that kind
DOCUMENTS: Final[dict[bytes, bytes]] = {
    b"application/pdf": _PDF,
    b"text/xml": _CDA,
    b"model/stl": bytes(84),  # binary STL: 80 bytes of header, no triangles
    b"model/obj": b"# anonymized\n",
    b"model/mtl": b"# anonymized\n",
}
# What the IODs of encapsulated documents ask for (PS3.3 A.45, A.85, A.104, A.105)
BY_CLASS: Final[dict[str, bytes]] = {
    "1.2.840.10008.5.1.4.1.1.104.1": b"application/pdf",
    "1.2.840.10008.5.1.4.1.1.104.2": b"text/XML",
    "1.2.840.10008.5.1.4.1.1.104.3": b"model/stl",
    "1.2.840.10008.5.1.4.1.1.104.4": b"model/obj",
    "1.2.840.10008.5.1.4.1.1.104.5": b"model/mtl",
}


def element(tag: int, vr: str, value: bytes, explicit: bool) -> bytes:
    """One whole element."""
    return header_bytes(tag, vr if explicit else "", len(value)) + value


def items(templates: tuple[Template, ...], explicit: bool) -> bytes:
    """The items of a sequence, with defined lengths."""
    out = []
    for template in templates:
        body = b"".join(
            element(tag, vr, value if isinstance(value, bytes) else items(value, explicit), explicit)
            for tag, vr, value in template
        )
        out.append(header_bytes(0xFFFEE000, "", len(body)) + body)
    return b"".join(out)


def dummy_items(tag: int, sop_class: str, explicit: bool) -> bytes:
    """The value of a sequence that Table E.1-1 replaces by a dummy; empty where no item is known for it."""
    if tag == CONTENT_SEQUENCE and sop_class in SECTIONS_ONLY:
        return items((_SECTION,), explicit)
    return items(ITEMS.get(tag, ()), explicit)


def mime_type(raw: bytes, sop_class: str) -> bytes:
    """The MIME type to write: what was said where DICOM knows it, else that of the SOP class."""
    said = raw.strip(b" \0")
    return said if said.lower() in DOCUMENTS else BY_CLASS.get(sop_class, b"application/octet-stream")


def document(mime: bytes) -> bytes:
    """The value that replaces an encapsulated document of this MIME type (of `mime_type`), not padded."""
    return DOCUMENTS.get(mime.lower(), b"\0\0")
