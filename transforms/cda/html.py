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

_ROOT = "{urn:hl7-org:v3}ClinicalDocument"


def page(cda: bytes) -> bytes:
    """The page, UTF-8."""
    sheet, style = _sheet()
    access = etree.XSLTAccessControl.DENY_ALL
    made = etree.XSLT(sheet, access_control=access)(_parsed(cda), style=etree.XSLT.strparam(style))
    return bytes(made)


def convert(data: bytes, given: Given) -> Converted:
    """As `dicom-gateway convert` calls it. Entries stand in the narrative too; the page shows that."""
    return Converted(page(data), LossReport("cda", "html"))


def _parsed(cda: bytes) -> etree._ElementTree:
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True, remove_pis=True, remove_comments=True
    )
    try:
        root = etree.fromstring(cda, parser)
    except etree.XMLSyntaxError as error:
        raise TransformError("xml-malformed", "no well-formed XML") from error
    tree = root.getroottree()
    if tree.docinfo.doctype:
        raise TransformError("xml-doctype", "the document declares a document type")
    if root.tag != _ROOT:
        raise TransformError("cda-not-a-document", "the root is no ClinicalDocument of HL7 v3")
    return tree


@cache
def _sheet() -> tuple[etree._ElementTree, str]:
    here = files("transforms.cda")
    return etree.fromstring(here.joinpath("page.xsl").read_bytes()), here.joinpath("page.css").read_text("utf-8")
