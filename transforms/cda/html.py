"""CDA -> a page for people: one HTML file that needs nothing else, opens in any browser and prints well.

Rules of this file
* page.xsl is ours and is the only code: what a document brings (a stylesheet, a schema, an entity) is never followed.
* No script, nothing fetched; a link is http(s) or within the page, a picture is JPEG or PNG within the page.
* It shows any CDA, not only ours. Raises TransformError: xml-malformed, xml-doctype, cda-not-a-document.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from lxml import etree  # type: ignore[import-untyped]

from transforms.conversion import Converted, Given
from transforms.errors import TransformError
from transforms.loss import LossReport
from transforms.xmltext import parsed

_ROOT = "{urn:hl7-org:v3}ClinicalDocument"


def page(cda: bytes) -> bytes:
    """The page, UTF-8."""
    sheet, style = _sheet()
    access = etree.XSLTAccessControl.DENY_ALL
    made = etree.XSLT(sheet, access_control=access)(_document(cda), style=etree.XSLT.strparam(style))
    return bytes(made)


def convert(data: bytes, given: Given) -> Converted:
    """As `dicom-gateway convert` calls it. Entries stand in the narrative too; the page shows that."""
    return Converted(page(data), LossReport("cda", "html"))


def _document(cda: bytes) -> etree._ElementTree:
    root = parsed(cda)
    if root.tag != _ROOT:
        raise TransformError("cda-not-a-document", "the root is no ClinicalDocument of HL7 v3")
    return root.getroottree()


@cache
def _sheet() -> tuple[etree._ElementTree, str]:
    here = files("transforms.cda")
    return etree.fromstring(here.joinpath("page.xsl").read_bytes()), here.joinpath("page.css").read_text("utf-8")
