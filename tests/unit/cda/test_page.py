"""The page for people: all that the narrative says, and nothing that runs, loads or leads astray."""

from __future__ import annotations

import pytest
from lxml import etree, html

from tests.unit.cda import worked
from tests.unit.cda.test_hostile_text import HOSTILE
from tests.unit.cda.test_hostile_text import _with as hostile_document
from transforms.cda.from_sr import convert
from transforms.cda.html import page
from transforms.cda.options import Picture
from transforms.errors import TransformError


def shown(cda: bytes) -> etree._Element:
    return html.document_fromstring(page(cda))


def test_the_worked_example_is_readable() -> None:
    text = " ".join(shown(convert(worked.document(), worked.SITE).data).text_content().split())
    for words in (
        "Chest X-Ray, PA and LAT View", "John Doe", "1964-11-28", "2006-08-23 22:43", "Richard Blitz MD",
        worked.FINDING, worked.IMPRESSION, "Sore throat.", "Suspected lung tumor", "Diameter", "45 mm",
    ):  # fmt: skip
        assert words in text, words


def test_an_unverified_report_says_so() -> None:
    from dataclasses import replace

    document = worked.document()
    general = replace(document.general, verification="UNVERIFIED", verifiers=())
    assert "not verified" in shown(convert(replace(document, general=general)).data).text_content()


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_text(text: str) -> None:
    root = shown(convert(hostile_document(text)).data)
    content = root.xpath("//*[@id='i1.8.1']")[0]
    assert "".join(content.itertext()).splitlines() == text.splitlines()
    assert not root.xpath("//script | //iframe | //object | //link | //*[@onload or @onclick or @onerror]")
    assert content.tag == "bdi"  # what turns the line around turns itself


@pytest.mark.parametrize("link", ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "JaVaScript:x"])
def test_no_link_leads_elsewhere(link: str) -> None:
    cda = convert(worked.document(), worked.SITE).data
    bad = cda.replace(b"http://example.org/wado?", link.encode() + b"?")
    assert bad != cda
    assert [a.get("href") for a in shown(bad).iter("a") if not str(a.get("href")).startswith("#")] == []


def test_links_to_images_stay() -> None:
    links = [str(a.get("href")) for a in shown(convert(worked.document(), worked.SITE).data).iter("a")]
    assert any(link.startswith("http://example.org/wado?") for link in links)


def test_only_pictures_are_pictures() -> None:
    narrative = '<text><renderMultiMedia referencedObject="m1"/></text>'
    entry = '<entry><observationMedia ID="m1"><value mediaType="{}">QUJD</value></observationMedia></entry>'
    body = "<component><structuredBody><component><section>{}{}</section></component></structuredBody></component>"
    cda = f'<ClinicalDocument xmlns="urn:hl7-org:v3">{body}</ClinicalDocument>'
    for kind, number in (("image/jpeg", 1), ("image/png", 1), ("image/svg+xml", 0), ("text/html", 0)):
        found = shown(cda.format(narrative, entry.format(kind)).encode()).xpath("//img/@src")
        assert found == [f"data:{kind};base64,QUJD"] * number


def test_nothing_a_document_brings_is_followed() -> None:
    style = b'<?xml-stylesheet type="text/xsl" href="file:///evil.xsl"?><ClinicalDocument xmlns="urn:hl7-org:v3"/>'
    assert b"evil" not in page(style)
    with pytest.raises(TransformError, match="xml-doctype"):
        page(b'<!DOCTYPE x [<!ENTITY y "z">]><ClinicalDocument xmlns="urn:hl7-org:v3">&y;</ClinicalDocument>')
    for data, reason in ((b"<a", "xml-malformed"), (b"<a/>", "cda-not-a-document"), (b"", "xml-malformed")):
        with pytest.raises(TransformError, match=reason):
            page(data)


def test_a_key_image_is_on_the_page() -> None:
    from tests.unit.cda.test_sections import key_images

    cda = convert(key_images(), pictures=lambda image: Picture("image/png", b"PNG"))
    assert shown(cda.data).xpath("//img/@src") == ["data:image/png;base64,UE5H"]
