"""What a person finds on a medium beside the File-set: README.TXT, and on request an index page.

Rules of this file
* README.TXT says what the medium is and how it is read; it names nobody, on a secure medium least of all.
* INDEX.HTM lists patients, studies and series with links to their files. It is made of elements, never of text pasted
  into markup, and asks no network for anything. A secure medium has none: it would tell what the encryption hides.
* Neither is referred to by the DICOMDIR (PS3.3 F.2.1 d), and neither is needed to read the set.
"""

from __future__ import annotations

from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

from gateway import __version__
from profiles.media import ApplicationProfile
from transforms.dataset.values import decode
from transforms.dictionary import DicomDictionary
from transforms.errors import TransformError
from transforms.media.dicomdir import Node, walked

README: Final = "README.TXT"
INDEX: Final = "INDEX.HTM"
_CHARACTER_SET: Final = 0x00080005
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE: Final = "body{font:16px sans-serif} table{border-collapse:collapse} td,th{border:1px solid;padding:.3em}"
_LONG: Final = (b"SQ", b"UC", b"UN", b"UT", b"UR")

_PLAIN_TEXT: Final = """\
This medium holds a DICOM File-set (PS3.10): {count} objects, application profile {profile} (PS3.11).

The file DICOMDIR lists them; any DICOM viewer or archive can import it.
Volume {number} of {of}. Each volume is a File-set of its own.

Written by dicom-gateway {version}.
"""
_SECURE_TEXT: Final = """\
This medium holds a secure DICOM File-set (PS3.10, PS3.15 Annex D): application profile {profile} (PS3.11).

Every DICOM file on it, DICOMDIR too, is encrypted (CMS, RFC 5652, in DER). Only who has the private key of one of the
recipients, or the password, can read it:

    dicom-gateway media open --cert CERT --key KEY --ca CA --out FOLDER MEDIUM

or with any program that reads CMS: EnvelopedData, and in it SignedData or DigestedData, and in that the DICOM file.

Volume {number} of {of}. Each volume is a File-set of its own.

Written by dicom-gateway {version}.
"""


def readme(profile: ApplicationProfile, count: int, number: int, of: int) -> bytes:
    """README.TXT, in ASCII with the line ends that every system shows."""
    text = _SECURE_TEXT if profile.secure else _PLAIN_TEXT
    told = text.format(count=count, profile=profile.name, number=number, of=of, version=__version__)
    return told.replace("\n", "\r\n").encode("ascii")


def index_page(roots: list[Node]) -> bytes:
    """INDEX.HTM of a plain File-set, in UTF-8."""
    page = Element("html", lang="en")
    head = SubElement(page, "head")
    SubElement(head, "meta", charset="utf-8")
    SubElement(head, "meta", {"http-equiv": "Content-Security-Policy", "content": _POLICY})
    SubElement(head, "title").text = "DICOM File-set"
    SubElement(head, "style").text = _STYLE
    body = SubElement(page, "body")
    SubElement(body, "h1").text = "DICOM File-set"
    for patient in roots:
        if patient.type != "PATIENT":
            continue
        SubElement(body, "h2").text = f"{_text(patient, 0x00100010) or '-'} ({_text(patient, 0x00100020)})"
        for study in patient.children:
            told = [_text(study, tag) for tag in (0x00080020, 0x00081030)]
            SubElement(body, "h3").text = "Study " + ", ".join(each for each in told if each)
            _series(SubElement(body, "table"), study)
    return b"<!doctype html>\n" + bytes(tostring(page, encoding="utf-8", method="html"))


def _series(table: Element, study: Node) -> None:
    row = SubElement(table, "tr")
    for title in ("Series", "Modality", "Description", "Objects"):
        SubElement(row, "th").text = title
    for series in study.children:
        row = SubElement(table, "tr")
        for tag in (0x00200011, 0x00080060, 0x0008103E):
            SubElement(row, "td").text = _text(series, tag)
        cell = SubElement(row, "td")
        for number, node in enumerate((each for each in walked(series.children) if each.file), 1):
            assert node.file is not None
            SubElement(cell, "a", href="/".join(node.file.file_id)).text = str(number)
            SubElement(cell, "span").text = " "


def _text(node: Node, tag: int) -> str:
    """A key as text; "?" where its bytes are not of its character set."""
    element = node.keys.get(tag, b"")
    if not element:
        return ""
    head = 12 if element[4:6] in _LONG else 8
    try:
        charset = node.keys.get(_CHARACTER_SET, b"")[8:].decode("ascii").strip(" \0").split("\\")
        values = decode(element[head:], DicomDictionary[tag][0], charset if charset != [""] else ())
    except (TransformError, UnicodeDecodeError):
        return "?"
    return ", ".join("".join(letter for letter in value if letter.isprintable()) for value in values)
