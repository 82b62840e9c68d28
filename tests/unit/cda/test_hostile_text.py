"""Text that would be markup, that no XML may hold, that turns the line around, that is a megabyte: it stays text."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.cda import worked
from tests.unit.cda.reading import NS, found, parsed
from transforms.cda.from_sr import Cda, convert
from transforms.cda.xml import Writer
from transforms.sr.header import Person
from transforms.sr.model import Document, Item
from transforms.sr.values import Code, Text

HOSTILE = (
    "</content></text><script>alert(1)</script>",
    "]]><!--><?xml version='1.0'?><!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]>&b;",
    "{{ 7*7 }} {% include 'x' %} ${x} %s",
    "a \"quoted\" 'value' & <more>",
    "line one\r\nline two\nline three\rline four\ttabbed",
    "\u202egnp.eil\u202c \u2066isolated\u2069 \u200f",
    "Grüße, Ωμέγα, Дмитрий, 山田太郎, 김희중, עברית, عربي, \U0001f9e0",
    "\u0085\u2028\u2029 next lines",
)
UNWRITABLE = ("\x00\x01\x08\x0b\x1f", "\ufffe\uffff", "ESC \x1b[31m red")
REPLACED = str.maketrans(
    dict.fromkeys([*map(chr, range(9)), "\x0b", "\x0c", *map(chr, range(14, 32)), "\ufffe", "\uffff"], "\ufffd")
)


def _with(text: str) -> Document:
    """The worked example with a text in every sink: content items, titles, names, codes, header."""
    document = worked.document()
    section = document.root.children[7]
    finding = replace(section.children[0], value=Text(text), name=Code("121071", "DCM", text))
    code = Code(text, "99X", text, text)
    root = replace(
        document.root,
        children=(
            *document.root.children[:7],
            replace(section, name=Code("121070", "DCM", text), children=(finding,)),
            Item("CONTAINS", code, document.root.value, (replace(finding, position=(1, 9, 1)),), (1, 9)),
        ),
    )
    return replace(
        document,
        root=root,
        patient=replace(document.patient, name=f"{text}^Jane", id=replace(document.patient.id, value=text)),
        study=replace(document.study, description=text, referring=Person(text, address=text, telephones=(text,))),
    )


def _sinks(cda: Cda) -> list[tuple[str, str]]:
    root = parsed(cda.data)
    return [
        (path, text)
        for path in (
            "//c:content[@ID='i1.8.1']", "//c:content[@ID='i1.9.1']",
            "//c:section[@ID='i1.8']/c:title", "//c:section[@ID='i1.9']/c:title",
            "//c:section[@ID='i1.8']/c:entry/c:observation/c:value/c:originalText",
            "//c:section[@ID='i1.8']/c:entry/c:observation/c:code/@displayName",
            "//c:section[@ID='i1.8']/c:text/c:paragraph/c:caption",
            "//c:patientRole/c:id/@extension",
            "//c:associatedEntity/c:addr",
            "//c:act[c:code/@code='113014']/c:text",
        )
        for text in found(root, path)
    ]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_text_is_equal_after_parsing(text: str) -> None:
    sinks = _sinks(convert(_with(text)))
    assert len({path for path, _ in sinks}) == 10
    for path, said in sinks:
        assert said == text, path


@pytest.mark.parametrize("text", UNWRITABLE)
def test_what_xml_cannot_hold_is_replaced_and_told(text: str) -> None:
    cda = convert(_with(text))
    for path, said in _sinks(cda):
        assert said == text.translate(REPLACED), path
    assert any("U+FFFD" in line.what for line in cda.losses.lines)


def test_a_megabyte_is_all_there() -> None:
    text = "<&>\r\n" * 200_000
    cda = convert(_with(text))
    assert dict(_sinks(cda))["//c:content[@ID='i1.8.1']"] == text


def test_no_element_of_the_text_is_an_element() -> None:
    for text in HOSTILE:
        root = parsed(convert(_with(text)).data)
        assert not root.xpath("//*[local-name()='script']", namespaces=NS)
        assert root.getroottree().docinfo.doctype == ""


@given(st.text(), st.text())
def test_the_writer_keeps_any_text(value: str, text: str) -> None:
    writer = Writer()
    with writer.element("a", {"b": value}):
        writer.lines(text)
    root = parsed(b"".join(writer.done()))
    legal = [each if writer_keeps(each) else "\ufffd" for each in value]
    assert root.get("b") == "".join(legal)
    assert "".join(root.itertext()) == "".join(each if writer_keeps(each) else "\ufffd" for each in text)
    assert writer.replaced == sum(not writer_keeps(each) for each in value + text)


def writer_keeps(character: str) -> bool:
    """XML 1.0, 2.2: Char."""
    code = ord(character)
    return code in (9, 10, 13) or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or code >= 0x10000
