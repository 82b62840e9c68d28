"""ISO Schematron over XPath 2 by Saxon: the rules of ../shared as XSLT, for what is plain in them.

The PS3.20 rules use pattern, rule, let and assert. Anything else is an error here: no rule is lost in silence.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from lxml import etree

SCH = "{http://purl.oclc.org/dsdl/schematron}"
XSL = "http://www.w3.org/1999/XSL/Transform"


class Failed(NamedTuple):
    """One assertion that did not hold."""

    test: str
    message: str
    where: str


def _x(element: str, **attributes: str) -> etree._Element:
    return etree.Element(f"{{{XSL}}}{element}", attributes)


def stylesheet(rules: list[Path]) -> bytes:
    """The rules as one XSLT 2 stylesheet that writes <failed test= where=>message</failed>."""
    root = etree.Element(
        f"{{{XSL}}}stylesheet",
        {"version": "2.0"},
        nsmap={
            "xsl": XSL,
            "cda": "urn:hl7-org:v3",
            "xsi": "http://www.w3.org/2001/XMLSchema-instance",
            "sdtc": "urn:hl7-org:sdtc",
            "ps3-20": "urn:dicom-org:ps3-20",
        },
    )
    start = etree.SubElement(root, f"{{{XSL}}}template", match="/")
    out = etree.SubElement(start, "results")
    for number, path in enumerate(rules):
        out.append(_x("apply-templates", mode=f"p{number}", select="//*"))
        root.append(_x("template", match="*", mode=f"p{number}", priority="-10"))
        pattern = etree.parse(path).getroot()
        for index, rule in enumerate(each for each in pattern if each.tag == f"{SCH}rule"):
            template = _x("template", match=rule.get("context", ""), mode=f"p{number}", priority=str(1000 - index))
            for part in rule:
                if not isinstance(part.tag, str):
                    continue
                if part.tag == f"{SCH}let":
                    template.append(_x("variable", name=part.get("name", ""), select=part.get("value", "")))
                elif part.tag == f"{SCH}assert":
                    check = _x("if", test=f"not({part.get('test')})")
                    failed = etree.SubElement(check, "failed", test=part.get("test", "").replace("{", "{{"))
                    where = etree.SubElement(failed, f"{{{XSL}}}attribute", name="where")
                    where.append(_x("value-of", select="string-join(ancestor-or-self::*/name(), '/')"))
                    failed.append(_text(" ".join("".join(part.itertext()).split())))
                    template.append(check)
                else:
                    raise AssertionError(f"{path.name}: {part.tag} is not translated")
            root.append(template)
    return etree.tostring(root)


def _text(text: str) -> etree._Element:
    element = _x("text")
    element.text = text
    return element


class Judge:
    """The rules, compiled once."""

    def __init__(self, rules: list[Path]) -> None:
        saxonche = pytest.importorskip("saxonche")
        self._processor = saxonche.PySaxonProcessor(license=False)
        compiler = self._processor.new_xslt30_processor()
        self._sheet = compiler.compile_stylesheet(stylesheet_text=stylesheet(rules).decode())

    def failed(self, document: bytes) -> list[Failed]:
        """Every assertion that does not hold."""
        node = self._processor.parse_xml(xml_text=document.decode())
        result = etree.fromstring(self._sheet.transform_to_string(xdm_node=node).encode())
        return [Failed(each.get("test", ""), "".join(each.itertext()), each.get("where", "")) for each in result]
