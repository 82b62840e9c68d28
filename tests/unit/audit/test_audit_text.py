"""Text of peers made safe, and back."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from gateway.audit.text import LONGEST, restored, safe

ANY = st.text(st.characters(codec=None), max_size=80)


@given(ANY)
def test_safe_text_comes_back_equal(text: str) -> None:
    assert restored(safe(text)) == text


@given(ANY)
def test_safe_text_is_xml_one_line_and_cannot_turn(text: str) -> None:
    done = safe(text)
    element = etree.fromstring(etree.tostring(_element(done), encoding="UTF-8"))
    assert element.get("a") == element.text == (done or None) or done == element.get("a") == ""
    assert not any(unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} for char in done)
    assert not any(unicodedata.bidirectional(char) in BIDI for char in done)


BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI", "BN"}


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("CT1", "CT1"),
        ("Ωμέγα^山田", "Ωμέγα^山田"),
        ("a\\b", "a\\b"),
        ("a\\u{41}", "a\\u{5C}u{41}"),
        ("a\r\nb\x1b[2J\x00", "a\\u{D}\\u{A}b\\u{1B}[2J\\u{0}"),
        ("\u202egpj.exe", "\\u{202E}gpj.exe"),
        ("\ud800\ufffe", "\\u{D800}\\u{FFFE}"),
        ("]]><x/>&amp;'\"", "]]><x/>&amp;'\""),
    ],
)
def test_examples(text: str, want: str) -> None:
    assert safe(text) == want


def test_a_flood_is_cut_and_says_so() -> None:
    assert safe("x" * LONGEST) == "x" * LONGEST
    assert safe("x" * (LONGEST + 7)) == "x" * LONGEST + "\\u{+7}"
    assert len(safe("\x00" * 10_000_000)) < 10 * LONGEST


def _element(text: str) -> etree._Element:
    element = etree.Element("e", a=text)
    element.text = text
    return element
